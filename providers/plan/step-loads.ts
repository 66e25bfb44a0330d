/**
 * Loads of all cells on all joint paths in the steps that are looked at. A plan looks at a few steps of its time, those of
 * a wave and of what comes after it: the others are told when they come into question, from the copies at the beginning and
 * what has changed since.
 *
 * Not for: what loads mean for a promise (cell-loads.ts).
 *
 * Invariant: a step that is told later is the same, to the last bit, as if it had been there from the beginning.
 */
import { addConstant, constantDemand, pathCount, sharesAtStart, stepCount, sumPaths, type StepRange } from "./capacity";
import { DemandBlocks } from "./demand-blocks";
import type { Problem } from "./problem";

/** Stands for a workload where a cell was emptied. */
const EMPTIED = -1;

/** Changes of cells in the order in which they were made. */
interface Changes {
  readonly cells: number[];
  readonly works: number[];
  readonly factors: number[];
}

/** A state that is kept. */
interface KeptLoads {
  readonly steps: readonly (Float32Array | undefined)[];
  readonly changes: Changes;
  /** Loads as they were, of the cells that have changed since, step by step. */
  readonly cells: Map<number, readonly (Float32Array | undefined)[]>;
}

/** Loads by step, `steps[step][cell * paths + path]`, millicores. */
export class StepLoads {
  private steps: (Float32Array | undefined)[];
  private changes: Changes = { cells: [], works: [], factors: [] };
  private readonly kept = new Set<KeptLoads>();
  private readonly paths: number;
  /** Steps that are there. */
  private range: StepRange = { from: 0, to: 0 };
  private blocks: DemandBlocks;

  constructor(private readonly problem: Problem) {
    this.paths = pathCount(problem.demand);
    this.steps = new Array<Float32Array | undefined>(stepCount(problem.demand)).fill(undefined);
    this.blocks = new DemandBlocks(problem, this.range);
  }

  /** How many values a cell has in the steps that are there. */
  get size(): number {
    return (this.range.to - this.range.from) * this.paths;
  }

  /** Demand of workloads in the steps that are there. */
  get demand(): DemandBlocks {
    return this.blocks;
  }

  /** Has these steps, and later ones as they were; those before are not looked at any more. */
  reach({ from, to }: StepRange): void {
    let until = to;
    while (this.steps[until] !== undefined) until++;
    this.range = { from, to: until };
    if (!this.blocks.covers(this.range)) this.blocks = new DemandBlocks(this.problem, this.range);
    this.steps.fill(undefined, 0, from);
    for (let step = from; step < until; step++) {
      if (this.steps[step] !== undefined) continue;
      let end = step + 1;
      while (end < until && this.steps[end] === undefined) end++;
      this.tellSteps({ from: step, to: end });
    }
  }

  /**
   * Adds `factor` of a workload's demand to a cell.
   * @param before gets what the cell carried, for `takeBack`
   */
  add(cell: number, work: number, factor: number, before: Float32Array): void {
    const { steps, paths, range } = this;
    this.keepCell(cell);
    this.note(cell, work, factor);
    const { values } = this.blocks;
    const place = this.blocks.placeOf(work);
    const constant = factor * constantDemand(this.problem, work);
    const base = cell * paths;
    let from = place + this.blocks.numberOf(range.from) * paths;
    for (let step = range.from, at = 0; step < range.to; step++) {
      const loads = steps[step] as Float32Array;
      if (place >= 0) {
        for (let index = base; index < base + paths; index++, at++) {
          const load = loads[index] as number;
          before[at] = load;
          loads[index] = load + factor * (values[from++] as number);
        }
      } else {
        for (let index = base; index < base + paths; index++, at++) {
          const load = loads[index] as number;
          before[at] = load;
          loads[index] = load + constant;
        }
      }
    }
  }

  /** Takes the last change back. */
  takeBack(cell: number, before: Float32Array): void {
    const { steps, paths, range, changes } = this;
    changes.cells.pop();
    changes.works.pop();
    changes.factors.pop();
    for (let step = range.from, at = 0; step < range.to; step++) {
      const loads = steps[step] as Float32Array;
      for (let index = cell * paths; index < (cell + 1) * paths; index++, at++) loads[index] = before[at] as number;
    }
  }

  /** A cell carries nothing from now on. */
  empty(cell: number): void {
    const { steps, paths, range } = this;
    this.keepCell(cell);
    this.note(cell, EMPTIED, 0);
    for (let step = range.from; step < range.to; step++) steps[step]?.fill(0, cell * paths, (cell + 1) * paths);
  }

  /** Highest load of each path of a cell in some of the steps, written to `peaks`. */
  peaksOf(cell: number, range: StepRange, peaks: Float32Array): void {
    const { paths } = this;
    const base = cell * paths;
    peaks.fill(0);
    for (let step = range.from; step < range.to; step++) {
      const loads = this.steps[step] as Float32Array;
      for (let path = 0; path < paths; path++) {
        const load = loads[base + path] as number;
        if (load > (peaks[path] as number)) peaks[path] = load;
      }
    }
  }

  /** Load of a cell on a path in a step that is there. */
  at(cell: number, path: number, step: number): number {
    return (this.steps[step] as Float32Array)[cell * this.paths + path] as number;
  }

  /** Keeps all loads as they are now. */
  keep(): { readonly restore: () => void; readonly drop: () => void } {
    const kept: KeptLoads = { steps: [...this.steps], changes: copyOf(this.changes), cells: new Map() };
    this.kept.add(kept);
    return {
      restore: () => {
        for (const cell of kept.cells.keys()) this.keepCell(cell);
        this.steps = [...kept.steps];
        this.changes = copyOf(kept.changes);
        for (const [cell, loads] of kept.cells) {
          loads.forEach((load, step) => load && this.steps[step]?.set(load, cell * this.paths));
        }
      },
      drop: () => void this.kept.delete(kept),
    };
  }

  /** Before a cell changes: whoever keeps it as it was gets a copy. */
  private keepCell(cell: number): void {
    const [from, to] = [cell * this.paths, (cell + 1) * this.paths];
    for (const { steps, cells } of this.kept) {
      if (!cells.has(cell))
        cells.set(
          cell,
          steps.map((loads) => loads?.slice(from, to)),
        );
    }
  }

  private note(cell: number, work: number, factor: number): void {
    this.changes.cells.push(cell);
    this.changes.works.push(work);
    this.changes.factors.push(factor);
  }

  private tellSteps(range: StepRange): void {
    const { problem, steps, paths } = this;
    const count = problem.cells.length;
    const width = range.to - range.from;
    const told = Array.from({ length: width }, () => new Float32Array(count * paths));
    sumPaths(problem, count, sharesAtStart(problem), range, (path, sums) => {
      told.forEach((loads, index) => {
        for (let cell = 0; cell < count; cell++) loads[cell * paths + path] = sums[cell * width + index] as number;
      });
    });
    told.forEach((loads, index) => (steps[range.from + index] = loads));
    const { cells, works, factors } = this.changes;
    cells.forEach((cell, change) => {
      const work = works[change] as number;
      const factor = factors[change] as number;
      const place = work === EMPTIED ? -1 : this.blocks.placeOf(work);
      told.forEach((loads, index) => {
        const own = loads.subarray(cell * paths, (cell + 1) * paths);
        if (work === EMPTIED) own.fill(0);
        else if (place >= 0) {
          const from = place + this.blocks.numberOf(range.from + index) * paths;
          for (let path = 0; path < paths; path++) {
            own[path] = (own[path] as number) + factor * (this.blocks.values[from + path] as number);
          }
        } else addConstant(own, factor * constantDemand(problem, work));
      });
    });
  }
}

function copyOf({ cells, works, factors }: Changes): Changes {
  return { cells: [...cells], works: [...works], factors: [...factors] };
}
