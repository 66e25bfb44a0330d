import * as assert from "node:assert/strict";

import { check } from "../../bench/roadef/checker";
import { readInstance, renderAssignment } from "../../bench/roadef/instance";
import { evaluateCost, findBrokenRules } from "../../providers/plan/search/evaluate";

/** The example of test/plan/search/evaluate.spec.ts as files of the challenge. */
const MODEL = `2
0 10
1 100
3
0 0 10 8 7 6 0 1 2
0 1 12 8 8 5 1 0 2
1 2 9 9 4 9 2 2 0
3
2 0
0 1 0
0 0
4
0 4 3 5
0 4 2 3
1 5 4 2
2 3 1 1
1
0 1
2 7
1 10 100
`;
const INITIAL = "0 1 0 2\n";

describe("instances of the machine reassignment challenge", () => {
  const bytes = (text: string) => Buffer.from(text);

  it("are read as the search's model", () => {
    const model = readInstance(bytes(MODEL), bytes(INITIAL));
    assert.equal(evaluateCost(model, model.origin).total, 225);
    assert.equal(evaluateCost(model, Int32Array.of(1, 0, 0, 2)).total, 353);
    assert.deepEqual([...model.dependsOn], [0]);
    assert.equal(renderAssignment(model.origin), INITIAL);
  });

  it("refuse a file that ends early or goes on", () => {
    assert.throws(() => readInstance(bytes(MODEL.slice(0, -5)), bytes(INITIAL)), /ends early/);
    assert.throws(() => readInstance(bytes(MODEL), bytes(`${INITIAL} 1`)), /goes on/);
  });

  it("are checked by the definition, with the costs computed by hand", () => {
    assert.deepEqual(check(bytes(MODEL), bytes(INITIAL), bytes(INITIAL)), { cost: 225, faults: [] });
    assert.deepEqual(check(bytes(MODEL), bytes(INITIAL), bytes("1 0 0 2")), {
      cost: 353,
      faults: ["machine 0 is over its capacity of resource 1"],
    });
  });

  it("find the same rules broken as the search does, in every assignment", () => {
    const model = readInstance(bytes(MODEL), bytes(INITIAL));
    for (let code = 0; code < 3 ** 4; code += 1) {
      const assignment = Int32Array.from({ length: 4 }, (_, process) => Math.floor(code / 3 ** process) % 3);
      const { cost, faults } = check(bytes(MODEL), bytes(INITIAL), bytes(renderAssignment(assignment)));
      assert.equal(cost, evaluateCost(model, assignment).total);
      assert.equal(faults.length > 0, findBrokenRules(model, assignment).length > 0);
    }
    assert.match(check(bytes(MODEL), bytes(INITIAL), bytes("0 1 0 3")).faults.join(), /does not exist/);
  });
});
