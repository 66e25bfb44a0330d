/**
 * Seasonal autoregressive integrated moving averages of one order: Hannan-Rissanen start values, then least squares of
 * the errors one step ahead, conditional on the first values.
 *
 * Not for: choosing the order (arima-search.ts).
 *
 * Sources: G. E. P. Box and G. M. Jenkins, "Time Series Analysis: Forecasting and Control", 1970, chapters 5, 7 and 9;
 * start values, E. J. Hannan and J. Rissanen, "Recursive Estimation of Mixed Autoregressive-Moving Average Order",
 * Biometrika 69(1), 1982; stationarity from partial autocorrelations, O. Barndorff-Nielsen and G. Schou, 1973.
 */
import { RidgeSums } from "../ridge";
import { solveYuleWalker } from "./autoregression";
import type { Minimum } from "./nelder-mead";
import { minimize } from "./nelder-mead";
import type { FittedPoint } from "./point-model";

/** (p, d, q)(P, D, Q) with a season. */
export interface ArimaOrder {
  readonly p: number;
  readonly d: number;
  readonly q: number;
  readonly seasonalP: number;
  readonly seasonalD: number;
  readonly seasonalQ: number;
  /** Steps; at least 2 where one of the seasonal numbers is above 0. */
  readonly season: number;
}

/** Coefficients in the order phi, theta, seasonal phi, seasonal theta; and the mean of the differenced values. */
export interface ArimaCoefficients {
  readonly at: Float64Array;
  readonly mean: number;
}

/** A fitted order. */
export interface ArimaFit extends FittedPoint {
  readonly order: ArimaOrder;
  readonly coefficients: ArimaCoefficients;
  /** Sum of squared errors and their number. */
  readonly squares: number;
  readonly count: number;
}

/** Values that the fit looks at: of longer series the newest. */
const MOST_VALUES = 2500;
/** Evaluations for each coefficient, from each start and then from where the better one led. */
const EVALUATIONS = { first: 15, next: 25 } as const;
const FIRST_MOVE = 0.1;
const NEXT_MOVE = 0.03;
const FEWEST_VALUES_PER_COEFFICIENT = 6;
/** Coefficients of the long autoregression that Hannan and Rissanen take errors from. */
const LONG_ORDER = 20;

/** Fits an order. @returns undefined when there are too few values */
export function fitArima(values: Float64Array, order: ArimaOrder): ArimaFit | undefined {
  const recent = values.subarray(Math.max(0, values.length - MOST_VALUES));
  const wanted = difference(recent, order);
  const size = order.p + order.q + order.seasonalP + order.seasonalQ;
  if (wanted.length < FEWEST_VALUES_PER_COEFFICIENT * (size + 2) + longestLag(order)) return undefined;
  const isDifferenced = order.d + order.seasonalD > 0;
  const mean = isDifferenced ? 0 : meanOf(wanted);
  const centred = wanted.map((value) => value - mean);
  const start = startValues(centred, order);
  const loss = (at: Float64Array): number =>
    isAllowed(at, order) ? errorsOf(centred, at, order).squares : Number.POSITIVE_INFINITY;
  const from = (at: Float64Array, move: number, evaluations: number): Minimum =>
    minimize(loss, Array.from(at), new Array<number>(size).fill(move), evaluations * size);
  // The error has more than one valley where the order does not suit the series: both starts are tried first.
  const starts = [start, new Float64Array(size)].filter((at) => isAllowed(at, order));
  const tried = starts.map((at) => from(at, FIRST_MOVE, EVALUATIONS.first));
  const better = tried.reduce((least, other) => (other.value < least.value ? other : least));
  const best = size === 0 ? better : from(better.at, NEXT_MOVE, EVALUATIONS.next);
  const coefficients = { at: best.at, mean };
  const { squares, count } = errorsOf(centred, best.at, order);
  return {
    name: describeOrder(order),
    order,
    coefficients,
    squares,
    count,
    point: forecastArima(values, order, coefficients),
  };
}

/** Forecasts with given coefficients, from any origin. */
export function forecastArima(
  values: Float64Array,
  order: ArimaOrder,
  { at, mean }: ArimaCoefficients,
): FittedPoint["point"] {
  const differenced = difference(values, order);
  const lost = values.length - differenced.length;
  const centred = differenced.map((value) => value - mean);
  const { errors } = errorsOf(centred, at, order);
  const ar = expandAr(at, order);
  const ma = expandMa(at, order);
  const back = integrate(order);
  // Forecasts of one origin build on each other: those of the last origin are kept.
  let known = -1;
  let ahead: number[] = [];
  let level: number[] = [];
  return (origin, horizon) => {
    if (origin !== known) [known, ahead, level] = [origin, [], []];
    while (level.length < horizon) {
      const step = ahead.length + 1;
      let sum = 0;
      for (const { lag, weight } of ar) {
        sum += weight * (lag < step ? (ahead[step - lag - 1] ?? 0) : (centred[origin - lost + step - lag] ?? 0));
      }
      for (const { lag, weight } of ma) if (lag >= step) sum += weight * (errors[origin - lost + step - lag] ?? 0);
      ahead.push(sum);
      let value = sum + mean;
      for (const { lag, weight } of back) {
        value += weight * (lag < step ? (level[step - lag - 1] ?? 0) : (values[Math.max(0, origin + step - lag)] ?? 0));
      }
      level.push(value);
    }
    return level[horizon - 1] ?? 0;
  };
}

/** The order as it is written: (1,0,1)(0,1,1)24. */
function describeOrder({ p, d, q, seasonalP, seasonalD, seasonalQ, season }: ArimaOrder): string {
  const seasonal = season > 1 ? `(${[seasonalP, seasonalD, seasonalQ].join(",")})${String(season)}` : "";
  return `ARIMA(${[p, d, q].join(",")})${seasonal}`;
}

/** Values after d differences of 1 step and D of a season. */
export function difference(values: Float64Array, { d, seasonalD, season }: ArimaOrder): Float64Array {
  let result = values;
  for (let i = 0; i < seasonalD; i++) result = differenceOnce(result, season);
  for (let i = 0; i < d; i++) result = differenceOnce(result, 1);
  return result;
}

/**
 * Start values: errors from a long autoregression stand for those that moving averages look at, then one regression.
 * Exactly Hannan and Rissanen's without a season.
 */
export function startValues(centred: Float64Array, order: ArimaOrder): Float64Array {
  const { p, q, seasonalP, seasonalQ, season } = order;
  const size = p + q + seasonalP + seasonalQ;
  const result = new Float64Array(size);
  if (size === 0) return result;
  const long = Math.min(Math.max(LONG_ORDER, p + q), Math.floor(centred.length / 5));
  const filter = solveYuleWalker(centred, long).at(-1)?.coefficients ?? result;
  const errors = new Float64Array(centred.length);
  for (let t = filter.length; t < centred.length; t++) {
    let error = centred[t] ?? 0;
    for (let i = 0; i < filter.length; i++) error -= (filter[i] ?? 0) * (centred[t - 1 - i] ?? 0);
    errors[t] = error;
  }
  const sums = new RidgeSums(size);
  const row = new Float64Array(size);
  const first = Math.max(filter.length + Math.max(q, seasonalQ * season), p, seasonalP * season);
  for (let t = first; t < centred.length; t++) {
    let k = 0;
    for (let i = 1; i <= p; i++) row[k++] = centred[t - i] ?? 0;
    for (let i = 1; i <= q; i++) row[k++] = errors[t - i] ?? 0;
    for (let i = 1; i <= seasonalP; i++) row[k++] = centred[t - i * season] ?? 0;
    for (let i = 1; i <= seasonalQ; i++) row[k++] = errors[t - i * season] ?? 0;
    sums.add(row, 0, centred[t] ?? 0);
  }
  return sums.solve(0, result);
}

/** One lag of a polynomial and its weight. */
interface Lag {
  readonly lag: number;
  readonly weight: number;
}

/** Errors one step ahead; those before there are enough values are 0. */
function errorsOf(
  centred: Float64Array,
  at: Float64Array,
  order: ArimaOrder,
): { readonly errors: Float64Array; readonly squares: number; readonly count: number } {
  const ar = expandAr(at, order);
  const ma = expandMa(at, order);
  const errors = new Float64Array(centred.length);
  const first = ar.reduce((most, { lag }) => Math.max(most, lag), 0);
  const arLags = Int32Array.from(ar, ({ lag }) => lag);
  const arWeights = Float64Array.from(ar, ({ weight }) => weight);
  const maLags = Int32Array.from(ma, ({ lag }) => lag);
  const maWeights = Float64Array.from(ma, ({ weight }) => weight);
  let squares = 0;
  for (let t = first; t < centred.length; t++) {
    let error = centred[t] ?? 0;
    for (let i = 0; i < arLags.length; i++) error -= (arWeights[i] ?? 0) * (centred[t - (arLags[i] ?? 0)] ?? 0);
    for (let i = 0; i < maLags.length; i++) error -= (maWeights[i] ?? 0) * (errors[t - (maLags[i] ?? 0)] ?? 0);
    errors[t] = error;
    squares += error * error;
  }
  return { errors, squares, count: centred.length - first };
}

/** Weights of past values: of 1 - (1 - phi B ...)(1 - Phi B^s ...). */
function expandAr(at: Float64Array, { p, q, seasonalP, season }: ArimaOrder): readonly Lag[] {
  return expand(at.subarray(0, p), at.subarray(p + q, p + q + seasonalP), season, -1);
}

/** Weights of past errors: of (1 + theta B ...)(1 + Theta B^s ...) - 1. */
function expandMa(at: Float64Array, { p, q, seasonalP, season }: ArimaOrder): readonly Lag[] {
  return expand(at.subarray(p, p + q), at.subarray(p + q + seasonalP), season, 1);
}

function expand(near: Float64Array, seasonal: Float64Array, season: number, sign: number): readonly Lag[] {
  const weights = new Map<number, number>();
  const put = (lag: number, weight: number): void => {
    weights.set(lag, (weights.get(lag) ?? 0) + weight);
  };
  near.forEach((weight, i) => {
    put(i + 1, weight);
  });
  seasonal.forEach((weight, j) => {
    put((j + 1) * season, weight);
    near.forEach((other, i) => {
      put((j + 1) * season + i + 1, sign * weight * other);
    });
  });
  return [...weights].map(([lag, weight]) => ({ lag, weight }));
}

/** Weights of past values in a value whose difference is known: of 1 - (1 - B)^d (1 - B^s)^D. */
function integrate({ d, seasonalD, season }: ArimaOrder): readonly Lag[] {
  let polynomial = new Map([[0, 1]]);
  const times = (lag: number): void => {
    const next = new Map(polynomial);
    for (const [at, weight] of polynomial) next.set(at + lag, (next.get(at + lag) ?? 0) - weight);
    polynomial = next;
  };
  for (let i = 0; i < d; i++) times(1);
  for (let i = 0; i < seasonalD; i++) times(season);
  return [...polynomial]
    .filter(([lag, weight]) => lag > 0 && weight !== 0)
    .map(([lag, weight]) => ({ lag, weight: -weight }));
}

/** Stationary and invertible, near and seasonal parts each. */
function isAllowed(at: Float64Array, { p, q, seasonalP }: ArimaOrder): boolean {
  return (
    isStationary(at.subarray(0, p)) &&
    isStationary(at.subarray(p, p + q).map((theta) => -theta)) &&
    isStationary(at.subarray(p + q, p + q + seasonalP)) &&
    isStationary(at.subarray(p + q + seasonalP).map((theta) => -theta))
  );
}

/** All partial autocorrelations lie within the unit interval: the steps of Durbin and Levinson backwards. */
export function isStationary(phi: Float64Array): boolean {
  let current = Float64Array.from(phi);
  for (let order = current.length; order > 0; order--) {
    const reflection = current[order - 1] ?? 0;
    if (!(Math.abs(reflection) < LARGEST_REFLECTION)) return false;
    const next = new Float64Array(order - 1);
    for (let i = 0; i < order - 1; i++) {
      next[i] = ((current[i] ?? 0) + reflection * (current[order - 2 - i] ?? 0)) / (1 - reflection * reflection);
    }
    current = next;
  }
  return true;
}

/** On the border itself errors never die out. */
const LARGEST_REFLECTION = 0.999;

function longestLag({ p, seasonalP, season }: ArimaOrder): number {
  return p + seasonalP * season;
}

function differenceOnce(values: Float64Array, lag: number): Float64Array {
  const result = new Float64Array(Math.max(0, values.length - lag));
  for (let t = 0; t < result.length; t++) result[t] = (values[t + lag] ?? 0) - (values[t] ?? 0);
  return result;
}

function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
