/**
 * Simulated annealing over assignments whose capacity and dependencies may be broken at a price: how a walk is cooled.
 * The price is low while it is hot and a rule when it is cold, so that tight machines are rearranged through states that
 * do not fit, where feasible moves alone are stuck.
 *
 * Not for: the moves of a walk (assembly/walk.ts), restarts and what to do with the best (search.ts).
 */
import type { SearchState } from "./search-state";

/** How a walk is cooled. */
export interface AnnealSchedule {
  readonly startTemperature: number;
  readonly endTemperature: number;
  /** Price of excess at a temperature. */
  readonly priceAt: (temperature: number) => number;
  /** Sizes of what is movable, largest first: the temperature at which a process is frozen. */
  readonly sizes: Float64Array;
  /** Share of the walk that is done, 0..1; the walk ends at 1. Called once in `MOVES_PER_LOOK` moves. */
  readonly progress: (moves: number) => number;
}

/** Moves between two looks at progress, temperature and price. */
const MOVES_PER_LOOK = 1024;
/** The price rises in steps: a smaller change makes no move better or worse that counts. */
const PRICE_STEP = 1.02;
/** Processes of at least this size in temperatures are in front; some are in any case. */
const FRONT_SIZE = 2;
const LEAST_FRONT = 0.03;

/** Walks until the schedule ends. Returns the moves tried. */
export function anneal(state: SearchState, schedule: AnnealSchedule): number {
  const { startTemperature, endTemperature, sizes } = schedule;
  if (sizes.length === 0 || state.model.machineCount < 2) return 0;
  const cooling = Math.log(endTemperature / startTemperature);
  let price = 0;
  let moves = 0;
  state.beginWalk();
  for (;;) {
    const progress = schedule.progress(moves);
    if (progress >= 1) return moves;
    const temperature = startTemperature * Math.exp(cooling * progress);
    const wanted = schedule.priceAt(temperature);
    if (wanted > price * PRICE_STEP) {
      price = wanted;
      state.setPrice(price);
    }
    moves = state.walk(MOVES_PER_LOOK, temperature, frontOf(sizes, temperature * FRONT_SIZE));
  }
}

/** How many sizes, largest first, are at least so much; some in any case. */
function frontOf(sizes: Float64Array, least: number): number {
  let from = 0;
  let to = sizes.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((sizes[middle] as number) >= least) from = middle + 1;
    else to = middle;
  }
  return Math.max(from, Math.ceil(sizes.length * LEAST_FRONT));
}
