import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { createRandom } from "../../providers/forecast/random";
import { predictLinear, RidgeSums } from "../../providers/forecast/ridge";

const TRUE = Float64Array.from([2, -1, 0.5]);

function sumsOf(rows: number, noise = 0): RidgeSums {
  const random = createRandom(3);
  const sums = new RidgeSums(TRUE.length);
  for (let row = 0; row < rows; row++) {
    const x = Float64Array.from(TRUE, () => random.normal());
    sums.add(x, 0, predictLinear(TRUE, x, 0) + noise * random.normal());
  }
  return sums;
}

describe("ridge", () => {
  it("recovers the coefficients that made the values", () => {
    sumsOf(50)
      .solve(0, new Float64Array(3))
      .forEach((value, i) => {
        assert.ok(Math.abs(value - (TRUE[i] ?? 0)) < 1e-6);
      });
  });

  it("draws to the prior, all the more the more rows it counts for", () => {
    const prior = Float64Array.from([0, 0, 0]);
    const norm = (beta: Float64Array): number => Math.hypot(...beta);
    const norms = [0, 10, 1000, 1e9].map((rows) => norm(sumsOf(50, 1).solve(rows, prior)));
    norms.reduce((before, after) => {
      assert.ok(after < before);
      return after;
    });
    assert.ok((norms.at(-1) ?? 1) < 1e-6);
  });

  it("keeps to the prior where a feature says nothing and stays finite where two are the same", () => {
    const sums = new RidgeSums(3);
    for (let i = 1; i <= 10; i++) sums.add(Float64Array.from([i, i, 0]), 0, 2 * i);
    const beta = sums.solve(1, Float64Array.from([1, 1, 0.25]));
    assert.ok(Math.abs((beta[0] ?? 0) + (beta[1] ?? 0) - 2) < 1e-6);
    assert.ok(Math.abs((beta[2] ?? 0) - 0.25) < 1e-6);
  });
});
