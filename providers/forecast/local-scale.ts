/**
 * Level and spread of a series as they are now: a load that doubled yesterday is forecast, and its errors are judged,
 * in units of its present spread, so that what was learned before the change still holds.
 *
 * Invariant: nothing at index t reads a value after it; the spread is above 0.
 *
 * Source: normalization of each window by its own mean and deviation, Kim et al., "Reversible Instance Normalization
 * for Accurate Time-Series Forecasting against Distribution Shift", ICLR 2022; mean absolute deviations in their place.
 */
import { cumulativeSums, exponentialMean, meanBetween } from "./running";

/** Level and spread at any index. */
export interface LocalScale {
  /** Mean of the last season. */
  readonly level: (index: number) => number;
  /** Mean absolute distance from the level before it, exponentially weighted over a season. */
  readonly spread: (index: number) => number;
}

/** The whole past has this share in the spread: an idle hour does not make the next load infinitely large. */
const WHOLE_PAST_SHARE = 0.1;

/** @param unitSteps length of the season, or of what counts as "now" where there is none */
export function createLocalScale(values: Float64Array, unitSteps: number): LocalScale {
  const sums = cumulativeSums(values);
  const level = (index: number): number => meanBetween(sums, index - unitSteps + 1, index);
  const count = values.length;
  const levels = new Float64Array(count);
  const distances = new Float64Array(count);
  for (let index = 0; index < count; index++) {
    levels[index] = level(index);
    distances[index] = Math.abs((values[index] as number) - (index > 0 ? (levels[index - 1] as number) : level(-1)));
  }
  const recent = exponentialMean(distances, unitSteps);
  const distanceSums = cumulativeSums(distances);
  const spreads = new Float64Array(count);
  for (let index = 0; index < count; index++) {
    spreads[index] =
      (recent[index] as number) * (1 - WHOLE_PAST_SHARE) +
      WHOLE_PAST_SHARE * meanBetween(distanceSums, 0, index) +
      SMALLEST_SPREAD;
  }
  return { level: (index) => levels[index] ?? 0, spread: (index) => spreads[index] ?? SMALLEST_SPREAD };
}

const SMALLEST_SPREAD = 1e-300;
