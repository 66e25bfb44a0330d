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
import { evaluateCost, findBrokenRules } from "./evaluate";
import type { BrokenRule, PlacementCost } from "./evaluate";
import { Incumbent } from "./incumbent";
import type { PlacementModel } from "./model";
import { FastRandom } from "./random";
import { repairPlacement } from "./repair";
import { HARD_PRICE, SearchState } from "./search-state";

/** How long to search: a number of tried moves, which can be repeated, or a clock of the caller's. */
export type SearchBudget =
  | { readonly kind: "moves"; readonly moves: number }
  /** `progress` returns the share of the time that has passed; the search ends at 1. */
  | { readonly kind: "clock"; readonly progress: () => number };

export interface SearchOptions {
  readonly seed: number;
  readonly budget: SearchBudget;
  /** Where the search begins, -1 for processes that are nowhere yet. @default the model's origin */
  readonly start?: Int32Array;
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
  const incumbent = new Incumbent(state);
  const movable = Int32Array.from(model.origin.keys()).filter(
    (process) => model.pinned[process] === 0 && (state.assignment[process] as number) >= 0,
  );
  const moves = state.excess === 0 ? improve(state, incumbent, movable, random, options.budget) : 0;
  const { assignment } = incumbent;
  return { assignment, cost: evaluateCost(model, assignment), broken: findBrokenRules(model, assignment), moves };
}

function improve(
  state: SearchState,
  incumbent: Incumbent,
  movable: Int32Array,
  random: FastRandom,
  budget: SearchBudget,
): number {
  const progressAt = (moves: number): number => (budget.kind === "moves" ? moves / budget.moves : budget.progress());
  const descentShare = 0.1;
  const descended = anneal(state, incumbent, movable, random, {
    startTemperature: 1e-9,
    endTemperature: 1e-9,
    startPrice: HARD_PRICE,
    minPrice: HARD_PRICE,
    maxPrice: HARD_PRICE,
    progress: (moves) => progressAt(moves) / descentShare,
  });
  incumbent.restore();
  const scale = temperatureScale(state);
  return (
    descended +
    anneal(state, incumbent, movable, random, {
      startTemperature: scale * START_FACTOR,
      endTemperature: scale * END_FACTOR,
      startPrice: 1,
      minPrice: 0.2,
      maxPrice: 100,
      progress: (moves) => progressAt(descended + moves),
    })
  );
}

const START_FACTOR = 0.3;
const END_FACTOR = 0.0003;

/** Mean weighted requirement of a process: what a careless move costs. */
function temperatureScale(state: SearchState): number {
  const { requirement, loadWeight, resourceCount, processCount } = state.model;
  let sum = 0;
  for (let index = 0; index < requirement.length; index += 1) {
    sum += (requirement[index] as number) * (loadWeight[index % resourceCount] as number);
  }
  return Math.max(sum / processCount, 1e-6);
}
