/**
 * Where a real plan sends the copies of its waves, against the exact optimum of each wave: the plan is made, its waves are
 * played on the placement one after the other, and at each one HiGHS is asked for the cheapest destinations of what moves.
 *
 * Not for: waves with lanes, whose destinations decide which lane waits for which; demand that changes over time, for a plan
 * does not tell until when it was looked at.
 */
import { placementCost } from "../../providers/plan/placement-cost";
import { Placement } from "../../providers/plan/placement";
import { plan, type PlanInput } from "../../providers/plan/plan";
import { createProblem, type Copy } from "../../providers/plan/problem";
import { settleMoves } from "../../providers/plan/schedule";
import { evaluateCost } from "../../providers/plan/search/evaluate";
import { createDestinationModel, findDestinations } from "../../providers/plan/wave-destinations";
import { placesOf } from "../../providers/plan/wave-refinement";
import { weightOfNew, type PlacedMove } from "../../providers/plan/wave-search";
import { isMovesOnly, type Wave } from "../../sdk/model";
import { solveExactly, type Solve } from "../../bench/optimality/exact";

/** One wave of a plan. */
export interface WaveComparison {
  readonly copies: number;
  /** Points of the plan's destinations, and of the cheapest ones. */
  readonly found: number;
  readonly optimum: number;
  /** (found - optimum) / optimum; 0 where both are 0. */
  readonly gap: number;
  readonly isProven: boolean;
}

/** The waves of a plan; `points`: what its destinations cost as the plan tells it. */
export interface PlanComparison {
  readonly points: number;
  readonly waves: readonly WaveComparison[];
}

const SOLVER_SECONDS = 20;

/** Plans a fleet and compares its waves; undefined where it cannot be planned. */
export function comparePlan(solve: Solve, input: PlanInput): PlanComparison | undefined {
  const { decision, waves, reserve } = plan(input);
  if (decision !== "run") return undefined;
  const hosts = waves.flatMap((wave) => (isMovesOnly(wave) ? [] : wave.hosts));
  const problem = createProblem(input, hosts, input.slotMs, input.slotMs + 1);
  const { confidence, pool } = input.spec;
  const quantile = pool?.quantile ?? 0.95;
  const placement = new Placement(problem, { allowedShare: 1 - confidence, quantile, marginDeviates: 0 });
  const siteOf = (host: string): number => problem.siteOf.get(host) ?? -1;
  placement.setReserved(reserve.hosts.map(siteOf), true);
  const copies = new Map(problem.copies.map((copy) => [copy.id, copy]));
  const compared: WaveComparison[] = [];
  for (const wave of waves) {
    if (wave.kind === "failback") break;
    const moves = placeMoves(wave, copies, siteOf);
    const isUpdate = !isMovesOnly(wave);
    placement.beginWave({ from: 0, to: 1 }, new Set(isUpdate ? wave.hosts.map(siteOf) : []));
    const leaving = moves.filter(({ move }) => move.to !== undefined);
    const queries = leaving.map(({ gone }) => ({
      copy: gone,
      weight: weightOfNew(problem, gone),
      style: "balanced" as const,
    }));
    const destinations =
      isUpdate && wave.lanes === undefined ? findDestinations(problem, placement, queries) : undefined;
    const places = destinations && placesOf(problem, destinations, { moves: leaving });
    if (places) {
      const model = createDestinationModel(problem, destinations, places);
      const exact = solveExactly(solve, model, SOLVER_SECONDS);
      const [found, optimum] = [evaluateCost(model, places).total, exact.cost];
      const gap = (found - optimum) / Math.max(Number.EPSILON, optimum);
      compared.push({ copies: places.length, found, optimum, gap, isProven: exact.isOptimal });
    }
    for (const { move, arrived } of moves) {
      if (move.to !== undefined) placement.add(arrived);
      copies.set(arrived.id, arrived);
    }
    settleMoves(placement, moves);
    if (isUpdate) placement.markUpdated(wave.hosts.map(siteOf));
  }
  return { points: placementCost(waves), waves: compared };
}

function placeMoves(
  { moves }: Wave,
  copies: ReadonlyMap<string, Copy>,
  siteOf: (host: string) => number,
): readonly PlacedMove[] {
  return moves.flatMap((move): PlacedMove[] => {
    const gone = copies.get(move.replica);
    if (!gone) return [];
    const site = move.to === undefined ? gone.site : siteOf(move.to);
    return [{ move, gone, arrived: { ...gone, id: move.newReplica, site } }];
  });
}
