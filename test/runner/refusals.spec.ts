import { strict as assert } from "node:assert";

import { carryOut } from "../../providers/runner/run";
import { LEASE_TTL_MS } from "../../providers/runner/leases";
import { sampleForecast, SimulatedCrash } from "../../providers/testing";
import type { Forecast, HostUpdateSpec, RunState } from "../../sdk/model";
import { assertKept, createRunFixture, describeEnd, quickFleet, quickSpec, RUN, type RunFixture } from "./run-fixture";

/** Front runs on every host and there is no reserve: a copy can only pause, while its reports are refused. */
function fixtureOf(options: Parameters<typeof quickFleet>[0] = {}): RunFixture {
  const fleet = quickFleet(options);
  const { pool: _, ...spec } = quickSpec();
  const functions = [{ path: "/reports", criticality: "sheddable" as const }];
  const declared: HostUpdateSpec = {
    ...spec,
    islands: spec.islands.map((island) => ({
      ...island,
      workloads: island.workloads.map((workload) =>
        workload.name === "front" ? { ...workload, functions } : workload,
      ),
    })),
  };
  const forecast: Forecast = {
    ...sampleForecast({ scale: 0.5 }),
    functions: [
      {
        workload: "front",
        name: "/reports",
        criticality: "sheddable",
        confidence: 1,
        share: 0.2,
        reason: "as declared",
      },
    ],
  };
  return createRunFixture({
    fleet: {
      ...fleet,
      workloads: fleet.workloads.map((workload) =>
        workload.name === "front" ? { ...workload, functions: { "/reports": 0.2 } } : workload,
      ),
    },
    spec: declared,
    forecast,
    isMemoryOnly: true,
  });
}

async function refusedBy(fixture: RunFixture): Promise<readonly string[]> {
  const { services } = await fixture.clock.run(() => fixture.observe());
  return services.flatMap(({ refused }) => refused?.paths ?? []);
}

function stepsOf(state: RunState, kind: string): number {
  return state.steps.filter(({ step, status }) => step.kind === kind && status === "done").length;
}

describe("a run in which functions are shed", () => {
  it("refuses them while a copy is away and serves all when it is back, in every wave", async () => {
    const fixture = fixtureOf();
    const state = await fixture.run();
    assert.equal(state.phase, "done", state.phaseReason);
    assertKept(fixture);
    assert.ok(stepsOf(state, "refuse-paths") >= 3);
    assert.equal(stepsOf(state, "serve-paths"), stepsOf(state, "refuse-paths"));
    assert.deepEqual(await refusedBy(fixture), []);
  });

  it("serves all again when the update fails", async () => {
    const fixture = fixtureOf({ failingHosts: ["host-04"] });
    const state = await fixture.run();
    assert.equal(state.phase, "failed");
    assertKept(fixture);
    assert.deepEqual(await refusedBy(fixture), []);
    assert.ok(state.failure?.undone.includes("all of front is served again"), JSON.stringify(state.failure?.undone));
  });

  it("fails and serves all again when the switch cannot refuse", async () => {
    const fixture = fixtureOf();
    fixture.fleet.inject({ call: "traffic.refuse", nth: 2, effect: { kind: "refuse" } });
    const state = await fixture.run();
    assert.equal(state.phase, "failed");
    assertKept(fixture);
    assert.deepEqual(await refusedBy(fixture), []);
  });

  it("ends in the same state where its process dies around a refusal, also while it is undone", async () => {
    for (const options of [{}, { failingHosts: ["host-04"] }]) {
      const whole = fixtureOf(options);
      const { phase } = await whole.run();
      const expected = await describeEnd(whole);
      const counts = whole.store.entriesOf(RUN).flatMap((entry, index) => {
        const id = entry.kind === "step-intent" ? entry.step.id : "id" in entry ? entry.id : "";
        return id.includes("-paths") ? [index + 1] : [];
      });
      assert.ok(counts.length >= 4, String(counts.length));
      for (const count of counts.slice(-8)) {
        const fixture = fixtureOf(options);
        const state = await crashAndResume(fixture, count);
        assert.equal(state.phase, phase, `crash after entry ${String(count)}: ${state.phaseReason}`);
        assertKept(fixture);
        assert.deepEqual(await describeEnd(fixture), expected, `crash after entry ${String(count)}`);
        assert.deepEqual(await refusedBy(fixture), []);
      }
    }
  }).timeout(60_000);
});

/** Runs until the process has stored so many entries, then lets a new one carry the run on. */
function crashAndResume(fixture: RunFixture, entries: number): Promise<RunState> {
  return fixture.clock.run(async () => {
    await fixture.arm();
    const first = fixture.createProcess();
    first.crashAfterEntries(entries);
    await assert.rejects(
      first.run(() => carryOut(RUN, fixture.dependencies(first))),
      SimulatedCrash,
    );
    await fixture.clock.sleep(LEASE_TTL_MS + 1);
    return carryOut(RUN, fixture.dependencies());
  });
}
