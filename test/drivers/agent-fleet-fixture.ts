/** A small local fleet of real processes for the drivers' tests. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../providers/clock";
import { openAgentPlatform } from "../../providers/drivers/agent-platform";
import type { Platform } from "../../providers/drivers/contracts";
import {
  createLocalFleet,
  deleteLocalFleet,
  startLocalHost,
  type LocalFleetRecord,
} from "../../providers/drivers/local-fleet";
import type { FleetLayout } from "../../providers/drivers/local-fleet/layout";
import { stopFleetProcess } from "../../providers/drivers/local-fleet/processes";
import type { LocalFleetSpec, LocalHostSpec, LocalWorkloadSpec } from "../../sdk/model";
import { workloadSpec } from "../agent/agent-fixture";
import type { ContractFixture } from "./contract";

export const FIXTURE_HEALTH = workloadSpec("any").process.health;
/** Starting a fleet takes seconds where many tests share the machine. */
export const FLEET_TEST_MS = 120_000;

/** A fleet that runs. */
export interface TestLocalFleet {
  readonly spec: LocalFleetSpec;
  readonly record: LocalFleetRecord;
  readonly platform: Platform;
  /** What every contract fixture has. */
  readonly base: ContractFixture;
}

/** A workload of fixture processes; its service has its name. */
export function fixtureWorkload(name: string, copies: number, exclusive = false): LocalWorkloadSpec {
  const { process, request } = workloadSpec(name);
  return { name, copies, exclusive, process, request, service: name };
}

/** A host of one core. */
export function fixtureHost(id: string, zone: string, role: LocalHostSpec["role"] = "member"): LocalHostSpec {
  return { id, zone, role, cpuMillis: 1000, memoryBytes: 2 ** 30 };
}

/** A folder for a fleet that does not exist yet. */
export async function fleetFolder(): Promise<string> {
  return join(await mkdtemp(join(tmpdir(), "archipelago-fleet-")), "fleet");
}

/** Creates a fleet and opens its platform. */
export async function startTestLocalFleet(
  hosts: readonly LocalHostSpec[],
  workloads: readonly LocalWorkloadSpec[],
  options: Pick<LocalFleetSpec, "traffic" | "hostImage" | "images"> = {},
): Promise<TestLocalFleet> {
  const directory = await fleetFolder();
  const spec: LocalFleetSpec = { name: "test", directory, hosts, workloads, ...options };
  const record = await createLocalFleet(spec);
  const platform = await openAgentPlatform(record.inventory);
  return {
    spec,
    record,
    platform,
    base: {
      clock: systemClock,
      run: (body) => body(),
      close: async () => {
        await platform.close();
        await removeFleet(directory);
      },
    },
  };
}

/** Ends a fleet and removes the folder around it. */
export async function removeFleet(directory: string): Promise<void> {
  await deleteLocalFleet(directory);
  await rm(join(directory, ".."), { recursive: true, force: true });
}

/** As an operator does: writes into an agent's configuration that commands may not change its host, and starts it anew. */
export async function sealHost(fleet: FleetLayout, host: string): Promise<void> {
  const files = fleet.host(host);
  const config = JSON.parse(await readFile(files.config, "utf8")) as object;
  await writeFile(files.config, JSON.stringify({ ...config, immutable: "sealed root" }));
  await stopFleetProcess(files);
  await startLocalHost(fleet.directory, host);
}
