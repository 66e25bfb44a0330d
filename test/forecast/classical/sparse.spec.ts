import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { decayingHistogram } from "../../../providers/forecast/classical/decaying-histogram";
import { intermittentModel, runIntermittent } from "../../../providers/forecast/classical/intermittent";
import { minimize } from "../../../providers/forecast/classical/nelder-mead";
import { createRandom } from "../../../providers/forecast/random";

const HALF = 0.5;

/** A demand of about 30 in one of five steps. */
function sparse(count: number, seed: number): Float64Array {
  const random = createRandom(seed);
  return Float64Array.from({ length: count }, () =>
    random.below(5) === 0 ? Math.max(1, 30 + 5 * random.normal()) : 0,
  );
}

describe("intermittent demand", () => {
  it("follows Croston's recursion by hand", () => {
    const values = Float64Array.of(0, 4, 0, 0, 8);
    // First demand of 4 after 2 steps; the next, of 8, after 3 more: size 6, interval 2.5.
    assert.deepEqual(Array.from(runIntermittent(values, "Croston", HALF)), [0, 2, 2, 2, 6 / 2.5]);
    assert.ok(Math.abs((runIntermittent(values, "SBA", HALF).at(-1) ?? 0) - (0.75 * 6) / 2.5) < 1e-12);
    // Probability 1/2, halved twice, then half the way to 1.
    assert.deepEqual(Array.from(runIntermittent(values, "TSB", HALF)), [0, 2, 1, 0.5, (0.125 / 2 + HALF) * 6]);
  });

  it("comes near the rate of simulated demand", () => {
    for (const kind of ["SBA", "TSB"] as const) {
      const values = sparse(2000, 2);
      const rate = intermittentModel(kind).fit(values)?.point(1999, 5) ?? 0;
      assert.ok(rate > 3.5 && rate < 9, `${kind}: ${String(rate)}`);
    }
  });

  it("ends with a demand that has ended, TSB only", () => {
    const values = Float64Array.from([...sparse(300, 3), ...new Float64Array(200)]);
    const at = (kind: "Croston" | "TSB"): number => runIntermittent(values, kind, 0.1).at(-1) ?? 0;
    assert.ok(at("TSB") < 0.01 && at("Croston") > 3);
  });

  it("is none for a load that is always there", () => {
    assert.equal(
      intermittentModel("Croston").fit(Float64Array.from({ length: 100 }, (_, t) => 5 + (t % 3))),
      undefined,
    );
  });
});

describe("a decaying histogram", () => {
  it("gives the quantiles of what it saw, to a bucket", () => {
    const random = createRandom(4);
    const values = Float64Array.from({ length: 3000 }, () => Math.exp(random.normal()));
    const row = decayingHistogram(values, 1e6)([0.1, 0.5, 0.9])(2999, 1);
    [Math.exp(-1.2816), 1, Math.exp(1.2816)].forEach((expected, l) => {
      assert.ok(Math.abs((row[l] ?? 0) / expected - 1) < 0.1, `${String(row[l])} is not ${String(expected)}`);
    });
  });

  it("forgets, scales with its series and reads nothing after an origin", () => {
    const values = Float64Array.from({ length: 60 }, (_, t) => (t < 40 ? 100 : t < 55 ? 10 : 1000));
    const at = (series: Float64Array): number => decayingHistogram(series, 2)([HALF])(54, 1)[0] ?? 0;
    assert.ok(Math.abs(at(values) / 10 - 1) < 0.05);
    assert.ok(Math.abs(at(values.map((value) => 7 * value)) / (7 * at(values)) - 1) < 1e-9);
    assert.equal(at(values), at(values.map((value, t) => (t === 59 ? 1000 : t > 54 ? 3 : value))));
  });

  it("leaves room above twelve values", () => {
    const values = Float64Array.of(100, 104, 98, 103, 110, 107, 101, 99, 105, 108, 102, 106);
    const row = decayingHistogram(values, 12)([0.01, HALF, 0.99])(11, 1);
    assert.ok((row[2] ?? 0) > 110 && (row[2] ?? 0) < 130 && (row[0] ?? 0) < 99);
    assert.ok(Math.abs((row[1] ?? 0) - 103.5) < 5);
  });
});

describe("the search of Nelder and Mead", () => {
  it("finds the bottom of a bent valley", () => {
    const banana = ([x = 0, y = 0]: Float64Array): number => (1 - x) ** 2 + 100 * (y - x * x) ** 2;
    const { at, value } = minimize(banana, [-1.2, 1], [0.3, 0.3], 400);
    assert.ok(value < 1e-6 && Math.abs((at[0] ?? 0) - 1) < 1e-2, String(at));
  });

  it("keeps to its budget and to what is allowed", () => {
    let calls = 0;
    const { at } = minimize(
      ([x = 0]) => {
        calls++;
        return x < 2 ? Number.POSITIVE_INFINITY : x;
      },
      [5],
      [1],
      30,
    );
    assert.ok(calls <= 33 && (at[0] ?? 0) >= 2 && (at[0] ?? 9) < 2.1, `${String(calls)} calls, ${String(at)}`);
  });
});
