import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import { argsort } from "../../providers/forecast/argsort";

describe("argsort", () => {
  it("orders as sorting pairs does, equal values by their index", () => {
    const values = fc.array(fc.oneof(fc.integer({ min: 0, max: 9 }), fc.double({ noNaN: true })), { maxLength: 300 });
    fc.assert(
      fc.property(values, (numbers) => {
        const expected = numbers
          .map((_, index) => index)
          .sort((a, b) => (numbers[a] ?? 0) - (numbers[b] ?? 0) || a - b);
        assert.deepEqual(Array.from(argsort(Float64Array.from(numbers))), expected);
      }),
    );
  });
});
