import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import { createErrorDistribution, errorQuantile, normalQuantile } from "../../providers/forecast/conformal";

const equalWeights = (count: number): Float64Array => new Float64Array(count).fill(1);

describe("conformal quantiles", () => {
  it("place n equal errors at i / (n + 1)", () => {
    const distribution = createErrorDistribution(Float64Array.of(30, 10, 20), equalWeights(3));
    assert.deepEqual(Array.from(distribution.sorted), [10, 20, 30]);
    [0.25, 0.5, 0.75].forEach((level, index) => {
      assert.ok(Math.abs(errorQuantile(distribution, level) - (index + 1) * 10) < 1e-9);
    });
  });

  it("go beyond the largest error where the sample says nothing", () => {
    const distribution = createErrorDistribution(Float64Array.of(-1, 0, 1), equalWeights(3));
    assert.ok(errorQuantile(distribution, 0.99) > 1);
    assert.ok(errorQuantile(distribution, 0.01) < -1);
  });

  it("never cross and are finite", () => {
    const errors = fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1, maxLength: 60 });
    const levels = fc.array(fc.double({ noNaN: true, min: 0.001, max: 0.999 }), { minLength: 2, maxLength: 12 });
    fc.assert(
      fc.property(errors, levels, (values, unordered) => {
        const distribution = createErrorDistribution(Float64Array.from(values), equalWeights(values.length));
        const quantiles = [...unordered].sort((a, b) => a - b).map((level) => errorQuantile(distribution, level));
        quantiles.forEach((quantile, index) => {
          assert.ok(Number.isFinite(quantile));
          const tolerance = Math.abs(quantile) * 1e-12;
          assert.ok(index === 0 || quantile >= (quantiles[index - 1] ?? 0) - tolerance);
        });
      }),
    );
  });

  it("stay between two errors that are subnormal numbers", () => {
    const distribution = createErrorDistribution(Float64Array.of(-3e-323, 0, 0, 0, 0, 0, 0, 0, 0), equalWeights(9));
    const quantiles = [0.1833, 0.18333333333333338, 0.19, 0.2].map((level) => errorQuantile(distribution, level));
    assert.ok(quantiles.every((quantile) => quantile >= -3e-323 && quantile <= 0));
    assert.deepEqual(
      quantiles,
      [...quantiles].sort((a, b) => a - b),
    );
  });

  it("widen when fewer of the errors are independent", () => {
    const errors = Float64Array.from({ length: 100 }, (_, index) => index - 49.5);
    const all = createErrorDistribution(errors, equalWeights(100));
    const few = createErrorDistribution(errors, equalWeights(100), 10);
    assert.ok(errorQuantile(few, 0.9) > errorQuantile(all, 0.9));
    assert.ok(errorQuantile(few, 0.1) < errorQuantile(all, 0.1));
  });

  it("follow the newer errors when the older ones weigh less", () => {
    const errors = Float64Array.from({ length: 40 }, (_, index) => (index < 20 ? 100 : 1) * ((index % 5) - 2));
    const fading = Float64Array.from({ length: 40 }, (_, index) => 2 ** ((index - 40) / 5));
    const equal = createErrorDistribution(errors, equalWeights(40));
    assert.ok(errorQuantile(createErrorDistribution(errors, fading), 0.9) < errorQuantile(equal, 0.9));
  });

  it("know the normal distribution", () => {
    assert.equal(normalQuantile(0.5), 0);
    for (const [level, value] of [
      [0.975, 1.959963985],
      [0.9, 1.281551566],
      [0.99, 2.326347874],
      [0.001, -3.090232306],
    ] as const) {
      assert.ok(Math.abs(normalQuantile(level) - value) < 1e-8);
    }
  });
});
