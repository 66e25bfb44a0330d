import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { ensemble } from "../../providers/forecast/ensemble";
import type { Model } from "../../providers/forecast/model";
import { createRandom } from "../../providers/forecast/random";
import { seasonalNaive } from "../../providers/forecast/seasonal-naive";
import type { Series } from "../../sdk/model";
import { assertWellFormed, describeModel } from "./model-contract";
import { HOUR_MS, dailySeries, seriesOf } from "./series-builders";

const LEVELS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/** Bursts at random times above a small load. */
function burstySeries(seed: number): Series {
  const random = createRandom(seed);
  let leftHours = 0;
  const values = Array.from({ length: 16 * 24 }, () => {
    if (leftHours === 0 && random.below(12) === 0) leftHours = 1 + random.below(3);
    leftHours = Math.max(0, leftHours - 1);
    return leftHours > 0 ? 800 + 100 * Math.abs(random.normal()) : 20 + 5 * Math.abs(random.normal());
  });
  return seriesOf(values, { stepMs: HOUR_MS });
}

/** Mean pinball loss of the last day, forecast from what came before. */
function lossOfLastDay(model: Model, whole: Series): number {
  const known = whole.values.length - 24;
  const { rows } = model.fit({ ...whole, values: whole.values.slice(0, known) }).predict(24, LEVELS);
  let loss = 0;
  LEVELS.forEach((level, l) => {
    for (let h = 0; h < 24; h++) {
      const error = (whole.values[known + h] ?? 0) - (rows[l]?.[h] ?? 0);
      loss += Math.max(level * error, (level - 1) * error) / (24 * LEVELS.length);
    }
  });
  return loss;
}

function meanLoss(model: Model, create: (seed: number) => Series): number {
  const seeds = Array.from({ length: 12 }, (_, index) => index + 1);
  return seeds.reduce((sum, seed) => sum + lossOfLastDay(model, create(seed)), 0) / seeds.length;
}

describeModel("the ensemble", ensemble);

describe("the ensemble", () => {
  it("describes bursts much better than a shape with errors around it", () => {
    const own = meanLoss(ensemble(), burstySeries);
    const naive = meanLoss(seasonalNaive(), burstySeries);
    assert.ok(own < 0.9 * naive, `${String(own)} against ${String(naive)}`);
  });

  it("is hardly worse than the shape where the shape is right", () => {
    const create = (seed: number): Series => dailySeries({ days: 16, seed });
    const own = meanLoss(ensemble(), create);
    const naive = meanLoss(seasonalNaive(), create);
    assert.ok(own < 1.1 * naive, `${String(own)} against ${String(naive)}`);
  });

  it("gives a horizon the same quantiles whatever else is asked for", () => {
    const series = dailySeries({ days: 10, seed: 5 });
    const long = ensemble()
      .fit(series)
      .predict(60, LEVELS)
      .rows.map((row) => row.slice(0, 7));
    const fitted = ensemble().fit(series);
    assert.deepEqual(fitted.predict(7, LEVELS).rows, long);
    assert.deepEqual(fitted.predict(7, [0.5]).rows[0], long[4]);
  });

  it("says who speaks", () => {
    const { notes } = ensemble().fit(dailySeries({ days: 12, seed: 2 }));
    assert.match(notes.at(-1) ?? "", /^blend of .* \(\d+ %\)/);
  });

  it("tells its members, with shares that add up to one and forecasts of their own", () => {
    const fitted = ensemble().fit(dailySeries({ days: 12, seed: 2 }));
    const members = fitted.members ?? [];
    const sum = members.reduce((total, { weight }) => total + weight, 0);
    assert.ok(Math.abs(sum - 1) < 1e-9 && new Set(members.map(({ key }) => key)).size === members.length);
    for (const member of members) assertWellFormed(member.predict(24, LEVELS), 24);
  });
});
