import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { DependencyEstimate, QuantileForecast } from "../../../sdk/model";
import { createRandom } from "../../../providers/forecast/random";
import { explainMisses, type MeasuredWorkload } from "../../../providers/forecast/tracker/explain-misses";
import {
  limitsOf,
  trackDemand,
  type TrackLimits,
  type TrackedStep,
} from "../../../providers/forecast/tracker/track-demand";

const STEP_MS = 300_000;
const STEPS = 36;
const PERSISTENCE = 0.8;

/** Paths of demand around 2000 with lasting deviations, and a course that behaves alike, moved by some deviations. */
function world(seed: number, shift: number): { readonly paths: Float64Array[]; readonly steps: TrackedStep[] } {
  const random = createRandom(seed);
  const course = (): Float64Array => {
    let wander = random.normal();
    return Float64Array.from({ length: STEPS }, () => {
      const value = 2000 + 200 * wander;
      wander = PERSISTENCE * wander + Math.sqrt(1 - PERSISTENCE ** 2) * random.normal();
      return value;
    });
  };
  const paths = Array.from({ length: 200 }, course);
  const actual = course().map((value) => value + shift * 200);
  const steps = Array.from(actual, (actualCpuMillis, h) => ({
    startMs: h * STEP_MS,
    actualCpuMillis,
    paths: Float64Array.from(paths, (path) => path[h] ?? 0).sort(),
  }));
  return { paths, steps };
}

/** Steps until that state is reached; infinite when it is not. */
function stepsUntil(state: "re-plan" | "stop", steps: readonly TrackedStep[], limits: TrackLimits): number {
  for (let count = 1; count <= steps.length; count++) {
    const verdict = trackDemand(steps.slice(0, count), limits);
    if (verdict.state === state || verdict.state === "stop") return count;
  }
  return Number.POSITIVE_INFINITY;
}

describe("the tracker of demand", () => {
  it("learns from the paths how lasting deviations are", () => {
    const { paths } = world(1, 0);
    const found = limitsOf(paths, STEPS).persistence;
    assert.ok(Math.abs(found - PERSISTENCE) < 0.05, String(found));
    const apart = Array.from({ length: 200 }, (_, p) => {
      const random = createRandom(p + 1);
      return Float64Array.from({ length: STEPS }, () => 2000 + 200 * random.normal());
    });
    assert.ok(limitsOf(apart, STEPS).persistence < 0.1);
    assert.deepEqual(limitsOf([], 0), { persistence: 0 });
  });

  it("leaves runs alone whose demand behaves as it was forecast, and finds those that do not", () => {
    let [replanned, stopped, missed] = [0, 0, 0];
    const delays: number[] = [];
    // Seeds that the thresholds were not chosen on.
    for (let seed = 900_001; seed <= 900_300; seed++) {
      const { steps: calm, paths } = world(seed, 0);
      const limits = limitsOf(paths, STEPS);
      replanned += Number.isFinite(stepsUntil("re-plan", calm, limits)) ? 1 : 0;
      stopped += Number.isFinite(stepsUntil("stop", calm, limits)) ? 1 : 0;
      const delay = stepsUntil("stop", world(seed, 6).steps, limits);
      if (Number.isFinite(delay)) delays.push(delay);
      else missed++;
    }
    assert.ok(replanned / 300 < 0.1, `re-planned ${String(replanned)} of 300`);
    assert.ok(stopped / 300 < 0.01, `stopped ${String(stopped)} of 300`);
    assert.ok(missed / 300 < 0.02, `missed ${String(missed)} of 300`);
    const median = delays.sort((a, b) => a - b)[Math.floor(delays.length / 2)] ?? 0;
    assert.ok(median <= 12, `stops after ${String(median)} steps`);
  });

  it("allows loads whose errors last longer than a step says more, and no load less", () => {
    const limits = { short: limitsOf(world(3, 0).paths, STEPS), long: { replanSum: 0, stopSum: 0 } as TrackLimits };
    const random = createRandom(5);
    // Half of each path's deviation lasts for the whole of it, so that one step tells little of the next.
    const lasting = Array.from({ length: 200 }, () => {
      const level = random.normal();
      return Float64Array.from({ length: STEPS }, () => 2000 + 150 * level + 150 * random.normal());
    });
    limits.long = limitsOf(lasting, STEPS);
    assert.ok((limits.short.replanSum ?? 0) >= 6 && (limits.short.stopSum ?? 0) >= 8);
    assert.ok((limits.long.replanSum ?? 0) > 8, JSON.stringify(limits.long));
    assert.ok((limits.long.stopSum ?? 0) > (limits.long.replanSum ?? 0) + 2);
    const alarms = lasting.filter((path) => {
      const steps = Array.from(path, (actualCpuMillis, h) => ({
        startMs: h * STEP_MS,
        actualCpuMillis,
        paths: Float64Array.from(lasting, (other) => other[h] ?? 0).sort(),
      }));
      return Number.isFinite(stepsUntil("re-plan", steps, limits.long));
    });
    assert.ok(alarms.length <= 8, `${String(alarms.length)} of 200 paths`);
  });

  it("takes a spike of one step for no shift", () => {
    const { steps, paths } = world(4, 0);
    const spike = steps.map((step, h) => (h === 20 ? { ...step, actualCpuMillis: 90_000 } : step));
    assert.equal(trackDemand(steps, limitsOf(paths, STEPS)).state, "within band");
    assert.equal(stepsUntil("stop", spike, limitsOf(paths, STEPS)), Number.POSITIVE_INFINITY);
  });

  it("plans again for less demand than forecast, and stops for more alone", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const low = trackDemand(world(seed, -8).steps, { persistence: 0.3 });
      assert.deepEqual([low.state, low.direction], ["re-plan", "below"]);
      const high = trackDemand(world(seed, 8).steps, { persistence: 0.3 });
      assert.deepEqual([high.state, high.direction], ["stop", "above"]);
      assert.match(high.evidence, /^more demand than forecast for \d+ steps, cumulative sum \d+\.\d: needed cores/);
    }
  });

  it("is within the band for nothing, for one step, and for demand at the median", () => {
    assert.equal(trackDemand([], { persistence: 0.5 }).state, "within band");
    const steps = world(2, 0).steps.map((step) => ({ ...step, actualCpuMillis: step.paths[100] ?? 0 }));
    assert.equal(trackDemand(steps, { persistence: 0.5 }).state, "within band");
    assert.match(trackDemand(steps, { persistence: 0.5 }).evidence, /^36 of 36 steps within P5 to P95$/);
  });

  it("says more of a larger demand, whatever the paths are, and never NaN", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 0, max: 9000 }),
        fc.integer({ min: 0, max: 9000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, a, b, persistence) => {
          const paths = Float64Array.from(values).sort();
          const sumOf = (actualCpuMillis: number): number => {
            const step = { startMs: 0, actualCpuMillis, paths };
            const { sum, direction } = trackDemand([step, step, step], { persistence });
            assert.ok(Number.isFinite(sum));
            return direction === "below" ? -sum : direction === "above" ? sum : 0;
          };
          const [low, high] = [Math.min(a, b), Math.max(a, b)].map(sumOf);
          if ((low ?? 0) > 0) assert.ok((high ?? 0) >= (low ?? 0) - 1e-9);
        },
      ),
      { numRuns: 300, seed: 1 },
    );
  });
});

function measured(workload: string, means: readonly number[], high = 1500): MeasuredWorkload {
  const row = (value: number): number[] => means.map(() => value);
  const forecast: QuantileForecast = {
    ...{ id: `workload/${workload}`, startMs: Date.UTC(2026, 0, 1, 2), stepMs: STEP_MS, levels: [0.05, 0.5, 0.95] },
    ...{ rows: [row(500), row(1000), row(high)], model: "sample", notes: [] },
  };
  return { workload, forecast, means: new Map(means.map((mean, index) => [index, mean])) };
}

const CALLS: DependencyEstimate = {
  ...{ caller: "front", called: "pricing", share: 0.8, lagMs: 0, basis: "calls", confidence: 1, reason: "" },
};

describe("misses in words", () => {
  it("say when, how much, and what the run did to the workload then", () => {
    const event = { fromMs: Date.UTC(2026, 0, 1, 2, 7), toMs: Date.UTC(2026, 0, 1, 2, 8), workload: "front" };
    const lines = explainMisses(
      [measured("front", [1000, 3000, 2400, 900, 100]), measured("ledger", [700, 700, 700, 700, 700])],
      [],
      [{ ...event, text: "a copy of it was moved from a to b then" }],
    );
    assert.deepEqual([...lines.keys()], ["front"]);
    const [first, second] = lines.get("front") ?? [];
    assert.equal(
      first,
      "02:05 UTC for 10 min: 3.00 cores where at most 1.50 were forecast (100 % more); a copy of it was moved from a to b then",
    );
    assert.match(
      second ?? "",
      /^02:20 UTC for 5 min: 0\.10 cores where at least 0\.50 were forecast \(80 % less\); nothing/,
    );
  });

  it("count what happened many times instead of naming all of it", () => {
    const events = ["a", "b", "c", "d"].map((host) => ({
      ...{ fromMs: Date.UTC(2026, 0, 1, 2), toMs: Date.UTC(2026, 0, 1, 2, 3), workload: "front" },
      text: `a copy of it left ${host} then`,
    }));
    const [line = ""] = explainMisses([measured("front", [3000])], [], events).get("front") ?? [];
    assert.match(line, /; a copy of it left a then, a copy of it left b then, and 2 more of this kind$/);
  });

  it("name the caller that had more to do, or the cause that many have in common", () => {
    const called = explainMisses(
      [measured("front", [2000, 2000]), measured("pricing", [1000, 2000]), measured("ledger", [700, 700])],
      [CALLS],
      [],
    );
    assert.match(called.get("pricing")?.[0] ?? "", /front, which calls it, had more to do than forecast as well$/);
    const common = explainMisses(
      [measured("front", [2000]), measured("ledger", [2000]), measured("reports", [2000])],
      [],
      [],
    );
    assert.match(common.get("front")?.[0] ?? "", /so it was with ledger, reports: a cause that they have in common/);
  });

  it("are a line for every stretch outside the band, and none inside", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 20 }), (means) => {
        const sides = means.map((mean) => (mean > 1500 ? 1 : mean < 500 ? -1 : 0));
        const stretches = sides.filter((side, i) => side !== 0 && side !== sides[i - 1]).length;
        const lines = explainMisses([measured("front", means)], [], []).get("front") ?? [];
        assert.equal(lines.length, stretches);
      }),
      { numRuns: 200, seed: 1 },
    );
  });
});
