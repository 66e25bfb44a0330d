/**
 * What the destinations of a plan's moves cost, in points: what each move loses of the highest score that a host can have,
 * as it is told with the move.
 *
 * Not for: looking for better ones (wave-destinations.ts).
 */
import { isMovesOnly, type Wave } from "../../sdk/model";

import type { Schedule } from "./schedule";
import { HIGHEST_SCORE } from "./targets";

/** Points of all moves that update waves make. */
export function placementCost(waves: readonly Wave[]): number {
  let sum = 0;
  for (const wave of waves) {
    if (isMovesOnly(wave)) continue;
    for (const { to, scores } of wave.moves) {
      if (to === undefined) continue;
      sum += HIGHEST_SCORE - (scores.find(({ host }) => host === to)?.score ?? 0);
    }
  }
  return sum;
}

/**
 * True for a schedule whose destinations cost no more, that is hardly longer, and in which no more copies pause.
 * @param mostLonger share of its time by which it may be longer
 */
export function isBetterPlaced(refined: Schedule, found: Schedule, mostLonger: number): boolean {
  const paused = ({ waves }: Schedule): number =>
    waves.reduce((sum, { moves }) => sum + moves.filter(({ to }) => to === undefined).length, 0);
  return (
    placementCost(refined.waves) <= placementCost(found.waves) &&
    refined.total.p50Ms <= (1 + mostLonger) * found.total.p50Ms &&
    refined.total.p95Ms <= (1 + mostLonger) * found.total.p95Ms &&
    paused(refined) <= paused(found)
  );
}
