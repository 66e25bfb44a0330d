/**
 * Exponential smoothing without a season: a level, a level with a trend, and a level with a trend that dies out; which
 * of them is chosen by the corrected Akaike criterion.
 *
 * Not for: seasons (seasonal-adjustment.ts takes them out first).
 *
 * Sources: C. C. Holt, 1957 (International Journal of Forecasting 20(1), 2004); damped trend, E. S. Gardner and
 * E. McKenzie, "Forecasting Trends in Time Series", Management Science 31(10), 1985; error-correction form, start values
 * and choice by AICc, R. J. Hyndman et al., "A state space framework for automatic forecasting using exponential
 * smoothing methods", International Journal of Forecasting 18(3), 2002 (models ANN, AAN and AAdN).
 */
import type { LevelModel } from "./point-model";
import { minimize } from "./nelder-mead";

/** Speeds of the parts. */
export interface TrendSpeeds {
  /** In (0, 1). */
  readonly level: number;
  /** In [0, 1), share of the level's change that goes into the trend; 0 with `damping` 0: no trend. */
  readonly trend: number;
  /** Share of the trend that is left after a step, in [0, 1]. */
  readonly damping: number;
}

/** What smoothing begins with. */
export interface TrendStart {
  readonly level: number;
  readonly trend: number;
}

/** States after every value. */
export interface TrendStates {
  readonly level: Float64Array;
  readonly trend: Float64Array;
  /** Sum of squared errors one step ahead. */
  readonly squares: number;
}

/** What was fitted. */
export interface SmoothingFit {
  readonly kind: SmoothingKind;
  readonly speeds: TrendSpeeds;
  readonly start: TrendStart;
  readonly criterion: number;
}

/** Level only, with a lasting trend, with a trend that dies out. */
export type SmoothingKind = "level" | "trend" | "damped";

/** First values that the start is taken from. */
const START_VALUES = 10;
const FEWEST_VALUES = 8;
const EVALUATIONS = 60;
const SPEED = { least: 0.001, most: 0.999 } as const;
const DAMPING = { least: 0.8, most: 0.98 } as const;
/** Parameters of each kind for the criterion: speeds, start values and the variance. */
const PARAMETERS: Readonly<Record<SmoothingKind, number>> = { level: 3, trend: 5, damped: 6 };

/** Smooths with given speeds from a given start. */
export function smoothTrend(values: Float64Array, speeds: TrendSpeeds, start: TrendStart): TrendStates {
  const level = new Float64Array(values.length);
  const trend = new Float64Array(values.length);
  let [at, slope, squares] = [start.level, start.trend, 0];
  for (let t = 0; t < values.length; t++) {
    const foretold = at + speeds.damping * slope;
    const error = (values[t] ?? 0) - foretold;
    squares += error * error;
    at = foretold + speeds.level * error;
    slope = speeds.damping * slope + speeds.level * speeds.trend * error;
    level[t] = at;
    trend[t] = slope;
  }
  return { level, trend, squares };
}

/** The best speeds of one kind. @returns undefined when there are too few values */
export function fitSmoothing(values: Float64Array, kind: SmoothingKind): SmoothingFit | undefined {
  if (values.length < FEWEST_VALUES) return undefined;
  const start = startOf(values, kind);
  const speedsAt = ([level = 0, trend = 0, damping = 0]: ArrayLike<number> & Iterable<number>): TrendSpeeds => ({
    level: clamp(level, SPEED),
    trend: kind === "level" ? 0 : clamp(trend, SPEED),
    damping: kind === "damped" ? clamp(damping, DAMPING) : kind === "trend" ? 1 : 0,
  });
  const size = kind === "level" ? 1 : kind === "trend" ? 2 : 3;
  const { at } = minimize(
    (point) => smoothTrend(values, speedsAt(point), start).squares,
    [0.3, 0.1, 0.9].slice(0, size),
    [0.3, 0.2, -0.06].slice(0, size),
    EVALUATIONS,
  );
  const speeds = speedsAt(at);
  const { squares } = smoothTrend(values, speeds, start);
  return { kind, speeds, start, criterion: correctedAkaike(squares, values.length, PARAMETERS[kind]) };
}

/** n log of the mean squared error, with a price for each parameter. Source: C. M. Hurvich and C.-L. Tsai, 1989. */
export function correctedAkaike(squares: number, count: number, parameters: number): number {
  const room = count - parameters - 1;
  if (room <= 0) return Number.POSITIVE_INFINITY;
  return count * Math.log(squares / count + Number.MIN_VALUE) + (2 * parameters * count) / room;
}

/** A level model of one kind, or of the kind that the criterion prefers. */
export function smoothingModel(name: string, kinds: readonly SmoothingKind[]): LevelModel<SmoothingFit> {
  return {
    name,
    fit: (values) =>
      kinds
        .flatMap((kind) => fitSmoothing(values, kind) ?? [])
        .reduce<SmoothingFit | undefined>(
          (best, other) => (best === undefined || other.criterion < best.criterion ? other : best),
          undefined,
        ),
    run: (values, { kind, speeds }) => {
      const { level, trend } = smoothTrend(values, speeds, startOf(values, kind));
      const { damping } = speeds;
      return (origin, horizon) => {
        const steps = damping >= 1 ? horizon : (damping * (1 - damping ** horizon)) / (1 - damping);
        return (level[origin] ?? 0) + steps * (trend[origin] ?? 0);
      };
    },
  };
}

/** Mean of the first values, or the line through them. */
function startOf(values: Float64Array, kind: SmoothingKind): TrendStart {
  const count = Math.min(START_VALUES, values.length);
  const middle = (count - 1) / 2;
  let [mean, product, square] = [0, 0, 0];
  for (let t = 0; t < count; t++) mean += (values[t] ?? 0) / count;
  if (kind === "level") return { level: mean, trend: 0 };
  for (let t = 0; t < count; t++) {
    product += (t - middle) * ((values[t] ?? 0) - mean);
    square += (t - middle) ** 2;
  }
  const trend = square === 0 ? 0 : product / square;
  return { level: mean - trend * (middle + 1), trend };
}

function clamp(value: number, { least, most }: { readonly least: number; readonly most: number }): number {
  return Math.min(most, Math.max(least, value));
}
