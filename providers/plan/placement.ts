/**
 * Where copies are while a plan is made, and what each cell carries. Changes of one wave can be taken back, so that a
 * search can try.
 *
 * Not for: which change is the best (targets.ts) and in which order hosts come (waves.ts).
 *
 * Invariants
 * 1. In a wave, copies are only added: a copy that leaves counts until `endWave`, so that every order of steps of the
 *    wave is covered.
 * 2. Loads that were given are shared with other placements and never written: the first change of one copies it.
 * 3. Time only goes on: loads before the wave's first step are out of date and not looked at any more.
 * 4. `overPaths` only grows over waves: the promise is about the whole run.
 */
import type { CellLoad, StepRange } from "./capacity";
import {
  addDemand,
  addScaled,
  cellOfCopy,
  CPU_TOLERANCE_MILLIS,
  demandFrom,
  pathCount,
  pathPeaks,
  quantileOf,
  stepCount,
} from "./capacity";
import type { Copy, Problem } from "./problem";

/** Why a copy cannot be put on a host. */
export type Refusal = "leaving" | "closed" | "island" | "copies" | "memory" | "cpu";

/** What putting a copy on a host would mean. */
export interface Assessment {
  /** Undefined when it is possible. */
  readonly refusal: Refusal | undefined;
  /** Paths on which the host would be over its share and no host of the island is so far; counted up to a refusal. */
  readonly newOverPaths: number;
  /** CPU of the cell afterwards at the quantile, and at its worst path, as shares of the cell. */
  readonly cpuShare: number;
  readonly worstCpuShare: number;
  readonly memoryShare: number;
}

/** Takes changes of one wave back, the last one first. */
export type Undo = () => void;

/** A cell that is over its share on too many paths. */
export interface Overload {
  readonly cell: number;
  /** Share of paths on which the cell is over, 0..1. */
  readonly share: number;
}

/** Settings of one try. */
export interface PlacementOptions {
  /** Standby hosts that may be used, as sites. */
  readonly reserved: readonly number[];
  /** Share of paths that may be over capacity, 0..1. */
  readonly allowedShare: number;
  /** Quantile at which loads are compared and shown. */
  readonly quantile: number;
}

/** Demand of one workload as a wave looks at it. */
interface WaveDemand {
  /** At every step from the wave's first one on. */
  readonly load: CellLoad;
  /** Highest on each path in the wave, the highest of all, and their quantile. */
  readonly peaks: Float64Array;
  readonly peak: number;
  readonly high: number;
}

const NOTHING_JUDGED = { newOverPaths: 0, cpuShare: 0, worstCpuShare: 0, memoryShare: 0 } as const;
const REFUSED = {
  leaving: { refusal: "leaving", ...NOTHING_JUDGED },
  closed: { refusal: "closed", ...NOTHING_JUDGED },
  island: { refusal: "island", ...NOTHING_JUDGED },
} as const;

/** Mutable placement of all copies. */
export class Placement {
  private readonly loads: CellLoad[];
  private readonly owned: Uint8Array;
  private readonly memory: Float64Array;
  private readonly usable: boolean[];
  private readonly at: Map<string, Copy>[];
  private readonly counts: Map<number, number>[];
  private readonly weights: Float64Array;
  /** Of the wave: the weight that demand is divided by, per workload. */
  private readonly divisors: Float64Array;
  private readonly peaks: Float64Array;
  /** Of the wave: highest load of each cell on each path, `[cell * paths + path]`. */
  private readonly pathPeaks: Float64Array;
  private readonly highs: Float64Array;
  private readonly overPaths: Uint8Array[];
  private readonly overCounts: Int32Array;
  private readonly allowedPaths: number;
  /** Of the wave: demand of workloads that move. */
  private readonly demands = new Map<number, WaveDemand>();
  private readonly scratch: Float64Array;
  private readonly pending: Set<number>;
  private range: StepRange = { from: 0, to: 1 };
  private leaving: ReadonlySet<number> = new Set();

  constructor(
    private readonly problem: Problem,
    loads: readonly CellLoad[],
    private readonly options: PlacementOptions,
  ) {
    const paths = pathCount(problem.demand);
    const reserved = new Set(options.reserved);
    this.loads = [...loads];
    this.owned = new Uint8Array(loads.length);
    this.memory = new Float64Array(problem.cells.length);
    this.usable = problem.sites.map((site, index) => site.host.role === "member" || reserved.has(index));
    this.at = problem.sites.map(() => new Map<string, Copy>());
    this.counts = problem.works.map(() => new Map<number, number>());
    this.weights = Float64Array.from(problem.works, (work) => work.weight);
    this.divisors = Float64Array.from(this.weights);
    this.peaks = new Float64Array(problem.cells.length);
    this.pathPeaks = new Float64Array(problem.cells.length * paths);
    this.highs = new Float64Array(problem.cells.length);
    this.overPaths = problem.islands.map(() => new Uint8Array(paths));
    this.overCounts = new Int32Array(problem.islands.length);
    this.allowedPaths = Math.floor(options.allowedShare * paths + 1e-9);
    this.scratch = new Float64Array(paths);
    this.pending = new Set(problem.sites.flatMap((site, index) => (site.pending ? [index] : [])));
    for (const copy of problem.copies) this.occupy(copy);
  }

  /** Copies on a host, in the order of their ids. */
  copiesAt(site: number): readonly Copy[] {
    return [...(this.at[site]?.values() ?? [])].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Copies of a workload on a host. */
  countAt(work: number, site: number): number {
    return this.counts[work]?.get(site) ?? 0;
  }

  /** Hosts of a workload's copies with how many there are. */
  hostsOf(work: number): ReadonlyMap<number, number> {
    return this.counts[work] ?? new Map<number, number>();
  }

  /** Load of a host at the quantile in this wave, as a share of its cells, the fullest first. */
  loadOf(site: number): number {
    let share = 0;
    this.problem.islands.forEach((_, island) => {
      const cell = this.problem.cellAt[site * this.problem.islands.length + island] ?? -1;
      const capacity = this.problem.cells[cell]?.cpuMillis ?? 0;
      if (cell >= 0 && capacity > 0) share = Math.max(share, (this.highs[cell] ?? 0) / capacity);
    });
    return share;
  }

  /**
   * Begins a wave: what happens is looked at within `range`, and hosts in `leaving` take no copies.
   * Returns a cell that alone breaks the promise before anything moved, where there is one.
   */
  beginWave(range: StepRange, leaving: ReadonlySet<number>): Overload | undefined {
    this.range = range;
    this.leaving = leaving;
    this.demands.clear();
    this.divisors.set(this.weights);
    let worst: Overload | undefined;
    this.problem.cells.forEach((_, cell) => {
      const share = this.measure(cell, []) / this.scratch.length;
      if (share > 0 && (worst === undefined || share > worst.share)) worst = { cell, share };
    });
    return this.isOverAllowed() ? worst : undefined;
  }

  /** Narrows or widens the set of hosts that take no copies, between tries of one wave. */
  setLeaving(leaving: ReadonlySet<number>): void {
    this.leaving = leaving;
  }

  /** Judges putting one more copy of a workload on a host. */
  assess(work: number, site: number, weight: number): Assessment {
    const cell = cellOfCopy(this.problem, { work, site });
    const room = this.problem.cells[cell];
    const found = this.problem.works[work];
    if (this.leaving.has(site)) return REFUSED.leaving;
    if (this.problem.sites[site]?.closed !== undefined) return REFUSED.closed;
    if (!room?.open || !found) return REFUSED.island;

    const memoryAfter = (this.memory[cell] ?? 0) + found.memoryBytes;
    const factor = this.factorOf(work, weight);
    const demand = this.demandOf(work);
    const cpuMillis = room.cpuMillis || Number.MIN_VALUE;
    const cpuShare = ((this.highs[cell] ?? 0) + factor * demand.high) / cpuMillis;
    const worstCpuShare = ((this.peaks[cell] ?? 0) + factor * demand.peak) / cpuMillis;
    const memoryShare = memoryAfter === 0 ? 0 : memoryAfter / (room.memoryBytes || Number.MIN_VALUE);
    let refusal: Refusal | undefined;
    let newOverPaths = 0;
    if (this.countAt(work, site) >= found.copiesPerHost) refusal = "copies";
    else if (memoryAfter > room.memoryBytes) refusal = "memory";
    else if (worstCpuShare > 1) {
      const allowed = this.allowedPaths - (this.overCounts[room.island] ?? 0);
      newOverPaths = this.countNewOver(cell, work, factor, allowed);
      if (newOverPaths > allowed) refusal = "cpu";
    }
    return { refusal, newOverPaths, cpuShare, worstCpuShare, memoryShare };
  }

  /** Adds a copy in this wave. */
  add(copy: Copy): Undo {
    const cell = cellOfCopy(this.problem, copy);
    const restore = this.change(cell, copy.work, this.factorOf(copy.work, copy.weight));
    this.occupy(copy);
    return () => {
      this.vacate(copy);
      restore();
    };
  }

  /**
   * Lets a workload serve with `weight` less for a part of this wave: its other copies carry more. Undefined when
   * that breaks the promise; then nothing has changed. A job without a service gives its work up instead.
   */
  shed(work: number, weight: number): Undo | undefined {
    const found = this.problem.works[work];
    const before = this.divisors[work] ?? 0;
    const after = before - weight;
    if (weight <= 0 || found?.workload.service === undefined || after <= 0) return () => undefined;
    const undos: Undo[] = [];
    for (const site of [...this.hostsOf(work).keys()].sort((a, b) => a - b)) {
      const serving = this.copiesAt(site).filter((copy) => copy.work === work && copy.weight > 0);
      const sum = serving.reduce((total, copy) => total + copy.weight, 0);
      if (sum > 0) undos.push(this.change(cellOfCopy(this.problem, { work, site }), work, sum / after - sum / before));
    }
    this.divisors[work] = after;
    undos.push(() => (this.divisors[work] = before));
    const undo = (): void => {
      for (const step of undos.reverse()) step();
    };
    if (!this.isOverAllowed()) return undo;
    undo();
    return undefined;
  }

  /** Ends a wave: `gone` leave, `back` are put where they were shed. Loads are brought up to date. */
  endWave(gone: readonly Copy[], back: readonly Copy[]): void {
    const touched = new Set<number>();
    const works = new Set<number>();
    for (const copy of gone) {
      this.vacate(copy);
      touched.add(cellOfCopy(this.problem, copy));
      works.add(copy.work);
    }
    for (const copy of back) {
      this.occupy(copy);
      touched.add(cellOfCopy(this.problem, copy));
      works.add(copy.work);
    }
    for (const work of works) {
      const weight = this.weightOf(work);
      // Weights change where a copy that did not serve was replaced, or a shed one made others carry more.
      if (weight === this.weights[work] && weight === this.divisors[work]) continue;
      this.weights[work] = weight;
      for (const site of this.hostsOf(work).keys()) touched.add(cellOfCopy(this.problem, { work, site }));
    }
    for (const cell of touched) if (cell >= 0) this.rebuild(cell);
  }

  /** Share of paths over capacity within the wave so far, of the island where it is largest. */
  overShareInWave(): number {
    const paths = this.scratch.length;
    const over = this.problem.islands.map(() => new Uint8Array(paths));
    this.problem.cells.forEach(({ island, cpuMillis }, cell) => {
      const limit = cpuMillis + CPU_TOLERANCE_MILLIS;
      const marks = over[island];
      if (!marks || (this.peaks[cell] ?? 0) <= limit) return;
      for (let path = 0; path < paths; path++) {
        if ((this.pathPeaks[cell * paths + path] as number) > limit) marks[path] = 1;
      }
    });
    return Math.max(0, ...over.map((marks) => marks.reduce((sum, mark) => sum + mark, 0) / paths));
  }

  /** CPU capacity of an island's open cells outside of `leaving`. */
  capacityOf(island: number): number {
    return this.problem.cells.reduce((sum, cell) => {
      const closed = this.problem.sites[cell.site]?.closed !== undefined || this.leaving.has(cell.site);
      return cell.island === island && cell.open && !closed && this.usable[cell.site] ? sum + cell.cpuMillis : sum;
    }, 0);
  }

  /** True for hosts that this update has yet to change. */
  isPending(site: number): boolean {
    return this.pending.has(site);
  }

  /** Hosts have been updated: copies put there need not move again. */
  markUpdated(sites: Iterable<number>): void {
    for (const site of sites) this.pending.delete(site);
  }

  /** True for member hosts and reserved standby hosts. */
  isUsable(site: number): boolean {
    return this.usable[site] ?? false;
  }

  private isOverAllowed(): boolean {
    return this.overCounts.some((count) => count > this.allowedPaths);
  }

  /** Adds `factor` of a workload's demand to a cell and counts paths that are over now. */
  private change(cell: number, work: number, factor: number): Undo {
    const load = this.ownLoad(cell);
    if (!load) return () => undefined;
    const paths = this.scratch.length;
    const [peak, high] = [this.peaks[cell] ?? 0, this.highs[cell] ?? 0];
    const pathPeaksBefore = this.pathPeaks.slice(cell * paths, (cell + 1) * paths);
    const marked: number[] = [];
    const demand = this.demandOf(work).load;
    addScaled(load, demand, factor);
    this.measure(cell, marked);
    return () => {
      addScaled(load, demand, -factor);
      this.pathPeaks.set(pathPeaksBefore, cell * paths);
      this.peaks[cell] = peak;
      this.highs[cell] = high;
      this.unmark(this.problem.cells[cell]?.island ?? -1, marked);
    };
  }

  /** The load of a cell to write to. */
  private ownLoad(cell: number): CellLoad | undefined {
    const load = this.loads[cell];
    if (!load || this.owned[cell] === 1) return load;
    const own = Float64Array.from(load);
    this.loads[cell] = own;
    this.owned[cell] = 1;
    return own;
  }

  private unmark(island: number, paths: readonly number[]): void {
    const marks = this.overPaths[island];
    if (!marks) return;
    for (const path of paths) marks[path] = 0;
    this.overCounts[island] = (this.overCounts[island] ?? 0) - paths.length;
  }

  /**
   * Takes a cell's peaks in the wave's range and marks paths on which it is over; `marked` gets those that were not
   * marked before. Returns the number of paths on which it is over.
   */
  private measure(cell: number, marked: number[]): number {
    const { island, cpuMillis } = this.problem.cells[cell] ?? { island: -1, cpuMillis: 0 };
    const marks = this.overPaths[island];
    pathPeaks(this.loads[cell] as CellLoad, stepCount(this.problem.demand), this.range, this.scratch);
    this.pathPeaks.set(this.scratch, cell * this.scratch.length);
    let peak = 0;
    let over = 0;
    for (let path = 0; path < this.scratch.length; path++) {
      const value = this.scratch[path] as number;
      if (value > peak) peak = value;
      if (value <= cpuMillis + CPU_TOLERANCE_MILLIS) continue;
      over++;
      if (marks?.[path] !== 0) continue;
      marks[path] = 1;
      marked.push(path);
      this.overCounts[island] = (this.overCounts[island] ?? 0) + 1;
    }
    this.peaks[cell] = peak;
    this.highs[cell] = peak === 0 ? 0 : quantileOf(this.scratch, this.options.quantile);
    return over;
  }

  /** Paths that would be over and are not marked, counted until there are more than `allowed`. */
  private countNewOver(cell: number, work: number, factor: number, allowed: number): number {
    const { island, cpuMillis } = this.problem.cells[cell] ?? { island: -1, cpuMillis: 0 };
    const marks = this.overPaths[island];
    const load = this.loads[cell] as CellLoad;
    const steps = stepCount(this.problem.demand);
    const demand = this.demandOf(work);
    const limit = cpuMillis + CPU_TOLERANCE_MILLIS;
    const base = cell * this.scratch.length;
    let count = 0;
    for (let path = 0; path < this.scratch.length && count <= allowed; path++) {
      // Peaks need not fall on the same step; only where their sum is too much, every step is looked at.
      if (marks?.[path] === 1) continue;
      if ((this.pathPeaks[base + path] as number) + factor * (demand.peaks[path] as number) <= limit) continue;
      for (let step = this.range.from; step < this.range.to; step++) {
        const index = path * steps + step;
        if ((load[index] as number) + factor * (demand.load[index] as number) > limit) {
          count++;
          break;
        }
      }
    }
    return count;
  }

  private demandOf(work: number): WaveDemand {
    let demand = this.demands.get(work);
    if (!demand) {
      const load = demandFrom(this.problem, work, this.range.from);
      const peaks = new Float64Array(this.scratch.length);
      pathPeaks(load, stepCount(this.problem.demand), this.range, peaks);
      const peak = peaks.reduce((a, b) => Math.max(a, b), 0);
      demand = { load, peaks, peak, high: quantileOf(peaks, this.options.quantile) };
      this.demands.set(work, demand);
    }
    return demand;
  }

  private factorOf(work: number, weight: number): number {
    const divisor = this.divisors[work] ?? 0;
    return divisor > 0 ? weight / divisor : 1;
  }

  private weightOf(work: number): number {
    let weight = 0;
    for (const site of this.hostsOf(work).keys()) {
      for (const copy of this.at[site]?.values() ?? []) if (copy.work === work) weight += copy.weight;
    }
    return weight;
  }

  private rebuild(cell: number): void {
    const load = this.ownLoad(cell)?.fill(0);
    if (!load) return;
    for (const copy of this.copiesAt(this.problem.cells[cell]?.site ?? -1)) {
      const weight = this.weights[copy.work] ?? 0;
      if (cellOfCopy(this.problem, copy) === cell && copy.weight > 0 && weight > 0) {
        addDemand(this.problem, copy.work, copy.weight / weight, load, this.range.from);
      }
    }
  }

  private occupy(copy: Copy): void {
    const cell = cellOfCopy(this.problem, copy);
    this.at[copy.site]?.set(copy.id, copy);
    const counts = this.counts[copy.work];
    counts?.set(copy.site, (counts.get(copy.site) ?? 0) + 1);
    if (cell >= 0) this.memory[cell] = (this.memory[cell] ?? 0) + (this.problem.works[copy.work]?.memoryBytes ?? 0);
  }

  private vacate(copy: Copy): void {
    const cell = cellOfCopy(this.problem, copy);
    this.at[copy.site]?.delete(copy.id);
    const counts = this.counts[copy.work];
    const left = (counts?.get(copy.site) ?? 0) - 1;
    if (left > 0) counts?.set(copy.site, left);
    else counts?.delete(copy.site);
    if (cell >= 0) this.memory[cell] = (this.memory[cell] ?? 0) - (this.problem.works[copy.work]?.memoryBytes ?? 0);
  }
}
