/**
 * The seasonal part of a forecast: the mean of the last seasons at the same position, and how far the series was off
 * it (its deviation), smoothed to a level.
 *
 * Not for: choosing the shape and judging errors (seasonal-naive.ts, horizon-errors.ts).
 *
 * Source: seasonal naive and simple exponential smoothing, Hyndman and Athanasopoulos, "Forecasting: Principles and
 * Practice", 3rd ed., sections 5.2 and 8.1.
 */

/** Which past values stand for a future one. */
export interface Shape {
  /** Season's length; 1 makes the shape the plain mean of the last `seasons` values. */
  readonly seasonSteps: number;
  /** Number of last seasons whose mean is taken. */
  readonly seasons: number;
}

/** Smoothing factors of the level, from "the last value" to about the last 200 values. */
const LEVEL_ALPHAS: readonly number[] = [1, 0.5, 0.2, 0.07, 0.02, 0.005];

/** A shape applied to a series. */
export interface SeasonalProfile {
  readonly shape: Shape;
  /** First index that has enough seasons before it. */
  readonly warmUp: number;
  /** Shape value for `index`, `horizon` steps after the last value known; index - horizon >= warmUp - 1. */
  shapeAt(index: number, horizon: number): number;
  /** `levels[a][t]`: deviation smoothed by LEVEL_ALPHAS[a], with everything up to t known. */
  readonly levels: readonly Float64Array[];
}

/** Applies a shape; values has at least seasons * seasonSteps + 1 entries. */
export function createProfile(values: Float64Array, shape: Shape): SeasonalProfile {
  const { seasonSteps, seasons } = shape;
  const sums = stridedSums(values, seasonSteps);
  const sumUpTo = (index: number): number => (index >= 0 ? (sums[index] ?? 0) : 0);
  const shapeAt = (index: number, horizon: number): number => {
    const lag = Math.ceil(horizon / seasonSteps) * seasonSteps;
    return (sumUpTo(index - lag) - sumUpTo(index - lag - seasons * seasonSteps)) / seasons;
  };
  const warmUp = seasons * seasonSteps;
  const deviation = values.map((value, index) => (index >= warmUp ? value - shapeAt(index, 1) : 0));
  return { shape, warmUp, shapeAt, levels: LEVEL_ALPHAS.map((alpha) => smooth(deviation, alpha, warmUp)) };
}

/** `sums[i]` = values[i] + values[i - stride] + ...: makes the mean over any number of seasons two look-ups. */
function stridedSums(values: Float64Array, stride: number): Float64Array {
  const sums = Float64Array.from(values);
  for (let index = stride; index < sums.length; index++) sums[index] = (sums[index] ?? 0) + (sums[index - stride] ?? 0);
  return sums;
}

function smooth(deviation: Float64Array, alpha: number, from: number): Float64Array {
  const level = new Float64Array(deviation.length);
  // Starting at "no deviation" instead of the first one keeps a single early spike from colouring a slow level.
  let last = 0;
  for (let index = from; index < deviation.length; index++) {
    last += alpha * ((deviation[index] ?? 0) - last);
    level[index] = last;
  }
  return level;
}
