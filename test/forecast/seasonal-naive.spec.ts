import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { QuantileForecast, Series } from "../../sdk/model";
import { seriesEndMs } from "../../sdk/model";
import { seasonalNaive } from "../../providers/forecast/seasonal-naive";
import { createRandom } from "../../providers/forecast/random";
import { DAY_MS, HOUR_MS, dailySeries, seriesOf } from "./series-builders";

const LEVELS = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];

function forecast(series: Series, horizon: number, levels: readonly number[] = LEVELS): QuantileForecast {
  return seasonalNaive().fit(series).predict(horizon, levels);
}

/** Every promise of sdk/model/forecast.ts. */
function assertWellFormed({ rows, levels }: QuantileForecast, horizon: number): void {
  assert.equal(rows.length, levels.length);
  for (let step = 0; step < horizon; step++) {
    let lower = 0;
    for (const row of rows) {
      const value = row[step];
      assert.ok(value !== undefined && Number.isFinite(value), `step ${String(step)} is ${String(value)}`);
      assert.ok(value >= lower, `step ${String(step)}: ${String(value)} is below ${String(lower)}`);
      lower = value;
    }
  }
}

const loads = fc.array(fc.oneof(fc.double({ noNaN: true, min: 0, max: 1e10 }), fc.constant(Number.NaN)), {
  minLength: 1,
  maxLength: 200,
});

describe("seasonal naive", () => {
  it("never crosses, never falls below 0 and never holds a NaN, whatever it is given", () => {
    fc.assert(
      fc.property(
        loads,
        fc.integer({ min: 1, max: 80 }),
        fc.constantFrom(300_000, HOUR_MS, DAY_MS),
        (values, horizon, stepMs) => {
          fc.pre(values.some((value) => !Number.isNaN(value)));
          const fitted = seasonalNaive().fit(seriesOf(values, { stepMs }));
          assertWellFormed(fitted.predict(horizon, LEVELS), horizon);
          for (const cycle of fitted.residualCycles) assert.ok(cycle.every((error) => Number.isFinite(error)));
        },
      ),
    );
  });

  it("gives the same forecast for the same series", () => {
    const series = dailySeries({ days: 10, seed: 3 });
    assert.deepEqual(forecast(series, 48), forecast(series, 48));
  });

  it("begins where the series ends", () => {
    const series = dailySeries({ days: 3, seed: 1 });
    assert.equal(forecast(series, 5).startMs, seriesEndMs(series));
  });

  it("scales with its series", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.constantFrom(0.001, 0.5, 3, 4096), (seed, factor) => {
        const series = dailySeries({ days: 6, seed });
        const scaled = forecast({ ...series, values: series.values.map((value) => value * factor) }, 30);
        forecast(series, 30).rows.forEach((row, l) => {
          row.forEach((value, h) => {
            assertNear(scaled.rows[l]?.[h], value * factor);
          });
        });
      }),
      { numRuns: 20 },
    );
  });

  it("shifts with its series while no quantile touches 0", () => {
    const series = dailySeries({ days: 6, seed: 9 });
    const [low, high] = [10_000, 60_000].map((shift) =>
      forecast({ ...series, values: series.values.map((value) => value + shift) }, 30),
    );
    low?.rows.forEach((row, l) => {
      row.forEach((value, h) => {
        assertNear(high?.rows[l]?.[h], value + 50_000);
      });
    });
  });

  it("leaves out the steps before those that are wanted, and gives the same for the others", () => {
    const series = seriesOf(Array.from({ length: 200 }, (_, hour) => 10 + (hour % 24)));
    const fitted = seasonalNaive().fit(series);
    const [whole, rest] = [fitted.predict(500, LEVELS), fitted.predict(500, LEVELS, 480)];
    assert.equal(rest.startMs, whole.startMs + 480 * whole.stepMs);
    assert.deepEqual(
      rest.rows,
      whole.rows.map((row) => row.slice(480)),
    );
  });

  it("repeats an exact daily shape", () => {
    const series = dailySeries({ days: 8, seed: 1, noise: 0 });
    const { rows } = forecast(series, 24, [0.5]);
    rows[0]?.forEach((value, hour) => {
      assertNear(value, series.values[hour] ?? Number.NaN, 1e-6);
    });
  });

  it("finds the week where weekends differ", () => {
    const series = dailySeries({ days: 26, seed: 2, noise: 20, weekend: 0.3 });
    const fitted = seasonalNaive().fit(series);
    assert.match(fitted.notes.join(), /week/);
    const [median = []] = fitted.predict(48, [0.5]).rows;
    // The series ends on a Friday at midnight: what follows is a Saturday at noon.
    assert.ok(Math.abs((median[12] ?? 0) - 1600 * 0.3) < 120, `Saturday noon is ${String(median[12])}`);
  });

  it("finds the day where all days are alike", () => {
    assert.match(
      seasonalNaive()
        .fit(dailySeries({ days: 21, seed: 4 }))
        .notes.join(),
      /day/,
    );
  });

  it("finds no season in noise around a level, but for a rare accident", () => {
    const found = [1, 2, 3, 4, 5, 6, 7, 8].filter((seed) => {
      const random = createRandom(seed);
      const values = Array.from({ length: 24 * 14 }, () => 500 + 50 * random.normal());
      return !seasonalNaive()
        .fit(seriesOf(values, { stepMs: HOUR_MS }))
        .notes.join()
        .includes("no season");
    });
    assert.ok(found.length <= 2, `seeds ${found.join(", ")}`);
  });

  it("moves last season's shape to the level of the last hours", () => {
    const series = dailySeries({ days: 10, seed: 6, noise: 60 });
    const lifted = series.values.map((value, index) => (index >= series.values.length - 6 ? value + 400 : value));
    const [before = 0] = forecast(series, 1, [0.5]).rows[0] ?? [];
    const [after = 0] = forecast({ ...series, values: lifted }, 1, [0.5]).rows[0] ?? [];
    assert.ok(after > before + 150, `${String(before)} -> ${String(after)}`);
  });

  it("covers about nine tenths of what comes with its 90 % band", () => {
    let inside = 0;
    let count = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const whole = dailySeries({ days: 16, seed });
      const known = whole.values.length - 24;
      const { rows } = forecast({ ...whole, values: whole.values.slice(0, known) }, 24, [0.05, 0.95]);
      for (let h = 0; h < 24; h++) {
        const actual = whole.values[known + h] ?? 0;
        if (actual >= (rows[0]?.[h] ?? 0) && actual <= (rows[1]?.[h] ?? 0)) inside++;
        count++;
      }
    }
    const coverage = inside / count;
    assert.ok(coverage > 0.84 && coverage < 0.96, `coverage ${String(coverage)}`);
  });

  it("gives a useful forecast from twelve points", () => {
    const values = [100, 104, 98, 103, 110, 107, 101, 99, 105, 108, 102, 106];
    const result = forecast(seriesOf(values), 12, [0.05, 0.5, 0.95]);
    assertWellFormed(result, 12);
    assert.ok(result.rows[1]?.every((median) => median > 90 && median < 120));
    const width = (result.rows[2]?.[0] ?? 0) - (result.rows[0]?.[0] ?? 0);
    assert.ok(width > 5 && width < 60, `width ${String(width)}`);
  });

  it("grows wider with the horizon", () => {
    const random = createRandom(8);
    let level = 5000;
    const values = Array.from({ length: 400 }, () => (level += 20 * random.normal()));
    const { rows } = forecast(seriesOf(values), 100, [0.05, 0.95]);
    const width = (h: number): number => (rows[1]?.[h] ?? 0) - (rows[0]?.[h] ?? 0);
    assert.ok(width(99) > 2 * width(0), `${String(width(0))} -> ${String(width(99))}`);
  });

  it("says that it assumed the spread of a single value", () => {
    const fitted = seasonalNaive().fit(seriesOf([250]));
    assert.match(fitted.notes.join(), /assumed/);
    assertWellFormed(fitted.predict(3, LEVELS), 3);
  });

  it("keeps a constant series constant and says so", () => {
    const fitted = seasonalNaive().fit(seriesOf(new Array<number>(600).fill(42)));
    assert.match(fitted.notes.join(), /every value is the same \(42\)/);
    for (const row of fitted.predict(20, LEVELS).rows) for (const value of row) assertNear(value, 42);
  });

  it("keeps an all-zero series at zero and asks whether its metric is connected", () => {
    const fitted = seasonalNaive().fit(seriesOf(new Array<number>(600).fill(0)));
    assert.match(fitted.notes.join(), /metric is not connected/);
    assert.ok(
      fitted
        .predict(20, LEVELS)
        .rows.flat()
        .every((value) => value === 0),
    );
  });

  it("bridges gaps and counts them", () => {
    const series = dailySeries({ days: 10, seed: 7, noise: 5 });
    const gappy = series.values.map((value, i) => ((i > 50 && i < 75) || i % 17 === 0 ? Number.NaN : value));
    const fitted = seasonalNaive().fit({ ...series, values: gappy });
    assert.match(fitted.notes.join(), /\d+ of 239 values were missing and filled, so the forecast is weak/);
    const [whole = []] = forecast(series, 24, [0.5]).rows;
    fitted.predict(24, [0.5]).rows[0]?.forEach((value, hour) => {
      assert.ok(Math.abs(value - (whole[hour] ?? 0)) < 60, `hour ${String(hour)}`);
    });
  });

  it("forecasts from the series' own end when the last values are missing", () => {
    const series = dailySeries({ days: 8, seed: 1, noise: 0 });
    const cut = series.values.map((value, i) => (i >= series.values.length - 5 ? Number.NaN : value));
    const { rows, startMs } = forecast({ ...series, values: cut }, 24, [0.5]);
    assert.equal(startMs, seriesEndMs(series));
    assertNear(rows[0]?.[12], series.values[12] ?? Number.NaN, 1e-6);
  });

  it("takes negative values as 0 and says so", () => {
    assert.match(
      seasonalNaive()
        .fit(seriesOf([1, -2, 3, 4]))
        .notes.join(),
      /1 negative values were taken as 0/,
    );
  });

  it("follows a season that it is told", () => {
    const values = Array.from({ length: 60 }, (_, i) => (i % 6 === 0 ? 100 : 10));
    const fitted = seasonalNaive({ seasonMs: 6 * HOUR_MS }).fit(seriesOf(values, { stepMs: HOUR_MS }));
    const [median = []] = fitted.predict(12, [0.5]).rows;
    median.forEach((value, i) => {
      assertNear(value, i % 6 === 0 ? 100 : 10, 1e-6);
    });
  });

  it("leaves residuals as whole days that end with the series", () => {
    const { residualCycles } = seasonalNaive().fit(dailySeries({ days: 12, seed: 3 }));
    assert.ok(residualCycles.length >= 5);
    assert.ok(residualCycles.every((cycle) => cycle.length === 24));
  });

  for (const [code, values] of [
    ["empty", []],
    ["all-gaps", [Number.NaN, Number.NaN]],
    ["not-finite", [1, Number.POSITIVE_INFINITY, 2]],
  ] as const) {
    it(`refuses a series that is ${code}, with what to do`, () => {
      assert.throws(
        () => seasonalNaive().fit(seriesOf(values)),
        (error: unknown) => {
          const { kind, code: actual, remedy, message } = error as Record<string, string>;
          assert.deepEqual({ kind, code: actual }, { kind: "SeriesError", code });
          assert.ok(message?.includes("workload/checkout") === true && (remedy ?? "") !== "");
          return true;
        },
      );
    });
  }
});

function assertNear(actual: number | undefined, expected: number, relative = 1e-7): void {
  const distance = Math.abs((actual ?? Number.NaN) - expected);
  assert.ok(distance <= Math.max(1, Math.abs(expected)) * relative, `${String(actual)} is not ${String(expected)}`);
}
