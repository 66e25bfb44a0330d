/**
 * Capacity on joint paths: the load of a cell on every path at every step, and on how many paths it is too much.
 *
 * The demand of a workload on a path is split over its serving copies by weight. While copies move, the lowest total
 * weight of the wave divides, and every copy that serves at any time of the wave counts in full: an upper bound for
 * every order in which the steps of the wave can come.
 *
 * Not for: memory, which does not vary over paths (placement.ts).
 */
import type { Copy, DemandGrid, Problem } from "./problem";

/** Steps of the demand grid, relative to its first one; `to` is not included. */
export interface StepRange {
  readonly from: number;
  readonly to: number;
}

/** Load of one cell: `load[step * paths + path]`, millicores; single precision, for there are thousands of cells. */
export type CellLoad = Float32Array;

/** Sums of single precision in different orders differ by less than this share of a cell, and this many millicores. */
const RELATIVE_TOLERANCE = 2e-6;
const CPU_TOLERANCE_MILLIS = 1e-3;

/** Up to this much a cell's load counts as within its share, millicores. */
export function limitOf(cpuMillis: number): number {
  return cpuMillis * (1 + RELATIVE_TOLERANCE) + CPU_TOLERANCE_MILLIS;
}

/** Number of paths; at least one, so that declared requests count where there is no demand at all. */
export function pathCount(grid: DemandGrid): number {
  return Math.max(1, grid.paths.length);
}

/** Steps that a span of time touches. Time before or after the grid falls on its first or last step. */
export function stepRange(grid: DemandGrid, fromMs: number, toMs: number): StepRange {
  const last = Math.max(0, grid.steps - 1);
  const stepAt = (timeMs: number): number =>
    Math.min(last, Math.max(0, Math.floor((timeMs - grid.startMs) / grid.stepMs)));
  return { from: stepAt(fromMs), to: stepAt(Math.max(fromMs, toMs - 1)) + 1 };
}

/** Adds `factor` times the demand of a workload to a load, at all steps. */
export function addDemand(problem: Problem, work: number, factor: number, load: CellLoad): void {
  const { paths, rowLength, first, steps } = problem.demand;
  const row = problem.works[work]?.row ?? -1;
  if (row < 0 || paths.length === 0) {
    addConstant(load, factor * constantDemand(problem, work));
    return;
  }
  const base = row * rowLength + first;
  const count = paths.length;
  for (let path = 0; path < count; path++) {
    const values = paths[path] ?? [];
    for (let step = 0, at = path; step < steps; step++, at += count) {
      load[at] = (load[at] as number) + factor * (values[base + step] as number);
    }
  }
}

/** Adds the same to a load everywhere. */
export function addConstant(load: CellLoad, constant: number): void {
  for (let at = 0; at < load.length; at++) load[at] = (load[at] as number) + constant;
}

/** Demand of a workload without a forecast: what its serving copies request, at any time. */
export function constantDemand(problem: Problem, work: number): number {
  const found = problem.works[work];
  return found ? found.workload.request.cpuMillis * Math.max(1, found.serving) : 0;
}

/** Number of steps of a load; one where there is no demand at all. */
export function stepCount(grid: DemandGrid): number {
  return Math.max(1, grid.steps);
}

/** Loads of all cells with every copy where it is at the beginning. */
export function createLoads(problem: Problem): readonly CellLoad[] {
  return addShares(problem, problem.cells.length, sharesAtStart(problem));
}

/**
 * Peak of each cell over the whole time at a quantile of the paths, with every copy where it is at the beginning.
 * @param sites hosts whose cells are asked for; those of others are 0. @default all
 */
export function peaksAtStart(problem: Problem, level: number, sites?: ReadonlySet<number>): Float64Array {
  const { cells, demand } = problem;
  const steps = stepCount(demand);
  const paths = pathCount(demand);
  const peaks = new Float32Array(cells.length * paths);
  const shares = sharesAtStart(problem, sites);
  sumPaths(problem, cells.length, shares, { from: 0, to: steps }, (path, sums) => {
    for (let cell = 0; cell < cells.length; cell++) {
      let peak = 0;
      for (let at = cell * steps; at < (cell + 1) * steps; at++)
        if ((sums[at] as number) > peak) peak = sums[at] as number;
      peaks[cell * paths + path] = peak;
    }
  });
  return Float64Array.from(cells, (_, cell) => quantileOf(peaks.subarray(cell * paths, (cell + 1) * paths), level));
}

/** Demand of each island as a whole, like the load of one big cell. */
export function createIslandTotals(problem: Problem): readonly CellLoad[] {
  const shares = problem.works.flatMap(({ island }, work) => (island < 0 ? [] : [{ work, to: island, factor: 1 }]));
  return addShares(problem, problem.islands.length, shares);
}

/** A part of a workload's demand and the cell or island that it belongs to. */
export interface DemandShare {
  readonly work: number;
  readonly to: number;
  readonly factor: number;
}

/** What each cell carries of which workload with every copy where it is at the beginning. @param sites of these hosts. @default all */
export function sharesAtStart(problem: Problem, sites?: ReadonlySet<number>): readonly DemandShare[] {
  return problem.copies.flatMap((copy) => {
    if (sites?.has(copy.site) === false) return [];
    const cell = cellOfCopy(problem, copy);
    const total = problem.works[copy.work]?.weight ?? 0;
    return cell >= 0 && total > 0 && copy.weight > 0
      ? [{ work: copy.work, to: cell, factor: copy.weight / total }]
      : [];
  });
}

/** Paths of which loads are told together, so that what lies together in memory is written together. */
const PATHS_TOLD = 16;

/** Loads as parts of one piece of memory, for there are thousands of them. */
function addShares(problem: Problem, count: number, shares: readonly DemandShare[]): readonly CellLoad[] {
  const steps = stepCount(problem.demand);
  const paths = pathCount(problem.demand);
  const size = paths * steps;
  const all = new Float32Array(count * size);
  const row = count * steps;
  const told = new Float32Array(Math.min(PATHS_TOLD, paths) * row);
  sumPaths(problem, count, shares, { from: 0, to: steps }, (path, sums) => {
    const place = path % PATHS_TOLD;
    told.set(sums, place * row);
    if (place < PATHS_TOLD - 1 && path < paths - 1) return;
    const first = path - place;
    for (let index = 0; index < row; index++) {
      const base = index * paths + first;
      for (let other = 0; other <= place; other++) all[base + other] = told[other * row + index] as number;
    }
  });
  return Array.from({ length: count }, (_, to) => all.subarray(to * size, (to + 1) * size));
}

/**
 * Adds shares of workloads up in a range of steps, path by path: a forecast lies in memory that way, and it may be large.
 * The sums of one path, `sums[to * width + step - range.from]`, are near each other in memory until they are told.
 */
export function sumPaths(
  problem: Problem,
  count: number,
  shares: readonly DemandShare[],
  range: StepRange,
  tell: (path: number, sums: Float32Array) => void,
): void {
  const { demand, works } = problem;
  const width = range.to - range.from;
  const sums = new Float32Array(count * width);
  const bases = Int32Array.from(shares, ({ to }) => to * width);
  const factors = Float64Array.from(shares, ({ factor }) => factor);
  const rows = Int32Array.from(shares, ({ work }) => {
    const row = works[work]?.row ?? -1;
    return row < 0 || demand.paths.length === 0 ? -1 : row * demand.rowLength + demand.first + range.from;
  });
  const constants = Float64Array.from(shares, ({ work, factor }) => factor * constantDemand(problem, work));
  for (let path = 0; path < pathCount(demand); path++) {
    const values = demand.paths[path];
    sums.fill(0);
    for (let share = 0; share < rows.length; share++) {
      const base = bases[share] as number;
      const row = rows[share] as number;
      if (row < 0 || !values) {
        const constant = constants[share] as number;
        for (let step = 0; step < width; step++) sums[base + step] = (sums[base + step] as number) + constant;
        continue;
      }
      const factor = factors[share] as number;
      for (let step = 0; step < width; step++) {
        sums[base + step] = (sums[base + step] as number) + factor * (values[row + step] as number);
      }
    }
    tell(path, sums);
  }
}

/** Index of the cell that a copy is in, or -1. */
export function cellOfCopy(problem: Problem, copy: Pick<Copy, "work" | "site">): number {
  const island = problem.works[copy.work]?.island ?? -1;
  return island < 0 ? -1 : (problem.cellAt[copy.site * problem.islands.length + island] ?? -1);
}

/** Highest load of each path over a range of steps, written to `peaks`. */
function pathPeaks(load: CellLoad, range: StepRange, peaks: Float32Array): void {
  const paths = peaks.length;
  peaks.fill(0);
  for (let step = range.from; step < range.to; step++) {
    const base = step * paths;
    for (let path = 0; path < paths; path++) {
      const value = load[base + path] as number;
      if (value > (peaks[path] as number)) peaks[path] = value;
    }
  }
}

/** Highest demand of a workload on each path over a range of steps, written to `peaks`. */
export function demandPeaks(problem: Problem, work: number, range: StepRange, peaks: Float32Array): void {
  for (let path = 0; path < peaks.length; path++) {
    let peak = 0;
    for (let step = range.from; step < range.to; step++) peak = Math.max(peak, demandAt(problem, work, path, step));
    peaks[path] = peak;
  }
}

/** Demand of a workload on a path at a step. */
export function demandAt(problem: Problem, work: number, path: number, step: number): number {
  const { paths, rowLength, first } = problem.demand;
  const row = problem.works[work]?.row ?? -1;
  const demand = paths[path];
  return row < 0 || !demand ? constantDemand(problem, work) : (demand[row * rowLength + first + step] as number);
}

/**
 * Quantile of a few values: the smallest one that at least the share `level` of them does not exceed (the inverse of
 * the empirical distribution). Keeps only the highest values, which is fast for high levels.
 */
export function quantileOf(values: Float64Array | Float32Array, level: number): number {
  const count = Math.max(1, values.length - Math.ceil(level * values.length - 1e-9) + 1);
  if (highest.length < count) highest = new Float64Array(count);
  highest.fill(Number.NEGATIVE_INFINITY, 0, count);
  let least = Number.NEGATIVE_INFINITY;
  const { length } = values;
  // By index: an iterator would make an object of each value.
  for (let index = 0; index < length; index++) {
    const value = values[index] as number;
    if (value <= least) continue;
    let at = count - 1;
    while (at > 0 && (highest[at - 1] as number) < value) {
      highest[at] = highest[at - 1] as number;
      at--;
    }
    highest[at] = value;
    least = highest[count - 1] as number;
  }
  return Number.isFinite(least) ? least : 0;
}

/** Working space of {@link quantileOf}, which is called for every change of every cell. */
let highest = new Float64Array(16);

/** Peak of a load over a range of steps at a quantile of the paths. */
export function peakQuantile(problem: Problem, load: CellLoad, range: StepRange, level: number): number {
  const peaks = new Float32Array(pathCount(problem.demand));
  pathPeaks(load, range, peaks);
  return quantileOf(peaks, level);
}
