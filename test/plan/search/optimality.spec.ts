import assert from "node:assert/strict";
import { compareFleet } from "../../../bench/optimality/compare";
import { loadHighs, solveExactly, type Solve } from "../../../bench/optimality/exact";
import { smallFleet } from "../../../bench/optimality/small-fleets";

/** The long form, on 200 fleets, is `npm run bench:optimality`. */
const FLEETS = 6;

describe("the placement search against exact solutions", () => {
  let solve: Solve;
  before(async () => {
    solve = await loadHighs();
  });

  it("is never below the optimum, on average within 1 % of it and never more than 5 % above", () => {
    const compared = Array.from({ length: FLEETS }, (_, index) => compareFleet(solve, 500 + index));
    for (const { seed, gap, isProven } of compared) {
      assert.ok(isProven, `fleet ${String(seed)} was not solved`);
      assert.ok(gap >= 0 && gap <= 0.05, `fleet ${String(seed)}: ${String(gap)}`);
    }
    assert.ok(compared.reduce((sum, { gap }) => sum + gap, 0) / FLEETS <= 0.01);
    assert.ok(
      compared.some(({ found, initial }) => found < initial * 0.9),
      "the fleets leave nothing to win",
    );
  });

  it("has a bound by linear relaxation that is not above the optimum", () => {
    for (const seed of [500, 501, 502]) {
      const model = smallFleet(seed);
      const bound = solveExactly(solve, model, 20, true);
      assert.ok(bound.cost <= solveExactly(solve, model, 20).cost + 1e-6);
    }
  });
});
