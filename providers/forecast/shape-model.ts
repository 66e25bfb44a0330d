/**
 * A seasonal shape moved to the recent level, with conformal error quantiles, fitted for one shape: forecasts from any
 * origin of the series, so that it can be judged beside others.
 *
 * Not for: choosing the shape (seasonal-naive.ts, ensemble.ts).
 *
 * Invariant: a forecast from an origin reads no value after it; the errors' distribution and the persistence are those
 * of the whole series.
 */
import { formatDurationShort } from "../../sdk/model";
import { errorQuantile, normalQuantile } from "./conformal";
import type { BucketFit } from "./horizon-errors";
import { createBuckets, fitBuckets } from "./horizon-errors";
import type { PreparedSeries } from "./prepare";
import type { SeasonalProfile, Shape } from "./seasonal-shape";
import { createProfile } from "./seasonal-shape";

/**
 * Quantiles of the value `horizon` steps after `origin`, one for each level; they may be below 0. Read at once: the next
 * call may write its own into the same array, for a fit makes ten thousand calls.
 */
export type QuantilesAt = (origin: number, horizon: number) => ArrayLike<number>;

/** A fitted shape. */
export interface ShapeModel {
  readonly shape: Shape;
  /** False: too few values to measure errors, the spread is assumed. */
  readonly isMeasured: boolean;
  /** @param levels in (0, 1), ascending */
  at(levels: readonly number[]): QuantilesAt;
  /** Errors of forecasts made at the beginning of each past cycle of `steps`, around the median, oldest first. */
  residualCycles(steps: number): readonly (readonly number[])[];
}

const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;
/** Numbers of seasons whose mean is tried as the shape: one follows changes, several are calmer. */
const DAYS_AVERAGED = [1, 2, 4, 7] as const;
const WEEKS_AVERAGED = [1, 2, 3] as const;
/** Shares of the series over which a plain mean is tried as the shape. */
const MEAN_SHARES = [0.1, 0.3] as const;
/** Half of the data is kept to judge a shape on. */
const WARM_UP_SHARE = 0.5;
/** Errors beyond the longest tested horizon grow with its square root, but not without end: loads are bounded. */
const LARGEST_GROWTH = 3;
/** Spread assumed where there are too few values to measure one, as a share of the level. */
const ASSUMED_DEVIATION = 0.5;

/** Every shape that leaves enough data to judge it; at least one. @param seasonMs the only season; absent: day and week */
export function candidateShapes(count: number, stepMs: number, seasonMs?: number): readonly Shape[] {
  const seasonal = (lengthMs: number, averaged: readonly number[]): Shape[] => {
    const seasonSteps = wholeSteps(lengthMs, stepMs);
    return seasonSteps === 0 ? [] : averaged.map((seasons) => ({ seasonSteps, seasons }));
  };
  const shapes =
    seasonMs === undefined
      ? [...seasonal(DAY_MS, DAYS_AVERAGED), ...seasonal(WEEK_MS, WEEKS_AVERAGED)]
      : seasonal(seasonMs, DAYS_AVERAGED);
  const fitting = shapes.filter((shape) => shape.seasonSteps * shape.seasons <= count * WARM_UP_SHARE);
  const means = MEAN_SHARES.map((share) => ({ seasonSteps: 1, seasons: Math.max(1, Math.floor(count * share)) }));
  return [...fitting, ...means];
}

/** Steps of a season; 0 when it is not at least two whole steps long. */
export function wholeSteps(seasonMs: number, stepMs: number): number {
  const steps = seasonMs / stepMs;
  return Number.isInteger(steps) && steps >= 2 ? steps : 0;
}

/** Days where there are at least two of them, else thirds of the series: cycles of residuals. */
export function cycleSteps(count: number, daySteps: number): number {
  return daySteps > 0 && count >= 2 * daySteps ? daySteps : Math.max(1, Math.floor(count / 3));
}

/** A shape in words. */
export function describeShape({ seasonSteps, seasons }: Shape, stepMs: number): string {
  if (seasonSteps === 1) return `the level of the last ${String(seasons)} values`;
  const seasonMs = seasonSteps * stepMs;
  const name = seasonMs === DAY_MS ? "day" : seasonMs === WEEK_MS ? "week" : undefined;
  if (name === undefined) {
    const length = formatDurationShort(seasonMs);
    return seasons === 1 ? `the last ${length}` : `mean of the last ${String(seasons)} times ${length}`;
  }
  return seasons === 1 ? `the last ${name}` : `mean of the last ${String(seasons)} ${name}s`;
}

/**
 * @param testedSeasons longest horizon for which errors are measured, in seasons
 * @param originsPerHorizon past origins whose errors are measured; a quarter less or more changes little but the work
 */
export function fitShape(
  prepared: PreparedSeries,
  shape: Shape,
  testedSeasons: number,
  originsPerHorizon: number,
): ShapeModel {
  const profile = createProfile(prepared.values, shape);
  const longest = longestHorizon(prepared.values.length, shape, testedSeasons);
  const fits = fitBuckets(
    { ...prepared, profile, firstTarget: 0 },
    createBuckets(longest, shape.seasonSteps),
    originsPerHorizon,
  );
  const fitted: Fitted = {
    values: prepared.values,
    profile,
    fits,
    longestTested: fits.at(-1)?.bucket.horizons.at(-1) ?? 1,
  };
  return {
    shape,
    isMeasured: fits.length > 0,
    at: (levels) => {
      const spreads = fits.map(({ errors }) => Float64Array.from(levels, (level) => errorQuantile(errors, level)));
      const placeOf = onceEach((horizon) => locate(fits, horizon));
      const quantiles = new Float64Array(levels.length);
      return (origin, horizon) => {
        predictStep(quantiles, fitted, spreads, levels, origin, horizon, placeOf);
        return quantiles;
      };
    },
    residualCycles: (steps) => residualCycles(fitted, steps),
  };
}

/** A fitted state: everything that a forecast reads. */
interface Fitted {
  readonly values: Float64Array;
  readonly profile: SeasonalProfile;
  /** By centre, ascending; empty when the series is too short to measure an error. */
  readonly fits: readonly BucketFit[];
  readonly longestTested: number;
}

/** The longest horizon whose errors can be measured on at least a quarter of the data. */
function longestHorizon(count: number, shape: Shape, testedSeasons: number): number {
  const usable = count - shape.seasonSteps * shape.seasons;
  const wanted = shape.seasonSteps > 1 ? shape.seasonSteps * testedSeasons : usable;
  return Math.max(1, Math.min(wanted, Math.floor(usable / 2)));
}

function predictStep(
  quantiles: Float64Array,
  fitted: Fitted,
  spreads: readonly Float64Array[],
  levels: readonly number[],
  origin: number,
  horizon: number,
  placeOf: (horizon: number) => Place,
): void {
  const { values, profile, fits, longestTested } = fitted;
  if (fits.length === 0) {
    const point = values[origin] ?? 0;
    for (let l = 0; l < quantiles.length; l++) {
      quantiles[l] = point + normalQuantile(levels[l] ?? 0.5) * ASSUMED_DEVIATION * point;
    }
    return;
  }
  const { left, right, share } = placeOf(horizon);
  const mix = (a: number, b: number): number => a + (b - a) * share;
  const point =
    profile.shapeAt(origin + horizon, horizon) +
    mix(correction(fitted, left, origin), correction(fitted, right, origin));
  const growth = Math.min(LARGEST_GROWTH, Math.sqrt(Math.max(1, horizon / longestTested)));
  const [low, high] = [spreads[left], spreads[right]];
  for (let l = 0; l < quantiles.length; l++) quantiles[l] = point + mix(low?.[l] ?? 0, high?.[l] ?? 0) * growth;
}

/** What the level at `origin` adds to the shape, in the bucket's horizon. */
function correction({ profile, fits }: Fitted, index: number, origin: number): number {
  const bucketFit = fits[index];
  return bucketFit === undefined ? 0 : bucketFit.persistence * (profile.levels[bucketFit.alpha]?.[origin] ?? 0);
}

/** The two buckets whose centres lie around a horizon, and how far it is from left to right on a log scale. */
export interface Place {
  readonly left: number;
  readonly right: number;
  readonly share: number;
}

/** Finds what only depends on the horizon once for many origins in a row: backtests ask for one horizon after the other. */
export function onceEach<Found>(find: (horizon: number) => Found): (horizon: number) => Found {
  let known = { horizon: Number.NaN, found: undefined as Found };
  return (horizon) => {
    if (known.horizon !== horizon) known = { horizon, found: find(horizon) };
    return known.found;
  };
}

function locate(fits: readonly BucketFit[], horizon: number): Place {
  const after = fits.findIndex((bucketFit) => bucketFit.bucket.centre >= horizon);
  if (after === 0) return { left: 0, right: 0, share: 0 };
  if (after < 0) return { left: fits.length - 1, right: fits.length - 1, share: 0 };
  const [from, to] = [fits[after - 1]?.bucket.centre ?? 1, fits[after]?.bucket.centre ?? 1];
  return { left: after - 1, right: after, share: Math.log(horizon / from) / Math.log(to / from) };
}

function residualCycles(fitted: Fitted, steps: number): readonly (readonly number[])[] {
  const { values, profile, fits } = fitted;
  const medians = fits.map(({ errors }) => errorQuantile(errors, 0.5));
  const cycles: number[][] = [];
  if (fits.length === 0) return cycles;
  for (let origin = values.length - 1 - steps; origin >= profile.warmUp; origin -= steps) {
    cycles.push(
      Array.from({ length: steps }, (_, i) => {
        const horizon = i + 1;
        const { left, right, share } = locate(fits, horizon);
        const added = (index: number): number => correction(fitted, index, origin) + (medians[index] ?? 0);
        const median = profile.shapeAt(origin + horizon, horizon) + added(left) + (added(right) - added(left)) * share;
        return (values[origin + horizon] ?? 0) - Math.max(0, median);
      }),
    );
  }
  return cycles.reverse();
}
