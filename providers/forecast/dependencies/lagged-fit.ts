/**
 * How one series follows another: the lag at which they agree best, and the slope from one to the other, judged on data
 * that it was not fitted on.
 *
 * Source: transfer functions of one input with a pure delay, Box, Jenkins and Reinsel, "Time Series Analysis", 4th ed.,
 * chapter 11; what both have in common from the season is removed before, else every pair of daily loads would agree.
 */
import type { Series } from "../../../sdk/model";
import { resampleSeries, seriesEndMs } from "../../../sdk/model";

/** Effect = slope x cause, `lagSteps` later. */
export interface LoadFit {
  readonly lagSteps: number;
  readonly slope: number;
  /** Share of the variance of held-out deviations that is explained; at most 1, below 0 when it makes things worse. */
  readonly explained: number;
  readonly meanCause: number;
  readonly meanEffect: number;
}

const DAY_MS = 86_400_000;
const FEWEST_DAYS = 3;
const FITTED_SHARE = 2 / 3;
const FEWEST_PAIRS = 48;
/** A longer lag must agree better by this much, or the shorter one stays. */
const LAG_GAIN = 0.02;

/** The lag, 0..longest, at which `effect` is most alike to `cause`; 0 where none is better than the others. */
export function fitLag(cause: Float64Array, effect: Float64Array, longest: number): number {
  const all = { from: 0, to: cause.length };
  return bestLag(changesOf(cause), changesOf(effect), Math.min(longest, Math.floor(cause.length / 4)), all).lagSteps;
}

/** Fits on the first two thirds and judges on the last; undefined with too little data or none that varies. */
export function fitLoads(causeSeries: Series, effectSeries: Series, longestLag: number): LoadFit | undefined {
  const { stepMs } = causeSeries;
  const range = {
    fromMs: Math.max(causeSeries.startMs, effectSeries.startMs),
    toMs: Math.min(seriesEndMs(causeSeries), seriesEndMs(effectSeries)),
  };
  const perDay = Math.round(DAY_MS / stepMs);
  if (range.toMs - range.fromMs < FEWEST_DAYS * DAY_MS || perDay < 2) return undefined;
  const [cause, effect] = [causeSeries, effectSeries].map((series) => resampleSeries(series, stepMs, range).values);
  if (!cause || !effect) return undefined;
  const [a, b] = [deviations(cause, perDay), deviations(effect, perDay)];
  const split = Math.floor(a.length * FITTED_SHARE);
  const { lagSteps, slope } = bestLag(a, b, longestLag, { from: 0, to: split });
  const judged = pairs(a, b, lagSteps, { from: split, to: a.length });
  if (judged.length < FEWEST_PAIRS) return undefined;
  const wrong = judged.reduce((sum, [x, y]) => sum + (y - slope * x) ** 2, 0);
  const whole = judged.reduce((sum, [, y]) => sum + y ** 2, 0);
  const [meanCause, meanEffect] = [mean(cause), mean(effect)];
  if (!(whole > 0 && meanCause > 0 && meanEffect > 0)) return undefined;
  return { lagSteps, slope, explained: 1 - wrong / whole, meanCause, meanEffect };
}

interface Span {
  readonly from: number;
  readonly to: number;
}

function bestLag(
  cause: Float64Array,
  effect: Float64Array,
  longest: number,
  span: Span,
): { readonly lagSteps: number; readonly slope: number } {
  let best = { lagSteps: 0, slope: 0, correlation: 0 };
  for (let lagSteps = 0; lagSteps <= longest; lagSteps++) {
    let [xx, xy, yy] = [0, 0, 0];
    for (const [x, y] of pairs(cause, effect, lagSteps, span)) {
      xx += x * x;
      xy += x * y;
      yy += y * y;
    }
    if (!(xx > 0 && yy > 0)) continue;
    const correlation = xy / Math.sqrt(xx * yy);
    const gain = lagSteps === 0 ? 0 : LAG_GAIN;
    if (correlation > best.correlation + gain) best = { lagSteps, slope: xy / xx, correlation };
  }
  return best;
}

function pairs(
  cause: Float64Array,
  effect: Float64Array,
  lag: number,
  { from, to }: Span,
): (readonly [number, number])[] {
  const found: (readonly [number, number])[] = [];
  for (let i = from + lag; i < to; i++) {
    const [x, y] = [cause[i - lag] ?? Number.NaN, effect[i] ?? Number.NaN];
    if (!Number.isNaN(x) && !Number.isNaN(y)) found.push([x, y]);
  }
  return found;
}

/** From one step to the next: what drifts slowly in both is no agreement. */
function changesOf(values: Float64Array): Float64Array {
  return values.map((value, i) => (i === 0 ? Number.NaN : value - (values[i - 1] ?? 0)));
}

/** Deviations from the mean at that time of day. */
function deviations(values: Float64Array, perDay: number): Float64Array {
  const sums = new Float64Array(perDay);
  const counts = new Float64Array(perDay);
  values.forEach((value, i) => {
    if (Number.isNaN(value)) return;
    sums[i % perDay] = (sums[i % perDay] ?? 0) + value;
    counts[i % perDay] = (counts[i % perDay] ?? 0) + 1;
  });
  return values.map((value, i) => value - (sums[i % perDay] ?? 0) / Math.max(1, counts[i % perDay] ?? 0));
}

function mean(values: Float64Array): number {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.reduce((sum, value) => sum + value, 0) / Math.max(1, known.length);
}
