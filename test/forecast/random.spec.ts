import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import { createRandom } from "../../providers/forecast/random";

describe("random", () => {
  it("gives the same numbers for the same seed and others for another", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 45 }), (seed) => {
        const [a, b, other] = [createRandom(seed), createRandom(seed), createRandom(seed + 1)];
        const draw = (random: typeof a): number[] => Array.from({ length: 8 }, () => random.next());
        const first = draw(a);
        assert.deepEqual(first, draw(b));
        assert.notDeepEqual(first, draw(other));
      }),
    );
  });

  it("keeps its first numbers for ever, for stored runs are rebuilt from them", () => {
    const random = createRandom(1);
    assert.deepEqual(
      Array.from({ length: 4 }, () => random.below(1_000_000)),
      FIRST_OF_SEED_ONE,
    );
  });

  it("is uniform in [0, 1) and normal with mean 0 and deviation 1", () => {
    const random = createRandom(20_261_122);
    const uniform = Array.from({ length: 20_000 }, () => random.next());
    assert.ok(uniform.every((value) => value >= 0 && value < 1));
    assert.ok(Math.abs(mean(uniform) - 0.5) < 0.01);
    const normal = Array.from({ length: 20_000 }, () => random.normal());
    assert.ok(Math.abs(mean(normal)) < 0.03);
    assert.ok(Math.abs(Math.sqrt(mean(normal.map((value) => value * value))) - 1) < 0.03);
  });
});

const FIRST_OF_SEED_ONE = [91_569, 506_197, 888_192, 487_255];

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
