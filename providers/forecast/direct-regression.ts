/**
 * Direct multi-horizon regression: for each bucket of horizons one linear model from what is known at an origin (levels
 * of several speeds, the same time of day and of week in the past) to the value h steps later, with conformal quantiles
 * of the errors it made out of sample.
 *
 * Not for: choosing between models (ensemble.ts).
 *
 * Invariants
 * 1. A forecast from an origin reads no value after it, and its coefficients come from targets before it: they are
 *    fitted anew at some checkpoints as the series grows, from sums that only grow.
 * 2. It scales and moves with its series: features and target are distances from the present level, in spreads.
 *
 * Sources: direct forecasts, Marcellino, Stock and Watson, "A comparison of direct and iterated multistep AR methods",
 * Journal of Econometrics 135, 2006; ridge, Hoerl and Kennard, Technometrics 12(1), 1970; levels of several speeds,
 * Corsi, "A Simple Approximate Long-Memory Model of Realized Volatility", Journal of Financial Econometrics 7(2), 2009;
 * least absolute deviations by reweighting, Schlossmacher, JASA 68(344), 1973.
 */
import { argsort } from "./argsort";
import type { BucketErrors } from "./bucket-errors";
import {
  collectPairs,
  distributeErrors,
  fadingWeights,
  locateBucket,
  ORIGINS_PER_HORIZON,
  quantilesAround,
} from "./bucket-errors";
import type { Bucket } from "./horizon-errors";
import { createBuckets } from "./horizon-errors";
import type { RegressionFeatures } from "./regression-features";
import { createFeatures } from "./regression-features";
import { predictLinear, RidgeSums } from "./ridge";
import { onceEach, type QuantilesAt } from "./shape-model";

/** What a regression is fitted on. */
export interface RegressionInput {
  /** Without gaps. */
  readonly values: Float64Array;
  /** 1 where measured. */
  readonly measured: Uint8Array;
  /** Lengths of seasons in steps, ascending; empty: levels only. */
  readonly seasons: readonly number[];
  /** Steps that count as "now": the first season, or some share of the series. */
  readonly unitSteps: number;
  /** Longest horizon fitted. */
  readonly longest: number;
  /** Features and targets of more spreads than this count as such: small ones make the fit robust. */
  readonly largest: number;
  /** Least absolute deviations in place of least squares: follows the median, not the mean. */
  readonly isMedian: boolean;
}

/** Quantiles at any origin and horizon. */
export type DirectRegression = (levels: readonly number[]) => QuantilesAt;

/** Share of the series before the first checkpoint; errors are judged after it. */
const FIRST_CHECKPOINT = 0.35;
const CHECKPOINTS = 7;
/** Strength of the prior, in independent pairs of origin and target. */
const PRIOR_PAIRS = 16;
/** Fewer pairs fit nothing. */
const FEWEST_PAIRS = 24;
/** Coefficients need more origins than quantiles of errors do, as long as those lie half a horizon apart. */
const MOST_ORIGINS = 480;
const MEDIAN_PASSES = 2;
/** An error smaller than this share of the typical one weighs no more in least absolute deviations. */
const LEAST_ERROR_SHARE = 0.1;

interface BucketModel extends BucketErrors {
  /** By checkpoint; the last one knows the whole series. */
  readonly coefficients: readonly Float64Array[];
}

/** @returns undefined when the series is too short */
export function fitDirectRegression(input: RegressionInput): DirectRegression | undefined {
  const { values, longest, seasons, unitSteps } = input;
  const count = values.length;
  const features = createFeatures(values, seasons, unitSteps, input.largest);
  const borders = Array.from({ length: CHECKPOINTS }, (_, i) =>
    Math.round(count * (FIRST_CHECKPOINT + ((1 - FIRST_CHECKPOINT) * i) / CHECKPOINTS)),
  );
  const fading = fadingWeights(count);
  const fitted = createBuckets(longest, unitSteps).flatMap((bucket) => {
    const model = fitBucket(input, features, borders, bucket, fading);
    return model ? [model] : [];
  });
  if (fitted.length === 0) return undefined;
  const x = new Float64Array(features.size);
  const placeOf = onceEach((horizon) => locateBucket(fitted, horizon));
  const point = (origin: number, horizon: number): number => {
    features.fill(x, origin, horizon);
    const known = origin >= count - 1 ? borders.length : checkpointOf(borders, origin);
    const { left, right, share } = placeOf(horizon);
    const at = (index: number): number => predictLinear(fitted[index]?.coefficients[known], x, 0);
    const middle = share === 0 ? at(left) : at(left) * (1 - share) + at(right) * share;
    return features.level(origin) + features.spread(origin) * middle;
  };
  return (levels) => quantilesAround(point, features.spread, fitted, levels);
}

function fitBucket(
  { values, measured, unitSteps, isMedian, largest }: RegressionInput,
  features: RegressionFeatures,
  borders: readonly number[],
  bucket: Bucket,
  fading: Float64Array,
): BucketModel | undefined {
  const count = values.length;
  const { size, warmUp } = features;
  const perHorizon = originsFor(bucket, count - warmUp);
  const pairs = collectPairs(measured, bucket, warmUp, perHorizon);
  if (pairs.count < FEWEST_PAIRS) return undefined;
  const byTarget = argsort(pairs.targets);
  const targets = new Int32Array(pairs.count);
  const origins = new Int32Array(pairs.count);
  const distances = new Float64Array(pairs.count);
  const wanted = new Float64Array(pairs.count);
  const x = new Float64Array(size);
  const matrix = new Float64Array(pairs.count * size);
  for (let place = 0; place < pairs.count; place++) {
    const origin = pairs.origins[byTarget[place] ?? 0] ?? 0;
    const target = pairs.targets[byTarget[place] ?? 0] ?? 0;
    const distance = ((values[target] ?? 0) - features.level(origin)) / features.spread(origin);
    origins[place] = origin;
    targets[place] = target;
    distances[place] = distance;
    wanted[place] = Math.max(-largest, Math.min(largest, distance));
    features.fill(x, origin, target - origin);
    matrix.set(x, place * size);
  }
  // Forecasts over h steps made less than h steps apart share most of what surprised them: more of them are needed.
  const apart = Math.max(1, (count - warmUp) / perHorizon);
  const overlap = Math.max(1, Math.min(bucket.centre, unitSteps) / apart);
  const priorPairs = PRIOR_PAIRS * bucket.horizons.length * overlap;
  const solveAt = (solved: readonly number[], weights?: Float64Array): readonly Float64Array[] =>
    fitCheckpoints({ matrix, wanted, targets }, solved, features, priorPairs, weights);
  const every = [...borders, count];
  let weights: Float64Array | undefined;
  for (let pass = 1; isMedian && pass < MEDIAN_PASSES; pass++) {
    weights = inverseErrors(matrix, wanted, solveAt([count], weights)[0]);
  }
  const coefficients = solveAt(every, weights);
  const first = borders[0] ?? 0;
  const judgedTargets = new Int32Array(pairs.count);
  const errors = new Float64Array(pairs.count);
  let judged = 0;
  for (let place = 0; place < pairs.count; place++) {
    const origin = origins[place] ?? 0;
    if (origin < first) continue;
    const known = coefficients[checkpointOf(borders, origin)];
    errors[judged] = (distances[place] ?? 0) - predictLinear(known, matrix, place * size);
    judgedTargets[judged++] = targets[place] ?? 0;
  }
  const distributed = distributeErrors(bucket, judgedTargets, errors.subarray(0, judged), fading);
  return distributed && { ...distributed, coefficients };
}

/** Origins per horizon of a bucket, of a series with so many of them. */
function originsFor({ centre }: Bucket, count: number): number {
  return Math.round(Math.max(ORIGINS_PER_HORIZON, Math.min(MOST_ORIGINS, count / Math.max(1, centre / 2))));
}

/** Rows of a regression, by target. */
interface Rows {
  readonly matrix: Float64Array;
  readonly wanted: Float64Array;
  readonly targets: Int32Array;
}

/** Coefficients from the targets before each border, ascending. */
function fitCheckpoints(
  { matrix, wanted, targets }: Rows,
  borders: readonly number[],
  { size, prior }: RegressionFeatures,
  priorPairs: number,
  weights: Float64Array | undefined,
): readonly Float64Array[] {
  const sums = new RidgeSums(size);
  let place = 0;
  return borders.map((border) => {
    for (; place < targets.length && (targets[place] ?? 0) < border; place++) {
      sums.add(matrix, place * size, wanted[place] ?? 0, weights?.[place] ?? 1);
    }
    return sums.solve(priorPairs, prior);
  });
}

function inverseErrors(matrix: Float64Array, wanted: Float64Array, beta: Float64Array | undefined): Float64Array {
  const size = beta?.length ?? 0;
  const weights = new Float64Array(wanted.length);
  let typical = 0;
  for (let place = 0; place < weights.length; place++) {
    const error = Math.abs((wanted[place] ?? 0) - predictLinear(beta, matrix, place * size));
    weights[place] = error;
    typical += error / weights.length;
  }
  if (typical === 0) return weights.fill(1);
  for (let place = 0; place < weights.length; place++) {
    weights[place] = 1 / Math.max((weights[place] ?? 0) / typical, LEAST_ERROR_SHARE);
  }
  return weights;
}

/** Index of the last checkpoint not after an origin. */
function checkpointOf(borders: readonly number[], origin: number): number {
  let index = 0;
  while (index + 1 < borders.length && (borders[index + 1] ?? 0) <= origin) index++;
  return index;
}
