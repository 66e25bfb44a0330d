import { strict as assert } from "node:assert";

import type { HostUpdateSpec, Move, RunState } from "../../sdk/model";
import { eventsOf, sampleForecast, type MemoryFleetSpec } from "../../providers/testing";
import { assertKept, createRunFixture, quickFleet, quickSpec, type RunFixture } from "./run-fixture";

const MINUTE_MS = 60_000;

function movesOf(state: RunState): readonly Move[] {
  return state.waves.flatMap(({ moves }) => moves);
}

async function runOn(
  fleet: MemoryFleetSpec,
  spec: HostUpdateSpec = quickSpec(),
): Promise<{ readonly fixture: RunFixture; readonly state: RunState }> {
  const fixture = createRunFixture({ fleet, spec, forecast: sampleForecast({ scale: 0.5 }) });
  return { fixture, state: await fixture.run() };
}

describe("a run that moves copies while they run", () => {
  const fleet = quickFleet();
  const offering = { ...fleet, hosts: fleet.hosts.map((host) => ({ ...host, offers: ["live-migration"] as const })) };

  it("migrates single writers and jobs, starts second copies of what serves with others, and keeps every promise", async () => {
    const { fixture, state } = await runOn(offering);
    assert.equal(state.phase, "done", state.phaseReason);
    assertKept(fixture);
    const byWorkload = Map.groupBy(movesOf(state), ({ workload }) => workload);
    for (const name of ["ledger", "reports"]) {
      const methods = new Set(byWorkload.get(name)?.map(({ method }) => method));
      assert.ok(
        [...methods].every((method) => method === "live"),
        `${name}: ${[...methods].join()}`,
      );
    }
    assert.ok(byWorkload.get("front")?.every(({ method }) => method === "surge"));
    const migrated = eventsOf(fixture.fleet.events, "migrated");
    assert.ok(migrated.some(({ workload }) => workload === "ledger"));
    assert.ok(migrated.every(({ pauseMs }) => pauseMs <= 2000));
    assert.match(byWorkload.get("ledger")?.[0]?.reason ?? "", /it moves while it runs, stopped for 100 ms at P95/);
    assert.equal(eventsOf(fixture.fleet.events, "parked").length, 0, "no request was held back");
  });

  it("hands a writer over where the pause would be longer than it allows", async () => {
    const workloads = offering.workloads.map((workload) => ({ ...workload, blackoutMs: 5000 }));
    const { fixture, state } = await runOn({ ...offering, workloads });
    assert.equal(state.phase, "done", state.phaseReason);
    assertKept(fixture);
    assert.ok(movesOf(state).every(({ method }) => method !== "live"));
    assert.ok(movesOf(state).some(({ method }) => method === "hand-over"));
  });

  it("moves them back where the update fails after it, in the same way", async () => {
    const failing = quickFleet({ failingHosts: ["host-02"] });
    const hosts = failing.hosts.map((host) => ({ ...host, offers: ["live-migration"] as const }));
    const fixture = createRunFixture({
      fleet: { ...failing, hosts },
      spec: quickSpec(),
      forecast: sampleForecast({ scale: 0.5 }),
    });
    const before = fixture.fleet.placements();
    const state = await fixture.run();
    assert.equal(state.phase, "failed");
    assertKept(fixture);
    assert.equal(fixture.fleet.versions()["host-02"], "v1");
    const ledger = (placements: unknown): unknown => (placements as Record<string, unknown>)["ledger"];
    assert.deepEqual(ledger(fixture.fleet.placements()), ledger(before));
  });
});

describe("a run that leaves short work to end", () => {
  function endingAfter(ms: number): MemoryFleetSpec {
    const fleet = quickFleet();
    const workloads = fleet.workloads.map((workload) =>
      workload.name === "reports" ? { ...workload, endsAfterMs: ms } : workload,
    );
    return { ...fleet, workloads };
  }

  /** Reports end by themselves within the time. */
  function withLifetime(lifetimeMs: number): HostUpdateSpec {
    const spec = quickSpec();
    const islands = spec.islands.map((island) => ({
      ...island,
      workloads: island.workloads.map((workload) =>
        workload.name === "reports" ? { ...workload, lifetimeMs } : workload,
      ),
    }));
    return { ...spec, islands };
  }

  it("waits for it on cordoned hosts and moves none of it", async () => {
    const { fixture, state } = await runOn(endingAfter(4 * MINUTE_MS), withLifetime(60 * MINUTE_MS));
    assert.equal(state.phase, "done", state.phaseReason);
    assertKept(fixture);
    const reports = movesOf(state).filter(({ workload }) => workload === "reports");
    assert.ok(reports.length > 0);
    assert.deepEqual([...new Set(reports.map(({ method }) => method))], ["end"]);
    assert.match(reports[0]?.reason ?? "", /it ends by itself within .* \(P95\), so nothing is moved/);
  });

  it("moves what ends only much later", async () => {
    const { fixture, state } = await runOn(endingAfter(90 * MINUTE_MS), withLifetime(60 * MINUTE_MS));
    assert.equal(state.phase, "done", state.phaseReason);
    assertKept(fixture);
    assert.ok(movesOf(state).every(({ method }) => method !== "end"));
  });

  it("waits for the next opening where it does not end, and leaves everything as it was", async () => {
    const fixture = createRunFixture({
      fleet: quickFleet(),
      spec: withLifetime(MINUTE_MS),
      forecast: sampleForecast({ scale: 0.5 }),
    });
    const state = await fixture.run();
    assert.equal(state.phase, "armed");
    assert.match(state.phaseReason, /has not ended by itself within 150 s/);
    assertKept(fixture);
  });
});

describe("a run whose hosts do not all find room", () => {
  it("updates the others and waits for its next opening with those", async () => {
    const fleet = quickFleet();
    const [first] = fleet.hosts;
    assert.ok(first);
    const { memoryBytes } = first.capacity;
    const hosts = fleet.hosts.map((host) =>
      host.id === "host-06" ? { ...host, capacity: { ...host.capacity, memoryBytes: 4 * memoryBytes } } : host,
    );
    // A service that only the largest host has room for.
    const request = { cpuMillis: 200, memoryBytes: 2 * memoryBytes };
    const workloads = fleet.workloads.map((workload) =>
      workload.name === "pricing" ? { ...workload, hosts: ["host-06"], request } : workload,
    );
    const spec = quickSpec({ whenStuck: "defer" });
    const islands = spec.islands.map((island) => ({
      ...island,
      workloads: island.workloads.map((workload) =>
        workload.name === "pricing" ? { ...workload, request } : workload,
      ),
    }));
    const { fixture, state } = await runOn({ ...fleet, hosts, workloads }, { ...spec, islands });
    assert.equal(state.phase, "armed");
    assert.match(
      state.phaseReason,
      /left for another opening: no host can take pricing-0 of pricing while host-06 is emptied/,
    );
    assertKept(fixture);
    const left = Object.entries(fixture.fleet.versions()).filter(
      ([host, version]) => host.startsWith("host") && version !== "v2",
    );
    assert.deepEqual(left, [["host-06", "v1"]]);
  });
});
