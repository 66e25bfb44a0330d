import { strict as assert } from "node:assert";

import type { HostUpdateSpec, PlanStep } from "../../sdk/model";
import { checkRun } from "../../providers/guard/checker";
import { sampleForecast, type MemoryFleetSpec } from "../../providers/testing";
import { assertSurvivesCrashes } from "./crashes";
import { assertKept, createRunFixture, quickFleet, quickSpec, RUN, type RunFixture } from "./run-fixture";

const GIB = 2 ** 30;
const COMMON = { criticality: "normal", copies: 1, exclusive: false, maxPauseMs: 2000, maxUnavailable: 0, hooks: {} };

/** Memory of one copy each, GiB, and where it runs: no other host has room for the large one, until a small one moves. */
const COPIES = {
  large: { gib: 5, host: "host-01" },
  small: { gib: 3, host: "host-02" },
  other: { gib: 3, host: "host-03" },
} as const;
const NAMES = ["large", "small", "other"] as const;

/** Three hosts of 8 GiB, of which only the first has yet to be updated. */
function fixtureOf(failingHosts: readonly string[] = []): RunFixture {
  const fleet = quickFleet({ hosts: 3, standby: 0, failingHosts });
  const requestOf = (name: (typeof NAMES)[number]): { readonly cpuMillis: number; readonly memoryBytes: number } => ({
    cpuMillis: 200,
    memoryBytes: COPIES[name].gib * GIB,
  });
  const tight: MemoryFleetSpec = {
    ...fleet,
    hosts: fleet.hosts.map((host, index) => ({ ...host, version: index === 0 ? "v1" : "v2" })),
    workloads: NAMES.map((name) => ({
      name,
      hosts: [COPIES[name].host],
      request: requestOf(name),
      startMs: 500,
      requestsPerSecond: 20,
      demandCpuMillis: () => 100,
    })),
  };
  const base = quickSpec({}, 3);
  const spec: HostUpdateSpec = {
    ...base,
    islands: base.islands.map((island) => ({
      ...island,
      workloads: NAMES.map((name) => ({ ...COMMON, criticality: "normal", name, request: requestOf(name) })),
    })),
  };
  const sample = sampleForecast({ scale: 0.02 });
  const forecast = {
    ...sample,
    demand: { ...sample.demand, workloads: [...NAMES, "none"] },
    bands: [],
  };
  return createRunFixture({ fleet: tight, spec, forecast, isMemoryOnly: true });
}

const BEFORE = { large: ["host-01"], small: ["host-02"], other: ["host-03"] };

describe("a run that makes room", () => {
  it("moves another host's copy away first, then updates the host, and everybody serves throughout", async () => {
    const fixture = fixtureOf();
    const state = await fixture.run();
    assert.equal(state.phase, "done", state.phaseReason);
    assertKept(fixture);
    assert.deepEqual(
      state.waves.map(({ kind, moves }) => [kind, moves.map(({ workload }) => workload)]),
      [
        ["move", ["small"]],
        ["canary", ["large"]],
      ],
    );
    assert.match(state.waves[0]?.moves[0]?.reason ?? "", /^makes room on host-02 for large-0, /);
    assert.deepEqual(fixture.fleet.placements(), { large: ["host-02"], small: ["host-03"], other: ["host-03"] });
    assert.equal(fixture.fleet.versions()["host-01"], "v2");
  });

  it("would be found by the checker if the large copy came before the small one has gone", async () => {
    const fixture = fixtureOf();
    await fixture.run();
    const entries = fixture.store.entriesOf(RUN);
    const isStop = ({ kind, replica }: PlanStep & { readonly replica?: string }): boolean =>
      kind === "stop-copy" && replica === "small-0";
    const stop = entries.flatMap((entry) =>
      entry.kind === "step-intent" && isStop(entry.step) ? [entry.step.id] : [],
    );
    assert.equal(stop.length, 1);
    const kept = entries.filter((entry) => !("id" in entry && entry.id === stop[0]));
    const found = checkRun({ entries: kept, observations: fixture.fleet.observations() });
    assert.ok(
      found.some(({ text }) => text.includes("host-02 has 8192 MiB of memory taken up of shop, 7373 are allowed")),
      JSON.stringify(found),
    );
  });

  it("takes the large copy back when the update fails, to a host that was kept for it", async () => {
    const fixture = fixtureOf(["host-01"]);
    const state = await fixture.run();
    assert.equal(state.phase, "failed");
    assertKept(fixture);
    assert.deepEqual(state.failure?.notUndone, []);
    assert.deepEqual(fixture.fleet.placements(), { ...BEFORE, small: ["host-03"] });
    assert.equal(fixture.fleet.versions()["host-01"], "v1");
  });

  it("leaves everything as it was when the copy that makes room does not come up", async () => {
    const fixture = fixtureOf();
    fixture.fleet.inject({
      call: "workloads.start",
      times: 99,
      effect: { kind: "refuse", message: "no such image" },
    });
    const state = await fixture.run();
    assert.equal(state.phase, "failed");
    assertKept(fixture);
    assert.deepEqual(state.failure?.notUndone, []);
    assert.deepEqual(fixture.fleet.placements(), BEFORE);
    assert.equal(fixture.fleet.versions()["host-01"], "v1");
  });

  it("ends in the same state wherever its process dies while room is made, or a host of it is emptied", async () => {
    for (const failingHosts of [[], ["host-01"]]) {
      await assertSurvivesCrashes(() => fixtureOf(failingHosts), {
        steps: /small|large/,
        least: 10,
        assertEnd: () => Promise.resolve(),
      });
    }
  }).timeout(60_000);
});
