import assert from "node:assert/strict";
import * as fc from "fast-check";
import { DISRUPTION_REASONS, strictestBudget, type DisruptionBudget } from "../../sdk/model";

const island = (count: number, ...disruptionBudgets: readonly DisruptionBudget[]) => ({
  hosts: Array.from({ length: count }, (_, index) => `host-${String(index)}`),
  disruptionBudgets,
});

describe("disruption budgets", () => {
  it("are numbers of hosts, or shares of the island's own ones, rounded down", () => {
    const hostsOf = (count: number, hosts: DisruptionBudget["hosts"]): number | undefined =>
      strictestBudget(island(count, { hosts }), "update")?.hosts;
    assert.equal(hostsOf(12, 2), 2);
    assert.equal(hostsOf(12, { share: 0.1 }), 1);
    assert.equal(hostsOf(9, { share: 0.1 }), 0);
    assert.equal(hostsOf(100, { share: 0.29 }), 29, "0.29 * 100 is a little less than 29 in binary");
    assert.equal(hostsOf(12, { share: 1 }), 12);
  });

  it("count for their reasons, or for all", () => {
    const of = island(10, { hosts: 3 }, { hosts: 0, reasons: ["rebalance"] }, { hosts: 5, reasons: ["failback"] });
    assert.deepEqual(
      DISRUPTION_REASONS.map((reason) => strictestBudget(of, reason)?.hosts),
      [3, 0, 3],
    );
    assert.equal(strictestBudget(island(10, { hosts: 1, reasons: ["update"] }), "failback"), undefined);
    assert.equal(strictestBudget({ hosts: [] }, "update"), undefined);
  });

  it("are as strict as the strictest of them, in any order, and one more never allows more", () => {
    const budget = fc.record({
      hosts: fc.oneof(fc.nat(20), fc.record({ share: fc.integer({ min: 0, max: 100 }).map((part) => part / 100) })),
      reasons: fc.subarray([...DISRUPTION_REASONS], { minLength: 1 }),
    });
    fc.assert(
      fc.property(
        fc.nat(40),
        fc.array(budget, { maxLength: 4 }),
        budget,
        fc.constantFrom(...DISRUPTION_REASONS),
        (count, some, one, reason) => {
          const before = strictestBudget(island(count, ...some), reason)?.hosts ?? Infinity;
          const after = strictestBudget(island(count, ...some, one), reason)?.hosts ?? Infinity;
          const alone = strictestBudget(island(count, one), reason)?.hosts ?? Infinity;
          assert.equal(after, Math.min(before, alone));
          assert.equal(strictestBudget(island(count, one, ...some), reason)?.hosts ?? Infinity, after);
        },
      ),
    );
  });
});
