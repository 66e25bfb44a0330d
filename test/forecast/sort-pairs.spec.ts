import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import { pairColumns, sortPairs } from "../../providers/forecast/sort-pairs";

describe("sorting pairs", () => {
  it("takes every weight along with its key, equal keys in the order they had", () => {
    const keys = fc.array(fc.oneof(fc.integer({ min: 0, max: 9 }), fc.double({ noNaN: true })), { maxLength: 300 });
    fc.assert(
      fc.property(keys, (numbers) => {
        const expected = numbers
          .map((key, index) => ({ key, index }))
          .sort((a, b) => a.key - b.key || a.index - b.index);
        const columns = { keys: Float64Array.from(numbers), weights: Float64Array.from(numbers, (_, index) => index) };
        sortPairs(columns, numbers.length, pairColumns(numbers.length));
        assert.deepEqual(
          Array.from(columns.weights),
          expected.map(({ index }) => index),
        );
        assert.deepEqual(
          Array.from(columns.keys),
          expected.map(({ index }) => numbers[index]),
        );
      }),
    );
  });

  it("leaves what lies behind the count as it is", () => {
    const columns = { keys: Float64Array.of(3, 1, 2, 0), weights: Float64Array.of(30, 10, 20, 0) };
    sortPairs(columns, 3, pairColumns(4));
    assert.deepEqual(Array.from(columns.keys), [1, 2, 3, 0]);
    assert.deepEqual(Array.from(columns.weights), [10, 20, 30, 0]);
  });
});
