import assert from "node:assert/strict";
import * as fc from "fast-check";

import { findConflict, type Declared } from "../../providers/plan/conflict";
import { plan, type PlanInput } from "../../providers/plan/plan";
import { sampleInput, type Sample } from "./sample-fleets";

const updated = { probe: { output: "v2", matches: true } };

/** A declared limit that is given up by raising a bit in the seed, so that a set of them is a number. */
function declaredBits(count: number): readonly Declared[] {
  return Array.from({ length: count }, (_, bit) => ({
    text: `promise ${String(bit)}`,
    giveUp: (input) => ({ ...input, spec: { ...input.spec, seed: input.spec.seed | (1 << bit) } }),
  }));
}

describe("what conflicts", () => {
  it("is an irreducible set: kept whole there is no plan, and without any one of it there is", () => {
    const input = { ...sampleInput({ hosts: [], workloads: [] }) };
    const zero: PlanInput = { ...input, spec: { ...input.spec, seed: 0 } };
    const anyCores = fc.array(fc.integer({ min: 1, max: 127 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(anyCores, (cores) => {
        // A set of promises is impossible when it holds one of some random cores.
        let asked = 0;
        const isPlannable = ({ spec }: PlanInput): boolean => {
          asked += 1;
          return cores.every((core) => (core & ~spec.seed) !== core);
        };
        const declared = declaredBits(7);
        const conflict = findConflict(zero, declared, isPlannable);
        const maskOf = (set: readonly Declared[]): number =>
          set.reduce((mask, { text }) => mask | (1 << Number(text.split(" ")[1])), 0);
        const isPossible = (kept: number): boolean => cores.every((core) => (core & kept) !== core);
        const whole = maskOf(conflict);
        assert.equal(isPossible(whole), false);
        for (const one of conflict) assert.equal(isPossible(whole & ~maskOf([one])), true);
        assert.ok(asked < 50, String(asked));
      }),
      { numRuns: 200 },
    );
  });

  it("is empty where no promise is to blame", () => {
    assert.deepEqual(
      findConflict(sampleInput({ hosts: [], workloads: [] }), declaredBits(3), () => false),
      [],
    );
  });

  it("names the guarantee and the criticality between which a plan is caught", () => {
    const hosts = [{ id: "host-1" }, { id: "host-2", host: updated }];
    const sample: Sample = {
      hosts,
      workloads: [
        { name: "web", on: ["host-1"], demand: [1500] },
        { name: "jobs", on: ["host-2"], demand: [800] },
      ],
    };
    const [blocker] = plan(sampleInput(sample)).blockers;
    assert.deepEqual(blocker?.conflict, [
      "the guarantee of shop (50% of each host)",
      "capacity on 95% of the paths",
      "that web is never shed (criticality normal)",
    ]);
    assert.match(blocker.reason, /; these cannot be kept together: the guarantee of shop/);
  });

  it("names what stands in the way alone", () => {
    // Memory is no promise but a fact: with the island's share of it only the guarantee can be widened.
    const GIB = 2 ** 30;
    const sample: Sample = {
      hosts: [{ id: "host-1" }, { id: "host-2", host: updated }],
      workloads: [
        { name: "ledger", on: ["host-1"], memoryBytes: 5 * GIB, workload: { exclusive: true } },
        { name: "jobs", on: ["host-2"], memoryBytes: 5 * GIB },
      ],
    };
    const [blocker] = plan(sampleInput(sample)).blockers;
    assert.deepEqual(blocker?.conflict, ["the guarantee of shop (50% of each host)"]);
    assert.match(blocker.reason, /what stands in the way is the guarantee of shop/);
  });
});
