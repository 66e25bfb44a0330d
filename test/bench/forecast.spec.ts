import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { DecisionScorer } from "../../bench/forecast/decision";
import { forecastersFor } from "../../bench/forecast/forecasters";
import { LEVELS, relativeLoss, SeriesScorer } from "../../bench/forecast/scores";
import { prepareForTask, TASKS, type Task } from "../../bench/forecast/tasks";

const TASK: Task = {
  name: "small",
  files: [],
  stepS: 120,
  season: 2,
  minLength: 8,
  horizon: 2,
  origins: 3,
  share: 0.5,
  goals: {},
};

function prepare(values: readonly number[], task = TASK) {
  return prepareForTask(task, { set: "set", id: "id", startS: 1000, stepS: 60, values: Float64Array.from(values) });
}

describe("bench: forecast", () => {
  it("takes means that are aligned at the end, over gaps that are filled by straight lines", () => {
    const values = [99, 1, 3, 5, Number.NaN, 9, 11, 2, 4, 6, 8, 1, 3, 5, 7, 9, 1, 2, 3, 4, 5];
    const prepared = prepare(values);
    assert.ok(typeof prepared !== "string");
    assert.deepEqual([...prepared.values], [2, 6, 10, 3, 7, 2, 6, 5, 2.5, 4.5]);
    assert.equal(prepared.startS, 1060);
    assert.deepEqual(prepared.origins, [5, 7, 8]);
  });

  it("leaves out what is too short, has many gaps, is constant or on a coarser step", () => {
    const long = Array.from({ length: 20 }, (_, index) => index % 7);
    assert.equal(prepare(long.slice(0, 14)), "too short");
    assert.equal(prepare([...long.slice(0, 16), Number.NaN, Number.NaN, Number.NaN, 1]), "gaps");
    assert.equal(prepare(long.fill(3)), "constant");
    assert.equal(prepare(long, { ...TASK, stepS: 90 }), "coarser step");
  });

  it("scores a forecast by pinball loss, coverage and faults", () => {
    const scorer = new SeriesScorer(2);
    const rows = LEVELS.map((level) => [level * 10, level * 10]);
    scorer.add(rows, Float64Array.from([5, 9.5]));
    const score = scorer.result();
    const pinball = (actual: number): number =>
      [1, 2, 3, 4, 5, 6, 7, 8, 9].reduce((sum, q) => {
        const error = actual - q;
        return sum + (2 / 9) * Math.max((q / 10) * error, (q / 10 - 1) * error);
      }, 0);
    assert.ok(Math.abs(score.loss - (pinball(5) + pinball(9.5))) < 1e-12);
    assert.equal(score.mase, 4.5 / 2 / 2);
    assert.deepEqual([score.c80, score.c95, score.u90, score.u99, score.faults], [0.5, 1, 0.5, 0, 0]);
    scorer.add([...rows].reverse(), Float64Array.from([5, 5]));
    assert.ok(scorer.result().faults > 0, "crossing rows are counted");
  });

  it("compares by the geometric mean of clipped ratios", () => {
    const score = (loss: number) => ({ loss, mase: 0, c80: 0, c95: 0, u90: 0, u99: 0, smape: 0, msis: 0, faults: 0 });
    assert.ok(Math.abs(relativeLoss([score(1), score(4)], [score(2), score(2)]) - 1) < 1e-12);
    assert.ok(Math.abs(relativeLoss([score(1e9), score(0)], [score(1), score(0)]) - 10) < 1e-9);
  });

  it("keeps the ratio of two losses where every actual value is 0", () => {
    const scoreOf = (forecast: number) => {
      const scorer = new SeriesScorer(1);
      scorer.add(
        LEVELS.map(() => [forecast]),
        Float64Array.from([0]),
      );
      return scorer.result();
    };
    assert.ok(Math.abs(relativeLoss([scoreOf(1)], [scoreOf(4)]) - 0.25) < 1e-12);
  });

  it("scores the choice of a slot by its regret and by what passes the reserve", () => {
    const scorer = new DecisionScorer(2);
    const rows = LEVELS.map((level) => [3, 2, 1, 4].map((load) => load * (0.5 + level)));
    scorer.add(rows, Float64Array.from([2, 4, 1, 1]));
    assert.equal(scorer.result().regret, (2.5 - 1) / 2);
    // Every level has the same order of slots here.
    assert.equal(scorer.result().regretByMedian, scorer.result().regret);
    assert.equal(scorer.result().exceeded, 1);
    assert.ok(Math.abs(scorer.result().excess - (4 / 2.98 - 1)) < 1e-12);
  });

  it("gives every forecaster's rows for each task's horizon, the own ones without faults", () => {
    for (const { season, horizon, stepS } of TASKS.filter(({ season: steps }) => steps <= 288)) {
      const known = Float64Array.from({ length: 3 * season + 30 }, (_, index) => 5 + 3 * Math.sin(index / 4));
      const setting = { id: "a", startS: 0, stepS, season, horizon, levels: LEVELS };
      for (const forecaster of forecastersFor(season)) {
        const rows = forecaster.start(known, setting)(known);
        assert.deepEqual([rows.length, rows[0]?.length], [LEVELS.length, horizon]);
      }
    }
  });
});
