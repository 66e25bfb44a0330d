import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { Series } from "../../sdk/model";
import { ceilToGrid, floorToGrid, overlaySeries, resampleSeries, seriesEndMs, trimSeries } from "../../sdk/model";

function seriesOf(values: readonly number[], startMs = 0, stepMs = 1000): Series {
  return { id: "workload/a", unit: "cpuMillis", startMs, stepMs, values: Float64Array.from(values) };
}

const finite = fc.double({ noNaN: true, min: 0, max: 1e9 });

describe("grids", () => {
  it("put a series onto its own grid unchanged", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(finite, fc.constant(Number.NaN)), { minLength: 1 }),
        fc.nat(1000),
        (values, start) => {
          const series = seriesOf(values, start * 1000);
          const range = { fromMs: series.startMs, toMs: seriesEndMs(series) };
          assert.deepEqual(resampleSeries(series, 1000, range), series);
        },
      ),
    );
  });

  it("give any range of a series on its own grid, with gaps where it does not reach", () => {
    fc.assert(
      fc.property(
        fc.array(finite, { minLength: 1, maxLength: 20 }),
        fc.nat(40),
        fc.nat(60),
        fc.nat(30),
        (values, start, from, count) => {
          const range = { fromMs: from * 1000, toMs: (from + count) * 1000 };
          const { values: found } = resampleSeries(seriesOf(values, start * 1000), 1000, range);
          const expected = Float64Array.from(
            { length: count },
            (_, index) => values[from + index - start] ?? Number.NaN,
          );
          assert.deepEqual(found, expected);
        },
      ),
    );
  });

  it("keep the sum over time when steps get coarser and all is measured", () => {
    fc.assert(
      fc.property(
        fc.array(finite, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 8 }),
        (values, factor) => {
          const whole = values.slice(0, Math.floor(values.length / factor) * factor);
          fc.pre(whole.length > 0);
          const series = seriesOf(whole);
          const coarse = resampleSeries(series, factor * 1000, { fromMs: 0, toMs: seriesEndMs(series) });
          const sum = coarse.values.reduce((total, value) => total + value * factor, 0);
          const expected = whole.reduce((total, value) => total + value, 0);
          assert.ok(Math.abs(sum - expected) <= 1e-9 * Math.max(1, expected));
        },
      ),
    );
  });

  it("repeat a value when steps get finer", () => {
    const fine = resampleSeries(seriesOf([1, 2]), 500, { fromMs: 0, toMs: 2000 });
    assert.deepEqual(Array.from(fine.values), [1, 1, 2, 2]);
  });

  it("leave a gap where too little of an interval was measured", () => {
    const series = seriesOf([5, Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN, 7, 7]);
    const range = { fromMs: 0, toMs: 12_000 };
    assert.deepEqual(Array.from(resampleSeries(series, 6000, range, 0.5).values), [Number.NaN, Number.NaN]);
    assert.deepEqual(Array.from(resampleSeries(series, 6000, range, 0.1).values), [5, 7]);
  });

  it("lay measurements of a finer step over a history, which they may outlast", () => {
    const base = seriesOf([1, 2, 3], 0, 1000);
    const top = seriesOf([10, 30], 2000, 500);
    assert.deepEqual(Array.from(overlaySeries(base, top).values), [1, 2, 20]);
    const later = seriesOf([8], 4000, 1000);
    assert.deepEqual(Array.from(overlaySeries(base, later).values), [1, 2, 3, Number.NaN, 8]);
  });

  it("cut gaps off both ends", () => {
    const trimmed = trimSeries(seriesOf([Number.NaN, 1, Number.NaN, 2, Number.NaN], 5000));
    assert.deepEqual([trimmed.startMs, Array.from(trimmed.values)], [6000, [1, Number.NaN, 2]]);
    assert.equal(trimSeries(seriesOf([Number.NaN])).values.length, 0);
  });

  it("round times to their intervals", () => {
    assert.deepEqual([floorToGrid(1999, 1000), ceilToGrid(1001, 1000), ceilToGrid(1000, 1000)], [1000, 2000, 1000]);
  });
});
