/**
 * Scores of quantile forecasts, per series over all its origins, and over the series of a task.
 *
 * Sources: pinball loss (Koenker and Bassett 1978); weighted quantile loss as in GluonTS; MASE (Hyndman and Koehler
 * 2006); MSIS (Gneiting and Raftery 2007, as in the M4 competition).
 */
import { seasonalError } from "./tasks";
import type { Rows } from "./forecasters";

/** Levels that every forecaster gives. */
export const LEVELS: readonly number[] = [
  0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99,
];
/** Levels of the headline score. */
const SCORED: readonly number[] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
const CLIP = { least: 0.01, most: 100 } as const;

/** Scores of one forecaster on one series. */
export interface SeriesScore {
  /** Twice the pinball loss, mean over the scored levels, sum over steps. */
  readonly loss: number;
  readonly mase: number;
  /** Shares of actual values within the central 80 and 95 %, and above P90 and P99. */
  readonly c80: number;
  readonly c95: number;
  readonly u90: number;
  readonly u99: number;
  readonly smape: number;
  readonly msis: number;
  /** Crossing, NaN or negative quantiles. */
  readonly faults: number;
}

/** Adds up one series' origins. */
export class SeriesScorer {
  private readonly sums = { pinball: 0, error: 0, c80: 0, c95: 0, u90: 0, u99: 0, smape: 0, interval: 0 };
  private count = 0;
  private faults = 0;

  /** @param scale mean absolute in-sample error of seasonal naive before the first origin */
  constructor(private readonly scale: number) {}

  static forSeries(training: Float64Array, season: number): SeriesScorer {
    return new SeriesScorer(seasonalError(training, season));
  }

  add(rows: Rows, actual: Float64Array): void {
    const { sums } = this;
    const row = (level: number): readonly number[] => rows[LEVELS.indexOf(level)] ?? [];
    const median = row(0.5);
    actual.forEach((value, h) => {
      const at = (level: number): number => row(level)[h] ?? Number.NaN;
      for (const level of SCORED) {
        const error = value - at(level);
        sums.pinball += (2 * Math.max(level * error, (level - 1) * error)) / SCORED.length;
      }
      const forecast = median[h] ?? Number.NaN;
      sums.error += Math.abs(value - forecast);
      sums.smape +=
        value === forecast ? 0 : (200 * Math.abs(value - forecast)) / (Math.abs(value) + Math.abs(forecast));
      if (value >= at(0.1) && value <= at(0.9)) sums.c80 += 1;
      if (value >= at(0.025) && value <= at(0.975)) sums.c95 += 1;
      if (value > at(0.9)) sums.u90 += 1;
      if (value > at(0.99)) sums.u99 += 1;
      const [low, high] = [at(0.025), at(0.975)];
      sums.interval += high - low + 40 * (Math.max(0, low - value) + Math.max(0, value - high));
      this.count += 1;
      this.faults += faultsOf(rows, h);
    });
  }

  result(): SeriesScore {
    const { sums, count, scale, faults } = this;
    return {
      loss: sums.pinball,
      mase: sums.error / count / scale,
      c80: sums.c80 / count,
      c95: sums.c95 / count,
      u90: sums.u90 / count,
      u99: sums.u99 / count,
      smape: sums.smape / count,
      msis: sums.interval / count / scale,
      faults,
    };
  }
}

/**
 * Geometric mean of the ratios of two forecasters' losses, each clipped. Both are losses on the same values, so that
 * what WQL divides by cancels out, which keeps series whose actual values are all 0. Without loss on both sides: 1.
 */
export function relativeLoss(scores: readonly SeriesScore[], yardstick: readonly SeriesScore[]): number {
  const logs = scores.map(({ loss }, index) => {
    const base = yardstick[index]?.loss ?? Number.NaN;
    const ratio = loss === base ? 1 : loss / base;
    return Math.log(Math.min(CLIP.most, Math.max(CLIP.least, ratio)));
  });
  return Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length);
}

/** Mean over the series that have the score; MASE has no meaning where the known part is constant. */
export function meanOf(scores: readonly SeriesScore[], key: keyof SeriesScore): number {
  const values = scores.map((score) => score[key]).filter(Number.isFinite);
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Median over series. */
export function medianOf(scores: readonly SeriesScore[], key: keyof SeriesScore): number {
  return scores.map((score) => score[key]).sort((a, b) => a - b)[Math.floor(scores.length / 2)] ?? Number.NaN;
}

function faultsOf(rows: Rows, h: number): number {
  let faults = 0;
  let before = 0;
  for (const row of rows) {
    const value = row[h] ?? Number.NaN;
    if (!(value >= before)) faults += 1;
    before = value;
  }
  return faults;
}
