import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { backtest, TESTED_LEVELS, type BacktestSetting } from "../../providers/forecast/backtest";
import { ensemble } from "../../providers/forecast/ensemble";
import { lastSeason } from "../../providers/forecast/last-season";
import type { Model } from "../../providers/forecast/model";
import { ScoreSum } from "../../providers/forecast/score-sum";
import type { Series } from "../../sdk/model";
import { HOUR_MS, dailySeries, seriesOf } from "./series-builders";

function settingOf(series: Series, more: Partial<BacktestSetting> = {}): BacktestSetting {
  return { series, model: ensemble(), horizon: 24, origins: 5, share: 0.3, season: 24, slotSteps: 2, ...more };
}

describe("a backtest", () => {
  it("shows each model only what came before the origin", () => {
    const series = dailySeries({ days: 14, seed: 1 });
    const seen: number[] = [];
    const model: Model = {
      name: "spy",
      fit: (known) => {
        seen.push(known.values.length);
        return ensemble().fit(known);
      },
    };
    const { originsMs } = backtest(settingOf(series, { model }));
    assert.deepEqual(
      originsMs,
      seen.map((count) => series.startMs + count * series.stepMs),
    );
    assert.equal(Math.max(...seen), series.values.length - 24);
    assert.equal(Math.min(...seen), Math.floor(series.values.length * 0.7));
  });

  it("scores the blend, each of its members and the last season", () => {
    const { models } = backtest(settingOf(dailySeries({ days: 21, seed: 2 })));
    assert.deepEqual([models[0]?.role, models.at(-1)?.role], ["blend", "yardstick"]);
    const members = models.filter(({ role }) => role === "member");
    assert.ok(members.length >= 8, `${String(members.length)} members`);
    assert.ok((models[0]?.relativeLoss ?? 1) < 0.9);
    assert.equal(models.at(-1)?.relativeLoss, 1);
    for (const { wql, mase, c80, u99 } of models) {
      assert.ok(wql > 0 && mase > 0 && c80 > 0.3 && c80 <= 1 && u99 >= 0 && u99 < 0.3);
    }
  });

  it("gives a perfect forecast a perfect score", () => {
    const values = Array.from({ length: 24 * 10 }, (_, hour) => 100 + 50 * Math.sin((2 * Math.PI * hour) / 24));
    const [blend] = backtest(settingOf(seriesOf(values, { stepMs: HOUR_MS }), { model: lastSeason(24) })).models;
    assert.ok(blend);
    assert.ok(blend.wql < 1e-12 && blend.slot.regret < 1e-12);
    assert.equal(blend.slot.hit, 1);
  });

  it("does not judge gaps", () => {
    const series = dailySeries({ days: 14, seed: 5 });
    const gappy = series.values.map((value, index) => (index % 5 === 0 ? Number.NaN : value));
    const { models, said } = backtest(settingOf({ ...series, values: gappy }));
    assert.ok(models.every(({ wql, c80 }) => Number.isFinite(wql) && Number.isFinite(c80)));
    assert.ok(said[0]?.actual.some(Number.isNaN));
  });

  it("refuses a series that leaves no room, with what to do", () => {
    assert.throws(() => backtest(settingOf(dailySeries({ days: 1, seed: 1 }))), /needs at least 48.*/);
  });
});

describe("a sum of scores", () => {
  const flat = (value: number, steps: number): readonly number[] => new Array<number>(steps).fill(value);

  it("counts what lies where, by hand", () => {
    const sum = new ScoreSum(TESTED_LEVELS, 2, 1);
    // Quantile q of each step is 100 q.
    const rows = TESTED_LEVELS.map((level) => flat(100 * level, 4));
    sum.add(rows, Float64Array.of(50, 95, 99.5, 1));
    const { mase, c80, c95, u90, u99 } = sum.result();
    assert.equal(mase, (0 + 45 + 49.5 + 49) / 4 / 2);
    assert.deepEqual([c80, c95, u90, u99], [0.25, 0.5, 0.5, 0.25]);
  });

  it("says how often a reservation was passed, and by how much", () => {
    const sum = new ScoreSum(TESTED_LEVELS, 1, 1);
    const rows = TESTED_LEVELS.map((level) => flat(level >= 0.95 ? 100 : 50, 3));
    sum.add(rows, Float64Array.of(10, 80, 20));
    sum.add(rows, Float64Array.of(10, 150, 20));
    const { p95 } = sum.result().reserve;
    assert.deepEqual(p95, { mean: 100, exceeded: 0.5, meanExcess: 0.5, worstExcess: 0.5, idle: 0.125 });
  });

  it("chooses the slot of the least P90 and knows what the best one was", () => {
    const sum = new ScoreSum(TESTED_LEVELS, 1, 2);
    // Said: calm at steps 2 and 3. It was calm at steps 0 and 1.
    const rows = TESTED_LEVELS.map(() => [20, 20, 10, 10, 20]);
    sum.add(rows, Float64Array.of(5, 5, 15, 15, 10));
    const { regret, hit, exceeded, meanExcess } = sum.result().slot;
    assert.deepEqual([regret, hit, exceeded, meanExcess], [1, 0, 1, 0.5]);
  });
});

describe("the last season again", () => {
  it("repeats the season, wider with each one ahead", () => {
    const values = Array.from({ length: 96 }, (_, hour) => 100 + (hour % 24) + (hour < 48 ? 0 : 10));
    const { rows } = lastSeason(24)
      .fit(seriesOf(values, { stepMs: HOUR_MS }))
      .predict(48, [0.5, 0.9]);
    assert.deepEqual(rows[0]?.slice(0, 24), values.slice(72));
    const width = (step: number): number => (rows[1]?.[step] ?? 0) - (rows[0]?.[step] ?? 0);
    assert.ok(Math.abs(width(30) / width(3) - Math.SQRT2) < 1e-9);
  });
});
