import { strict as assert } from "node:assert";
import {
  createMemoryFleet,
  createMemoryRunStore,
  createVirtualClock,
  SAMPLE_OPENING_MS,
  sampleFleet,
} from "../../providers/testing";
import type { MemoryFleet, MemoryFleetSpec, VirtualClock } from "../../providers/testing";
import { eventsOf } from "../../providers/testing";
import { describeCapacityDriver } from "./capacity-contract";
import type { ContractFixture } from "./contract";
import { NO_ABORT } from "./contract";
import { describeFunctionDriver } from "./function-contract";
import { describeHostDriver } from "./host-contract";
import { describeRunStore } from "./run-store-contract";
import { describeTrafficDriver } from "./traffic-contract";
import { describeWorkloadDriver } from "./workload-contract";

const HEALTH = { path: "/healthz", intervalMs: 500, timeoutMs: 250 };
const RUN = { epoch: 1, owner: "fixture", signal: NO_ABORT };

interface Simulation {
  readonly clock: VirtualClock;
  readonly fleet: MemoryFleet;
  readonly base: ContractFixture;
}

function createSimulation(change: (spec: MemoryFleetSpec) => MemoryFleetSpec = (spec) => spec): Simulation {
  const clock = createVirtualClock(SAMPLE_OPENING_MS);
  const fleet = createMemoryFleet(change(sampleFleet()), clock, 1);
  const base = { clock, run: (body: () => Promise<void>) => clock.run(body), close: () => Promise.resolve() };
  return { clock, fleet, base };
}

describeHostDriver("the in-memory fleet", () => {
  const { fleet, base } = createSimulation((spec) => ({
    ...spec,
    hosts: spec.hosts.map((host) => ({
      ...host,
      offers: ["shares", "replacement"] as const,
      ...(host.id === "host-03" ? { immutable: "sealed root" } : {}),
    })),
    images: { "image-2": "v2" },
    commands: {
      work: { kind: "print", output: "worked\n", afterMs: 1000 },
      fail: { kind: "fail", afterMs: 1000, exitCode: 3, output: "checksum mismatch\n" },
      endless: { kind: "hang" },
    },
  }));
  fleet.killHost("host-02");
  return Promise.resolve({
    ...base,
    driver: fleet.platform.hosts,
    host: "host-01",
    unreachableHost: "host-02",
    immutableHost: "host-03",
    sharedBy: ["front", "pricing"],
    replacement: { image: "image-2", output: "v2" },
    probe: { command: "version", output: "v1" },
    commands: {
      succeeding: { command: "work", output: "worked" },
      failing: { command: "fail", exitCode: 3, output: "checksum mismatch" },
      endless: "endless",
    },
    countRuns: () =>
      Promise.resolve(
        eventsOf(fleet.events, "command").filter((event) => event.host === "host-01" && event.command === "work")
          .length,
      ),
  });
});

describeWorkloadDriver("the in-memory fleet", () => {
  const { fleet, base } = createSimulation((spec) => ({
    ...spec,
    hosts: spec.hosts.map((host) => ({ ...host, offers: ["live-migration"] as const })),
    workloads: spec.workloads.map((workload) => ({ ...workload, notNow: { "/busy": 1 } })),
  }));
  return Promise.resolve({
    ...base,
    driver: fleet.platform.workloads,
    traffic: fleet.platform.traffic,
    plain: { host: "host-01", replica: "pricing-0", workload: "pricing" },
    exclusive: { host: "host-02", replica: "ledger-0", service: "ledger" },
    otherHost: "host-03",
    hooks: { ok: "/before-move", notNow: "/busy" },
    health: HEALTH,
    migrates: true,
  });
});

describeTrafficDriver("the in-memory fleet", async () => {
  const { clock, fleet, base } = createSimulation();
  const { workloads } = fleet.platform;
  const start = async (host: string, sibling: readonly [string, string], replica: string, standby: boolean) => {
    const spec = await workloads.describe(...sibling, NO_ABORT);
    const copy = await workloads.start(host, { ...spec, replica, standby }, { ...RUN, key: replica });
    return { replica, address: copy.address ?? "" };
  };
  const [spare, successor] = await clock.run(
    async () =>
      [
        await start("host-03", ["host-01", "pricing-0"], "pricing-1", false),
        await start("host-04", ["host-02", "ledger-0"], "ledger-1", true),
      ] as const,
  );
  await clock.advance(5000);
  const addressOf = async (service: string): Promise<string> => {
    const seen = await fleet.platform.traffic.observe(NO_ABORT);
    return seen.find((candidate) => candidate.name === service)?.backends[0]?.address ?? "";
  };
  const pricing = { replica: "pricing-0", address: await clock.run(() => addressOf("pricing")) };
  const ledger = { replica: "ledger-0", address: await clock.run(() => addressOf("ledger")) };
  return {
    ...base,
    driver: fleet.platform.traffic,
    plain: { service: "pricing", backend: pricing, spare },
    exclusive: { service: "ledger", owner: ledger, successor },
    health: HEALTH,
    // The simulated traffic never stops.
    keepBusy: () => Promise.resolve(),
  };
});

describeCapacityDriver("the in-memory fleet", () => {
  const { clock, fleet, base } = createSimulation();
  const { workloads } = fleet.platform;
  return Promise.resolve({
    ...base,
    driver: fleet.platform.capacity,
    hosts: fleet.platform.hosts,
    standby: "standby-01",
    startCopy: async () => {
      const spec = await workloads.describe("host-03", "reports-0", NO_ABORT);
      await workloads.start("standby-01", { ...spec, replica: "reports-9" }, { ...RUN, key: "start" });
      await clock.sleep(5000);
      return () => workloads.stop("standby-01", "reports-9", 1000, { ...RUN, key: "stop" });
    },
  });
});

describeFunctionDriver("the in-memory fleet", () => {
  const { fleet, base } = createSimulation((spec) => ({ ...spec, functions: [{ name: "pricing-fn" }] }));
  const driver = fleet.platform.functions;
  assert.ok(driver);
  return Promise.resolve({ ...base, driver, function: "pricing-fn", workload: "pricing" });
});

describeRunStore("the in-memory store", () => {
  const clock = createVirtualClock(SAMPLE_OPENING_MS);
  const store = createMemoryRunStore(clock);
  return Promise.resolve({
    clock,
    run: (body: () => Promise<void>) => clock.run(body),
    close: () => Promise.resolve(),
    store,
    openAgain: () => Promise.resolve(store),
  });
});
