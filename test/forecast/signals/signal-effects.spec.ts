import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { DependencyEstimate, Series, SignalTimeline } from "../../../sdk/model";
import { seriesEndMs } from "../../../sdk/model";
import { signalEffects } from "../../../providers/forecast/signals/signal-effects";
import { DAY_MS, dailySeries, HOUR_MS } from "../series-builders";

const GRID_STEPS = 6;

/** A load of two weeks in which some spans had this many times the usual demand. */
function loadWith(factor: number, spans: SignalTimeline["spans"], seed = 1): Series {
  const usual = dailySeries({ days: 14, seed, noise: 30 });
  const values = usual.values.map((value, i) => {
    const atMs = usual.startMs + i * usual.stepMs;
    return spans.some(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs) ? value * factor : value;
  });
  return { ...usual, values };
}

const START_MS = dailySeries({ days: 1, seed: 1 }).startMs;
const END_MS = START_MS + 14 * DAY_MS;
const span = (day: number, hour: number, hours: number) => ({
  fromMs: START_MS + day * DAY_MS + hour * HOUR_MS,
  toMs: START_MS + day * DAY_MS + (hour + hours) * HOUR_MS,
});
/** The time ahead, from the third hour of the forecast on for two hours. */
const AHEAD = span(14, 2, 2);

function effectsOf(
  signal: Partial<SignalTimeline>,
  cpu: Series | undefined,
  dependencies: readonly DependencyEstimate[] = [],
) {
  const whole: SignalTimeline = {
    ...{ name: "sale", type: "marketing", workloads: ["checkout"], isOfAll: false, spans: [AHEAD] },
    ...signal,
  };
  return signalEffects({
    signals: [whole],
    histories: [{ workload: "checkout", ...(cpu ? { cpu } : {}) }],
    dependencies,
    grid: { startMs: END_MS, stepMs: HOUR_MS, steps: GRID_STEPS },
  });
}

describe("effects of signals", () => {
  it("are as stated, in just the steps of the signal, in proportion where it covers them in part", () => {
    const half = { fromMs: AHEAD.fromMs, toMs: AHEAD.fromMs + 1.5 * HOUR_MS };
    const { factors, applied } = effectsOf({ factor: 1.4, spans: [half] }, undefined);
    assert.deepEqual(
      Array.from(factors.get("checkout") ?? []).map((f) => Number(f.toFixed(3))),
      [1, 1, 1.4, 1.2, 1, 1],
    );
    assert.equal(applied[0]?.basis, "stated");
    assert.equal(applied[0].reason, "checkout +40% as stated");
  });

  it("are learned from earlier times, the better the more there were", () => {
    const past = [span(3, 9, 2), span(5, 13, 2), span(8, 9, 2), span(11, 18, 2)];
    for (const truth of [1.6, 0.5]) {
      const errors = [1, 4].map((count) => {
        const spans = past.slice(0, count);
        const found = effectsOf({ spans: [...spans, AHEAD] }, loadWith(truth, spans)).applied[0];
        assert.equal(found?.basis, "learned");
        assert.equal(found.seen, count);
        return Math.abs(Math.log((found.factors["checkout"] ?? 1) / truth));
      });
      assert.ok((errors[1] ?? 1) < 0.06, String(errors));
      assert.ok((errors[0] ?? 1) < 0.5 * Math.abs(Math.log(truth)), String(errors));
    }
  });

  it("are not learned from noise: times that were like any other change next to nothing", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const spans = [span(4, 9, 2), span(9, 14, 2)];
      const factor = effectsOf({ spans: [...spans, AHEAD] }, loadWith(1, [], seed)).applied[0]?.factors["checkout"];
      assert.ok(Math.abs(Math.log(factor ?? 0)) < 0.06, String(factor));
    }
  });

  it("say that they are not known, and change nothing, where the signal was never on", () => {
    const { factors, applied } = effectsOf({}, loadWith(1, []));
    assert.equal(factors.size, 0);
    assert.equal(applied[0]?.basis, "not known");
    assert.match(applied[0].reason, /never seen in the history; state its effect, like "\+40%"/);
  });

  it("are not added to what happens on most days, stated or not", () => {
    const nightly = Array.from({ length: 14 }, (_, day) => span(day, 2, 1));
    const { factors, applied } = effectsOf({ factor: 3, spans: [...nightly, AHEAD] }, loadWith(3, nightly));
    assert.equal(factors.size, 0);
    assert.equal(applied[0]?.basis, "in the daily shape");
  });

  it("reach what is called by the workloads of a signal, not twice where it is for all", () => {
    const call: DependencyEstimate = {
      ...{
        caller: "checkout",
        called: "pricing",
        share: 0.5,
        lagMs: HOUR_MS,
        basis: "calls",
        confidence: 1,
        reason: "",
      },
    };
    const { factors } = effectsOf({ factor: 2 }, undefined, [call]);
    assert.deepEqual(Array.from(factors.get("pricing") ?? []), [1, 1, 1, 1.5, 1.5, 1]);
    const all = effectsOf({ factor: 2, workloads: ["checkout", "pricing"], isOfAll: true }, undefined, [call]);
    assert.deepEqual(Array.from(all.factors.get("pricing") ?? []), [1, 1, 2, 2, 1, 1]);
  });

  it("multiply where signals meet, and leave all other steps alone", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 5, noNaN: true }), fc.double({ min: 0, max: 5, noNaN: true }), (a, b) => {
        const base = { type: "event", workloads: ["w"], isOfAll: true, spans: [AHEAD] } as const;
        const { factors } = signalEffects({
          signals: [
            { ...base, name: "a", factor: a },
            { ...base, name: "b", factor: b },
          ],
          ...{ histories: [], dependencies: [], grid: { startMs: END_MS, stepMs: HOUR_MS, steps: GRID_STEPS } },
        });
        const found = Array.from(factors.get("w") ?? new Float64Array(GRID_STEPS).fill(1));
        found.forEach((factor, h) => {
          assert.ok(Math.abs(factor - (h === 2 || h === 3 ? a * b : 1)) < 1e-9);
        });
      }),
      { numRuns: 100, seed: 1 },
    );
    assert.equal(seriesEndMs(loadWith(1, [])), END_MS);
  });
});
