import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import { createRandom } from "../../providers/testing";

describe("testing: random numbers", () => {
  it("draws what the published mulberry32 draws for seed 1", () => {
    const random = createRandom(1);
    const drawn = Array.from({ length: 3 }, () => Math.round(random.next() * 2 ** 32));
    assert.deepEqual(drawn, [2693262067, 11749833, 2265367787]);
  });

  it("gives the same stream for the same seed, and stays in its bounds", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: -50, max: 50 }), fc.nat(100), (seed, from, width) => {
        const [a, b] = [createRandom(seed), createRandom(seed)];
        for (let draw = 0; draw < 20; draw += 1) {
          const value = a.integer(from, from + width);
          assert.equal(value, b.integer(from, from + width));
          assert.ok(value >= from && value <= from + width);
        }
      }),
    );
  });

  it("draws normal deviates with mean 0 and deviation 1", () => {
    const random = createRandom(5);
    const values = Array.from({ length: 20_000 }, () => random.normal());
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    assert.ok(Math.abs(mean) < 0.03 && Math.abs(variance - 1) < 0.05, `${String(mean)}, ${String(variance)}`);
  });

  it("forks a stream by name, whatever else was drawn before", () => {
    const used = createRandom(9);
    used.next();
    assert.equal(used.fork("hosts").next(), createRandom(9).fork("hosts").next());
    assert.notEqual(createRandom(9).fork("hosts").next(), createRandom(9).fork("calls").next());
  });
});
