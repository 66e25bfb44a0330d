/** What every forecasting model keeps, whatever it is given. */
import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { QuantileForecast, Series } from "../../sdk/model";
import { seriesEndMs } from "../../sdk/model";
import type { Model } from "../../providers/forecast/model";
import { DAY_MS, HOUR_MS, dailySeries, seriesOf } from "./series-builders";

const LEVELS = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];

/** Every promise of sdk/model/forecast.ts. */
export function assertWellFormed({ rows, levels }: QuantileForecast, horizon: number): void {
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

/** Registers the tests of one model. */
export function describeModel(name: string, create: () => Model): void {
  const forecast = (series: Series, horizon: number, levels: readonly number[] = LEVELS): QuantileForecast =>
    create().fit(series).predict(horizon, levels);

  describe(`${name} keeps the contract of models`, () => {
    it("never crosses, never falls below 0 and never holds a NaN, whatever it is given", () => {
      fc.assert(
        fc.property(
          loads,
          fc.integer({ min: 1, max: 80 }),
          fc.constantFrom(300_000, HOUR_MS, DAY_MS),
          (values, horizon, stepMs) => {
            fc.pre(values.some((value) => !Number.isNaN(value)));
            const fitted = create().fit(seriesOf(values, { stepMs }));
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

    it("leaves out the steps before those that are wanted, and gives the same for the others", () => {
      const series = seriesOf(Array.from({ length: 200 }, (_, hour) => 10 + (hour % 24)));
      const fitted = create().fit(series);
      const [whole, rest] = [fitted.predict(500, LEVELS), fitted.predict(500, LEVELS, 480)];
      assert.equal(rest.startMs, whole.startMs + 480 * whole.stepMs);
      assert.deepEqual(
        rest.rows,
        whole.rows.map((row) => row.slice(480)),
      );
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

    it("keeps a constant series constant and says so", () => {
      const fitted = create().fit(seriesOf(new Array<number>(600).fill(42)));
      assert.match(fitted.notes.join(), /every value is the same \(42\)/);
      for (const row of fitted.predict(20, LEVELS).rows) for (const value of row) assertNear(value, 42);
    });

    it("keeps an all-zero series at zero and asks whether its metric is connected", () => {
      const fitted = create().fit(seriesOf(new Array<number>(600).fill(0)));
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
      const fitted = create().fit({ ...series, values: gappy });
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
        create()
          .fit(seriesOf([1, -2, 3, 4]))
          .notes.join(),
        /1 negative value was taken as 0/,
      );
    });

    for (const [code, values] of [
      ["empty", []],
      ["all-gaps", [Number.NaN, Number.NaN]],
      ["not-finite", [1, Number.POSITIVE_INFINITY, 2]],
    ] as const) {
      it(`refuses a series that is ${code}, with what to do`, () => {
        assert.throws(
          () => create().fit(seriesOf(values)),
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
}

export function assertNear(actual: number | undefined, expected: number, relative = 1e-7): void {
  const distance = Math.abs((actual ?? Number.NaN) - expected);
  assert.ok(distance <= Math.max(1, Math.abs(expected)) * relative, `${String(actual)} is not ${String(expected)}`);
}
