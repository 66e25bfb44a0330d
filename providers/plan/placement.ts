/**
 * Where copies are while a plan is made, and what each cell carries. Changes of one wave can be taken back, so that a
 * search can try.
 *
 * Not for: which change is the best (targets.ts) and in which order hosts come (waves.ts).
 *
 * Invariants
 * 1. In a wave, copies are only added to a cell: a copy that leaves counts until the wave ends, or, in a wave in which
 *    hosts follow each other, until its host is updated (`vacateHost`), so that every order of steps is covered.
 * 2. Loads that were given are shared with other placements and never written: the first change of one copies it.
 * 3. Time only goes on: loads before the wave's first step are out of date and not looked at any more.
 * 4. `overPaths` only grows over waves: the promise is about the whole run.
 * 5. Changes are taken back in the reverse order, the last one first, and none after `commit`.
 */
import type { CellLoad, StepRange } from "./capacity";
import {
  addDemand,
  cellOfCopy,
  demandAt,
  demandPeaks,
  limitOf,
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
  /**
   * Normal deviates above the mean of its paths' peaks that a cell keeps free beside the paths themselves. A few
   * hundred paths do not show how far thousands of hosts can go; a normal tail does. 0: the paths alone count.
   */
  readonly marginDeviates: number;
}

/** Demand of one workload as a wave looks at it: highest on each path in the wave, of all, and their quantile. */
interface WaveDemand {
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
  private readonly limits: Float64Array;
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
  /** States of cells before changes that may still be taken back, the last one on top; kept for the next ones. */
  private readonly saved: { readonly load: CellLoad; readonly pathPeaks: Float64Array }[] = [];
  private savedCount = 0;
  private readonly pending: Set<number>;
  /** Of the wave: hosts whose copies have left and that take others now. */
  private readonly vacated = new Set<number>();
  /** Steps in which what is added is looked at: from the wave's first to the last of the run. */
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
    this.limits = Float64Array.from(problem.cells, ({ cpuMillis }) => limitOf(cpuMillis));
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

  /** Copies of a workload on a host, in the order of their ids. */
  copiesOf(work: number, site: number): readonly Copy[] {
    const found: Copy[] = [];
    for (const copy of this.at[site]?.values() ?? []) if (copy.work === work) found.push(copy);
    return found.length < 2 ? found : found.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** How many copies of a workload a host has. */
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
    const islands = this.problem.islands.length;
    for (let island = 0; island < islands; island++) {
      const cell = this.problem.cellAt[site * islands + island] ?? -1;
      const capacity = this.problem.cells[cell]?.cpuMillis ?? 0;
      if (cell >= 0 && capacity > 0) share = Math.max(share, (this.highs[cell] ?? 0) / capacity);
    }
    return share;
  }

  /** Load of one copy at the quantile in this wave, as a share of its cell. */
  shareOf(copy: Copy): number {
    const capacity = this.problem.cells[cellOfCopy(this.problem, copy)]?.cpuMillis ?? 0;
    return capacity > 0 ? (this.factorOf(copy.work, copy.weight) * this.demandOf(copy.work).high) / capacity : 0;
  }

  /** Load of a cell at the quantile in this wave, as a share of it. */
  shareOfCell(cell: number): number {
    return (this.highs[cell] ?? 0) / Math.max(1, this.problem.cells[cell]?.cpuMillis ?? 0);
  }

  /**
   * Begins a wave in the steps of `range`; hosts in `leaving` take no copies. What is added is looked at until
   * `untilStep`, the end of the run: it stays there when the wave is over.
   * Returns a cell that alone breaks the promise in the wave before anything moved, where there is one.
   */
  beginWave(range: StepRange, leaving: ReadonlySet<number>, untilStep = range.to): Overload | undefined {
    this.range = range;
    this.leaving = leaving;
    this.demands.clear();
    this.vacated.clear();
    this.divisors.set(this.weights);
    let worst: Overload | undefined;
    for (let cell = 0; cell < this.problem.cells.length; cell++) {
      const share = this.measure(cell, []) / this.scratch.length;
      if (share > 0 && (worst === undefined || share > worst.share)) worst = { cell, share };
    }
    if (this.isOverAllowed()) return worst;
    if (untilStep > range.to) {
      this.range = { from: range.from, to: untilStep };
      for (let cell = 0; cell < this.problem.cells.length; cell++) this.measurePeaks(cell);
    }
    return undefined;
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
    if (this.leaving.has(site) && !this.vacated.has(site)) return REFUSED.leaving;
    if (this.problem.sites[site]?.closed !== undefined) return REFUSED.closed;
    if (!room?.open || !found) return REFUSED.island;

    const memoryAfter = (this.memory[cell] as number) + found.memoryBytes;
    const factor = this.factorOf(work, weight);
    const demand = this.demandOf(work);
    const cpuMillis = room.cpuMillis || Number.MIN_VALUE;
    const cpuShare = ((this.highs[cell] as number) + factor * demand.high) / cpuMillis;
    const worstCpuShare = ((this.peaks[cell] as number) + factor * demand.peak) / cpuMillis;
    const memoryShare = memoryAfter === 0 ? 0 : memoryAfter / (room.memoryBytes || Number.MIN_VALUE);
    let refusal: Refusal | undefined;
    let newOverPaths = 0;
    if (this.countAt(work, site) >= found.copiesPerHost) refusal = "copies";
    else if (memoryAfter > room.memoryBytes) refusal = "memory";
    else if (factor > 0 && !this.hasMargin(cell, factor, demand)) refusal = "cpu";
    else if (worstCpuShare > 1) {
      const allowed = this.allowedPaths - (this.overCounts[room.island] ?? 0);
      newOverPaths = this.countNewOver(cell, work, factor, allowed);
      if (newOverPaths > allowed) refusal = "cpu";
    }
    return { refusal, newOverPaths, cpuShare, worstCpuShare, memoryShare };
  }

  /**
   * A first look at putting one more copy on a host, without its paths: false when it is impossible whatever they say.
   * `glance` gets the shares that {@link assess} would tell.
   */
  glanceAt(work: number, site: number, weight: number, glance: { cpuShare: number; memoryShare: number }): boolean {
    if (!this.usable[site] || (this.leaving.has(site) && !this.vacated.has(site))) return false;
    const cell = cellOfCopy(this.problem, { work, site });
    const room = this.problem.cells[cell];
    const found = this.problem.works[work];
    if (!room?.open || !found || this.problem.sites[site]?.closed !== undefined) return false;
    const memoryAfter = (this.memory[cell] as number) + found.memoryBytes;
    if (memoryAfter > room.memoryBytes || this.countAt(work, site) >= found.copiesPerHost) return false;
    const high = (this.highs[cell] as number) + this.factorOf(work, weight) * this.demandOf(work).high;
    glance.cpuShare = high / (room.cpuMillis || Number.MIN_VALUE);
    glance.memoryShare = memoryAfter === 0 ? 0 : memoryAfter / (room.memoryBytes || Number.MIN_VALUE);
    return true;
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

  /** What was changed stays: it is not taken back any more. */
  commit(): void {
    this.savedCount = 0;
  }

  /**
   * In a wave in which hosts follow each other: a host's copies have left by the time that others come. What it
   * carried before is proven already; from now on it carries only what is added.
   */
  vacateHost(site: number): void {
    for (const copy of this.copiesAt(site)) {
      this.vacate(copy);
      const cell = cellOfCopy(this.problem, copy);
      if (cell < 0) continue;
      this.ownLoad(cell)?.fill(0);
      this.pathPeaks.fill(0, cell * this.scratch.length, (cell + 1) * this.scratch.length);
      this.peaks[cell] = 0;
      this.highs[cell] = 0;
    }
    this.vacated.add(site);
  }

  /**
   * Lets a workload serve with `weight` less for a part of this wave: its other copies carry more. Undefined when
   * that breaks the promise; then nothing has changed.
   * @param givesUp a job without a service gives its work up meanwhile instead
   */
  shed(work: number, weight: number, givesUp: boolean): Undo | undefined {
    const found = this.problem.works[work];
    const before = this.divisors[work] ?? 0;
    const after = before - weight;
    const isGivenUp = givesUp && found?.workload.service === undefined;
    if (weight <= 0 || isGivenUp || after <= 0) return () => undefined;
    const undos: Undo[] = [];
    for (const site of [...this.hostsOf(work).keys()].sort((a, b) => a - b)) {
      const serving = this.copiesOf(work, site).filter((copy) => copy.weight > 0);
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
    this.commit();
    const touched = new Set<number>();
    const works = new Set<number>();
    for (const copy of gone) {
      works.add(copy.work);
      if (this.vacated.has(copy.site)) continue;
      this.vacate(copy);
      touched.add(cellOfCopy(this.problem, copy));
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

  /** CPU capacity of an island's open cells outside of `leaving`. */
  capacityOf(island: number): number {
    return this.problem.cells.reduce((sum, cell) => {
      const closed = this.problem.sites[cell.site]?.closed !== undefined || this.leaving.has(cell.site);
      return cell.island === island && cell.open && !closed && this.usable[cell.site] ? sum + cell.cpuMillis : sum;
    }, 0);
  }

  /** True for hosts that this update has yet to change, also within the wave. */
  isPending(site: number): boolean {
    return this.pending.has(site) && !this.vacated.has(site);
  }

  /** True for hosts that are updated in this wave and take copies from then on. */
  isVacated(site: number): boolean {
    return this.vacated.has(site);
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
    const before = (this.saved[this.savedCount] ??= {
      load: new Float32Array(load.length),
      pathPeaks: new Float64Array(paths),
    });
    this.savedCount++;
    before.load.set(load);
    before.pathPeaks.set(this.pathPeaks.subarray(cell * paths, (cell + 1) * paths));
    const marked: number[] = [];
    addDemand(this.problem, work, factor, load, this.range.from);
    this.measure(cell, marked);
    return () => {
      this.savedCount--;
      load.set(before.load);
      this.pathPeaks.set(before.pathPeaks, cell * paths);
      this.peaks[cell] = peak;
      this.highs[cell] = high;
      this.unmark(this.problem.cells[cell]?.island ?? -1, marked);
    };
  }

  /** The load of a cell to write to. */
  private ownLoad(cell: number): CellLoad | undefined {
    const load = this.loads[cell];
    if (!load || this.owned[cell] === 1) return load;
    const own = load.slice();
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
    const island = this.problem.cells[cell]?.island ?? -1;
    const limit = this.limits[cell] as number;
    const marks = this.overPaths[island];
    if (this.measurePeaks(cell) <= limit) return 0;
    let over = 0;
    for (let path = 0; path < this.scratch.length; path++) {
      if ((this.scratch[path] as number) <= limit) continue;
      over++;
      if (marks?.[path] !== 0) continue;
      marks[path] = 1;
      marked.push(path);
      this.overCounts[island] = (this.overCounts[island] ?? 0) + 1;
    }
    return over;
  }

  /** Takes a cell's peaks; returns the highest. They are in `scratch` afterwards. */
  private measurePeaks(cell: number): number {
    pathPeaks(this.loads[cell] as CellLoad, stepCount(this.problem.demand), this.range, this.scratch);
    this.pathPeaks.set(this.scratch, cell * this.scratch.length);
    let peak = 0;
    for (const value of this.scratch) if (value > peak) peak = value;
    this.peaks[cell] = peak;
    this.highs[cell] = peak === 0 ? 0 : quantileOf(this.scratch, this.options.quantile);
    return peak;
  }

  /** True when the cell keeps the margin of {@link PlacementOptions.marginDeviates} with one more copy. */
  private hasMargin(cell: number, factor: number, demand: WaveDemand): boolean {
    const { marginDeviates } = this.options;
    if (marginDeviates <= 0) return true;
    const paths = this.scratch.length;
    const base = cell * paths;
    let sum = 0;
    let squares = 0;
    for (let path = 0; path < paths; path++) {
      const value = (this.pathPeaks[base + path] as number) + factor * (demand.peaks[path] as number);
      sum += value;
      squares += value * value;
    }
    const mean = sum / paths;
    const deviation = Math.sqrt(Math.max(0, squares / paths - mean * mean));
    return mean + marginDeviates * deviation <= (this.limits[cell] as number);
  }

  /** Paths that would be over and are not marked, counted until there are more than `allowed`. */
  private countNewOver(cell: number, work: number, factor: number, allowed: number): number {
    const island = this.problem.cells[cell]?.island ?? -1;
    const marks = this.overPaths[island];
    const load = this.loads[cell] as CellLoad;
    const steps = stepCount(this.problem.demand);
    const demand = this.demandOf(work);
    const limit = this.limits[cell] as number;
    const base = cell * this.scratch.length;
    let count = 0;
    for (let path = 0; path < this.scratch.length && count <= allowed; path++) {
      // Peaks need not fall on the same step; only where their sum is too much, every step is looked at.
      if (marks?.[path] === 1) continue;
      if ((this.pathPeaks[base + path] as number) + factor * (demand.peaks[path] as number) <= limit) continue;
      for (let step = this.range.from; step < this.range.to; step++) {
        const more = factor * demandAt(this.problem, work, path, step);
        if ((load[path * steps + step] as number) + more > limit) {
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
      const peaks = new Float64Array(this.scratch.length);
      demandPeaks(this.problem, work, this.range, peaks);
      const peak = peaks.reduce((a, b) => Math.max(a, b), 0);
      demand = { peaks, peak, high: quantileOf(peaks, this.options.quantile) };
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
