import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { similarDays } from "../../providers/forecast/similar-days";
import { dailySeries } from "./series-builders";

const DAY = 24;
const SETTING = { seasonSteps: DAY, longSteps: 0 };

/** Busy days, each followed by a quiet one. */
function twoKinds(days: number): Float64Array {
  return Float64Array.from({ length: days * DAY }, (_, t) => {
    const isBusy = Math.floor(t / DAY) % 2 === 0;
    return 100 + (isBusy ? 60 : 10) * Math.sin((2 * Math.PI * t) / DAY);
  });
}

describe("days like the last", () => {
  it("follow the kind of day that came after such days", () => {
    const values = twoKinds(21);
    const forecast = similarDays(values, SETTING)(1)([0.5]);
    for (const horizon of [3, 6, 18]) {
      const median = forecast(values.length - 1, horizon)[0] ?? 0;
      const expected = 100 + 10 * Math.sin((2 * Math.PI * (horizon - 1)) / DAY);
      assert.ok(Math.abs(median - expected) < 5, `${String(horizon)}: ${String(median)}, ${String(expected)}`);
    }
  });

  it("count the same weekday more where a week is known, and lift its level as far as is asked", () => {
    // Weekdays of 100 and weekends of 50, both doubled in the last week.
    const values = Float64Array.from({ length: 28 * DAY }, (_, t) => {
      const day = Math.floor(t / DAY);
      return (day % 7 >= 5 ? 50 : 100) * (day >= 21 ? 2 : 1);
    });
    const calm = values.subarray(0, 21 * DAY);
    const monday = similarDays(calm, { seasonSteps: DAY, longSteps: 7 * DAY })(1)([0.5])(calm.length - 1, 12);
    assert.equal(monday[0], 100);
    const upTo = values.subarray(0, 21 * DAY + DAY);
    const tuesday = (lifted: number): number =>
      similarDays(upTo, { seasonSteps: DAY, longSteps: 7 * DAY })(lifted)([0.5])(upTo.length - 1, 12)[0] ?? 0;
    assert.equal(tuesday(0), 100);
    assert.equal(tuesday(0.5), 150);
    assert.equal(tuesday(1), 200);
  });

  it("read nothing after an origin, and scale with their series", () => {
    const { values } = dailySeries({ days: 12, seed: 2 });
    const at = (series: Float64Array): number => similarDays(series, SETTING)(1)([0.3])(200, 7)[0] ?? 0;
    assert.equal(at(values), at(values.map((value, t) => (t > 200 ? 0 : value))));
    assert.ok(Math.abs(at(values.map((value) => 4 * value)) - 4 * at(values)) < 1e-6);
  });
});
