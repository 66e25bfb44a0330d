/**
 * What each cell carries on each joint path while a plan is made, and on which paths islands are over their shares.
 * Changes can be taken back, so that a search can try.
 *
 * Not for: which copies those are (copy-places.ts) and whether one may be put somewhere (placement.ts).
 *
 * Invariants
 * 1. Time only goes on: loads before the range's first step are out of date and not looked at any more.
 * 2. Marks of paths that are over only grow over waves, but for changes that are taken back: the promise is about the
 *    whole run.
 * 3. Changes are taken back in the reverse order, the last one first, and none after `commit`.
 */
import { constantDemand, demandAt, limitOf, pathCount, quantileOf, type StepRange } from "./capacity";
import type { Problem } from "./problem";
import { StepLoads } from "./step-loads";

/** A state that can be gone back to as often as is wanted, until it is dropped. */
export interface Kept {
  readonly restore: () => void;
  readonly drop: () => void;
}

/** Takes changes back, the last one first. */
export type Undo = () => void;

/** Demand of one workload in a range of steps: highest on each path, of all of them, their quantile and moments. */
export interface WorkDemand {
  /** `peaks[from + path]`, single precision, as demand is. */
  readonly peaks: Float32Array;
  readonly from: number;
  readonly peak: number;
  readonly high: number;
  readonly mean: number;
  readonly deviation: number;
}

/** What loads are held against. */
export interface LoadLimits {
  /** Share of paths that may be over capacity, 0..1. */
  readonly allowedShare: number;
  /** Quantile at which loads are compared and shown. */
  readonly quantile: number;
  /**
   * Normal deviates above the mean of its paths' peaks that a cell keeps free beside the paths themselves. A few
   * hundred paths do not show how far thousands of hosts can go; a normal tail does. 0: the paths alone count.
   */
  readonly marginDeviates: number;
}

/** A cell as it was before a change: loads from the range's first step on, at the beginning. */
interface Saved {
  load: Float32Array;
  readonly pathPeaks: Float32Array;
}

/** Bounds of a margin that are nearer to the limit than this share of it are not trusted: sums are rounded. */
const BOUND_TOLERANCE = 1e-9;

/** Share of all workloads from which on demand is taken of all of them at once. */
const ASKED_FOR_ALL = 1 / 16;

/** Loads of all cells. */
export class CellLoads {
  /** By cell: the highest load of all paths in the range, and at the quantile, millicores. */
  readonly peaks: Float64Array;
  readonly highs: Float64Array;
  private readonly loads: StepLoads;
  private readonly limits: Float64Array;
  /** Highest load of each cell on each path in the range, `[cell * paths + path]`; their mean and deviation by cell. */
  private readonly pathPeaks: Float32Array;
  private readonly means: Float64Array;
  private readonly deviations: Float64Array;
  /** By island: paths on which some cell of it was over, and how many. */
  private readonly overPaths: readonly Uint8Array[];
  private readonly overCounts: Int32Array;
  private readonly allowedPaths: number;
  private readonly paths: number;
  private readonly scratch: Float32Array;
  /** By workload: demand in the range, once it was asked for. */
  private demands: (WorkDemand | undefined)[];
  private asked = 0;
  /** States of cells before changes that may still be taken back, the last one on top; kept for the next ones. */
  private readonly saved: Saved[] = [];
  private savedCount = 0;
  private range: StepRange = { from: 0, to: 1 };

  /** Loads with every copy where it is at the beginning. */
  constructor(
    private readonly problem: Problem,
    private readonly options: LoadLimits,
  ) {
    const cells = problem.cells.length;
    this.paths = pathCount(problem.demand);
    this.loads = new StepLoads(problem);
    this.limits = Float64Array.from(problem.cells, ({ cpuMillis }) => limitOf(cpuMillis));
    this.peaks = new Float64Array(cells);
    this.highs = new Float64Array(cells);
    this.pathPeaks = new Float32Array(cells * this.paths);
    this.means = new Float64Array(cells);
    this.deviations = new Float64Array(cells);
    this.overPaths = problem.islands.map(() => new Uint8Array(this.paths));
    this.overCounts = new Int32Array(problem.islands.length);
    this.allowedPaths = Math.floor(options.allowedShare * this.paths + 1e-9);
    this.scratch = new Float32Array(this.paths);
    this.demands = new Array<WorkDemand | undefined>(problem.works.length);
  }

  /**
   * Looks at the steps of a range from now on, and marks the paths on which cells are over in it. Returns the cell that
   * is over on most of them, with that share of paths, where there is one.
   */
  beginRange(range: StepRange): { readonly cell: number; readonly share: number } | undefined {
    this.setRange(range);
    let worst: { readonly cell: number; readonly share: number } | undefined;
    for (let cell = 0; cell < this.limits.length; cell++) {
      this.measurePeaks(cell);
      const share = this.markOver(cell, []) / this.paths;
      if (share > 0 && (worst === undefined || share > worst.share)) worst = { cell, share };
    }
    return worst;
  }

  /** Looks at more steps from now on; what is over in them without any change is not this wave's. */
  lookAhead(range: StepRange): void {
    this.setRange(range);
    for (let cell = 0; cell < this.limits.length; cell++) this.measurePeaks(cell);
  }

  /** True when an island is over its shares on more paths than may be. */
  isOverAllowed(): boolean {
    return this.overCounts.some((count) => count > this.allowedPaths);
  }

  /** Paths of an island that may still be over. */
  allowedOf(island: number): number {
    return this.allowedPaths - (this.overCounts[island] ?? 0);
  }

  /** Demand of a workload in the range. */
  demandOf(work: number): WorkDemand {
    return this.demands[work] ?? this.measureDemand(work);
  }

  /** Adds `factor` of a workload's demand to a cell and marks paths that are over now. */
  change(cell: number, work: number, factor: number): Undo {
    if (cell < 0) return () => undefined;
    const { paths, loads } = this;
    const peak = this.peaks[cell] as number;
    const high = this.highs[cell] as number;
    const mean = this.means[cell] as number;
    const deviation = this.deviations[cell] as number;
    const before = (this.saved[this.savedCount] ??= {
      load: new Float32Array(loads.size),
      pathPeaks: new Float32Array(paths),
    });
    if (before.load.length < loads.size) before.load = new Float32Array(loads.size);
    this.savedCount++;
    const base = cell * paths;
    for (let path = 0; path < paths; path++) before.pathPeaks[path] = this.pathPeaks[base + path] as number;
    const marked: number[] = [];
    loads.add(cell, work, factor, before.load);
    this.measurePeaks(cell);
    this.markOver(cell, marked);
    return () => {
      this.savedCount--;
      loads.takeBack(cell, before.load);
      this.pathPeaks.set(before.pathPeaks, cell * paths);
      this.peaks[cell] = peak;
      this.highs[cell] = high;
      this.means[cell] = mean;
      this.deviations[cell] = deviation;
      this.unmark(this.problem.cells[cell]?.island ?? -1, marked);
    };
  }

  /** What was changed stays: it is not taken back any more. */
  commit(): void {
    this.savedCount = 0;
  }

  /** A cell carries nothing from now on; what it carried in the range is marked already. */
  clear(cell: number): void {
    this.loads.empty(cell);
    this.pathPeaks.fill(0, cell * this.paths, (cell + 1) * this.paths);
    this.peaks[cell] = 0;
    this.highs[cell] = 0;
    this.means[cell] = 0;
    this.deviations[cell] = 0;
  }

  /** Sets what a cell carries; it is looked at when the next range begins. */
  rebuild(cell: number, shares: Iterable<{ readonly work: number; readonly factor: number }>): void {
    this.loads.empty(cell);
    const unused = new Float32Array(this.loads.size);
    for (const { work, factor } of shares) this.loads.add(cell, work, factor, unused);
  }

  /** Sets what a cell carries from now on; what it carried in the range is marked already. */
  restate(cell: number, shares: Iterable<{ readonly work: number; readonly factor: number }>): void {
    this.rebuild(cell, shares);
    this.measurePeaks(cell);
  }

  /** True when the cell keeps its margin with `factor` of a workload's demand more. */
  hasMargin(cell: number, factor: number, demand: WorkDemand): boolean {
    const { marginDeviates } = this.options;
    if (marginDeviates <= 0) return true;
    const limit = this.limits[cell] as number;
    // The deviation of a sum is at most the sum of both and at least their difference: mostly that decides.
    const mean = (this.means[cell] as number) + factor * demand.mean;
    const [own, more] = [this.deviations[cell] as number, factor * demand.deviation];
    if (mean + marginDeviates * (own + more) <= limit * (1 - BOUND_TOLERANCE)) return true;
    if (mean + marginDeviates * Math.abs(own - more) > limit * (1 + BOUND_TOLERANCE)) return false;
    return this.keepsMargin(cell, factor, demand);
  }

  /** Paths that would be over and are not marked, counted until there are more than `allowed`. */
  countNewOver(cell: number, work: number, factor: number, allowed: number): number {
    const { paths } = this;
    const marks = this.overPaths[this.problem.columns.islandOf[cell] as number];
    const demand = this.demandOf(work);
    const limit = this.limits[cell] as number;
    const base = cell * paths;
    let count = 0;
    for (let path = 0; path < paths && count <= allowed; path++) {
      // Peaks need not fall on the same step; only where their sum is too much, every step is looked at.
      if (marks?.[path] === 1) continue;
      if ((this.pathPeaks[base + path] as number) + factor * (demand.peaks[demand.from + path] as number) <= limit)
        continue;
      for (let step = this.range.from; step < this.range.to; step++) {
        const more = factor * demandAt(this.problem, work, path, step);
        if (this.loads.at(cell, path, step) + more > limit) {
          count++;
          break;
        }
      }
    }
    return count;
  }

  /** Share of paths over capacity in the range so far, of the island where it is largest. */
  overShare(): number {
    const { paths } = this;
    const over = this.problem.islands.map(() => new Uint8Array(paths));
    this.problem.cells.forEach(({ island }, cell) => {
      const limit = this.limits[cell] as number;
      const marks = over[island];
      if (!marks || (this.peaks[cell] as number) <= limit) return;
      for (let path = 0; path < paths; path++) {
        if ((this.pathPeaks[cell * paths + path] as number) > limit) marks[path] = 1;
      }
    });
    return Math.max(0, ...over.map((marks) => marks.reduce((sum, mark) => sum + mark, 0) / paths));
  }

  /** Keeps all loads as they are now; what was changed before stays. */
  keep(): Kept {
    this.commit();
    const loads = this.loads.keep();
    const columns = [this.peaks, this.highs, this.pathPeaks, this.means, this.deviations, this.overCounts];
    const values = columns.map((column) => column.slice());
    const marks = this.overPaths.map((paths) => paths.slice());
    const { range } = this;
    return {
      restore: () => {
        this.commit();
        loads.restore();
        columns.forEach((column, index) => {
          column.set(values[index] ?? []);
        });
        this.overPaths.forEach((paths, island) => {
          paths.set(marks[island] ?? []);
        });
        this.setRange(range);
      },
      drop: loads.drop,
    };
  }

  private setRange(range: StepRange): void {
    this.range = range;
    this.loads.reach(range);
    this.asked = 0;
    this.demands = new Array<WorkDemand | undefined>(this.problem.works.length);
  }

  /** Takes a cell's peaks in the range. */
  private measurePeaks(cell: number): void {
    this.loads.peaksOf(cell, this.range, this.scratch);
    this.describePeaks(cell);
  }

  /** Notes the highest loads of a cell's paths that are in `scratch`. */
  private describePeaks(cell: number): void {
    const { scratch, paths } = this;
    let peak = 0;
    let sum = 0;
    let squares = 0;
    const base = cell * paths;
    for (let path = 0; path < paths; path++) {
      const value = scratch[path] as number;
      this.pathPeaks[base + path] = value;
      if (value > peak) peak = value;
      sum += value;
      squares += value * value;
    }
    this.peaks[cell] = peak;
    this.highs[cell] = peak === 0 ? 0 : quantileOf(scratch, this.options.quantile);
    this.means[cell] = sum / paths;
    this.deviations[cell] = deviationOf(sum, squares, paths);
  }

  /** Marks paths on which a cell is over; `marked` gets those that were not. Returns on how many it is over. */
  private markOver(cell: number, marked: number[]): number {
    const limit = this.limits[cell] as number;
    if ((this.peaks[cell] as number) <= limit) return 0;
    const island = this.problem.cells[cell]?.island ?? -1;
    const marks = this.overPaths[island];
    let over = 0;
    for (let path = 0; path < this.paths; path++) {
      if ((this.pathPeaks[cell * this.paths + path] as number) <= limit) continue;
      over++;
      if (marks?.[path] !== 0) continue;
      marks[path] = 1;
      marked.push(path);
      this.overCounts[island] = (this.overCounts[island] ?? 0) + 1;
    }
    return over;
  }

  private unmark(island: number, paths: readonly number[]): void {
    const marks = this.overPaths[island];
    if (!marks) return;
    for (const path of paths) marks[path] = 0;
    this.overCounts[island] = (this.overCounts[island] ?? 0) - paths.length;
  }

  private keepsMargin(cell: number, factor: number, demand: WorkDemand): boolean {
    const { paths } = this;
    const base = cell * paths;
    let sum = 0;
    let squares = 0;
    for (let path = 0; path < paths; path++) {
      const value = (this.pathPeaks[base + path] as number) + factor * (demand.peaks[demand.from + path] as number);
      sum += value;
      squares += value * value;
    }
    const deviation = deviationOf(sum, squares, paths);
    return sum / paths + this.options.marginDeviates * deviation <= (this.limits[cell] as number);
  }

  private measureDemand(work: number): WorkDemand {
    const { paths, demands } = this;
    // One workload's demand lies apart in each path: where many are asked for, all are gathered together.
    if (++this.asked > demands.length * ASKED_FOR_ALL) {
      const all = new Float32Array(demands.length * paths);
      this.loads.demand.forEach((other, place) => {
        demands[other] ??= this.describeDemand(other, place, all, other * paths);
      });
      return demands[work] as WorkDemand;
    }
    return (demands[work] = this.describeDemand(work, this.loads.demand.placeOf(work), new Float32Array(paths), 0));
  }

  /** @param place of its block in the demand @param peaks gets its peaks from `from` on */
  private describeDemand(work: number, place: number, peaks: Float32Array, from: number): WorkDemand {
    const { paths, range, scratch } = this;
    const { values } = this.loads.demand;
    if (place < 0) scratch.fill(constantDemand(this.problem, work));
    else {
      const first = this.loads.demand.numberOf(range.from);
      scratch.fill(0);
      for (let step = first, at = place + first * paths; step < first + range.to - range.from; step++) {
        for (let path = 0; path < paths; path++, at++) {
          const value = values[at] as number;
          if (value > (scratch[path] as number)) scratch[path] = value;
        }
      }
    }
    let peak = 0;
    let sum = 0;
    let squares = 0;
    for (let path = 0; path < paths; path++) {
      const value = scratch[path] as number;
      peaks[from + path] = value;
      if (value > peak) peak = value;
      sum += value;
      squares += value * value;
    }
    return {
      peaks,
      from,
      peak,
      high: quantileOf(scratch, this.options.quantile),
      mean: sum / paths,
      deviation: deviationOf(sum, squares, paths),
    };
  }
}

function deviationOf(sum: number, squares: number, count: number): number {
  const mean = sum / count;
  return Math.sqrt(Math.max(0, squares / count - mean * mean));
}
