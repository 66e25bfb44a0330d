import * as assert from "node:assert/strict";

import { evaluateCost, findBrokenRules } from "../../../providers/plan/search/evaluate";
import { createModel } from "../../../providers/plan/search/model";

/**
 * Three machines, two resources (the second is transient), four processes; everything below is computed by hand.
 *
 * | machine | location | neighbourhood | capacity | safety |
 * |--|--|--|--|--|
 * | 0 | 0 | 0 | 10, 8 | 7, 6 |
 * | 1 | 1 | 0 | 12, 8 | 8, 5 |
 * | 2 | 2 | 1 |  9, 9 | 4, 9 |
 *
 * | process | service | requires | move cost | from |
 * |--|--|--|--|--|
 * | 0 | 0 | 4, 3 | 5 | 0 |
 * | 1 | 0 | 4, 2 | 3 | 1 |
 * | 2 | 1 | 5, 4 | 2 | 0 |
 * | 3 | 2 | 3, 1 | 1 | 2 |
 */
const model = createModel({
  resourceCount: 2,
  transient: Uint8Array.of(0, 1),
  loadWeight: Float64Array.of(10, 100),
  capacity: Float64Array.of(10, 8, 12, 8, 9, 9),
  safety: Float64Array.of(7, 6, 8, 5, 4, 9),
  location: Int32Array.of(0, 1, 2),
  neighbourhood: Int32Array.of(0, 0, 1),
  distanceClass: Int32Array.of(0, 1, 2),
  distance: Int32Array.of(0, 1, 2, 1, 0, 2, 2, 2, 0),
  service: Int32Array.of(0, 0, 1, 2),
  requirement: Float64Array.of(4, 3, 4, 2, 5, 4, 3, 1),
  moveCost: Float64Array.of(5, 3, 2, 1),
  origin: Int32Array.of(0, 1, 0, 2),
  spreadMin: Int32Array.of(2, 0, 0),
  dependencies: [[1, 0]],
  balances: [{ first: 0, second: 1, target: 2, weight: 7 }],
  processMoveWeight: 1,
  serviceMoveWeight: 10,
  machineMoveWeight: 100,
});

describe("cost and rules of a placement", () => {
  it("are those computed by hand for the start", () => {
    // Use: machine 0: 9, 7; machine 1: 4, 2; machine 2: 3, 1.
    // Load: 10 * (9 - 7) + 100 * (7 - 6) = 120. Free: 1, 1; 8, 6; 6, 8. Balance: 7 * (1 + 10 + 4) = 105.
    const cost = evaluateCost(model, model.origin);
    assert.deepEqual(cost, {
      load: 120,
      balance: 105,
      open: 0,
      placement: 0,
      processMoves: 0,
      serviceMoves: 0,
      machineMoves: 0,
      total: 225,
    });
    assert.deepEqual(findBrokenRules(model, model.origin), []);
  });

  it("are those computed by hand after two moves of one service", () => {
    // Processes 0 and 1 change places. Use: machine 0: 9, 6; machine 1: 4, 3; machine 2: 3, 1.
    // Load: 10 * 2. Free: 1, 2; 8, 5; 6, 8. Balance: 7 * (0 + 11 + 4) = 105. Moves: 5 + 3; 10 * 2; 100 * (1 + 1).
    const assignment = Int32Array.of(1, 0, 0, 2);
    const cost = evaluateCost(model, assignment);
    assert.deepEqual(cost, {
      load: 20,
      balance: 105,
      open: 0,
      placement: 0,
      processMoves: 8,
      serviceMoves: 20,
      machineMoves: 200,
      total: 353,
    });
    // Resource 1 on machine 0: 2 + 4 and the 3 that process 0 leaves behind are 9 of 8.
    assert.deepEqual(
      findBrokenRules(model, assignment).map(({ kind, index }) => [kind, index]),
      [["capacity", 0]],
    );
  });

  it("name what is broken: two of a service on a machine, too small a spread, a dependency that is not there", () => {
    const kinds = (assignment: Int32Array) =>
      findBrokenRules(model, assignment).map(({ kind, index }) => [kind, index]);
    // Both processes of service 0 on machine 1: one location.
    assert.deepEqual(kinds(Int32Array.of(1, 1, 0, 2)), [
      ["perMachine", 0],
      ["spread", 0],
    ]);
    // Service 1 alone in neighbourhood 1, without service 0 that it depends on.
    assert.deepEqual(kinds(Int32Array.of(0, 1, 2, 2)), [["dependency", 1]]);
    assert.deepEqual(kinds(Int32Array.of(0, 1, -1, 2)), [["unplaced", 2]]);
  });
});
