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
  const sizes = sizesOf(state.model);
  movable.sort((a, b) => (sizes[b] as number) - (sizes[a] as number) || a - b);
  const descentShare = 0.02;
  const descended = anneal(state, incumbent, movable, random, {
    startTemperature: 1e-9,
    endTemperature: 1e-9,
    startPrice: HARD_PRICE,
    endPrice: HARD_PRICE,
    sizes,
    progress: (moves) => progressAt(moves) / descentShare,
  });
  incumbent.restore();
  const scale = Math.max(sizes.reduce((sum, size) => sum + size, 0) / sizes.length, 1e-6);
  return (
    descended +
    anneal(state, incumbent, movable, random, {
      startTemperature: scale * START_FACTOR,
      endTemperature: scale * END_FACTOR,
      startPrice: 2,
      endPrice: 3000,
      sizes,
      progress: (moves) => progressAt(descended + moves),
    })
  );
}

const START_FACTOR = 0.4;
const END_FACTOR = 0.003;

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
