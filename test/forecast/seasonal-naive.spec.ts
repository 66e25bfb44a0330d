import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { QuantileForecast, Series } from "../../sdk/model";
import { seasonalNaive } from "../../providers/forecast/seasonal-naive";
import { createRandom } from "../../providers/forecast/random";
import { assertNear, assertWellFormed, describeModel } from "./model-contract";
import { HOUR_MS, dailySeries, seriesOf } from "./series-builders";

const LEVELS = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];

function forecast(series: Series, horizon: number, levels: readonly number[] = LEVELS): QuantileForecast {
  return seasonalNaive().fit(series).predict(horizon, levels);
}

describeModel("seasonal naive", seasonalNaive);

describe("seasonal naive", () => {
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
});
