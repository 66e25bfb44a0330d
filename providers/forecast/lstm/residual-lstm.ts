/**
 * An LSTM on what a seasonal shape leaves: from the last 48 deviations from the shape, the values themselves and the
 * time of day and week to the deviation at each of some horizons, with quantiles of the errors it made on values it
 * was not trained on.
 *
 * Not for: deciding whether it is worth its cost (gate.ts).
 *
 * Invariants
 * 1. It learns from the values before `trainedUntil` alone, and a forecast from an origin reads no value after it.
 * 2. Filled gaps are inputs, never targets.
 * 3. The same series gives the same numbers on every machine.
 *
 * Source: a network on deseasonalised series, Smyl, "A Hybrid Method of Exponential Smoothing and Recurrent Neural
 * Networks for Time Series Forecasting", International Journal of Forecasting 36(1), 2020; one output for each horizon
 * instead of feeding forecasts back, Ben Taieb et al., Expert Systems with Applications 39(8), 2012.
 */
import { createErrorDistribution, errorQuantile, type ErrorDistribution } from "../conformal";
import type { PreparedSeries } from "../prepare";
import { createRandom } from "../random";
import { backtestLoss, createBuckets } from "../horizon-errors";
import { createProfile, type SeasonalProfile, type Shape } from "../seasonal-shape";
import type { QuantilesAt } from "../shape-model";
import { wholeSteps } from "../shape-model";
import { LstmNetwork } from "./network";
import { trainNetwork, type TrainingRecord } from "./train";

/** Moments that a forecast looks back over. */
const WINDOW = 48;
const HIDDEN = 32;
const EPOCHS = 20;
const PATIENCE = 6;
const SEED = 48_32;
const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;
/** Numbers of days whose mean is tried as the shape. */
const DAYS_AVERAGED = [1, 4, 7] as const;
/** Share of the values for training that decides when to stop. */
const HELD_BACK_SHARE = 0.2;
/** Windows learned from in an epoch: of longer series every n-th, so that the work has a bound. */
const MOST_WINDOWS = 800;
const HORIZON_GROWTH = 1.5;
const MOST_HORIZONS = 16;
/** Beyond so many deviations an input is an outlier and says no more. */
const LARGEST_INPUT = 6;
/** Origins whose errors are measured. */
const MOST_ERRORS = 300;
const FEWEST_WINDOWS = 60;

/** What is forecast from: a prepared series and its place in time. */
export interface LstmInput {
  readonly prepared: PreparedSeries;
  readonly startMs: number;
  readonly stepMs: number;
}

/** A trained network, with what it says from each origin after its training. */
export interface ResidualLstm {
  readonly record: TrainingRecord;
  /** First origin that it forecasts from: nothing of what follows was learned. */
  readonly firstOrigin: number;
  /**
   * Quantiles from origins at or after `firstOrigin`; those of the errors are of targets up to `knownUntil`.
   * @param knownUntil index of the last value whose error may be known
   */
  at(levels: readonly number[], knownUntil: number): QuantilesAt;
}

/**
 * Trains a network.
 * @param trainedUntil number of values it may learn from, those included that decide when to stop
 * @returns undefined where there are too few windows, or no deviation to learn
 */
export function fitResidualLstm(input: LstmInput, trainedUntil: number): ResidualLstm | undefined {
  const { prepared, stepMs } = input;
  const count = prepared.values.length;
  const profile = chooseProfile(prepared, stepMs, trainedUntil);
  const horizons = createHorizons(Math.floor(trainedUntil / 6), wholeSteps(DAY_MS, stepMs));
  const firstRow = profile.warmUp + WINDOW - 1;
  const stopFrom = Math.floor(trainedUntil * (1 - HELD_BACK_SHARE));
  const scales = measureScales(prepared, profile, trainedUntil);
  if (scales === undefined || stopFrom - firstRow - 1 < FEWEST_WINDOWS) return undefined;

  const network = new LstmNetwork({ inputs: INPUTS, hidden: HIDDEN, outputs: horizons.length, window: WINDOW }, count);
  for (let row = profile.warmUp; row < count; row++) {
    network.setInputs(row, inputsAt(input, profile, scales, row));
    // A target beyond the border of its part would be a look into the next one.
    const border = row < stopFrom ? stopFrom : trainedUntil;
    network.setTargets(
      row,
      horizons.map((horizon) =>
        row + horizon < border && prepared.measured[row + horizon] === 1
          ? ((prepared.values[row + horizon] ?? 0) - profile.shapeAt(row + horizon, horizon)) / scales.deviation
          : Number.NaN,
      ),
    );
  }
  const random = createRandom(SEED);
  network.initialize(random);
  const training = rowsBetween(firstRow, stopFrom - 1);
  const heldBack = rowsBetween(stopFrom, trainedUntil - 1);
  const record = trainNetwork(network, { training, heldBack, epochs: EPOCHS, patience: PATIENCE }, random);
  const firstOrigin = trainedUntil - 1;
  const said = Array.from({ length: count - firstOrigin }, (_, index) =>
    network.predict(firstOrigin + index).map((value) => value * scales.deviation),
  );
  return createForecaster({ prepared, profile, horizons, firstOrigin, said, record });
}

/** Deviation, level, and where in the day and the week. */
const INPUTS = 6;

interface Scales {
  readonly deviation: number;
  readonly centre: number;
  readonly spread: number;
}

/** Sizes of deviations and values in the part for training, by medians: an outlier must not shrink all others. */
function measureScales(
  { values, measured }: PreparedSeries,
  profile: SeasonalProfile,
  until: number,
): Scales | undefined {
  const deviations: number[] = [];
  const seen: number[] = [];
  for (let index = profile.warmUp; index < until; index++) {
    if (measured[index] === 0) continue;
    deviations.push(Math.abs((values[index] ?? 0) - profile.shapeAt(index, 1)));
    seen.push(values[index] ?? 0);
  }
  const deviation = medianOf(deviations) || meanOf(deviations);
  const centre = medianOf(seen);
  const spread = medianOf(seen.map((value) => Math.abs(value - centre))) || deviation;
  return deviation > 0
    ? { deviation: deviation * MEDIAN_TO_SIGMA, centre, spread: spread * MEDIAN_TO_SIGMA }
    : undefined;
}

/** Standard deviation of a normal distribution over its median absolute deviation. */
const MEDIAN_TO_SIGMA = 1.4826;

function inputsAt({ prepared, startMs, stepMs }: LstmInput, profile: SeasonalProfile, scales: Scales, row: number) {
  const value = prepared.values[row] ?? 0;
  // The end of the interval: what is forecast begins there.
  const atMs = startMs + (row + 1) * stepMs;
  const day = (2 * Math.PI * (atMs % DAY_MS)) / DAY_MS;
  const week = (2 * Math.PI * (atMs % WEEK_MS)) / WEEK_MS;
  return [
    bounded((value - profile.shapeAt(row, 1)) / scales.deviation),
    bounded((value - scales.centre) / scales.spread),
    Math.sin(day),
    Math.cos(day),
    Math.sin(week),
    Math.cos(week),
  ];
}

function bounded(value: number): number {
  return Math.max(-LARGEST_INPUT, Math.min(LARGEST_INPUT, value));
}

/** The shape that leaves the smallest errors by itself in the part for training; a plain mean where there is no season. */
function chooseProfile({ values, measured }: PreparedSeries, stepMs: number, until: number): SeasonalProfile {
  const known = values.subarray(0, until);
  const daySteps = wholeSteps(DAY_MS, stepMs);
  const shapes: Shape[] = DAYS_AVERAGED.filter((days) => daySteps > 0 && 3 * days * daySteps <= until).map(
    (seasons) => ({
      seasonSteps: daySteps,
      seasons,
    }),
  );
  shapes.push({ seasonSteps: 1, seasons: WINDOW });
  const firstTarget = Math.max(...shapes.map(({ seasonSteps, seasons }) => seasonSteps * seasons)) + 1;
  const buckets = createBuckets(daySteps || WINDOW, daySteps || WINDOW);
  const losses = shapes.map((shape) =>
    backtestLoss({ values: known, measured, profile: createProfile(known, shape), firstTarget }, buckets),
  );
  const best = shapes[losses.indexOf(Math.min(...losses))] ?? { seasonSteps: 1, seasons: WINDOW };
  return createProfile(values, best);
}

/** 1, 2, 3, 5, 8, ... up to two days or what can be learned. */
function createHorizons(longest: number, daySteps: number): readonly number[] {
  const last = Math.max(1, Math.min(longest, 2 * (daySteps || WINDOW)));
  const horizons: number[] = [];
  for (let horizon = 1; horizon < last; horizon = Math.max(horizon + 1, Math.round(horizon * HORIZON_GROWTH)))
    horizons.push(horizon);
  return [...horizons.slice(0, MOST_HORIZONS - 1), last];
}

function rowsBetween(first: number, last: number): Int32Array {
  const stride = Math.max(1, Math.ceil((last - first + 1) / MOST_WINDOWS));
  return Int32Array.from({ length: Math.max(0, Math.ceil((last - first + 1) / stride)) }, (_, i) => last - i * stride);
}

interface Trained {
  readonly prepared: PreparedSeries;
  readonly profile: SeasonalProfile;
  readonly horizons: readonly number[];
  readonly firstOrigin: number;
  /** Deviations in the series' unit, by origin and horizon. */
  readonly said: readonly Float32Array[];
  readonly record: TrainingRecord;
}

function createForecaster(trained: Trained): ResidualLstm {
  const { prepared, profile, horizons, firstOrigin, said, record } = trained;
  const pointAt = (origin: number, horizon: number): number => {
    const { left, right, share } = locate(horizons, horizon);
    const row = said[origin - firstOrigin];
    const [from, to] = [row?.[left] ?? 0, row?.[right] ?? 0];
    return profile.shapeAt(origin + horizon, horizon) + from + (to - from) * share;
  };
  return {
    record,
    firstOrigin,
    at: (levels, knownUntil) => {
      const spreads = horizons.map((horizon) => {
        const errors = errorsOf(prepared, pointAt, firstOrigin, knownUntil, horizon);
        return errors && levels.map((level) => errorQuantile(errors, level));
      });
      // Horizons that were never seen to end take the errors of the longest that was.
      spreads.forEach((spread, index) => (spreads[index] = spread ?? spreads[index - 1]));
      return (origin, horizon) => {
        const { left, right, share } = locate(horizons, horizon);
        const point = pointAt(origin, horizon);
        return levels.map((_, l) => {
          const [from, to] = [spreads[left]?.[l] ?? 0, spreads[right]?.[l] ?? 0];
          return point + from + (to - from) * share;
        });
      };
    },
  };
}

/** Errors at one horizon of forecasts after training whose targets are known. */
function errorsOf(
  { values, measured }: PreparedSeries,
  pointAt: (origin: number, horizon: number) => number,
  firstOrigin: number,
  knownUntil: number,
  horizon: number,
): ErrorDistribution | undefined {
  const errors: number[] = [];
  const last = knownUntil - horizon;
  const stride = Math.max(1, Math.ceil((last - firstOrigin + 1) / MOST_ERRORS));
  for (let origin = last; origin >= firstOrigin; origin -= stride) {
    const target = origin + horizon;
    if (measured[target] === 1) errors.push((values[target] ?? 0) - pointAt(origin, horizon));
  }
  if (errors.length < FEWEST_ERRORS) return undefined;
  const independent = Math.max(1, Math.min(errors.length, (last - firstOrigin) / horizon));
  return createErrorDistribution(Float64Array.from(errors), new Float64Array(errors.length).fill(1), independent);
}

/** Fewer errors than this say nothing about a quantile. */
const FEWEST_ERRORS = 5;

/** The outputs around a horizon, and how far it is from left to right. */
function locate(horizons: readonly number[], horizon: number): { left: number; right: number; share: number } {
  const after = horizons.findIndex((known) => known >= horizon);
  if (after < 0) return { left: horizons.length - 1, right: horizons.length - 1, share: 0 };
  if (after === 0) return { left: 0, right: 0, share: 0 };
  const [from, to] = [horizons[after - 1] ?? 1, horizons[after] ?? 1];
  return { left: after - 1, right: after, share: (horizon - from) / (to - from) };
}

function medianOf(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[sorted.length >> 1] ?? 0;
}

function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
