/**
 * Seasonal naive with level correction and conformal quantiles: the shape of the last seasons, moved to the recent
 * level as far as such deviations have lasted before, with error quantiles measured on rolling origins.
 *
 * Not for: choosing among model families; this is one model, and the yardstick for those to come.
 *
 * Invariants
 * 1. Quantile rows never cross, hold no NaN and are >= 0.
 * 2. Pure: the same series and options give the same numbers.
 * 3. `residualCycles` ends at the series' last value, so the cycles of series that end together are of the same days.
 */
import type { QuantileForecast, Series } from "../../sdk/model";
import type { BucketFit } from "./horizon-errors";
import { backtestLoss, createBuckets, fitBuckets } from "./horizon-errors";
import { errorQuantile, normalQuantile } from "./conformal";
import type { FittedModel, Model } from "./model";
import type { PreparedSeries } from "./prepare";
import { prepareSeries } from "./prepare";
import type { SeasonalProfile, Shape } from "./seasonal-shape";
import { createProfile } from "./seasonal-shape";

/** Options of {@link seasonalNaive}. */
export interface SeasonalNaiveOptions {
  /**
   * Season's length in ms. @default a day or a week, whichever forecasts the series' second half better; none when
   * there are less than two days of data
   */
  readonly seasonMs?: number;
  /** Longest horizon for which errors are measured, in seasons; beyond it they grow. @default 4 */
  readonly testedSeasons?: number;
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
/**
 * A season must beat a plain mean by this factor: among many shapes judged on a few days one fits noise by luck, and
 * a copied season costs more where there is none than a mean costs where there is one.
 */
const SEASON_PENALTY = 1.08;
/** Errors beyond the longest tested horizon grow with its square root, but not without end: loads are bounded. */
const LARGEST_GROWTH = 3;
/** Spread assumed where there are too few values to measure one, as a share of the level. */
const ASSUMED_DEVIATION = 0.5;

/**
 * Creates the model.
 *
 * The forecast for h steps ahead of origin t is `shape(t + h) + persistence(h) * level(t)`: `shape` is the mean of the
 * last K seasons at that position, `level` the exponentially smoothed deviation from it, `persistence` a ridge
 * regression over past origins. Its quantiles add the conformal quantiles of the errors at such horizons (sources in
 * conformal.ts). The median error is part of them, so the 0.5 row is the median, not the mean.
 */
export function seasonalNaive(options: SeasonalNaiveOptions = {}): Model {
  return { name: "seasonal-naive", fit: (series) => fit(series, options) };
}

/** A fitted state: everything that `predict` reads. */
interface Fitted {
  readonly series: Series;
  readonly prepared: PreparedSeries;
  readonly profile: SeasonalProfile;
  /** By centre, ascending; empty when the series is too short to measure an error. */
  readonly fits: readonly BucketFit[];
  readonly longestTested: number;
}

function fit(series: Series, options: SeasonalNaiveOptions): FittedModel {
  const daySteps = wholeSteps(options.seasonMs ?? DAY_MS, series.stepMs);
  const prepared = prepareSeries(series, daySteps);
  const shape = selectShape(prepared, candidateShapes(prepared.values.length, series.stepMs, options));
  const profile = createProfile(prepared.values, shape);
  const fits = fitBuckets(
    { ...prepared, profile, firstTarget: 0 },
    createBuckets(longestHorizon(prepared.values.length, shape, options.testedSeasons ?? 4), shape.seasonSteps),
  );
  const longestTested = fits.at(-1)?.bucket.horizons.at(-1) ?? 1;
  const fitted: Fitted = { series, prepared, profile, fits, longestTested };
  const notes = [...prepared.notes, describeShape(fitted)];
  return {
    name: "seasonal-naive",
    notes,
    warnings: prepared.warnings,
    predict: (horizon, levels, skip = 0) => predict(fitted, notes, horizon, levels, skip),
    residualCycles: residualCycles(fitted, cycleSteps(prepared.values.length, daySteps)),
  };
}

/** Steps of a season; 0 when it is not at least two whole steps long. */
function wholeSteps(seasonMs: number, stepMs: number): number {
  const steps = seasonMs / stepMs;
  return Number.isInteger(steps) && steps >= 2 ? steps : 0;
}

/** Every shape that leaves enough data to judge it; at least one. */
function candidateShapes(count: number, stepMs: number, options: SeasonalNaiveOptions): readonly Shape[] {
  const seasonal = (seasonMs: number, averaged: readonly number[]): Shape[] => {
    const seasonSteps = wholeSteps(seasonMs, stepMs);
    return seasonSteps === 0 ? [] : averaged.map((seasons) => ({ seasonSteps, seasons }));
  };
  const shapes =
    options.seasonMs === undefined
      ? [...seasonal(DAY_MS, DAYS_AVERAGED), ...seasonal(WEEK_MS, WEEKS_AVERAGED)]
      : seasonal(options.seasonMs, DAYS_AVERAGED);
  const fitting = shapes.filter((shape) => shape.seasonSteps * shape.seasons <= count * WARM_UP_SHARE);
  const means = MEAN_SHARES.map((share) => ({ seasonSteps: 1, seasons: Math.max(1, Math.floor(count * share)) }));
  return [...fitting, ...means];
}

/** The shape with the least loss over the same targets, averaged over the buckets of one day. */
function selectShape(prepared: PreparedSeries, shapes: readonly Shape[]): Shape {
  const { values } = prepared;
  const firstTarget = Math.max(...shapes.map((shape) => shape.seasonSteps * shape.seasons)) + 1;
  const longest = Math.max(1, Math.min(Math.floor(values.length / 4), Math.max(...shapes.map((s) => s.seasonSteps))));
  const buckets = createBuckets(longest, longest);
  let best: { shape: Shape; loss: number } | undefined;
  for (const shape of shapes) {
    const mean = backtestLoss({ ...prepared, profile: createProfile(values, shape), firstTarget }, buckets);
    const loss = shape.seasonSteps > 1 ? mean * SEASON_PENALTY : mean;
    if (best === undefined || loss < best.loss) best = { shape, loss };
  }
  return best?.shape ?? { seasonSteps: 1, seasons: 1 };
}

/** The longest horizon whose errors can be measured on at least a quarter of the data. */
function longestHorizon(count: number, shape: Shape, testedSeasons: number): number {
  const usable = count - shape.seasonSteps * shape.seasons;
  const wanted = shape.seasonSteps > 1 ? shape.seasonSteps * testedSeasons : usable;
  return Math.max(1, Math.min(wanted, Math.floor(usable / 2)));
}

/** Days where there are at least two of them, else thirds of the series. */
function cycleSteps(count: number, daySteps: number): number {
  return daySteps > 0 && count >= 2 * daySteps ? daySteps : Math.max(1, Math.floor(count / 3));
}

function describeShape({ series, profile: { shape }, fits }: Fitted): string {
  const { seasonSteps, seasons } = shape;
  if (fits.length === 0) return "too few values to measure errors: the spread is assumed, not measured";
  if (seasonSteps === 1) return `no season was found: the level of the last ${String(seasons)} values`;
  const seasonMs = seasonSteps * series.stepMs;
  const name = seasonMs === DAY_MS ? "day" : seasonMs === WEEK_MS ? "week" : `${String(seasonSteps)} steps`;
  return seasons === 1 ? `season: the last ${name}` : `season: mean of the last ${String(seasons)} ${name}s`;
}

function predict(
  fitted: Fitted,
  notes: readonly string[],
  horizon: number,
  levels: readonly number[],
  skip: number,
): QuantileForecast {
  const { series, prepared } = fitted;
  const rows = levels.map(() => new Array<number>(horizon - skip).fill(0));
  const quantiles = fitted.fits.map((bucketFit) => levels.map((level) => errorQuantile(bucketFit.errors, level)));
  for (let step = skip; step < horizon; step++) {
    const { point, spread } = predictStep(fitted, quantiles, levels, step + 1 + prepared.missingAtEnd);
    let lower = 0;
    rows.forEach((row, l) => {
      lower = Math.max(lower, point + (spread[l] ?? 0));
      row[step - skip] = lower;
    });
  }
  const startMs = series.startMs + (series.values.length + skip) * series.stepMs;
  return { id: series.id, startMs, stepMs: series.stepMs, levels, rows, model: "seasonal-naive", notes };
}

/** Point forecast before the median error, and what each level adds to it. */
function predictStep(
  fitted: Fitted,
  quantiles: readonly (readonly number[])[],
  levels: readonly number[],
  horizon: number,
): { point: number; spread: readonly number[] } {
  const { prepared, profile, fits, longestTested } = fitted;
  const last = prepared.values.length - 1;
  if (fits.length === 0) {
    const point = prepared.values[last] ?? 0;
    return { point, spread: levels.map((level) => normalQuantile(level) * ASSUMED_DEVIATION * point) };
  }
  const { left, right, share } = locate(fits, horizon);
  const mix = (a: number, b: number): number => a + (b - a) * share;
  const point =
    profile.shapeAt(last + horizon, horizon) + mix(correction(fitted, left, last), correction(fitted, right, last));
  const growth = Math.min(LARGEST_GROWTH, Math.sqrt(Math.max(1, horizon / longestTested)));
  const spread = levels.map((_, l) => mix(quantiles[left]?.[l] ?? 0, quantiles[right]?.[l] ?? 0) * growth);
  return { point, spread };
}

/** What the level at `origin` adds to the shape, in the bucket's horizon. */
function correction({ profile, fits }: Fitted, index: number, origin: number): number {
  const bucketFit = fits[index];
  return bucketFit === undefined ? 0 : bucketFit.persistence * (profile.levels[bucketFit.alpha]?.[origin] ?? 0);
}

/** The two buckets whose centres lie around a horizon, and how far it is from left to right on a log scale. */
function locate(fits: readonly BucketFit[], horizon: number): { left: number; right: number; share: number } {
  const after = fits.findIndex((bucketFit) => bucketFit.bucket.centre >= horizon);
  if (after === 0) return { left: 0, right: 0, share: 0 };
  if (after < 0) return { left: fits.length - 1, right: fits.length - 1, share: 0 };
  const [from, to] = [fits[after - 1]?.bucket.centre ?? 1, fits[after]?.bucket.centre ?? 1];
  return { left: after - 1, right: after, share: Math.log(horizon / from) / Math.log(to / from) };
}

/** Errors of forecasts made at the beginning of each past cycle, around the median forecast, oldest first. */
function residualCycles(fitted: Fitted, steps: number): readonly (readonly number[])[] {
  const { prepared, profile, fits } = fitted;
  const medians = fits.map((bucketFit) => [errorQuantile(bucketFit.errors, 0.5)]);
  const cycles: number[][] = [];
  if (fits.length === 0) return cycles;
  for (let origin = prepared.values.length - 1 - steps; origin >= profile.warmUp; origin -= steps) {
    cycles.push(
      Array.from({ length: steps }, (_, i) => {
        const horizon = i + 1;
        const { left, right, share } = locate(fits, horizon);
        const added = (index: number): number => correction(fitted, index, origin) + (medians[index]?.[0] ?? 0);
        const median = profile.shapeAt(origin + horizon, horizon) + added(left) + (added(right) - added(left)) * share;
        return (prepared.values[origin + horizon] ?? 0) - Math.max(0, median);
      }),
    );
  }
  return cycles.reverse();
}
