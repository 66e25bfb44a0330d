import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { fitDirectRegression, type RegressionInput } from "../../providers/forecast/direct-regression";
import { createRandom } from "../../providers/forecast/random";
import { dailySeries } from "./series-builders";

const LEVELS = [0.1, 0.5, 0.9];
const DAY = 24;

function inputOf(values: Float64Array, overrides: Partial<RegressionInput> = {}): RegressionInput {
  return {
    values,
    measured: new Uint8Array(values.length).fill(1),
    seasons: [DAY],
    unitSteps: DAY,
    longest: 2 * DAY,
    largest: 10,
    isMedian: false,
    ...overrides,
  };
}

function forecast(values: Float64Array, horizon: number, overrides: Partial<RegressionInput> = {}): ArrayLike<number> {
  const fitted = fitDirectRegression(inputOf(values, overrides));
  assert.ok(fitted);
  return fitted(LEVELS)(values.length - 1, horizon);
}

describe("direct regression", () => {
  for (const isMedian of [false, true]) {
    it(`scales and moves with its series, with least ${isMedian ? "absolute deviations" : "squares"}`, () => {
      const { values } = dailySeries({ days: 20, seed: 4 });
      const plain = forecast(values, 9, { isMedian });
      const moved = forecast(
        values.map((value) => 3 * value + 700),
        9,
        { isMedian },
      );
      LEVELS.forEach((_, l) => {
        assert.ok(Math.abs((moved[l] ?? 0) - (3 * (plain[l] ?? 0) + 700)) < 1e-3);
      });
    });
  }

  it("knows the time of day", () => {
    const values = Float64Array.from({ length: 20 * DAY }, (_, t) => 100 + 50 * Math.sin((2 * Math.PI * t) / DAY));
    for (const horizon of [1, 6, 18, 40]) {
      const expected = 100 + 50 * Math.sin((2 * Math.PI * (values.length - 1 + horizon)) / DAY);
      assert.ok(Math.abs((forecast(values, horizon)[1] ?? 0) - expected) < 10, String(horizon));
    }
  });

  it("carries what the origin is off from the shape of its day over to the next steps", () => {
    const [daySteps, left, steps] = [96, 0.9, 4];
    const random = createRandom(5);
    const deviations = new Float64Array(30 * daySteps);
    for (let t = 1; t < deviations.length; t++) deviations[t] = left * (deviations[t - 1] ?? 0) + 10 * random.normal();
    const shapeAt = (t: number): number => 1000 + 400 * Math.sin((2 * Math.PI * t) / daySteps);
    const values = deviations.map((deviation, t) => shapeAt(t) + deviation);
    const at = fitDirectRegression(inputOf(values, { seasons: [daySteps], unitSteps: daySteps, longest: daySteps }))?.(
      LEVELS,
    );
    assert.ok(at);
    let [squares, least] = [0, 0];
    for (let origin = values.length >> 1; origin + steps < values.length; origin++) {
      const value = values[origin + steps] ?? 0;
      squares += (value - (at(origin, steps)[1] ?? 0)) ** 2;
      least += (value - shapeAt(origin + steps) - left ** steps * (deviations[origin] ?? 0)) ** 2;
    }
    // The shape is a mean of seven days, whose own deviations add to the error.
    assert.ok(squares < 1.6 * least, `${String(squares / least)} times the least possible`);
  });

  it("follows a change of level that has lasted for a day", () => {
    const random = createRandom(9);
    const values = Float64Array.from({ length: 20 * DAY }, (_, t) => (t < 18 * DAY ? 100 : 300) + 5 * random.normal());
    const [low = 0, median = 0, high = 0] = Array.from(forecast(values, 12));
    assert.ok(
      low > 200 && median > 270 && median < 320 && high < 450,
      `${String(low)} ${String(median)} ${String(high)}`,
    );
  });

  it("reads nothing after an origin", () => {
    const { values } = dailySeries({ days: 20, seed: 6 });
    const origin = 15 * DAY;
    const before = fitDirectRegression(inputOf(values))?.([0.5])(origin, 5);
    // The errors' distribution is that of the whole series, so that a change after the origin moves the spread only.
    const changed = values.map((value, t) => (t > 19 * DAY ? value * 1.01 : value));
    const after = fitDirectRegression(inputOf(changed))?.([0.5])(origin, 5);
    assert.ok(Math.abs((before?.[0] ?? 0) - (after?.[0] ?? 1e9)) < 0.02 * (before?.[0] ?? 0));
  });

  it("is none where the series is too short", () => {
    assert.equal(
      fitDirectRegression(inputOf(Float64Array.from([1, 2, 3]), { seasons: [], unitSteps: 4, longest: 1 })),
      undefined,
    );
  });
});
