/**
 * The quickstart's fleet with live traffic, as the quickstart itself and the window benchmark use it: starts it, puts
 * load on it, writes a history that fits that load, and takes everything down again.
 *
 * Invariant: whatever was started is ended by `close`, unless it was asked to stay.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startLoad, type LoadOptions, type RunningLoad } from "../../bench/load";
import { openAgentPlatform } from "../../providers/drivers/agent-platform";
import { generateHistory, renderRecordedCsv, type GeneratedWorkload } from "../../providers/observe/history-generator";
import type { TrafficEngine } from "../../sdk/model";
import type { EngineSession } from "../../test/engine/engine-session";
import { openEngine } from "../../test/engine/open-engine";
import { prepare } from "./prepare";
import { folder, history, inventory, root, workloads } from "./settings";

/** Passphrase of the demonstration's own state, which holds no secret. */
const PASSPHRASE = "quickstart";
/** Processes that just started use more than they will. */
const WARM_UP_MS = 9000;
/** Time in which the load's level is measured, and then used as the level of the generated history. */
const MEASURE_MS = 6000;

/** A running fleet under load. */
export interface Demonstration {
  /** The stack that updates the hosts. */
  readonly update: EngineSession;
  readonly load: RunningLoad;
  /** Requests begun so far; a second old at most. */
  requests(): number;
  /** URLs of the services at the switch. */
  readonly endpoints: Readonly<Record<string, string>>;
  /** Ends load and, unless `keep`, the fleet. */
  close(options: { readonly keep: boolean }): Promise<void>;
}

/** How it is started. */
export interface DemonstrationOptions {
  readonly load: Omit<LoadOptions, "services">;
  readonly seed: number;
  /** Number of hosts. @default 6 */
  readonly hosts?: number;
  /** Load before its level is measured. @default 9 seconds */
  readonly warmUpMs?: number;
  /** How long the level is measured. @default 6 seconds */
  readonly measureMs?: number;
  /** What moves requests. @default "embedded" */
  readonly traffic?: TrafficEngine;
  readonly tell: (line: string) => void;
}

/**
 * Starts the fleet in a first stack, puts load on it and opens the second stack.
 * @throws Error with what the engine showed when the fleet does not start
 */
export async function startDemonstration({
  load: options,
  seed,
  warmUpMs = WARM_UP_MS,
  measureMs = MEASURE_MS,
  hosts = 6,
  traffic = "embedded",
  tell,
}: DemonstrationOptions): Promise<Demonstration> {
  await endEarlierFleet(tell);
  prepare();
  const env = { PULUMI_CONFIG_PASSPHRASE: PASSPHRASE, QUICKSTART_HOSTS: String(hosts), QUICKSTART_TRAFFIC: traffic };
  const fleet = await openEngine({
    projectDir: path.join(root, "examples", "quickstart", "fleet"),
    stack: "quickstart",
    stateDir: path.join(folder, "state"),
    env,
  });
  tell(`engine: ${fleet.kind} ${fleet.version}`);
  const created = await fleet.up({ onOutput: tell });
  if (created.exitCode !== 0) throw new Error(`the fleet did not start:\n${created.stdout}`);
  const endpoints = (await fleet.outputs())["endpoints"] as Readonly<Record<string, string>>;
  const { front, ledger } = endpoints;
  if (front === undefined || ledger === undefined) throw new Error("the fleet has no endpoints for front and ledger");
  let requests = 0;
  const load = await startLoad({ ...options, services: { front, ledger } }, (progress) => {
    requests = progress.requests;
  });
  tell(`load: ${String(options.ratePerSecond)} requests a second on ${front}, with writes to ${ledger}`);
  await sleep(warmUpMs + measureMs);
  await writeHistory(seed, measureMs);
  tell(
    `load history: 14 days made by a seeded generator (seed ${String(seed)}) at the level measured just now; not measured`,
  );
  const update = await openEngine({
    projectDir: root,
    stack: "quickstart",
    stateDir: path.join(folder, "state"),
    env: { ...env, ARCHIPELAGO_ENGINE: `${fleet.kind} ${fleet.version}` },
  });
  return {
    update,
    load,
    requests: () => requests,
    endpoints,
    close: async ({ keep }) => {
      await load.stop();
      if (keep) return;
      const destroyed = await fleet.destroy({ onOutput: () => undefined });
      if (destroyed.exitCode !== 0) throw new Error(`the fleet was not taken down:\n${destroyed.stdout}`);
    },
  };
}

/** Ends a fleet that an earlier `--keep` left: its ports and folder are wanted. @returns whether there was one */
export async function endEarlierFleet(tell: (line: string) => void): Promise<boolean> {
  if (!fs.existsSync(inventory)) return false;
  tell("ending the fleet of an earlier run");
  const { deleteLocalFleet } = await import("../../providers/drivers/local-fleet/index.js");
  await deleteLocalFleet(path.dirname(inventory));
  return true;
}

/** Writes a history whose last value is what each workload uses now. */
async function writeHistory(seed: number, measureMs: number): Promise<void> {
  const platform = await openAgentPlatform(inventory);
  try {
    const usage = (await platform.sampler?.usageSince(Date.now() - measureMs, AbortSignal.timeout(10_000))) ?? [];
    const endMs = Date.now();
    const shape = generateHistory({
      workloads: workloads.map(({ name }) => ({ name, peakCpuMillis: 1000, memoryBytes: 1 })),
      endMs,
      seed,
    });
    const measured = workloads.map(({ name }): GeneratedWorkload => {
      const replicas = usage.filter(({ workload }) => workload === name);
      const cpuMillis = replicas.reduce((sum, replica) => sum + mean(replica.cpuMillis), 0);
      const memoryBytes = Math.max(1, ...replicas.map((replica) => mean(replica.memoryBytes)));
      const unscaled =
        shape.find(({ id, unit }) => id === `workload/${name}` && unit === "cpuMillis")?.values.at(-1) ?? 1000;
      return { name, peakCpuMillis: (Math.max(1, cpuMillis) * 1000) / Math.max(1, unscaled), memoryBytes };
    });
    const series = generateHistory({ workloads: measured, endMs, seed });
    fs.writeFileSync(
      history,
      renderRecordedCsv(series, `load history generated with seed ${String(seed)}, not measured`),
    );
  } finally {
    await platform.close();
  }
}

function mean(values: readonly (number | null)[]): number {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? 0 : known.reduce((sum, value) => sum + value, 0) / known.length;
}
