import assert from "node:assert/strict";
import * as fc from "fast-check";
import { proposeShares } from "../../providers/plan/host-shares";
import { plan } from "../../providers/plan/plan";
import { sampleInput } from "./sample-fleets";

const anyIslands = fc.array(
  fc.record({
    island: fc.constant("any"),
    promised: fc.double({ min: 0, max: 1, noNaN: true }),
    needed: fc.double({ min: 0, max: 1.5, noNaN: true }),
    isCritical: fc.boolean(),
  }),
  { minLength: 1, maxLength: 5 },
);
const sum = (shares: readonly number[]): number => shares.reduce((total, share) => total + share, 0);

describe("shares of hosts that several islands have", () => {
  it("are never promised beyond what was, or the whole host; givers keep what they need, takers get no more", () => {
    fc.assert(
      fc.property(anyIslands, (islands) => {
        const proposed = proposeShares(islands);
        assert.ok(sum(proposed) <= Math.max(1, sum(islands.map(({ promised }) => promised))) + 1e-9);
        islands.forEach(({ promised, needed }, index) => {
          const share = proposed[index] ?? Number.NaN;
          if (needed > promised) assert.ok(share >= promised - 1e-9 && share <= needed + 1e-9);
          else assert.ok(share <= promised + 1e-9 && share >= needed - 1e-9);
        });
      }),
    );
  });

  it("leave nobody short who could be helped, and help critical islands first", () => {
    fc.assert(
      fc.property(anyIslands, (islands) => {
        const proposed = proposeShares(islands);
        const isShort = (index: number): boolean => (islands[index]?.needed ?? 0) > (proposed[index] ?? 0) + 1e-9;
        const short = islands.flatMap((_, index) => (isShort(index) ? [index] : []));
        if (short.length === 0) return;
        const surplus = sum(islands.map(({ needed }, index) => Math.max(0, (proposed[index] ?? 0) - needed)));
        assert.ok(surplus < 1e-6 && sum(proposed) > 1 - 1e-6);
        if (!short.some((index) => islands[index]?.isCritical)) return;
        islands.forEach(({ isCritical, promised }, index) => {
          if (!isCritical) assert.ok((proposed[index] ?? 0) <= promised + 1e-9);
        });
      }),
    );
  });

  it("are warned of in a plan: what is promised too much, and what one island lacks and another leaves", () => {
    const input = sampleInput({
      hosts: [{ id: "host-1" }, { id: "host-2" }],
      workloads: [
        { name: "web", on: ["host-1"], demand: [1900] },
        { name: "batch", on: ["host-1"], demand: [400], workload: { island: "back" } },
      ],
    });
    const [island] = input.fleet.islands;
    assert.ok(island);
    const warningsWith = (back: number): readonly string[] => {
      const islands = [island, { ...island, name: "back", share: { cpu: back, memory: 0.3 } }];
      const spec = { ...input.spec, islands: [...input.spec.islands, { ...input.spec.islands[0], name: "back" }] };
      return plan({ ...input, fleet: { ...input.fleet, islands }, spec: spec as typeof input.spec }).warnings;
    };
    assert.ok(
      warningsWith(0.4).includes(
        "host-1: in the time of the plan shop needs 52 % of 50 %, back needs 11 % of 40 % of its CPU, with a tenth free; guarantee.cpu of shop 52 %, back 40 % would do more",
      ),
      warningsWith(0.4).join("\n"),
    );
    assert.ok(
      warningsWith(0.7).includes(
        "host-2: 120 % of its CPU is promised (shop 50 %, back 70 %); lower guarantee.cpu of one of them",
      ),
    );
  });
});
