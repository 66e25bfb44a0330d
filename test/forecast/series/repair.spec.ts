import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import { ensemble } from "../../../providers/forecast/ensemble";
import { prepareSeries } from "../../../providers/forecast/prepare";
import { createRandom } from "../../../providers/forecast/random";
import { findLevelShift } from "../../../providers/forecast/series/find-level-shift";
import { findOutliers } from "../../../providers/forecast/series/find-outliers";
import { dailySeries, HOUR_MS, seriesOf } from "../series-builders";

const REPAIRED = { isRepaired: true } as const;

function hourly(days: number, seed: number, of: (value: number, index: number) => number): number[] {
  return Array.from(dailySeries({ days, seed }).values, of);
}

function prepare(values: readonly number[]): ReturnType<typeof prepareSeries> {
  return prepareSeries(seriesOf(values, { stepMs: HOUR_MS }), 24, REPAIRED);
}

describe("outliers", () => {
  it("are taken out for the fit and told, with time and value", () => {
    const values = hourly(20, 1, (value, index) => (index === 250 ? 90_000 : value));
    const { values: fitted, measured, notes } = prepare(values);
    assert.ok((fitted[250] ?? 0) < 3000 && measured[250] === 0);
    assert.match(
      notes.join(),
      /the value at 2026-11-12T10:00Z \(90000\) was far above all others, so not learned from/,
    );
    const p99 =
      ensemble()
        .fit(seriesOf(values, { stepMs: HOUR_MS }))
        .predict(48, [0.99]).rows[0] ?? [];
    assert.ok(Math.max(...p99) < 5000, String(Math.max(...p99)));
  });

  it("are moments without a value in a series that is always busy", () => {
    const values = hourly(20, 2, (value, index) =>
      index === 100 || index === 101 || index === 300 ? 0 : 1000 + value,
    );
    const { values: fitted, notes } = prepare(values);
    assert.ok(fitted.every((value) => value > 500));
    assert.match(
      notes.join(),
      /3 values, the first at 2026-11-06T04:00Z \(0\), were 0 in a series that is always busy/,
    );
  });

  it("are never bursts that come again, quiet hours, nor what stands at the end", () => {
    const bursts = hourly(20, 3, (value, index) => (index % 40 === 7 ? 20 * value : value));
    assert.deepEqual(findOutliers(Float64Array.from(bursts)), []);
    const nights = hourly(20, 4, (value, index) => (index % 24 < 6 ? 0 : value));
    assert.deepEqual(findOutliers(Float64Array.from(nights)), []);
    const rising = hourly(20, 5, (value, index) => (index === 479 ? 90_000 : value));
    assert.deepEqual(findOutliers(Float64Array.from(rising)), []);
    const rare = Array.from({ length: 400 }, (_, index) => (index === 200 ? 50 : 0));
    assert.deepEqual(findOutliers(Float64Array.from(rare)), []);
  });

  it("are few, whatever the values, and the same on every scale", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant(Number.NaN), fc.integer({ min: 0, max: 1_000_000 })), { maxLength: 120 }),
        fc.integer({ min: 0, max: 9 }),
        (raw, power) => {
          const values = Float64Array.from(raw);
          const found = findOutliers(values);
          assert.ok(found.length <= 2 * Math.max(1, raw.length / 100));
          assert.deepEqual(findOutliers(values.map((value) => value * 2 ** power)), found);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("level shifts", () => {
  it("are found where they are, told, and what came before is brought to the new level", () => {
    for (const [factor, at] of [
      [2.5, 360],
      [0.35, 431],
      [1.8, 300],
    ] as const) {
      const values = hourly(20, 7, (value, index) => (index >= at ? factor : 1) * (value + 300));
      const shift = findLevelShift(Float64Array.from(values), 24);
      assert.ok(Math.abs((shift?.at ?? 0) - at) <= 4, `${String(shift?.at)} for ${String(at)}`);
      const { values: fitted, notes } = prepare(values);
      assert.match(
        notes.join(),
        /^the level went from \d+ to \d+ at 2026-11-\d\dT\d\d:00Z and stayed: what came before it was scaled/,
      );
      const mean = (from: number, to: number): number =>
        fitted.slice(from, to).reduce((a, b) => a + b, 0) / (to - from);
      assert.ok(Math.abs(mean(0, 240) / mean(432, 480) - 1) < 0.12);
    }
  });

  it("are moved, not scaled, where the ups and downs stay what they were", () => {
    const values = hourly(20, 8, (value, index) => value + (index >= 300 ? 4000 : 0));
    assert.match(prepare(values).notes.join(), /what came before it was moved to the new one/);
  });

  it("are no trends, weekends, bursts or single days", () => {
    const none = (values: readonly number[]): void => {
      assert.equal(findLevelShift(Float64Array.from(values), 24), undefined);
    };
    none(hourly(28, 9, (value, index) => value * (1 + index / 300)));
    none([...dailySeries({ days: 28, seed: 9, weekend: 0.3 }).values]);
    none(hourly(28, 9, (value, index) => (Math.floor(index / 24) === 12 ? 5 * value : value)));
    let found = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const random = createRandom(seed);
      let wander = 0;
      const values = Array.from({ length: 672 }, () => {
        wander = 0.98 * wander + random.normal();
        return Math.max(0, 60 + 3 * wander);
      });
      if (findLevelShift(Float64Array.from(values), 24)) found++;
    }
    assert.ok(found <= 2, `${String(found)} of 60 wandering loads`);
  });

  it("make the forecast of the next day better, days after them", () => {
    const level = 0.5;
    const values = hourly(31, 11, (value, index) => (index >= 648 ? 3 : 1) * value);
    const actual = values.slice(720);
    const known = seriesOf(values.slice(0, 720), { stepMs: HOUR_MS });
    const row = ensemble().fit(known).predict(24, [level]).rows[0] ?? [];
    const error = row.reduce((sum, value, h) => sum + Math.abs(value - (actual[h] ?? 0)), 0);
    const total = actual.slice(0, 24).reduce((sum, value) => sum + value, 0);
    assert.ok(error < 0.1 * total, String(error / total));
  });

  it("leave yardsticks alone", () => {
    const values = hourly(20, 7, (value, index) => (index >= 360 ? 2.5 * value : index === 50 ? 1e6 : value));
    const plain = prepareSeries(seriesOf(values, { stepMs: HOUR_MS }), 24);
    assert.deepEqual([...plain.values], values);
  });
});
