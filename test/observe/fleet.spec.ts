import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { Fleet, HostUpdateSpec, Replica, Workload, WorkloadPolicy } from "../../sdk/model";
import type { Platform } from "../../providers/drivers/contracts";
import type { IslandPlatforms } from "../../providers/observe/fleet";
import { observeFleet } from "../../providers/observe/fleet";
import {
  createMemoryFleet,
  createVirtualClock,
  SAMPLE_OPENING_MS,
  sampleFleet,
  sampleSpec,
} from "../../providers/testing";
import type { MemoryFleet, VirtualClock } from "../../providers/testing";

const SIGNAL = new AbortController().signal;

function createFixture(): { readonly clock: VirtualClock; readonly fleet: MemoryFleet } {
  const clock = createVirtualClock(SAMPLE_OPENING_MS);
  return { clock, fleet: createMemoryFleet(sampleFleet(), clock, 1) };
}

/** Observes in virtual time. */
function observe(...[platforms, spec, signal, clock, baseline]: ObserveArguments): Promise<Fleet> {
  return clock.run(() => observeFleet(platforms, spec, signal, clock, baseline));
}

type ObserveArguments = [IslandPlatforms, HostUpdateSpec, AbortSignal, VirtualClock, Fleet?];

/** The sample's spec with other workload policies. */
function specWith(workloads: readonly WorkloadPolicy[]): HostUpdateSpec {
  const spec = sampleSpec();
  return { ...spec, islands: spec.islands.map((island) => ({ ...island, workloads })) };
}

/** A policy that leaves everything to discovery. */
function barePolicy(name: string, overrides: Partial<WorkloadPolicy> = {}): WorkloadPolicy {
  return { name, criticality: "normal", exclusive: false, maxPauseMs: 2000, hooks: {}, ...overrides };
}

function workloadOf(fleet: Fleet, name: string): Workload {
  const workload = fleet.workloads.find((candidate) => candidate.name === name);
  assert.ok(workload, `${name} is not listed`);
  return workload;
}

describe("fleet discovery", () => {
  it("asks for as many cores as copies are pinned to, unless they share them", async () => {
    const { clock, fleet } = createFixture();
    const pin = (listed: readonly Replica[]): readonly Replica[] =>
      listed.map((replica) => {
        if (replica.workload === "ledger") return { ...replica, cores: [0, 1] };
        return replica.workload === "front" ? { ...replica, cores: [2] } : { ...replica, cores: [3] };
      });
    const { workloads } = fleet.platform;
    const survey = async (signal: AbortSignal) => {
      const seen = await workloads.survey(signal);
      const twin = seen.replicas.find(({ workload }) => workload === "front");
      // Another pinned copy on the same core of the same host.
      const twins = twin ? [{ ...twin, id: "twin-0", workload: "twin" }] : [];
      return { ...seen, replicas: [...pin(seen.replicas), ...twins.map((one) => ({ ...one, cores: [2] }))] };
    };
    const platform = { ...fleet.platform, workloads: { ...workloads, survey } };
    const spec = specWith([barePolicy("ledger", { devices: { gpu: 1 } }), barePolicy("front")]);
    const seen = await observe(platform, spec, SIGNAL, clock);
    assert.deepEqual(workloadOf(seen, "ledger").devices, { cores: 2, gpu: 1 });
    assert.equal(workloadOf(seen, "twin").devices, undefined);
    const later = await observe(fleet.platform, spec, SIGNAL, clock, seen);
    assert.deepEqual(workloadOf(later, "ledger").devices, { cores: 2, gpu: 1 }, "a run keeps to what it began with");
  });

  it("gives an island the hosts that it may have, and workloads what is declared about their places", async () => {
    const { clock, fleet } = createFixture();
    const places = {
      within: { zones: ["zone-a"] },
      moves: "zone",
      spread: { over: "zone", atLeast: 2 },
      apartFrom: ["ledger"],
      devices: { gpu: 1 },
    } as const;
    const spec = specWith([barePolicy("front", places)]);
    const islands = spec.islands.map((island) => ({
      ...island,
      within: { hosts: ["host-01", "host-02", "standby-01"] },
    }));
    const observed = await observe(fleet.platform, { ...spec, islands }, SIGNAL, clock);
    assert.deepEqual(observed.islands[0]?.hosts, ["host-01", "host-02"]);
    const { within, moves, spread, apartFrom, devices } = workloadOf(observed, "front");
    assert.deepEqual({ within, moves, spread, apartFrom, devices }, places);
  });

  it("knows what moves carry, and over which links: what plans bound and price", async () => {
    const { clock, fleet } = createFixture();
    const { hosts } = fleet.platform;
    const list = async (signal: AbortSignal) =>
      (await hosts.list(signal)).map((host) => ({ ...host, linkBytesPerSecond: 125_000_000 }));
    const platform = { ...fleet.platform, hosts: { ...hosts, list }, network: { rackBytesPerSecond: 1e9 } };
    const spec = specWith([barePolicy("front", { transferBytes: 2 ** 32 })]);
    const seen = await observe(platform, spec, SIGNAL, clock);
    assert.equal(workloadOf(seen, "front").transferBytes, 2 ** 32);
    assert.equal(workloadOf(seen, "ledger").transferBytes, undefined);
    assert.deepEqual(seen.network, { rackBytesPerSecond: 1e9 });
    const slower = { ...createMemoryFleet(sampleFleet(), clock, 2).platform, network: { rackBytesPerSecond: 5e8 } };
    const [island] = spec.islands;
    assert.ok(island);
    const both = { ...spec, islands: [island, { ...island, name: "back", workloads: [] }] };
    const platforms = new Map([
      ["shop", platform],
      ["back", slower],
    ]);
    const joined = await observe(platforms, both, SIGNAL, clock);
    assert.deepEqual(joined.network, { rackBytesPerSecond: 5e8 }, "the slowest uplink bounds all");
  });

  it("lists hosts with the probe's result, workloads, replicas, services and islands", async () => {
    const { clock, fleet } = createFixture();
    const observed = await observe(fleet.platform, sampleSpec(), SIGNAL, clock);
    assert.equal(observed.hosts.length, 7);
    for (const host of observed.hosts) {
      const expected = host.role === "member" ? { output: "v1", matches: false } : undefined;
      assert.deepEqual(host.probe, expected);
    }
    assert.deepEqual(
      observed.workloads.map(({ name, copies }) => [name, copies]),
      [
        ["front", 6],
        ["pricing", 1],
        ["ledger", 1],
        ["reports", 4],
      ],
    );
    assert.equal(observed.replicas.length, 12);
    assert.deepEqual(observed.services.map(({ name }) => name).sort(), ["front", "ledger", "pricing"]);
    assert.deepEqual(observed.islands, [
      {
        name: "shop",
        hosts: ["host-01", "host-02", "host-03", "host-04", "host-05", "host-06"],
        share: { cpu: 0.9, memory: 0.9 },
      },
    ]);
  });

  it("counts a host as unreachable that fell silent before it said which copies run on it", async () => {
    const { clock, fleet } = createFixture();
    const { platform } = fleet;
    const workloads: Platform["workloads"] = {
      ...platform.workloads,
      survey: async (signal) => {
        const { replicas } = await platform.workloads.survey(signal);
        const silent = [{ host: "host-02", reason: "no answer within 900 ms" }];
        return { replicas: replicas.filter(({ host }) => host !== "host-02"), silent };
      },
    };
    const observed = await observe({ ...platform, workloads }, sampleSpec(), SIGNAL, clock);
    const host = observed.hosts.find(({ id }) => id === "host-02");
    assert.deepEqual(
      [host?.state, host?.stateReason],
      ["unreachable", "which copies run on it is not known (no answer within 900 ms)"],
    );
    assert.ok(
      observed.hosts
        .filter(({ role, id }) => role === "member" && id !== "host-02")
        .every(({ state }) => state === "ready"),
    );
  });

  it("makes no mutating call", async () => {
    const { clock, fleet } = createFixture();
    await observe(fleet.platform, sampleSpec(), SIGNAL, clock);
    assert.equal(fleet.calls.mutations.size, 0);
  });

  it("fills in copies, budget, request and service from what runs", async () => {
    const { clock, fleet } = createFixture();
    const spec = specWith([barePolicy("front"), barePolicy("ledger", { exclusive: true, maxUnavailable: 5 })]);
    const observed = await observe(fleet.platform, spec, SIGNAL, clock);
    const front = workloadOf(observed, "front");
    assert.deepEqual([front.copies, front.maxUnavailable, front.service], [6, 3, "front"]);
    assert.deepEqual(front.request, { cpuMillis: 200, memoryBytes: 256 * 2 ** 20 });
    const ledger = workloadOf(observed, "ledger");
    assert.deepEqual([ledger.copies, ledger.maxUnavailable, ledger.exclusive], [1, 0, true]);
  });

  it("keeps what is declared even where something else runs", async () => {
    const { clock, fleet } = createFixture();
    const request = { cpuMillis: 1, memoryBytes: 2 };
    const spec = specWith([barePolicy("front", { copies: 4, maxUnavailable: 1, request })]);
    const front = workloadOf(await observe(fleet.platform, spec, SIGNAL, clock), "front");
    assert.deepEqual([front.copies, front.maxUnavailable, front.request], [4, 1, request]);
  });

  it("lists what runs undeclared, for an update disturbs it too", async () => {
    const { clock, fleet } = createFixture();
    const observed = await observe(fleet.platform, specWith([barePolicy("front")]), SIGNAL, clock);
    assert.deepEqual(
      observed.workloads.map(({ name }) => name),
      ["front", "ledger", "pricing", "reports"],
    );
    const ledger = workloadOf(observed, "ledger");
    assert.deepEqual([ledger.island, ledger.exclusive, ledger.criticality], ["shop", true, "normal"]);
  });

  it("keeps declared workloads that run nowhere", async () => {
    const { clock, fleet } = createFixture();
    const process = {
      command: ["server"],
      port: 0,
      health: { path: "/", intervalMs: 500, timeoutMs: 500 },
      environment: {},
    };
    const spec = specWith([
      barePolicy("fronte", { copies: 2 }),
      barePolicy("unlike-anything"),
      barePolicy("startable", { copies: 1, process }),
    ]);
    const observed = await observe(fleet.platform, spec, SIGNAL, clock);
    assert.equal(workloadOf(observed, "fronte").copies, 2);
    assert.deepEqual(
      observed.workloads.slice(0, 3).map(({ name }) => name),
      ["fronte", "unlike-anything", "startable"],
    );
  });

  it("keeps an unreachable host with its reason, and does not probe it", async () => {
    const { clock, fleet } = createFixture();
    fleet.killHost("host-03");
    const observed = await observe(fleet.platform, sampleSpec(), SIGNAL, clock);
    const host = observed.hosts.find(({ id }) => id === "host-03");
    assert.equal(host?.state, "unreachable");
    assert.equal(host.probe, undefined);
    assert.equal(observed.hosts.filter(({ probe }) => probe !== undefined).length, 5);
  });

  it("says why a probe could not be run, and goes on with the other hosts", async () => {
    const { clock, fleet } = createFixture();
    const spec = sampleSpec();
    const observed = await observe(
      fleet.platform,
      { ...spec, update: { ...spec.update, probe: "no-such-command" } },
      SIGNAL,
      clock,
    );
    const members = observed.hosts.filter(({ role }) => role === "member");
    assert.equal(members.length, 6);
    for (const { probe } of members) {
      assert.equal(probe?.matches, false);
      assert.ok((probe.error ?? "").length > 0);
    }
  });

  it("keeps the copies of the run's start while a surge copy runs", async () => {
    const { clock, fleet } = createFixture();
    const spec = specWith([barePolicy("pricing")]);
    const baseline = await observe(fleet.platform, spec, SIGNAL, clock);
    await clock.run(async () => {
      const start = await fleet.platform.workloads.describe("host-01", "pricing-0", SIGNAL);
      const context = { key: "k", epoch: 1, owner: "run-1", signal: SIGNAL };
      await fleet.platform.workloads.start("host-03", { ...start, replica: "pricing-1" }, context);
    });
    const without = await observe(fleet.platform, spec, SIGNAL, clock);
    const withBaseline = await observe(fleet.platform, spec, SIGNAL, clock, baseline);
    assert.deepEqual([workloadOf(without, "pricing").copies, workloadOf(withBaseline, "pricing").copies], [2, 1]);
  });

  it("joins islands on several platforms", async () => {
    const { clock, fleet } = createFixture();
    const other = createMemoryFleet(
      {
        name: "other",
        hosts: [{ id: "far-01", zone: "zone-z", capacity: { cpuMillis: 1000, memoryBytes: 1 } }],
        workloads: [{ name: "search", hosts: ["far-01"], request: { cpuMillis: 1, memoryBytes: 1 } }],
      },
      clock,
      2,
    );
    const [shop] = sampleSpec().islands;
    assert.ok(shop);
    const spec = sampleSpec({ islands: [shop, { ...shop, name: "search", workloads: [barePolicy("search")] }] });
    const platforms = new Map<string, Platform>([
      ["shop", fleet.platform],
      ["search", other.platform],
    ]);
    const observed = await observe(platforms, spec, SIGNAL, clock);
    assert.deepEqual(
      observed.islands.map(({ name, hosts }) => [name, hosts.length]),
      [
        ["shop", 6],
        ["search", 1],
      ],
    );
    assert.equal(workloadOf(observed, "search").island, "search");
    await assert.rejects(observe(new Map([["shop", fleet.platform]]), spec, SIGNAL, clock), /island search/);
  });
});
