import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { similarDays } from "../../providers/forecast/similar-days";
import { dailySeries } from "./series-builders";

const DAY = 24;
const SETTING = { seasonSteps: DAY, longSteps: 0, lifted: 1 };

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
    const forecast = similarDays(values, SETTING)([0.5]);
    for (const horizon of [3, 6, 18]) {
      const median = forecast(values.length - 1, horizon)[0] ?? 0;
      const expected = 100 + 10 * Math.sin((2 * Math.PI * (horizon - 1)) / DAY);
      assert.ok(Math.abs(median - expected) < 5, `${String(horizon)}: ${String(median)}, ${String(expected)}`);
    }
  });

  it("read nothing after an origin, and scale and move with their series", () => {
    const { values } = dailySeries({ days: 12, seed: 2 });
    const at = (series: Float64Array): number => similarDays(series, SETTING)([0.3])(200, 7)[0] ?? 0;
    assert.equal(at(values), at(values.map((value, t) => (t > 200 ? 0 : value))));
    assert.ok(Math.abs(at(values.map((value) => 4 * value + 9)) - (4 * at(values) + 9)) < 1e-6);
  });
});
