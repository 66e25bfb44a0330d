import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe } from "mocha";
import { openCpuGroups } from "../../providers/agent/cpu-groups";
import { fleetLayout } from "../../providers/drivers/local-fleet/layout";
import { stopFleetProcess } from "../../providers/drivers/local-fleet/processes";
import { eventually, request } from "../agent/agent-fixture";
import { describeCapacityDriver } from "./capacity-contract";
import { NO_ABORT } from "./contract";
import {
  FIXTURE_HEALTH,
  fixtureHost,
  fixtureWorkload,
  FLEET_TEST_MS,
  sealHost,
  startTestLocalFleet,
  type TestLocalFleet,
} from "./agent-fleet-fixture";
import { describeHostDriver } from "./host-contract";
import { describeWorkloadDriver } from "./workload-contract";

/** A folder that machines are made of; removed at the end. */
const folders: string[] = [];
async function imageFolder(version: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "archipelago-image-"));
  folders.push(folder);
  await writeFile(join(folder, "version"), `  ${version}\n\n`);
  return folder;
}

const OPTIONS = { timeoutMs: FLEET_TEST_MS };

describe("drivers: agents on real processes", () => {
  const fleets: TestLocalFleet[] = [];
  const start = async (...args: Parameters<typeof startTestLocalFleet>): Promise<TestLocalFleet> => {
    const fleet = await startTestLocalFleet(...args);
    fleets.push(fleet);
    return fleet;
  };
  // Also when a fixture failed halfway, after which its own `close` is never called.
  after(() => Promise.all(fleets.map(({ base }) => base.close())));
  after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

  describeHostDriver(
    "a local fleet",
    async () => {
      const { base, platform, spec } = await start(
        ["a", "b", "c"].map((zone, index) => fixtureHost(`host-0${String(index + 1)}`, `zone-${zone}`)),
        [fixtureWorkload("plain", 1)],
        { hostImage: await imageFolder("v1"), images: { "image-2": await imageFolder("v2") } },
      );
      const layout = fleetLayout(spec.directory);
      await stopFleetProcess(layout.host("host-02"));
      await sealHost(layout, "host-03");
      return {
        ...base,
        driver: platform.hosts,
        host: "host-01",
        unreachableHost: "host-02",
        immutableHost: "host-03",
        probe: { command: "cat version", output: "v1" },
        replacement: { image: "image-2", output: "v2" },
        commands: {
          succeeding: { command: "echo worked; echo run >> runs", output: "worked" },
          failing: { command: "echo 'checksum mismatch' >&2; exit 3", exitCode: 3, output: "checksum mismatch" },
          endless: "sleep 600",
        },
        // Where this machine has control groups that may be written; elsewhere the driver has to say that it cannot.
        ...(openCpuGroups(layout.host("host-01").state) instanceof Object
          ? { sharedBy: ["plain", "other"] as const }
          : {}),
        countRuns: async () => {
          const runs = await readFile(`${layout.host("host-01").root}/runs`, "utf8").catch(() => "");
          return runs.split("run").length - 1;
        },
      };
    },
    OPTIONS,
  );

  describeWorkloadDriver(
    "a local fleet",
    async () => {
      const { base, platform } = await start(
        ["a", "b", "c"].map((zone, index) => fixtureHost(`host-0${String(index + 1)}`, `zone-${zone}`)),
        [fixtureWorkload("plain", 1), fixtureWorkload("ledger", 1, true)],
      );
      const replicas = await platform.workloads.list(NO_ABORT);
      const hostOf = (id: string): string => replicas.find((replica) => replica.id === id)?.host ?? "";
      const ledger = replicas.find(({ id }) => id === "ledger-0");
      // A state whose way to another host takes time.
      assert.ok(ledger && (await request(ledger, "POST", "/write", "written ".repeat(500))) === 201);
      const used = [hostOf("plain-0"), hostOf("ledger-0")];
      return {
        ...base,
        driver: platform.workloads,
        traffic: platform.traffic,
        plain: { host: hostOf("plain-0"), replica: "plain-0", workload: "plain" },
        exclusive: { host: hostOf("ledger-0"), replica: "ledger-0", service: "ledger" },
        otherHost: ["host-01", "host-02", "host-03"].find((id) => !used.includes(id)) ?? "",
        hooks: { ok: "/hooks/ok", notNow: "/hooks/busy" },
        health: FIXTURE_HEALTH,
        migrates: false,
      };
    },
    OPTIONS,
  );

  describeCapacityDriver(
    "a local fleet",
    async () => {
      const { base, platform } = await start(
        [fixtureHost("host-01", "zone-a"), fixtureHost("standby-01", "zone-a", "standby")],
        [fixtureWorkload("plain", 1)],
      );
      const { workloads } = platform;
      const context = (key: string) => ({ key, epoch: 1, owner: "fixture", signal: NO_ABORT });
      return {
        ...base,
        driver: platform.capacity,
        hosts: platform.hosts,
        standby: "standby-01",
        startCopy: async () => {
          const spec = await workloads.describe("host-01", "plain-0", NO_ABORT);
          await workloads.start("standby-01", { ...spec, replica: "plain-9" }, context("start"));
          await eventually("the copy is healthy", async () =>
            (await workloads.list(NO_ABORT)).some(({ id, state }) => id === "plain-9" && state === "healthy"),
          );
          return () => workloads.stop("standby-01", "plain-9", 1000, context("stop"));
        },
      };
    },
    OPTIONS,
  );
});
