import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import { TrimmedQuantiles } from "../../providers/forecast/trimmed-quantiles";

const LEVELS = 5;
const PLACES = [0, 2, 4];

function averaged(trimmed: TrimmedQuantiles, rows: readonly number[], weights: readonly number[]): readonly number[] {
  const result = new Float64Array(PLACES.length);
  trimmed.write(result, Float64Array.from(rows), 0, LEVELS, Float64Array.from(weights), PLACES);
  return Array.from(result);
}

describe("the middle of what members say", () => {
  it("is their median where three have equal weight, whoever has none", () => {
    const rows = [1, 2, 3, 4, 5, 900, 900, 900, 900, 900, 2, 3, 4, 5, 6, 5, 6, 7, 8, 9];
    const near = averaged(new TrimmedQuantiles(4), rows, [1 / 3, 0, 1 / 3, 1 / 3]);
    assert.deepEqual(
      near.map((value) => Math.round(10 * value) / 10),
      [2.2, 4.2, 6.2],
    );
  });

  it("lies between the least and the most, and does not depend on what was averaged before", () => {
    const members = fc.array(
      fc.tuple(
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.oneof(fc.integer({ min: 0, max: 3 }), fc.double({ min: 0, max: 100, noNaN: true })), {
          minLength: LEVELS,
          maxLength: LEVELS,
        }),
      ),
      { minLength: 1, maxLength: 25 },
    );
    const used = new TrimmedQuantiles(25);
    fc.assert(
      fc.property(members, (all) => {
        const total = all.reduce((sum, [weight]) => sum + weight, 0);
        const rows = all.flatMap(([, row]) => row);
        const weights = all.map(([weight]) => weight / total);
        const result = averaged(used, rows, weights);
        assert.deepEqual(result, averaged(new TrimmedQuantiles(all.length), rows, weights));
        PLACES.forEach((place, p) => {
          const said = all.map(([, row]) => row[place] ?? 0);
          const [least, most] = [Math.min(...said), Math.max(...said)];
          // Subnormal numbers have few digits to be right in.
          const [value, tolerance] = [result[p] ?? Number.NaN, 1e-9 * most + 1e-300];
          assert.ok(value >= least - tolerance && value <= most + tolerance);
        });
      }),
    );
  });
});
