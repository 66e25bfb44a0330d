/**
 * Simulated annealing with shifts, swaps, ejections and forced moves, over assignments whose capacity and dependencies
 * may be broken at a price. The price is low while it is hot and a rule when it is cold, so that tight machines are
 * rearranged through states that do not fit, where feasible moves alone are stuck.
 *
 * What makes it fast: a move may cost at most what leaving gains plus a threshold drawn before, so most moves end after
 * one or two resources of the machine they go to; gains are kept until a machine changes; the processes of one machine
 * are tried in a row. A quarter of the moves of a process that is away lead home: where resources are transient, each
 * machine has room for few that come, whatever leaves it.
 *
 * Not for: restarts and what to do with the best (search.ts).
 *
 * Sources: Kirkpatrick, Gelatt and Vecchi, "Optimization by Simulated Annealing", Science 220, 1983; strategic
 * oscillation around the border of feasibility: Glover, "Heuristics for Integer Programming Using Surrogate
 * Constraints", Decision Sciences 8, 1977; forced moves are the big process rearrangement of Gavranovic, Buljubasic and
 * Demirovic, "Variable Neighborhood Search for Google Machine Reassignment problem", ENDM 39, 2012.
 */
import type { Incumbent } from "./incumbent";
import type { FastRandom } from "./random";
import type { SearchState } from "./search-state";

/** How a walk is cooled. */
export interface AnnealSchedule {
  readonly startTemperature: number;
  readonly endTemperature: number;
  /** Price of excess at a temperature. */
  readonly priceAt: (temperature: number) => number;
  /** `[p]` what a process costs where all it needs is above safety: the temperature at which it is frozen. */
  readonly sizes: Float64Array;
  /** Share of the walk that is done, 0..1; the walk ends at 1. Called once in `MOVES_PER_LOOK` moves. */
  readonly progress: (moves: number) => number;
}

/** Moves between two looks at progress, temperature and price. */
const MOVES_PER_LOOK = 1024;
/** The price rises in steps, as each makes all gains be computed anew. */
const PRICE_STEP = 1.02;
/** Processes of at least this size in temperatures are tried more often; smaller ones find their places later. */
const FRONT_SIZE = 2;
const FRONT_SHARE_BITS = 0.7 * 2 ** 31;
const LEAST_FRONT = 0.03;
/** Processes on a machine that one process is tried in the place of, and machines where each of them could go. */
const MOST_PARTNERS = 12;
const MOST_THIRDS = 2;
/** A process whose leaving would gain this many temperatures, and does not find a place, is forced now and then. */
const STUCK = 20;
const STUCK_RARITY = 1;
/** Share of all moves that forcing may take: where most processes are stuck, few of them can be helped by it. */
const MOST_FORCING = 0.15;
/** Processes that make room for it, at most, and machines where each of them is tried. */
const MOST_FORCED = 12;
const FORCED_TARGETS = 8;
const LOGS = 1024;
/** Negative logarithms of evenly spread numbers: what a temperature is multiplied with for a random threshold. */
const THRESHOLDS = Float64Array.from({ length: LOGS }, (_, index) => -Math.log((index + 0.5) / LOGS));

/** Walks until the schedule ends; `incumbent` has the best feasible state then. Returns the moves tried. */
export function anneal(
  state: SearchState,
  incumbent: Incumbent,
  movable: Int32Array,
  random: FastRandom,
  schedule: AnnealSchedule,
): number {
  if (movable.length === 0 || state.model.machineCount < 2) return 0;
  const walk = new Walk(state, incumbent, random);
  const cooling = Math.log(schedule.endTemperature / schedule.startTemperature);
  let price = 0;
  for (;;) {
    const progress = schedule.progress(walk.moves);
    if (progress >= 1) break;
    walk.temperature = schedule.startTemperature * Math.exp(cooling * progress);
    const wanted = schedule.priceAt(walk.temperature);
    if (wanted > price * PRICE_STEP) {
      price = wanted;
      state.setPrice(price);
    }
    const front = frontOf(movable, schedule.sizes, walk.temperature * FRONT_SIZE);
    const until = walk.moves + MOVES_PER_LOOK;
    while (walk.moves < until) {
      const isFront = front < movable.length && random.bits() < FRONT_SHARE_BITS;
      // Squared: of those in front the larger ones are tried more often, as they find a place more seldom.
      const index = isFront ? Math.trunc(random.next() ** 2 * front) : random.below(movable.length);
      walk.tryProcess(movable[index] as number);
    }
  }
  incumbent.keep();
  return walk.moves;
}

/** The moves of a walk: of one process with one machine and what is on it, as their numbers are at hand then. */
class Walk {
  moves = 0;
  temperature = 0;
  private forcingMoves = 0;
  /** Of a move that is forced: processes and where they were. */
  private readonly forced = new Int32Array((MOST_FORCED + 1) * 2);

  constructor(
    private readonly state: SearchState,
    private readonly incumbent: Incumbent,
    private readonly random: FastRandom,
  ) {}

  /** Tries to bring a process to its origin or to some machine, by a shift, a swap or an ejection. */
  tryProcess(process: number): void {
    const { state, random } = this;
    const from = state.assignment[process] as number;
    const home = state.model.origin[process] as number;
    const to = home >= 0 && home !== from && (random.bits() & 3) === 0 ? home : state.places.draw(process, random);
    this.moves += 1;
    if (to === from) return;
    const gain = state.gainOf(process, from);
    const moveCost = state.moveCostChange(process, from, to);
    if (this.tryShift(process, to, gain, moveCost)) return;
    const count = state.counts[to] as number;
    if (count === 0) return;
    if (this.mayForce(gain)) {
      const before = this.moves;
      const isForced = this.tryForcing(process, to);
      this.forcingMoves += this.moves - before;
      if (isForced) return;
    }
    const list = state.lists[to] as Int32Array;
    let slot = random.below(count);
    for (let tries = Math.min(count, MOST_PARTNERS); tries > 0; tries -= 1) {
      const other = list[slot] as number;
      slot = slot + 1 === count ? 0 : slot + 1;
      if (this.tryReplacing(process, from, other, to, gain, moveCost)) return;
    }
  }

  private mayForce(gain: number): boolean {
    if (this.forcingMoves > this.moves * MOST_FORCING) return false;
    return gain > this.temperature * STUCK && (this.random.bits() & STUCK_RARITY) === 0;
  }

  private tryShift(process: number, to: number, gain: number, moveCost: number): boolean {
    const { state } = this;
    if (!state.canPlace(process, to)) return false;
    const limit = this.threshold() + gain - moveCost;
    if (limit < 0) return false;
    const cost = state.costOfPlacing(to, process, limit);
    if (cost > limit || cost + state.shiftPrice(process, to) > limit) return false;
    this.incumbent.keep();
    this.incumbent.note(process);
    state.move(process, to);
    this.noticeBest();
    return true;
  }

  /** Puts a process into another one's place, which goes to where the first was, to its origin or to a third machine. */
  private tryReplacing(
    process: number,
    from: number,
    other: number,
    to: number,
    gain: number,
    moveCost: number,
  ): boolean {
    const { state, random } = this;
    this.moves += 1;
    let limit = this.threshold() + gain + state.gainOf(other, to) - moveCost;
    if (limit < 0 || state.isPinned(other)) return false;
    limit -= state.costOfReplacing(to, other, process, limit);
    if (limit < 0) return false;
    if (this.trySwap(process, from, other, to, limit)) return true;
    const home = state.model.origin[other] as number;
    if (home >= 0 && home !== to && home !== from && this.tryEjecting(process, other, to, home, limit)) return true;
    for (let tries = MOST_THIRDS; tries > 0; tries -= 1) {
      const third = state.places.draw(other, random);
      if (third !== to && third !== from && this.tryEjecting(process, other, to, third, limit)) return true;
    }
    return false;
  }

  /**
   * Puts a process on a machine whatever that costs, then moves what is best to move off that machine, as long as that
   * helps; takes all back if cost has grown too much. Large processes get to where only several others could make room.
   */
  private tryForcing(process: number, to: number): boolean {
    const { state, random, forced } = this;
    if (!state.canPlace(process, to) || state.shiftPrice(process, to) === Infinity) return false;
    const limit = state.ratedCost + this.threshold();
    const from = state.assignment[process] as number;
    let steps = 0;
    forced[0] = process;
    forced[1] = from;
    this.incumbent.keep();
    this.incumbent.note(process);
    state.move(process, to);
    while (state.ratedCost > limit && steps < MOST_FORCED) {
      let bestGain = 0;
      let best = -1;
      let bestMachine = -1;
      const list = state.lists[to] as Int32Array;
      for (let slot = (state.counts[to] as number) - 1; slot >= 0; slot -= 1) {
        const other = list[slot] as number;
        const gain = state.gainOf(other, to);
        if (other === process || gain <= bestGain || state.isPinned(other)) continue;
        const home = state.model.origin[other] as number;
        for (let tries = 0; tries < FORCED_TARGETS; tries += 1) {
          const machine = tries === 0 ? home : tries === 1 ? from : state.places.draw(other, random);
          if (machine < 0 || machine === to || !state.canPlace(other, machine)) continue;
          this.moves += 1;
          const left = gain - bestGain - state.moveCostChange(other, to, machine);
          if (left <= 0) continue;
          const cost = state.costOfPlacing(machine, other, left);
          if (cost >= left) continue;
          const price = state.shiftPrice(other, machine);
          if (cost + price >= left) continue;
          bestGain += left - cost - price;
          best = other;
          bestMachine = machine;
        }
      }
      if (best < 0) break;
      steps += 1;
      forced[steps * 2] = best;
      forced[steps * 2 + 1] = to;
      this.incumbent.note(best);
      state.move(best, bestMachine);
    }
    if (state.ratedCost <= limit) {
      this.noticeBest();
      return true;
    }
    for (; steps >= 0; steps -= 1) state.move(forced[steps * 2] as number, forced[steps * 2 + 1] as number);
    return false;
  }

  private trySwap(process: number, from: number, other: number, to: number, budget: number): boolean {
    const { state } = this;
    const limit = budget - state.moveCostChange(other, to, from);
    if (limit < 0) return false;
    const cost = state.costOfReplacing(from, process, other, limit);
    if (cost > limit || !state.canSwap(process, other) || cost + state.swapPrice(process, other) > limit) return false;
    this.incumbent.keep();
    this.incumbent.note(process);
    this.incumbent.note(other);
    state.swap(process, other);
    this.noticeBest();
    return true;
  }

  private tryEjecting(process: number, other: number, to: number, third: number, budget: number): boolean {
    const { state } = this;
    this.moves += 1;
    let limit = budget - state.moveCostChange(other, to, third);
    if (limit < 0) return false;
    limit -= state.costOfPlacing(third, other, limit);
    if (limit < 0 || !state.canPlace(other, third)) return false;
    const otherPrice = state.shiftPrice(other, third);
    if (otherPrice === Infinity) return false;
    this.incumbent.keep();
    this.incumbent.note(other);
    state.move(other, third);
    if (!state.canPlace(process, to) || otherPrice + state.shiftPrice(process, to) > limit) {
      state.move(other, to);
      return false;
    }
    this.incumbent.note(process);
    state.move(process, to);
    this.noticeBest();
    return true;
  }

  private noticeBest(): void {
    const { state, incumbent } = this;
    if (state.isFeasible && state.cost < incumbent.cost) incumbent.improve();
  }

  /** How much a change may cost: with it, a change of cost d is made with the probability exp(-d / temperature). */
  private threshold(): number {
    return this.temperature * (THRESHOLDS[this.random.below(LOGS)] as number);
  }
}

/** How many of the processes, largest first, are at least of a size; some in any case. */
function frontOf(movable: Int32Array, sizes: Float64Array, least: number): number {
  let from = 0;
  let to = movable.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((sizes[movable[middle] as number] as number) >= least) from = middle + 1;
    else to = middle;
  }
  return Math.max(from, Math.ceil(movable.length * LEAST_FRONT));
}
