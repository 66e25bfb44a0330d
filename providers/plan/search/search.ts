/**
 * The placement search: from a start to the best feasible assignment found within a budget.
 *
 * ```ts
 * const result = searchPlacement(model, { seed: 1, budget: { kind: "moves", moves: 200_000 } });
 * if (result.broken.length > 0) ... // nothing feasible was found: the rules that the best one breaks
 * ```
 *
 * Not for: what the numbers mean in a fleet, and worker threads; both are callers' matters.
 *
 * Invariants
 * 1. A feasible start gives a feasible result that costs no more.
 * 2. With a budget of moves the result depends on model, start and seed alone.
 */
import { anneal } from "./anneal";
import { lowerBound } from "./bound";
import { evaluateCost, findBrokenRules } from "./evaluate";
import type { BrokenRule, PlacementCost } from "./evaluate";
import type { PlacementModel } from "./model";
import { FastRandom } from "./random";
import { repairPlacement } from "./repair";
import { HARD_PRICE, SearchState } from "./search-state";

/** How long to search: a number of tried moves, which can be repeated, or a clock of the caller's. */
export type SearchBudget =
  | { readonly kind: "moves"; readonly moves: number }
  /** `progress` returns the share of the time that has passed; the search ends at 1. */
  | { readonly kind: "clock"; readonly progress: () => number };

/** The best of searches that run at the same time. */
export interface SearchExchange {
  /** Offers an assignment that is feasible. */
  publish(cost: number, assignment: Int32Array): void;
  /** The best that any of them has published, the same number of times as this one. */
  best(): { readonly cost: number; readonly assignment: Int32Array } | undefined;
}

/** The descent takes a share of the budget, and again as long as it brings cost this much closer to its bound. */
const DESCENT_SHARE = 0.02;
const DESCENT_PACE = 0.05;
const MOST_DESCENTS = 5;
/** Where the walk from the hottest to where large processes are settled ends, as a share of the budget. */
const HOT_SHARE = 0.4;
const SETTLED = 0.05;
/** Where the walk from there to the coldest ends. */
const COLD_SHARE = 0.9;
/** Temperatures, in mean sizes of processes; the coldest one for a single process on a machine. */
const HOTTEST = 0.2;
const COLDEST = 0.3;
/** Tried moves for each process that a walk from the hottest takes; with fewer it begins colder. */
const MOVES_FOR_HOTTEST = 1000;
/** Where the last walk begins, in coldest temperatures, and where it ends, in mean costs of a move, if that is colder. */
const LUKEWARM = 8;
const FROZEN = 0.3;
/**
 * Price of excess at the temperature of a mean size: low while it is hot, so that large processes push others aside, and
 * a rule when it is cold. Too low, and what is over capacity freezes where it is; too high, and large processes do. A
 * third of it costs 5 to 25 % on some ROADEF instances and helps on none beyond what seeds differ by.
 */
const PRICE_AT_MEAN_SIZE = 0.5;
const PRICE_POWER = 1.5;

export interface SearchOptions {
  readonly seed: number;
  readonly budget: SearchBudget;
  /** Where the search begins, -1 for processes that are nowhere yet. @default the model's origin */
  readonly start?: Int32Array;
  /** Takes part in searches of the same model that run at the same time; what comes of it cannot be repeated. */
  readonly exchange?: SearchExchange;
}

export interface SearchResult {
  /** `[p]` machine; -1 where no machine could take the process. */
  readonly assignment: Int32Array;
  readonly cost: PlacementCost;
  /** Rules that the assignment breaks; empty unless nothing feasible was found. */
  readonly broken: readonly BrokenRule[];
  /** Moves tried. */
  readonly moves: number;
}

/** Searches for the cheapest feasible assignment. */
export function searchPlacement(model: PlacementModel, options: SearchOptions): SearchResult {
  const random = new FastRandom(options.seed);
  const state = new SearchState(model, options.start ?? model.origin);
  repairPlacement(state, random);
  state.takePresent();
  state.seed(random);
  const moves = improve(state, options);
  const assignment = state.best.slice();
  return { assignment, cost: evaluateCost(model, assignment), broken: findBrokenRules(model, assignment), moves };
}

/** Descends, walks from hot to cold, then on to where the costs of moves count, from the best of all searches by then. */
function improve(state: SearchState, { budget, exchange }: SearchOptions): number {
  const { model, assignment } = state;
  const sizes = sizesOf(model);
  const movable = Int32Array.from(model.origin.keys())
    .filter(
      (process) =>
        model.pinned[process] === 0 && !state.places.isFixed(process) && (assignment[process] as number) >= 0,
    )
    .sort((a, b) => (sizes[b] as number) - (sizes[a] as number) || a - b);
  state.setMovable(movable);
  const movableSizes = Float64Array.from(movable, (process) => sizes[process] as number);
  const meanSize = Math.max(sizes.reduce((sum, size) => sum + size, 0) / sizes.length, Number.EPSILON);
  const perMachine = Math.max(1, model.processCount / model.machineCount);
  const coldest = (meanSize * COLDEST) / perMachine ** 2;
  let moves = 0;
  const walk = (startTemperature: number, endTemperature: number, until: number): void => {
    const from = progressAt(budget, moves);
    if (from >= until) return;
    const before = moves;
    moves += anneal(state, {
      startTemperature,
      endTemperature,
      sizes: movableSizes,
      priceAt: (temperature) => Math.min(HARD_PRICE, PRICE_AT_MEAN_SIZE * (meanSize / temperature) ** PRICE_POWER),
      progress: (walked) => (progressAt(budget, before + walked) - from) / (until - from),
    });
    state.restore();
  };
  const bound = lowerBound(model);
  for (let step = 1; step <= MOST_DESCENTS; step += 1) {
    const before = state.bestCost;
    walk(coldest, coldest, step * DESCENT_SHARE);
    if (before - state.bestCost < (state.bestCost - bound) * DESCENT_PACE) break;
  }
  const descended = progressAt(budget, moves);
  // The hotter, the more the descent left over what cannot be avoided, a machine.
  const left = (state.bestCost - bound) / model.machineCount;
  const movesPerProcess = moves / Math.max(descended, Number.EPSILON) / model.processCount;
  const patience = Math.min(1, movesPerProcess / MOVES_FOR_HOTTEST);
  const hottest = Math.max(coldest, Math.min(meanSize * HOTTEST * patience, left));
  const settled = Math.max(coldest, hottest * SETTLED);
  const middle = Math.sqrt(settled * coldest);
  walk(hottest, settled, HOT_SHARE);
  // No meeting yet: while it is warm, cost does not tell which large processes are where they can stay.
  walk(settled, middle, (HOT_SHARE + COLD_SHARE) / 2);
  if (exchange !== undefined) meet(state, exchange);
  walk(middle, coldest, COLD_SHARE);
  if (exchange !== undefined) meet(state, exchange);
  walk(coldest * LUKEWARM, Math.min(coldest, FROZEN * meanMoveCost(model) || coldest), 1);
  return moves;
}

/** Goes on from the best of all searches. */
function meet(state: SearchState, exchange: SearchExchange): void {
  exchange.publish(state.bestCost, state.best);
  // Costs may be infinite on both sides: nothing feasible yet.
  const best = exchange.best();
  if (best === undefined || best.cost >= state.bestCost) return;
  best.assignment.forEach((machine, process) => {
    state.move(process, machine);
  });
  state.takePresent();
}

function progressAt(budget: SearchBudget, moves: number): number {
  return budget.kind === "moves" ? moves / budget.moves : budget.progress();
}

/** What a process that leaves its origin costs. */
function meanMoveCost({ moveCost, distance, processMoveWeight, machineMoveWeight }: PlacementModel): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  return processMoveWeight * mean([...moveCost]) + machineMoveWeight * mean([...distance]);
}

/** `[p]` weighted requirement: what a process costs where all of it is above safety. */
function sizesOf(model: PlacementModel): Float64Array {
  const { requirement, loadWeight, resourceCount, processCount } = model;
  const sizes = new Float64Array(processCount);
  for (let index = 0; index < requirement.length; index += 1) {
    const process = Math.floor(index / resourceCount);
    const weight = loadWeight[index % resourceCount] as number;
    sizes[process] = (sizes[process] as number) + (requirement[index] as number) * weight;
  }
  return sizes;
}
