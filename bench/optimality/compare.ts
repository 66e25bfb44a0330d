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

/** Tried moves of the search, as many as a plan for such a fleet takes. */
const MOVES = 100_000;
const SOLVER_SECONDS = 20;

/** Compares one fleet. */
export function compareFleet(solve: Solve, seed: number): Comparison {
  const model = smallFleet(seed);
  const result = searchPlacement(model, { seed, budget: { kind: "moves", moves: MOVES } });
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
