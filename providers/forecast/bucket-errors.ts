/**
 * Conformal quantiles around point forecasts, bucket by bucket of the horizon: the errors that the same procedure made
 * from past origins, in units of the spread at each origin.
 *
 * Not for: making point forecasts.
 *
 * Invariant: filled gaps are neither origin nor target.
 *
 * Sources: see conformal.ts; errors divided by a local spread, Lei et al., JASA 113, 2018, section 5.2.
 */
import type { ErrorDistribution } from "./conformal";
import { createErrorDistribution, errorQuantile } from "./conformal";
import type { Bucket } from "./horizon-errors";
import { halvingWeights, strideOffCalendar } from "./running";
import { onceEach, type Place, type QuantilesAt } from "./shape-model";

/** Origins and targets of past forecasts, as columns. */
export interface Pairs {
  readonly count: number;
  readonly origins: Int32Array;
  readonly targets: Int32Array;
}

/** Errors of one bucket. */
export interface BucketErrors {
  readonly bucket: Bucket;
  readonly errors: ErrorDistribution;
}

/** Value `horizon` steps after `origin`. */
export type PointAt = (origin: number, horizon: number) => number;

/** What {@link measureErrors} judges. */
export interface MeasuredForecast {
  readonly point: PointAt;
  readonly spread: (origin: number) => number;
  readonly buckets: readonly Bucket[];
  /** First origin that is judged. */
  readonly firstOrigin: number;
}

/** Origins per horizon: with four horizons a bucket about 500 errors tell the 99 % quantile. */
export const ORIGINS_PER_HORIZON = 120;
/** An error this share of the series ago counts half. */
const HALF_LIFE_SHARE = 0.5;
/** Errors of more spreads than this count as such: one burst out of an idle hour is no measure of the next. */
const LARGEST_ERROR = 20;
const FEWEST_ERRORS = 8;
/** Errors beyond the longest tested horizon grow with its square root, but not without end: loads are bounded. */
const LARGEST_GROWTH = 3;

/** Pairs of a bucket, horizon by horizon, newest first. @param perHorizon origins of each, about */
export function collectPairs(
  measured: Uint8Array,
  { horizons }: Bucket,
  firstOrigin: number,
  perHorizon: number = ORIGINS_PER_HORIZON,
): Pairs {
  const most = horizons.length * (perHorizon + 1);
  const origins = new Int32Array(most);
  const targets = new Int32Array(most);
  let count = 0;
  for (const horizon of horizons) {
    const last = measured.length - 1 - horizon;
    const stride = strideOffCalendar((last - firstOrigin) / perHorizon);
    for (let origin = last; origin >= firstOrigin; origin -= stride) {
      if (measured[origin] === 0 || measured[origin + horizon] === 0) continue;
      origins[count] = origin;
      targets[count++] = origin + horizon;
    }
  }
  return { count, origins: origins.subarray(0, count), targets: targets.subarray(0, count) };
}

/** Weights of errors by their target: what lies long ago counts less. @param count number of values of the series */
export function fadingWeights(count: number): Float64Array {
  return halvingWeights(count, count * HALF_LIFE_SHARE);
}

/**
 * @param errors one for each pair, in spreads
 * @param fading see fadingWeights
 * @returns undefined when there are too few
 */
export function distributeErrors(
  bucket: Bucket,
  targets: Int32Array,
  errors: Float64Array,
  fading: Float64Array,
): BucketErrors | undefined {
  if (errors.length < FEWEST_ERRORS) return undefined;
  const count = fading.length;
  const bounded = new Float64Array(errors.length);
  const weights = new Float64Array(errors.length);
  let oldest = count;
  for (let i = 0; i < errors.length; i++) {
    const target = targets[i] as number;
    bounded[i] = Math.max(-LARGEST_ERROR, Math.min(LARGEST_ERROR, errors[i] as number));
    weights[i] = fading[target] as number;
    oldest = Math.min(oldest, target);
  }
  const independent = Math.max(1, Math.min(errors.length, (count - oldest) / bucket.centre));
  return { bucket, errors: createErrorDistribution(bounded, weights, independent) };
}

/** Errors of a point forecast from past origins, in spreads, bucket by bucket; those with too few are left out. */
export function measureErrors(
  values: Float64Array,
  measured: Uint8Array,
  { point, spread, buckets, firstOrigin }: MeasuredForecast,
): readonly BucketErrors[] {
  const fading = fadingWeights(values.length);
  return buckets.flatMap((bucket) => {
    const { count, origins, targets } = collectPairs(measured, bucket, firstOrigin);
    const errors = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const [origin, target] = [origins[i] ?? 0, targets[i] ?? 0];
      errors[i] = ((values[target] ?? 0) - point(origin, target - origin)) / spread(origin);
    }
    const distributed = distributeErrors(bucket, targets, errors, fading);
    return distributed ? [distributed] : [];
  });
}

/** Quantiles around a point forecast. @param fitted at least one, by centre; errors are of forecasts by `point` */
export function quantilesAround(
  point: PointAt,
  spread: (origin: number) => number,
  fitted: readonly BucketErrors[],
  levels: readonly number[],
): QuantilesAt {
  const spreads = fitted.map(({ errors }) => Float64Array.from(levels, (level) => errorQuantile(errors, level)));
  const longest = fitted.at(-1)?.bucket.horizons.at(-1) ?? 1;
  const placeOf = onceEach((horizon) => locateBucket(fitted, horizon));
  const quantiles = new Float64Array(levels.length);
  return (origin, horizon) => {
    const { left, right, share } = placeOf(horizon);
    const middle = point(origin, horizon);
    const unit = spread(origin) * Math.min(LARGEST_GROWTH, Math.sqrt(Math.max(1, horizon / longest)));
    const [low, high] = [spreads[left], spreads[right]];
    if (low === undefined || high === undefined) return quantiles.fill(middle);
    for (let l = 0; l < quantiles.length; l++) {
      quantiles[l] = middle + unit * ((low[l] as number) * (1 - share) + (high[l] as number) * share);
    }
    return quantiles;
  };
}

/** The two buckets whose centres lie around a horizon, and how far it is from left to right on a log scale. */
export function locateBucket(fitted: readonly { readonly bucket: Bucket }[], horizon: number): Place {
  const after = fitted.findIndex(({ bucket }) => bucket.centre >= horizon);
  if (after === 0) return { left: 0, right: 0, share: 0 };
  if (after < 0) return { left: fitted.length - 1, right: fitted.length - 1, share: 0 };
  const [from, to] = [fitted[after - 1]?.bucket.centre ?? 1, fitted[after]?.bucket.centre ?? 1];
  return { left: after - 1, right: after, share: Math.log(horizon / from) / Math.log(to / from) };
}
