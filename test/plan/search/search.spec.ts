import * as assert from "node:assert/strict";

import * as fc from "fast-check";

import { evaluateCost, findBrokenRules } from "../../../providers/plan/search/evaluate";
import { createModel } from "../../../providers/plan/search/model";
import { FastRandom } from "../../../providers/plan/search/random";
import { searchPlacement } from "../../../providers/plan/search/search";
import { SearchState } from "../../../providers/plan/search/search-state";
import { modelArbitrary } from "./random-models";

describe("placement search", () => {
  it("keeps its cost equal to one computed anew, after any moves", () => {
    fc.assert(
      fc.property(modelArbitrary, fc.integer(), (model, seed) => {
        const random = new FastRandom(seed);
        const state = new SearchState(model, model.origin);
        state.setPrice(3);
        for (let step = 0; step < 60; step += 1) {
          const process = random.below(model.processCount);
          const other = random.below(model.processCount);
          if (random.below(3) > 0) state.move(process, random.below(model.machineCount + 1) - 1);
          else if ((state.assignment[process] ?? 0) >= 0 && (state.assignment[other] ?? 0) >= 0)
            state.swap(process, other);
          assert.equal(state.cost, evaluateCost(model, state.assignment).total);
          const broken = findBrokenRules(model, state.assignment);
          assert.equal(
            state.excess > 0,
            broken.some(({ kind }) => kind === "capacity"),
          );
          assert.equal(state.missing, broken.filter(({ kind }) => kind === "dependency").length);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("judges moves as they turn out: rated cost, and the rules that a feasible state keeps", () => {
    fc.assert(
      fc.property(modelArbitrary, fc.integer(), (model, seed) => {
        const random = new FastRandom(seed);
        const state = new SearchState(model, model.origin);
        state.setPrice(2);
        for (let step = 0; step < 60; step += 1) {
          const process = random.below(model.processCount);
          const other = random.below(model.processCount);
          const from = state.assignment[process] ?? 0;
          const to = state.assignment[other] ?? 0;
          if (from === to) continue;
          const before = state.ratedCost;
          const isShift = random.below(2) === 0;
          const price = isShift ? state.shiftPrice(process, to) : state.swapPrice(process, other);
          const isAllowed = isShift
            ? state.canPlace(process, to) && price < Infinity
            : state.canSwap(process, other) && price < Infinity;
          const change = isShift
            ? state.costOfPlacing(to, process, Infinity) - state.gainOf(process, from)
            : state.changeByReplacing(from, process, other, Infinity) +
              state.changeByReplacing(to, other, process, Infinity);
          const single = state.moveCostChange(process, from, to);
          const otherSingle = state.moveCostChange(other, to, from);
          if (isShift) state.move(process, to);
          else state.swap(process, other);
          if (price === Infinity) assert.ok(!isAllowed);
          else if (isShift) assert.ok(Math.abs(before + change + single + price - state.ratedCost) < 1e-6);
          else if (model.serviceMoveWeight === 0) {
            const both = single + otherSingle;
            assert.ok(Math.abs(before + change + both + price - state.ratedCost) < 1e-6);
          }
          const broken = findBrokenRules(model, state.assignment).filter(
            ({ kind }) => kind !== "capacity" && kind !== "dependency",
          );
          const isPossible = state.places.allows(process, to) && (isShift || state.places.allows(other, from));
          assert.equal(broken.length === 0 && isPossible, isAllowed);
          if (isAllowed) continue;
          if (isShift) state.move(process, from);
          else state.swap(process, other);
        }
      }),
      { numRuns: 400 },
    );
  });

  it("ends feasible and no dearer than its start, and the same for the same seed", () => {
    fc.assert(
      fc.property(modelArbitrary, fc.integer(), (model, seed) => {
        const search = () => searchPlacement(model, { seed, budget: { kind: "moves", moves: 20_000 } });
        const result = search();
        assert.deepEqual(result.broken, []);
        assert.ok(result.cost.total <= evaluateCost(model, model.origin).total);
        assert.deepEqual(search(), result);
      }),
      { numRuns: 30 },
    );
  });

  it("finds room for processes that are on no machine, and says which one has none", () => {
    const parts = { resourceCount: 1, capacity: Float64Array.of(10, 10), origin: Int32Array.of(0, 1, -1) };
    const budget = { kind: "moves", moves: 2000 } as const;
    const fits = createModel({ ...parts, requirement: Float64Array.of(4, 4, 6) });
    assert.deepEqual(searchPlacement(fits, { seed: 1, budget }).broken, []);
    const fitsAfterAnotherMoved = createModel({ ...parts, requirement: Float64Array.of(4, 4, 7) });
    assert.deepEqual(searchPlacement(fitsAfterAnotherMoved, { seed: 1, budget }).broken, []);
    const isTooLarge = createModel({ ...parts, requirement: Float64Array.of(4, 7, 7) });
    assert.deepEqual(
      searchPlacement(isTooLarge, { seed: 1, budget }).broken.map(({ kind }) => kind),
      ["unplaced"],
    );
  });
});
