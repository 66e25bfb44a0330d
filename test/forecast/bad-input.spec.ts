import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { ensemble } from "../../providers/forecast/ensemble";
import { assertWellFormed } from "./model-contract";
import { DAY_MS, seriesOf } from "./series-builders";

const LEVELS = [0.01, 0.05, 0.5, 0.95, 0.99];

function forecast(values: ArrayLike<number>, stepMs: number): readonly string[] {
  const series = { ...seriesOf([], { stepMs }), values: Float64Array.from(values) };
  const found = ensemble().fit(series).predict(30, LEVELS);
  assertWellFormed(found, 30);
  return found.notes;
}

/** Deterministic, with a day. */
function load(count: number, stepMs: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => {
    return 100 + 50 * Math.sin((2 * Math.PI * i * stepMs) / DAY_MS) + 10 * Math.sin(i * i);
  });
}

describe("the forecast of a series that is unusual", () => {
  it("of one point is that point", () => {
    assert.ok(forecast([7], 300_000).length > 0);
  });

  it("of steps of a second and of a day has no NaN", () => {
    forecast(load(5_000, 1000), 1000);
    forecast(load(90, DAY_MS), DAY_MS);
  });

  it("of ten million points looks at the newest and says so", function () {
    this.timeout(30_000);
    const values = new Float64Array(10_000_000).fill(3);
    values.set(load(100_000, 1000), values.length - 100_000);
    assert.match(forecast(values, 1000).join(), /only the newest 60000 of 10000000 values were looked at/);
  });

  it("of one value among zeros, and of the smallest and largest numbers, has no NaN", () => {
    const rare = new Float64Array(336);
    rare[40] = 5;
    assert.match(forecast(rare, 3_600_000).join(), /335 of 336 values are 0: when it will be busy cannot be told/);
    forecast(
      load(336, 3_600_000).map((value) => value * 1e-300),
      3_600_000,
    );
    forecast(
      load(336, 3_600_000).map((value) => value * 1e150),
      3_600_000,
    );
  });
});
