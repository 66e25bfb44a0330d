import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { RunDependencies } from "../../providers/runner/run";
import type { UsageSampler } from "../../providers/drivers/contracts";
import { sampleForecast } from "../../providers/testing/builders";
import type { RunState, StopRule } from "../../sdk/model";
import { assertKept, createRunFixture, quickFleet, quickSpec, type RunFixture } from "./run-fixture";
import { createQuick } from "./guarded-run";

function sampledDemand(fixture: RunFixture, factor: number): RunDependencies {
  const deps = fixture.dependencies();
  const { demand } = sampleForecast({ spread: 0 });
  const usageSince: UsageSampler["usageSince"] = (sinceMs) => {
    const count = Math.floor((fixture.clock.now() - sinceMs) / 1000);
    return Promise.resolve(
      demand.workloads.map((workload, w) => ({
        ...{ replica: `${workload}-1`, workload, host: "host-01", startMs: sinceMs, stepMs: 1000, memoryBytes: [] },
        cpuMillis: new Array<number>(count).fill(factor * (demand.cpuMillis[0]?.[w * demand.steps] ?? 0)),
      })),
    );
  };
  return { ...deps, platform: { ...deps.platform, sampler: { usageSince } } };
}

describe("runner: demand that deviates from its forecast", () => {
  const limits = { ...quickSpec().limits, soakMs: 12 * 60_000 };
  const decisionsOf = (state: RunState): string => state.decisions.map(({ text }) => text).join("\n");

  it("is planned again and told with its numbers, and does not stop a run that nobody told to stop", async () => {
    const fixture = createQuick({ limits });
    const done = await fixture.run(sampledDemand(fixture, 2));
    assert.equal(done.phase, "done", done.phaseReason);
    assert.match(
      decisionsOf(done),
      /shop deviates from its forecast, so what is left is planned on a new one: more demand/,
    );
    const calm = createQuick({ limits });
    assert.doesNotMatch(decisionsOf(await calm.run(sampledDemand(calm, 1))), /deviates/);
  });

  it("lets no further host of a wave begin, finishes what is under way, and plans the rest anew", async () => {
    const hosts = 12;
    const base = quickSpec({}, hosts);
    const spec = { ...base, limits: { ...base.limits, hostsAtOnce: 4, hostsPerZone: 4, soakMs: 6 * 60_000 } };
    const createLanes = (): RunFixture => createRunFixture({ fleet: quickFleet({ hosts }), spec });
    const fixture = createLanes();
    const done = await fixture.run(sampledDemand(fixture, 2));
    assert.equal(done.phase, "done", done.phaseReason);
    assert.match(decisionsOf(done), /wave \d ends early: host-\d\d.* had not begun and will be planned anew/);
    const updating = done.waves.filter(({ kind }) => kind === "update");
    const begun = new Set(done.steps.map(({ step }) => step.id));
    const isLeft = ({ id }: { readonly id: string }): boolean => !begun.has(id);
    const cut = updating.findIndex(({ steps }) => steps.some(isLeft));
    const left = updating[cut]?.steps.filter(isLeft) ?? [];
    assert.ok(left.length > 0 && cut + 1 < updating.length, "a wave was ended early, and another came after it");
    // Of a host that had not begun nothing was done in that wave, of any other everything.
    const later = new Set(updating.slice(cut + 1).flatMap((wave) => wave.hosts));
    for (const step of left) if ("host" in step && step.kind === "update") assert.ok(later.has(step.host), step.host);
    const updates = done.steps.flatMap(({ step }) => (step.kind === "update" ? [step.host] : []));
    assert.equal(new Set(updates).size, hosts);
    assert.equal(updates.length, hosts);
    assertKept(fixture);

    const calm = createLanes();
    const planned = await calm.run(sampledDemand(calm, 1));
    assert.doesNotMatch(decisionsOf(planned), /ends early/);
    assert.equal(planned.waves.filter(({ kind }) => kind === "update").length, 1);
  });

  it("pauses a run with a rule on it before so many steps are above the quantile", async () => {
    const rule: StopRule = { kind: "forecast-miss", quantile: 0.95, steps: 30, action: "pause" };
    const fixture = createQuick({ limits, stopRules: [rule] });
    const paused = await fixture.run(sampledDemand(fixture, 2));
    assert.equal(paused.phase, "paused");
    assert.match(paused.phaseReason, /stop rule forecast-miss.*shop: more demand than forecast for \d steps/);
  });
});
