/**
 * Rolling-origin errors of a profile, bucket by bucket of the horizon: how much of today's deviation is still there
 * after h steps, and how wrong the forecast is then.
 *
 * Not for: choosing between shapes and rendering quantiles (seasonal-naive.ts).
 *
 * Invariant: an origin sees only what came before it (no peeking), and filled gaps are neither origin nor target.
 *
 * Source: evaluation on a rolling forecasting origin, Hyndman and Athanasopoulos, "Forecasting: Principles and
 * Practice", 3rd ed., section 5.10.
 */
import type { ErrorDistribution } from "./conformal";
import { createErrorDistribution } from "./conformal";
import { halvingWeights, strideOffCalendar } from "./running";
import type { SeasonalProfile } from "./seasonal-shape";

/** Horizons that share one correction and one error distribution. */
export interface Bucket {
  /** Horizons tried, ascending. */
  readonly horizons: readonly number[];
  /** Geometric middle; between two centres everything is interpolated. */
  readonly centre: number;
}

/** What rolling origins taught about one bucket. */
export interface BucketFit {
  readonly bucket: Bucket;
  /** Index into LEVEL_ALPHAS of the level that predicts best. */
  readonly alpha: number;
  /** Share of that level which is left after the bucket's horizon, 0..1. */
  readonly persistence: number;
  readonly errors: ErrorDistribution;
  readonly count: number;
}

/** The data that errors are taken from. */
export interface BacktestInput {
  readonly values: Float64Array;
  readonly measured: Uint8Array;
  readonly profile: SeasonalProfile;
  /** Targets before this index are left out, so that shapes with other warm-ups compare on the same ones. */
  readonly firstTarget: number;
}

/** Horizons tried within a bucket. */
const HORIZONS_PER_BUCKET = 4;
/** Origins tried per horizon when shapes are compared: a mean needs fewer errors than a quantile. */
const ORIGINS_TO_COMPARE = 60;
/** Origins tried per horizon: about 1000 errors a bucket tell the 99 % quantile, and a fit stays at a few ms. */
export const ORIGINS_PER_HORIZON = 250;
/** Fewer errors than this say nothing about a quantile: the bucket is left out and its neighbour widened. */
const FEWEST_ERRORS = 5;
/** Weight of the prior "half of the deviation stays", in pairs; matters for short series only. */
const PRIOR_PAIRS = 6;
const PRIOR_PERSISTENCE = 0.5;
/** An error this share of the series ago counts half: behaviour changes, and calibration follows. */
const HALF_LIFE_SHARE = 0.5;

/** Buckets 1, 2, 3-4, 5-8, ... with a border at every season times a power of two, up to `longest`. */
export function createBuckets(longest: number, seasonSteps: number): readonly Bucket[] {
  const edges = new Set<number>();
  for (let edge = 1; edge < Math.min(longest, Math.max(seasonSteps, 2)); edge *= 2) edges.add(edge);
  for (let edge = Math.max(seasonSteps, 1); edge < longest; edge *= 2) edges.add(edge);
  edges.add(longest);
  const sorted = [...edges].sort((a, b) => a - b);
  return sorted.map((edge, index) => {
    const from = (sorted[index - 1] ?? 0) + 1;
    const count = Math.min(HORIZONS_PER_BUCKET, edge - from + 1);
    const horizons = Array.from({ length: count }, (_, i) =>
      Math.round(from + ((i + 0.5) * (edge - from + 1)) / count - 0.5),
    );
    return { horizons, centre: Math.sqrt((horizons[0] ?? edge) * (horizons.at(-1) ?? edge)) };
  });
}

/** Fits every bucket that has enough errors; the rest is left out. */
export function fitBuckets(
  input: BacktestInput,
  buckets: readonly Bucket[],
  originsPerHorizon: number,
): readonly BucketFit[] {
  const count = input.values.length;
  const fading = halvingWeights(count, count * HALF_LIFE_SHARE);
  return buckets.flatMap((bucket) => {
    const pairs = collectPairs(input, bucket, originsPerHorizon);
    if (pairs.count < FEWEST_ERRORS) return [];
    const { alpha, persistence, errors } = fitLevel(pairs, input.profile);
    const weights = new Float64Array(pairs.count);
    for (let i = 0; i < weights.length; i++) weights[i] = fading[pairs.targets[i] as number] as number;
    const independent = countIndependent(pairs, bucket);
    const distribution = createErrorDistribution(errors, weights, independent);
    return [{ bucket, alpha, persistence, errors: distribution, count: pairs.count }];
  });
}

/** Mean absolute error around the median error, averaged over the buckets; infinite without enough errors. */
export function backtestLoss(input: BacktestInput, buckets: readonly Bucket[]): number {
  let sum = 0;
  let fitted = 0;
  for (const bucket of buckets) {
    const pairs = collectPairs(input, bucket, ORIGINS_TO_COMPARE);
    if (pairs.count < FEWEST_ERRORS) continue;
    const sorted = fitLevel(pairs, input.profile).errors.sort();
    const median = sorted[sorted.length >> 1] ?? 0;
    sum += sorted.reduce((total, error) => total + Math.abs(error - median), 0) / sorted.length;
    fitted++;
  }
  return fitted === 0 ? Number.POSITIVE_INFINITY : sum / fitted;
}

/** Forecasts over h steps made less than h steps apart share most of what surprised them: they count as one. */
function countIndependent({ targets, count }: Pairs, { centre }: Bucket): number {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (const target of targets) {
    first = Math.min(first, target);
    last = Math.max(last, target);
  }
  return Math.max(1, Math.min(count, (last - first) / centre));
}

/** Origins and targets of one bucket, as columns. */
interface Pairs {
  readonly count: number;
  readonly origins: Int32Array;
  readonly targets: Int32Array;
  /** Target's value minus its shape: what a perfect level correction would be. */
  readonly offsets: Float64Array;
}

/** The level that leaves the least squared error, how much of it stays, and the errors left. */
function fitLevel(
  { origins, offsets }: Pairs,
  profile: SeasonalProfile,
): { alpha: number; persistence: number; errors: Float64Array } {
  let best = { alpha: 0, persistence: 0, squares: Number.POSITIVE_INFINITY };
  profile.levels.forEach((level, alpha) => {
    const candidate = fitPersistence(origins, offsets, level);
    if (candidate.squares < best.squares) best = { alpha, ...candidate };
  });
  const level = profile.levels[best.alpha] ?? new Float64Array();
  const errors = new Float64Array(offsets.length);
  for (let i = 0; i < errors.length; i++) {
    errors[i] = (offsets[i] as number) - best.persistence * (level[origins[i] as number] ?? 0);
  }
  return { alpha: best.alpha, persistence: best.persistence, errors };
}

function collectPairs(input: BacktestInput, bucket: Bucket, originsPerHorizon: number): Pairs {
  const { values, measured, profile, firstTarget } = input;
  const most = bucket.horizons.length * (originsPerHorizon + 1);
  const origins = new Int32Array(most);
  const targets = new Int32Array(most);
  const offsets = new Float64Array(most);
  let count = 0;
  for (const horizon of bucket.horizons) {
    const first = Math.max(profile.warmUp, firstTarget - horizon);
    const last = values.length - 1 - horizon;
    const stride = strideOffCalendar((last - first) / originsPerHorizon);
    for (let origin = last; origin >= first; origin -= stride) {
      const target = origin + horizon;
      if (measured[origin] === 0 || measured[target] === 0) continue;
      origins[count] = origin;
      targets[count] = target;
      offsets[count] = (values[target] ?? 0) - profile.shapeAt(target, horizon);
      count++;
    }
  }
  const column = <Column extends Int32Array | Float64Array>(whole: Column): Column =>
    whole.subarray(0, count) as Column;
  return { count, origins: column(origins), targets: column(targets), offsets: column(offsets) };
}

/** Ridge regression through the origin of target offsets on origin levels, drawn to the prior, kept in 0..1. */
function fitPersistence(
  origins: Int32Array,
  offsets: Float64Array,
  level: Float64Array,
): { persistence: number; squares: number } {
  let xx = 0;
  let xy = 0;
  let yy = 0;
  for (let i = 0; i < origins.length; i++) {
    const x = level[origins[i] as number] as number;
    const y = offsets[i] as number;
    xx += x * x;
    xy += x * y;
    yy += y * y;
  }
  if (xx === 0) return { persistence: 0, squares: yy };
  const ridge = (xx / origins.length) * PRIOR_PAIRS;
  const persistence = Math.min(1, Math.max(0, (xy + ridge * PRIOR_PERSISTENCE) / (xx + ridge)));
  return { persistence, squares: yy - 2 * persistence * xy + persistence * persistence * xx };
}
