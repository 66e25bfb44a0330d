/** The search against the exact optimum on random small fleets. */
import { evaluateCost } from "../../providers/plan/search/evaluate";
import { searchPlacement } from "../../providers/plan/search/search";
import { solveExactly, type Solve } from "./exact";
import { smallFleet } from "./small-fleets";

/** One fleet: costs, and how far the search is above the optimum. */
export interface Comparison {
  readonly seed: number;
  readonly hosts: number;
  readonly copies: number;
  readonly initial: number;
  readonly found: number;
  readonly optimum: number;
  /** (found - optimum) / optimum; 0 where both are 0. */
  readonly gap: number;
  /** False where the solver ran out of time, and the optimum is not proven. */
  readonly isProven: boolean;
}

/** Searches of one fleet, of which the best counts: about a third of a second of CPU, as much as its plan may take. */
const SEEDS = 4;
const MOVES = 500_000;
const SOLVER_SECONDS = 20;

/** Compares one fleet. */
export function compareFleet(solve: Solve, seed: number): Comparison {
  const model = smallFleet(seed);
  const results = Array.from({ length: SEEDS }, (_, index) =>
    searchPlacement(model, { seed: SEEDS * seed + index, budget: { kind: "moves", moves: MOVES } }),
  );
  const result = results.reduce((best, other) => (other.cost.total < best.cost.total ? other : best));
  if (result.broken.length > 0)
    throw new Error(`fleet ${String(seed)}: the search broke ${JSON.stringify(result.broken)}`);
  const exact = solveExactly(solve, model, SOLVER_SECONDS);
  const [found, optimum] = [result.cost.total, Math.round(exact.cost)];
  return {
    seed,
    hosts: model.machineCount,
    copies: model.processCount,
    initial: evaluateCost(model, model.origin).total,
    found,
    optimum,
    gap: found === optimum ? 0 : (found - optimum) / Math.max(1, optimum),
    isProven: exact.isOptimal,
  };
}
