import assert from "node:assert/strict";

import * as fc from "fast-check";

import { createProblem, type Problem } from "../../providers/plan/problem";
import { StepLoads } from "../../providers/plan/step-loads";
import { randomSample } from "./random-samples";
import { OPENING_MS, sampleInput } from "./sample-fleets";

const HOURS_MS = 6 * 3_600_000;

/** What is done to loads, with numbers that are taken modulo what there is. */
const change = fc.record({
  kind: fc.constantFrom("add", "add", "take back", "empty", "reach", "keep", "restore"),
  cell: fc.nat(1000),
  work: fc.nat(1000),
  factor: fc.integer({ min: 1, max: 4 }),
});

describe("loads of the steps that are looked at", () => {
  it("are the same, to the last bit, when a step comes into question later, also after going back to what was kept", () => {
    fc.assert(
      fc.property(randomSample(), fc.array(change, { maxLength: 40 }), (sample, changes) => {
        const problem = createProblem(sampleInput(sample), [], OPENING_MS, OPENING_MS + HOURS_MS);
        const [cells, works, steps] = [problem.cells.length, problem.works.length, problem.demand.steps];
        if (cells === 0 || works === 0 || steps === 0) return;
        const [late, early] = [new Played(problem, false), new Played(problem, true)];
        for (const { kind, cell, work, factor } of changes) {
          for (const played of [late, early]) played.play(kind, cell % cells, work % works, factor / 3);
        }
        for (const played of [late, early]) played.loads.reach({ from: played.from, to: steps });
        assert.deepEqual(late.values(), early.values());
      }),
      { numRuns: 100 },
    );
  });
});

/** Loads with what was done to them. */
class Played {
  readonly loads: StepLoads;
  from = 0;
  private readonly undone: { readonly cell: number; readonly before: Float32Array }[] = [];
  private kept: { readonly from: number; readonly restore: () => void } | undefined;

  constructor(
    private readonly problem: Problem,
    /** True where all steps are there from the beginning. */
    private readonly isEarly: boolean,
  ) {
    this.loads = new StepLoads(problem);
    this.reach(0);
  }

  play(kind: string, cell: number, work: number, factor: number): void {
    if (kind === "add") {
      const before = new Float32Array(this.loads.size);
      this.loads.add(cell, work, factor, before);
      this.undone.push({ cell, before });
      return;
    }
    if (kind === "take back") {
      const last = this.undone.pop();
      if (last) this.loads.takeBack(last.cell, last.before);
      return;
    }
    // What comes now is not taken back any more.
    this.undone.length = 0;
    if (kind === "empty") this.loads.empty(cell);
    else if (kind === "reach") this.reach(Math.min(this.problem.demand.steps - 1, this.from + (work % 2)));
    else if (kind === "keep") this.kept = { from: this.from, restore: this.loads.keep().restore };
    else if (this.kept) {
      this.kept.restore();
      this.reach(this.kept.from);
    }
  }

  /** From the first step that is looked at on. */
  values(): number[] {
    const { cells, demand } = this.problem;
    return cells.flatMap((_, cell) =>
      demand.paths.flatMap((_values, path) =>
        Array.from({ length: demand.steps - this.from }, (_value, step) => this.loads.at(cell, path, this.from + step)),
      ),
    );
  }

  private reach(from: number): void {
    this.from = from;
    this.loads.reach({ from, to: this.isEarly ? this.problem.demand.steps : from + 1 });
  }
}
