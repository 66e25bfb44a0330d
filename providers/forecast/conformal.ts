/**
 * Conformal quantiles: from the signed errors that a procedure made on past origins to the quantiles of its next
 * error, with the finite-sample correction that raw residual quantiles lack.
 *
 * Not for: making the errors (seasonal-naive.ts).
 *
 * Sources: split (inductive) conformal prediction, Papadopoulos et al., "Inductive Confidence Machines for
 * Regression", ECML 2002, and Lei et al., "Distribution-Free Predictive Inference for Regression", JASA 113, 2018;
 * weights that fade with age, Barber, Candes, Ramdas and Tibshirani, "Conformal Prediction Beyond Exchangeability",
 * Annals of Statistics 51(2), 2023. One set of errors per horizon: Stankeviciute et al., NeurIPS 2021.
 */

import { pairColumns, sortPairs } from "./sort-pairs";

/** Errors sorted, each with the probability that the next one is below it. */
export interface ErrorDistribution {
  readonly sorted: Float64Array;
  /** Probability that the next error is below `sorted[i]`; ascending, in (0, 1). */
  readonly below: (index: number) => number;
  /** Told when it is first asked for: only tails beyond all errors need it. */
  readonly deviation: () => number;
}

/**
 * Sorts weighted errors and places them. n independent errors of equal weight sit at i / (n + 1), i = 1..n, which
 * leaves room for a next error beyond all of them. Errors of long horizons overlap, so that fewer of them are
 * independent: `independent` takes the place of n and leaves more room.
 * @param errors finite numbers
 * @param weights > 0, one for each error
 * @param independent number of errors that share no part of their horizons, at least 1
 */
export function createErrorDistribution(
  errors: Float64Array,
  weights: Float64Array,
  independent: number = errors.length,
): ErrorDistribution {
  const count = errors.length;
  const sorted = Float64Array.from(errors);
  const ordered = Float64Array.from(weights);
  sortPairs({ keys: sorted, weights: ordered }, count, pairColumns(count));
  let total = 0;
  for (const weight of weights) total += weight;
  const shrink = independent / (independent + 1);
  let cumulative = 0;
  for (let position = 0; position < count; position++) {
    const weight = ordered[position] as number;
    ordered[position] = cumulative + weight / 2;
    cumulative += weight;
  }
  // Of a thousand errors a dozen quantiles look at a tenth.
  const below = (index: number): number => 0.5 + ((ordered[index] as number) / total - 0.5) * shrink;
  let deviation: number | undefined;
  return { sorted, below, deviation: () => (deviation ??= weightedDeviation(errors, weights)) };
}

/**
 * Quantile of the next error. Between two seen errors it is interpolated; beyond the outermost ones it goes on like a
 * normal tail of the errors' own deviation, because a finite sample says nothing there.
 * @param level in (0, 1)
 */
export function errorQuantile({ sorted, below, deviation }: ErrorDistribution, level: number): number {
  const count = sorted.length;
  if (count === 0) return 0;
  const position = firstAtLeast(below, count, level);
  if (position === 0) {
    const tail = Math.min(0, normalQuantile(level) - normalQuantile(below(0)));
    return (sorted[0] ?? 0) + tail * deviation();
  }
  if (position === count) {
    const tail = Math.max(0, normalQuantile(level) - normalQuantile(below(count - 1)));
    return (sorted[count - 1] ?? 0) + tail * deviation();
  }
  const [leftShare, rightShare] = [below(position - 1), below(position)];
  const [left, right] = [sorted[position - 1] ?? 0, sorted[position] ?? 0];
  // Share before product and then clamped: monotone and between both errors also where they are subnormal numbers.
  const share = (level - leftShare) / (rightShare - leftShare);
  return Math.min(right, Math.max(left, left + (right - left) * share));
}

/** Index of the first of `count` ascending values that is >= wanted; their number when there is none. */
function firstAtLeast(ascending: (index: number) => number, count: number, wanted: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending(middle) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

function weightedDeviation(errors: Float64Array, weights: Float64Array): number {
  let total = 0;
  let mean = 0;
  let squares = 0;
  for (let index = 0; index < errors.length; index++) {
    const error = errors[index] ?? 0;
    const weight = weights[index] ?? 0;
    // West's incremental form (1979): no cancellation for large errors that are nearly equal.
    total += weight;
    const before = error - mean;
    mean += (before * weight) / total;
    squares += weight * before * (error - mean);
  }
  return total === 0 ? 0 : Math.sqrt(Math.max(0, squares / total));
}

/**
 * Quantile of the standard normal distribution, to 1.15e-9 relative.
 * Source: P. J. Acklam, "An algorithm for computing the inverse normal cumulative distribution function", 2003.
 * @param level in (0, 1)
 */
export function normalQuantile(level: number): number {
  const tail = 0.02425;
  if (level < tail) return normalTail(Math.sqrt(-2 * Math.log(level)));
  if (level > 1 - tail) return -normalTail(Math.sqrt(-2 * Math.log(1 - level)));
  const q = level - 0.5;
  const r = q * q;
  return (
    ((((((-3.969683028665376e1 * r + 2.209460984245205e2) * r - 2.759285104469687e2) * r + 1.38357751867269e2) * r -
      3.066479806614716e1) *
      r +
      2.506628277459239) *
      q) /
    (((((-5.447609879822406e1 * r + 1.615858368580409e2) * r - 1.556989798598866e2) * r + 6.680131188771972e1) * r -
      1.328068155288572e1) *
      r +
      1)
  );
}

function normalTail(q: number): number {
  return (
    (((((-7.784894002430293e-3 * q - 3.223964580411365e-1) * q - 2.400758277161838) * q - 2.549732539343734) * q +
      4.374664141464968) *
      q +
      2.938163982698783) /
    ((((7.784695709041462e-3 * q + 3.224671290700398e-1) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1)
  );
}
