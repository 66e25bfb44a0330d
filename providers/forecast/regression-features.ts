/**
 * What a direct regression knows at an origin: the series at several speeds, and the same time of day and of week in
 * the past, all as distances from the present level in present spreads.
 *
 * Invariant: the features of an origin read no value after it.
 */
import { createLocalScale } from "./local-scale";
import { cumulativeSums, exponentialMean, meanBetween, stridedSums } from "./running";

/** Features of one series. */
export interface RegressionFeatures {
  readonly size: number;
  /** First origin with enough values before it. */
  readonly warmUp: number;
  /** Coefficients before anything is known: the mean of the last days at that time speaks. */
  readonly prior: Float64Array;
  readonly level: (origin: number) => number;
  readonly spread: (origin: number) => number;
  /** Writes the features of a forecast from `origin` over `horizon` steps. */
  fill(x: Float64Array, origin: number, horizon: number): void;
}

/** Speeds of the levels, as parts of a season. */
const FAST_PARTS = [96, 24, 12, 4] as const;
const SLOW_SEASONS = 4;
/** Seasons averaged at most, and the share of the series they may take. */
const MOST_SEASONS = 7;
const MOST_SHARE = 0.3;
/** A season is used when the series holds so many of it. */
const FEWEST_SEASONS = 2.2;
/** How far around the same time the smoothed shape reaches, as a part of the season. */
const REACH_PART = 48;
const SMOOTHED_SEASONS = 3;
const PRIOR_SHAPE = 0.6;

/**
 * Features per season: the last one, the mean of several, the mean of three smoothed over time; and how far the origin is
 * off from several and from the last one.
 */
const PER_SEASON = 5;

interface Phase {
  readonly length: number;
  readonly seasons: number;
  readonly reach: number;
  readonly sums: Float64Array;
  readonly smoothed: Float64Array;
}

/** @param largest features of more spreads than this count as such */
export function createFeatures(
  values: Float64Array,
  seasons: readonly number[],
  unitSteps: number,
  largest: number,
): RegressionFeatures {
  const count = values.length;
  const sums = cumulativeSums(values);
  const { level, spread } = createLocalScale(values, unitSteps);
  const spans = [...new Set(FAST_PARTS.map((part) => Math.max(2, Math.round(unitSteps / part))))];
  const fast = spans.map((span) => exponentialMean(values, span));
  const slow = exponentialMean(values, unitSteps * SLOW_SEASONS);
  const phases = seasons
    .filter((length) => length * FEWEST_SEASONS <= count)
    .map((length) => createPhase(values, sums, length));
  const levels = 4 + fast.length;
  const prior = new Float64Array(levels + phases.length * PER_SEASON);
  if (phases.length > 0) prior[levels + 1] = PRIOR_SHAPE;
  const warmUp = Math.max(2 * unitSteps, ...phases.map(({ length, seasons: many }) => length * Math.min(many, 2)));
  return {
    size: prior.length,
    warmUp: Math.min(warmUp, Math.floor(count / 2)),
    prior,
    level,
    spread,
    fill: (x, origin, horizon) => {
      const base = level(origin);
      const unit = spread(origin);
      let k = 0;
      const put = (value: number): void => {
        x[k++] = Math.max(-largest, Math.min(largest, (value - base) / unit));
      };
      put(meanBetween(sums, 0, origin));
      put(values[origin] ?? 0);
      for (const means of fast) put(means[origin] ?? 0);
      put(slow[origin] ?? 0);
      put(meanBetween(sums, origin - 2 * unitSteps + 1, origin - unitSteps));
      for (const phase of phases) {
        const index = origin + horizon - Math.ceil(horizon / phase.length) * phase.length;
        const whole = index + phase.reach > origin ? index - phase.length : index;
        put(values[Math.max(0, index)] ?? 0);
        put(meanOfSeasons(phase.sums, index, phase.length, phase.seasons));
        put(meanOfSeasons(phase.smoothed, whole, phase.length, SMOOTHED_SEASONS));
        const before = origin - phase.length;
        put(base + (fast[0]?.[origin] ?? 0) - meanOfSeasons(phase.smoothed, before, phase.length, phase.seasons));
        put(base + (values[origin] ?? 0) - (values[Math.max(0, before)] ?? 0));
      }
    },
  };
}

function createPhase(values: Float64Array, sums: Float64Array, length: number): Phase {
  const reach = Math.max(1, Math.round(length / REACH_PART));
  const last = values.length - 1;
  const around = values.map((_, i) => meanBetween(sums, i - reach, Math.min(last, i + reach)));
  return {
    length,
    reach,
    seasons: Math.max(1, Math.min(MOST_SEASONS, Math.floor((values.length * MOST_SHARE) / length))),
    sums: stridedSums(values, length),
    smoothed: stridedSums(around, length),
  };
}

/** Mean of the values at `index` and the same time in the seasons before it, as far as there are any. */
function meanOfSeasons(sums: Float64Array, index: number, length: number, seasons: number): number {
  if (index < 0) return meanOfSeasons(sums, index + length, length, 1);
  const many = Math.min(seasons, Math.floor(index / length) + 1);
  const before = index - many * length;
  return ((sums[index] ?? 0) - (before >= 0 ? (sums[before] ?? 0) : 0)) / many;
}
