/**
 * When to move: at the calmest time for the copies that move, before the load that they move for comes.
 *
 * Not for: what moves (balance.ts) and whether a window is open (fit.ts).
 */
import { addDemand, pathCount, quantileOf, stepCount } from "../capacity";
import type { Problem } from "../problem";

/** A time at most this much busier than the calmest one is calm: forecasts are no more exact. */
const CALM_FACTOR = 1.1;

/**
 * The first calm time, ms since the epoch: `fromMs` itself where it is.
 * @param works workloads that move
 * @param untilMs by then everything has to be moved
 */
export function findCalmTime(
  problem: Problem,
  works: readonly number[],
  fromMs: number,
  untilMs: number,
  neededMs: number,
): number {
  const { startMs, stepMs } = problem.demand;
  const steps = stepCount(problem.demand);
  const load = new Float32Array(pathCount(problem.demand) * steps);
  for (const work of new Set(works)) addDemand(problem, work, 1, load);
  const at = new Float64Array(pathCount(problem.demand));
  const medianOf = (step: number): number => {
    for (let path = 0; path < at.length; path += 1) at[path] = load[step * at.length + path] ?? 0;
    return quantileOf(at, 0.5);
  };
  const stepOf = (ms: number): number => Math.min(steps - 1, Math.max(0, Math.floor((ms - startMs) / stepMs)));
  const width = Math.max(1, Math.ceil(neededMs / stepMs));
  const first = stepOf(fromMs);
  const last = Math.max(first, stepOf(untilMs - neededMs));
  const loads = Array.from({ length: last - first + 1 }, (_, index) => {
    let sum = 0;
    for (let step = 0; step < width; step += 1) sum += medianOf(Math.min(steps - 1, first + index + step));
    return sum;
  });
  const calmest = Math.min(...loads);
  const index = loads.findIndex((sum) => sum <= calmest * CALM_FACTOR + 1e-9);
  return index <= 0 ? fromMs : Math.max(fromMs, startMs + (first + index) * stepMs);
}

/** When a load first reaches a level at a quantile of the paths, ms since the epoch; undefined when it does not. */
export function firstTimeAbove(
  problem: Problem,
  load: Float32Array,
  level: number,
  quantile: number,
): number | undefined {
  const { startMs, stepMs } = problem.demand;
  const steps = stepCount(problem.demand);
  const at = new Float64Array(pathCount(problem.demand));
  for (let step = 0; step < steps; step += 1) {
    for (let path = 0; path < at.length; path += 1) at[path] = load[step * at.length + path] ?? 0;
    if (quantileOf(at, quantile) > level) return startMs + step * stepMs;
  }
  return undefined;
}
