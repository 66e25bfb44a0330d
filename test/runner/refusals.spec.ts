import { strict as assert } from "node:assert";

import { sampleForecast } from "../../providers/testing";
import type { Forecast, HostUpdateSpec, RunState } from "../../sdk/model";
import { assertKept, createRunFixture, quickFleet, quickSpec, type RunFixture } from "./run-fixture";
import { assertSurvivesCrashes } from "./crashes";

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
      await assertSurvivesCrashes(() => fixtureOf(options), {
        steps: /-paths/,
        least: 4,
        last: 8,
        assertEnd: async (fixture, when) => {
          assert.deepEqual(await refusedBy(fixture), [], when);
        },
      });
    }
  }).timeout(60_000);
});
