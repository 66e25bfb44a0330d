/**
 * Where copies are while a plan is made, wave by wave, and whether one more may be put on a host. Changes of one wave can
 * be taken back, so that a search can try.
 *
 * Not for: which change is the best (targets.ts) and in which order hosts come (waves.ts). Which copies are where is
 * copy-places.ts, what they carry cell-loads.ts, what hosts are in site-states.ts.
 *
 * Invariants
 * 1. In a wave, copies are only added to a cell: a copy that leaves counts until the wave ends, or, in a wave in which
 *    hosts follow each other, until its host is updated (`vacateHost`), so that every order of steps is covered.
 * 2. Changes are taken back in the reverse order, the last one first, and none after `commit`.
 */
import type { StepRange } from "./capacity";
import { cellOfCopy, demandPeaks, pathCount, quantileOf } from "./capacity";
import { CellLoads, type Kept, type LoadLimits, type Undo, type WorkDemand } from "./cell-loads";
import { CopyPlaces } from "./copy-places";
import { Glance } from "./glance";
import type { Copy, Problem } from "./problem";
import { SiteStates } from "./site-states";

export type { Undo } from "./cell-loads";

/** Why a copy cannot be put on a host. */
export type Refusal =
  "leaving" | "closed" | "island" | "rules" | "reach" | "copies" | "apart" | "devices" | "requests" | "memory" | "cpu";

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

/** A cell that is over its share on too many paths. */
export interface Overload {
  readonly cell: number;
  /** Share of paths on which the cell is over, 0..1. */
  readonly share: number;
}

/** Settings of one try. */
export type PlacementOptions = LoadLimits;

const NOTHING_JUDGED = { newOverPaths: 0, cpuShare: 0, worstCpuShare: 0, memoryShare: 0 } as const;
const REFUSED = {
  leaving: { refusal: "leaving", ...NOTHING_JUDGED },
  closed: { refusal: "closed", ...NOTHING_JUDGED },
  island: { refusal: "island", ...NOTHING_JUDGED },
  rules: { refusal: "rules", ...NOTHING_JUDGED },
} as const;

/** A host that a copy may not go to from where it is. */
export const OUT_OF_REACH: Assessment = { refusal: "reach", ...NOTHING_JUDGED };

/** Mutable placement of all copies. */
export class Placement {
  private readonly places: CopyPlaces;
  private readonly loads: CellLoads;
  private readonly states: SiteStates;
  private readonly weights: Float64Array;
  /** Of the wave: the weight that demand is divided by, per workload. */
  private readonly divisors: Float64Array;
  /** Of the wave: the part of a workload's demand that each unit of its weight carries at most. */
  private readonly carried: Float64Array;
  private readonly quantile: number;
  private waveRange: StepRange = { from: 0, to: 1 };

  constructor(
    private readonly problem: Problem,
    options: PlacementOptions,
  ) {
    this.quantile = options.quantile;
    this.places = new CopyPlaces(problem);
    this.loads = new CellLoads(problem, options);
    this.states = new SiteStates(problem);
    this.weights = Float64Array.from(problem.works, (work) => work.weight);
    this.divisors = Float64Array.from(this.weights);
    this.carried = this.divisors.map(inverse);
  }

  /** Copies on a host, in the order of their ids. */
  copiesAt(site: number): readonly Copy[] {
    return this.places.copiesAt(site);
  }

  /** How many copies a host has. */
  sizeAt(site: number): number {
    return this.places.sizeAt(site);
  }

  /** How many copies a host has. */
  copyCountAt(site: number): number {
    return this.places.sizeAt(site);
  }

  /** Copies of a workload on a host, in the order of their ids. */
  copiesOf(work: number, site: number): readonly Copy[] {
    return this.places.copiesOf(work, site);
  }

  /** Hosts of a workload's copies with how many there are. */
  hostsOf(work: number): ReadonlyMap<number, number> {
    return this.places.hostsOf(work);
  }

  /** Load of a host at the quantile in this wave, as a share of its cells, the fullest first. */
  loadOf(site: number): number {
    let share = 0;
    const islands = this.problem.islands.length;
    for (let island = 0; island < islands; island++) {
      const cell = this.problem.cellAt[site * islands + island] ?? -1;
      const capacity = cell < 0 ? 0 : (this.problem.columns.cpuMillis[cell] as number);
      if (capacity > 0) share = Math.max(share, (this.loads.highs[cell] as number) / capacity);
    }
    return share;
  }

  /** Demand of a workload in this wave alone: the highest of all paths, and at the quantile. */
  demandInWave(work: number): Pick<WorkDemand, "peak" | "high"> {
    const peaks = new Float32Array(pathCount(this.problem.demand));
    demandPeaks(this.problem, work, this.waveRange, peaks);
    return { peak: peaks.reduce((most, peak) => Math.max(most, peak), 0), high: quantileOf(peaks, this.quantile) };
  }

  /** Load of one copy at the quantile in this wave, as a share of its cell. */
  shareOf(copy: Copy): number {
    const capacity = this.problem.cells[cellOfCopy(this.problem, copy)]?.cpuMillis ?? 0;
    return capacity > 0 ? (this.factorOf(copy.work, copy.weight) * this.loads.demandOf(copy.work).high) / capacity : 0;
  }

  /** Load of a cell at the quantile in this wave, as a share of it. */
  shareOfCell(cell: number): number {
    return (this.loads.highs[cell] ?? 0) / Math.max(1, this.problem.columns.cpuMillis[cell] ?? 0);
  }

  /**
   * Begins a wave in the steps of `range`; hosts in `leaving` take no copies. What is added is looked at until
   * `untilStep`, the end of the run: it stays there when the wave is over.
   * Returns a cell that alone breaks the promise in the wave before anything moved, where there is one.
   */
  beginWave(range: StepRange, leaving: ReadonlySet<number>, untilStep = range.to): Overload | undefined {
    this.states.beginWave();
    this.states.setLeaving(leaving);
    this.divisors.set(this.weights);
    this.carried.set(this.weights.map(inverse));
    this.waveRange = range;
    const worst = this.loads.beginRange(range);
    if (this.loads.isOverAllowed()) return worst;
    if (untilStep > range.to) this.loads.lookAhead({ from: range.from, to: untilStep });
    return undefined;
  }

  /** Narrows or widens the set of hosts that take no copies, between tries of one wave. */
  setLeaving(leaving: Iterable<number>): void {
    this.states.setLeaving(leaving);
  }

  /** Judges putting one more copy of a workload on a host. */
  assess(work: number, site: number, weight: number): Assessment {
    const { columns } = this.problem;
    const cell = cellOfCopy(this.problem, { work, site });
    const found = this.problem.works[work];
    if (this.states.isLeaving(site)) return REFUSED.leaving;
    if (this.states.isClosed(site)) return REFUSED.closed;
    if (cell < 0 || columns.isOpen[cell] !== 1 || !found) return REFUSED.island;
    if (this.problem.rules.allowed[work]?.[site] === 0) return REFUSED.rules;

    const memoryAfter = (this.places.memory[cell] as number) + found.memoryBytes;
    const memoryBytes = columns.memoryBytes[cell] as number;
    const factor = this.factorOf(work, weight);
    const demand = this.loads.demandOf(work);
    const cpuMillis = (columns.cpuMillis[cell] as number) || Number.MIN_VALUE;
    const cpuShare = ((this.loads.highs[cell] as number) + factor * demand.high) / cpuMillis;
    const worstCpuShare = ((this.loads.peaks[cell] as number) + factor * demand.peak) / cpuMillis;
    const memoryShare = memoryAfter === 0 ? 0 : memoryAfter / (memoryBytes || Number.MIN_VALUE);
    let refusal: Refusal | undefined;
    let newOverPaths = 0;
    if (this.places.countAt(work, site) >= found.copiesPerHost) refusal = "copies";
    else if (this.places.isApartFrom(work, site)) refusal = "apart";
    else if (!this.places.hasDevicesFor(work, site)) refusal = "devices";
    else if (!this.places.hasRequestFor(work, cell)) refusal = "requests";
    else if (memoryAfter > memoryBytes) refusal = "memory";
    else if (factor > 0 && !this.loads.hasMargin(cell, factor, demand)) refusal = "cpu";
    else if (worstCpuShare > 1) {
      const allowed = this.loads.allowedOf(columns.islandOf[cell] as number);
      newOverPaths = this.loads.countNewOver(cell, work, factor, allowed);
      if (newOverPaths > allowed) refusal = "cpu";
    }
    return { refusal, newOverPaths, cpuShare, worstCpuShare, memoryShare };
  }

  /** CPU of a cell with one more copy at the quantile, as a share of it; 0 where none may be put there. */
  shareWith(work: number, site: number, weight: number): number {
    const cell = cellOfCopy(this.problem, { work, site });
    const { isOpen, cpuMillis } = this.problem.columns;
    if (this.states.isLeaving(site) || this.states.isClosed(site) || cell < 0 || isOpen[cell] !== 1) return 0;
    const more = this.factorOf(work, weight) * this.loads.demandOf(work).high;
    return ((this.loads.highs[cell] as number) + more) / ((cpuMillis[cell] as number) || Number.MIN_VALUE);
  }

  /** Prepares a first look at hosts for one more copy of a workload. */
  glanceFor(work: number, weight: number): Glance {
    return new Glance(this.problem, this.places, this.loads, this.states, work, this.factorOf(work, weight));
  }

  /** Adds a copy in this wave. */
  add(copy: Copy): Undo {
    const restore = this.loads.change(cellOfCopy(this.problem, copy), copy.work, this.factorOf(copy.work, copy.weight));
    this.places.occupy(copy);
    return () => {
      this.places.vacate(copy);
      restore();
    };
  }

  /** What was changed stays: it is not taken back any more. */
  commit(): void {
    this.loads.commit();
  }

  /**
   * In a wave in which hosts follow each other: a host's copies have left by the time that others come. What it
   * carried before is proven already; from now on it carries only what is added.
   */
  vacateHost(site: number): void {
    for (const copy of this.copiesAt(site)) {
      this.places.vacate(copy);
      const cell = cellOfCopy(this.problem, copy);
      if (cell >= 0) this.loads.clear(cell);
    }
    this.states.vacate(site);
  }

  /**
   * In a failback, in which the copies of one host after the other leave: these have left by the time that others come
   * to their hosts. What those carried before is proven already.
   */
  depart(copies: readonly Copy[]): void {
    this.commit();
    for (const copy of copies) this.places.vacate(copy);
    for (const cell of new Set(copies.map((copy) => cellOfCopy(this.problem, copy)))) {
      if (cell >= 0) this.loads.restate(cell, this.sharesIn(cell));
    }
  }

  /**
   * Lets a workload serve with `weight` less for a part of this wave: its other copies carry more. Undefined when
   * that breaks the promise; then nothing has changed.
   * @param givesUp a job without a service gives its work up meanwhile instead
   * @param refusedShare part of its demand that is refused meanwhile; it makes others carry no more than without, but
   *   nobody counts on what it frees, for that is there in this wave only
   */
  shed(work: number, weight: number, givesUp: boolean, refusedShare = 0): Undo | undefined {
    const found = this.problem.works[work];
    const before = this.divisors[work] ?? 0;
    const after = before - weight;
    const isGivenUp = givesUp && found?.workload.service === undefined;
    if (weight <= 0 || isGivenUp || after <= 0) return () => undefined;
    const undos: Undo[] = [];
    const carried = this.carried[work] ?? 0;
    const carriedThen = Math.max(carried, (1 - refusedShare) / after);
    for (const site of [...this.hostsOf(work).keys()].sort((a, b) => a - b)) {
      const serving = this.copiesOf(work, site).filter((copy) => copy.weight > 0);
      const sum = serving.reduce((total, copy) => total + copy.weight, 0);
      const cell = cellOfCopy(this.problem, { work, site });
      if (sum > 0 && carriedThen > carried) undos.push(this.loads.change(cell, work, sum * (carriedThen - carried)));
    }
    this.divisors[work] = after;
    this.carried[work] = carriedThen;
    undos.push(() => {
      this.divisors[work] = before;
      this.carried[work] = carried;
    });
    const undo = (): void => {
      for (const step of undos.reverse()) step();
    };
    if (!this.loads.isOverAllowed()) return undo;
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
      // Of hosts that were emptied within the wave the copies are gone already.
      if (!this.places.isAt(copy)) continue;
      this.places.vacate(copy);
      touched.add(cellOfCopy(this.problem, copy));
    }
    for (const copy of back) {
      this.places.occupy(copy);
      touched.add(cellOfCopy(this.problem, copy));
      works.add(copy.work);
    }
    for (const work of works) {
      const weight = this.places.weightOf(work);
      // Weights change where a copy that did not serve was replaced, or a shed one made others carry more.
      if (weight === this.weights[work] && weight === this.divisors[work]) continue;
      this.weights[work] = weight;
      for (const site of this.hostsOf(work).keys()) touched.add(cellOfCopy(this.problem, { work, site }));
    }
    this.places.settle();
    for (const cell of touched) if (cell >= 0) this.loads.rebuild(cell, this.sharesIn(cell));
  }

  /** Share of paths over capacity within the wave so far, of the island where it is largest. */
  overShareInWave(): number {
    return this.loads.overShare();
  }

  /** CPU capacity of an island's open cells outside of the hosts that are emptied. */
  capacityOf(island: number): number {
    const { islandOf, isOpen, cpuMillis } = this.problem.columns;
    return this.problem.cells.reduce(
      (sum, { site }, cell) =>
        islandOf[cell] === island && isOpen[cell] === 1 && this.states.isInService(site)
          ? sum + (cpuMillis[cell] as number)
          : sum,
      0,
    );
  }

  /** True for hosts that this update has yet to change, also within the wave. */
  isPending(site: number): boolean {
    return this.states.isPending(site);
  }

  /** True for hosts that are updated in this wave and take copies from then on. */
  isVacated(site: number): boolean {
    return this.states.isVacated(site);
  }

  /** Hosts have been updated: copies put there need not move again. */
  markUpdated(sites: Iterable<number>): void {
    this.states.markUpdated(sites);
  }

  /** Standby hosts are reserved from now on, or no longer: copies are put on reserved ones only. */
  setReserved(sites: Iterable<number>, isReserved: boolean): void {
    this.states.setUsable(sites, isReserved);
  }

  /** Keeps all of it as it is now. */
  keep(): Kept {
    const parts = [this.places.keep(), this.loads.keep(), this.states.keep()];
    const [weights, divisors] = [this.weights.slice(), this.divisors.slice()];
    const { waveRange } = this;
    const carried = this.carried.slice();
    return {
      restore: () => {
        for (const part of parts) part.restore();
        this.weights.set(weights);
        this.divisors.set(divisors);
        this.waveRange = waveRange;
        this.carried.set(carried);
      },
      drop: () => {
        for (const part of parts) part.drop();
      },
    };
  }

  /** True for member hosts and reserved standby hosts. */
  isUsable(site: number): boolean {
    return this.states.isUsable(site);
  }

  private factorOf(work: number, weight: number): number {
    const divisor = this.divisors[work] ?? 0;
    return divisor > 0 ? weight / divisor : 1;
  }

  /** What the copies in a cell carry. */
  private *sharesIn(cell: number): Generator<{ readonly work: number; readonly factor: number }> {
    for (const copy of this.copiesAt(this.problem.cells[cell]?.site ?? -1)) {
      const weight = this.weights[copy.work] ?? 0;
      if (cellOfCopy(this.problem, copy) === cell && copy.weight > 0 && weight > 0) {
        yield { work: copy.work, factor: copy.weight / weight };
      }
    }
  }
}

function inverse(weight: number): number {
  return weight > 0 ? 1 / weight : 0;
}
