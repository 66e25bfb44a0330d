/**
 * Simulated annealing with shifts and swaps over assignments whose capacity may be exceeded at a price. The price rises
 * while the walk stays outside of capacity and falls while it stays inside, so that it crosses the border often: tight
 * machines are rearranged through states that do not fit, where feasible moves alone are stuck.
 *
 * Not for: restarts and what to do with the best (search.ts).
 *
 * Sources: Kirkpatrick, Gelatt and Vecchi, "Optimization by Simulated Annealing", Science 220, 1983; strategic
 * oscillation around the border of feasibility: Glover, "Heuristics for Integer Programming Using Surrogate
 * Constraints", Decision Sciences 8, 1977.
 */
import type { Incumbent } from "./incumbent";
import type { FastRandom } from "./random";
import type { SearchState } from "./search-state";

/** How a walk is cooled. */
export interface AnnealSchedule {
  readonly startTemperature: number;
  readonly endTemperature: number;
  /** Price of excess at first. */
  readonly startPrice: number;
  /** Least and highest price. */
  readonly minPrice: number;
  readonly maxPrice: number;
  /** Share of the walk that is done, 0..1; the walk ends at 1. Called once in `MOVES_PER_LOOK` moves. */
  readonly progress: (moves: number) => number;
}

/** Moves between two looks at progress, temperature and price. */
const MOVES_PER_LOOK = 1024;
const PRICE_UP = 1.05;
const PRICE_DOWN = 0.98;
const LOGS = 8192;
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
  const machines = state.model.machineCount;
  const cooling = Math.log(schedule.endTemperature / schedule.startTemperature);
  let price = schedule.startPrice;
  state.setPrice(price);
  let moves = 0;
  let looksInside = 0;
  for (;;) {
    const progress = schedule.progress(moves);
    if (progress >= 1 || movable.length === 0 || machines < 2) break;
    const temperature = schedule.startTemperature * Math.exp(cooling * progress);
    if (looksInside > 0) price = Math.max(schedule.minPrice, price * PRICE_DOWN);
    else price = Math.min(schedule.maxPrice, price * PRICE_UP);
    looksInside = 0;
    state.setPrice(price);
    for (let look = 0; look < MOVES_PER_LOOK; look += 1) {
      const threshold = temperature * (THRESHOLDS[random.below(LOGS)] as number);
      const process = movable[random.below(movable.length)] as number;
      const isShift = (random.bits() & 1) === 0;
      const change = isShift
        ? tryShift(state, incumbent, process, random.below(machines), threshold)
        : trySwap(state, incumbent, process, movable[random.below(movable.length)] as number, threshold);
      if (change === 0 || state.excess > 0) continue;
      looksInside += 1;
      if (state.cost < incumbent.cost) incumbent.improve();
    }
    moves += MOVES_PER_LOOK;
    if (state.excess === 0) looksInside += 1;
  }
  incumbent.keep();
  return moves;
}

/** Moves a process if rated cost grows by less than the threshold; returns 1 if it did. */
function tryShift(state: SearchState, incumbent: Incumbent, process: number, to: number, threshold: number): number {
  const from = state.assignment[process] as number;
  if (from === to || !state.canPlace(process, to)) return 0;
  const limit =
    threshold +
    (state.rated[from] as number) +
    (state.rated[to] as number) -
    state.ratedWithout(from, process) -
    state.moveCostChange(process, from, to);
  if (state.ratedWith(to, process, limit) > limit || !state.shiftKeepsRules(process, to)) return 0;
  incumbent.keep();
  incumbent.note(process);
  state.move(process, to);
  return 1;
}

/** Exchanges two processes if rated cost grows by less than the threshold; returns 1 if it did. */
function trySwap(state: SearchState, incumbent: Incumbent, process: number, other: number, threshold: number): number {
  const from = state.assignment[process] as number;
  const to = state.assignment[other] as number;
  if (from === to || !state.canSwap(process, other)) return 0;
  let limit =
    threshold +
    (state.rated[from] as number) +
    (state.rated[to] as number) -
    state.moveCostChange(process, from, to) -
    state.moveCostChange(other, to, from);
  const cost = state.ratedExchanged(from, process, other, limit);
  if (cost > limit) return 0;
  limit -= cost;
  if (state.ratedExchanged(to, other, process, limit) > limit || !state.swapKeepsRules(process, other)) return 0;
  incumbent.keep();
  incumbent.note(process);
  incumbent.note(other);
  state.swap(process, other);
  return 1;
}
