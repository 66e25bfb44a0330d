/**
 * What is compared: the two baselines whose scores are published with the benchmark, and this package's forecast.
 *
 * Not for: the product (providers/forecast); a baseline here is never used by it.
 */
import { normalQuantile } from "../../providers/forecast/conformal";
import { ensemble } from "../../providers/forecast/ensemble";

/** What is known of a series besides its values. */
export interface Setting {
  readonly id: string;
  readonly startS: number;
  readonly stepS: number;
  /** Steps; 1: none. */
  readonly season: number;
  readonly horizon: number;
  /** Ascending. */
  readonly levels: readonly number[];
}

/** `rows[l][h]`: quantile `levels[l]` at step h. */
export type Rows = readonly (readonly number[])[];

/** Chooses its settings on what is known before the first origin, then forecasts from growing contexts. */
export interface Forecaster {
  readonly name: string;
  start(training: Float64Array, setting: Setting): (context: Float64Array) => Rows;
}

/**
 * Last season, normal quantiles of its in-sample errors, growing with the root of the number of seasons ahead; never
 * below 0, as loads are.
 */
const seasonalNaiveBaseline: Forecaster = {
  name: "seasonal naive",
  start:
    (_, { season, horizon, levels }) =>
    (context) => {
      const sigma = rootMeanSquare(errorsAhead(context, season, (index) => context[index - season] ?? 0));
      return levels.map((level) =>
        steps(horizon, (h) => {
          const seasonsAhead = Math.ceil(h / season);
          const last = context[context.length - season + ((h - 1) % season)] ?? 0;
          return Math.max(0, last + normalQuantile(level) * sigma * Math.sqrt(seasonsAhead));
        }),
      );
    },
};

const EWMA_ALPHAS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1] as const;
/** Shares of the horizon at which errors are measured. */
const EWMA_SHARES = [0, 0.25, 0.5, 1] as const;

/** Flat at the exponentially weighted mean, with quantiles of its in-sample errors. */
const ewmaBaseline: Forecaster = {
  name: "EWMA",
  start: (training, { horizon, levels }) => {
    const judged = Math.max(1, Math.round(horizon / 4));
    const loss = (alpha: number): number => {
      const smoothed = smooth(training, alpha);
      const errors = errorsAhead(training, judged, (index) => smoothed[index - judged] ?? 0);
      return errors.reduce((sum, error) => sum + Math.abs(error), 0);
    };
    const alpha = EWMA_ALPHAS.reduce((best, other) => (loss(other) < loss(best) ? other : best));
    const measured = [...new Set(EWMA_SHARES.map((share) => Math.max(1, Math.round(horizon * share))))];
    return (context) => {
      const smoothed = smooth(context, alpha);
      const last = smoothed.at(-1) ?? 0;
      const sorted = measured
        .filter((h) => h < context.length)
        .map((h) => ({ h, errors: errorsAhead(context, h, (index) => smoothed[index - h] ?? 0).sort() }));
      return levels.map((level) => {
        const known = sorted.map(({ h, errors }) => ({ h, value: quantileOf(errors, level) }));
        return steps(horizon, (h) => last + interpolate(known, h));
      });
    };
  },
};

/** Last value; in-sample error quantiles times the root of the step. */
const naiveBaseline: Forecaster = {
  name: "naive",
  start:
    (_, { horizon, levels }) =>
    (context) => {
      const errors = errorsAhead(context, 1, (index) => context[index - 1] ?? 0).sort();
      const last = context.at(-1) ?? 0;
      return levels.map((level) => steps(horizon, (h) => last + quantileOf(errors, level) * Math.sqrt(h)));
    },
};

/** This package's forecast with the settings that a user gets. */
const product: Forecaster = {
  name: "archipelago",
  start:
    (_, { id, startS, stepS, horizon, levels }) =>
    (context) => {
      const series = { id, unit: "cpuMillis", startMs: startS * 1000, stepMs: stepS * 1000, values: context } as const;
      return ensemble().fit(series).predict(horizon, levels).rows;
    },
};

/** All that are compared, the yardstick first. */
export function forecastersFor(season: number): readonly Forecaster[] {
  return [season > 1 ? seasonalNaiveBaseline : naiveBaseline, ewmaBaseline, product];
}

function steps(horizon: number, value: (h: number) => number): readonly number[] {
  return Array.from({ length: horizon }, (_, index) => value(index + 1));
}

function errorsAhead(values: Float64Array, from: number, predicted: (index: number) => number): Float64Array {
  const count = Math.max(0, values.length - from);
  return Float64Array.from({ length: count }, (_, index) => (values[from + index] ?? 0) - predicted(from + index));
}

function rootMeanSquare(errors: Float64Array): number {
  return errors.length === 0 ? 0 : Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
}

function smooth(values: Float64Array, alpha: number): Float64Array {
  const smoothed = new Float64Array(values.length);
  let level = values[0] ?? 0;
  values.forEach((value, index) => {
    level += alpha * (value - level);
    smoothed[index] = level;
  });
  return smoothed;
}

/** Quantile of sorted values, linear between them. */
function quantileOf(sorted: Float64Array, level: number): number {
  const position = level * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? 0;
  const above = sorted[Math.ceil(position)] ?? below;
  return below + (above - below) * (position - Math.floor(position));
}

function interpolate(known: readonly { readonly h: number; readonly value: number }[], h: number): number {
  const after = known.findIndex((point) => point.h >= h);
  const right = known[after < 0 ? known.length - 1 : after];
  const left = known[after <= 0 ? (after < 0 ? known.length - 1 : 0) : after - 1];
  if (!left || !right) return 0;
  return left.h === right.h
    ? right.value
    : left.value + ((right.value - left.value) * (h - left.h)) / (right.h - left.h);
}
