/**
 * The Theta method: exponential smoothing drawn along the line through the whole past. With theta 2 it won the M3
 * competition; here theta may also be chosen.
 *
 * Not for: seasons (seasonal-adjustment.ts takes them out first).
 *
 * Sources: V. Assimakopoulos and K. Nikolopoulos, "The theta model", International Journal of Forecasting 16(4), 2000;
 * as smoothing with drift, R. J. Hyndman and B. Billah, "Unmasking the Theta method", IJF 19(2), 2003; line of the values
 * so far and chosen theta, J. A. Fiorucci et al., "Models for optimising the theta method", IJF 32(4), 2016.
 */
import type { LevelModel } from "./point-model";
import { minimize } from "./nelder-mead";

/** Parameters of the method. */
export interface ThetaFit {
  /** Speed of the level, in (0, 1]. */
  readonly alpha: number;
  /** >= 1; 1: no drift. */
  readonly theta: number;
}

const FEWEST_VALUES = 8;
const EVALUATIONS = 50;
const ALPHA = { least: 0.001, most: 1 } as const;
const THETA = { least: 1, most: 6 } as const;
const STANDARD_THETA = 2;

/** @param isOptimised theta is fitted too; else 2 */
export function thetaModel(isOptimised: boolean): LevelModel<ThetaFit> {
  return {
    name: isOptimised ? "optimised Theta" : "Theta",
    fit: (values) => fitTheta(values, isOptimised),
    run: (values, { alpha, theta }) => {
      const { level, slope } = runTheta(values, alpha);
      return (origin, horizon) =>
        (level[origin] ?? 0) + (1 - 1 / theta) * (slope[origin] ?? 0) * (horizon - 1 + reachOf(alpha, origin));
    },
  };
}

function fitTheta(values: Float64Array, isOptimised: boolean): ThetaFit | undefined {
  if (values.length < FEWEST_VALUES) return undefined;
  const { slope } = runTheta(values, 1);
  const read = ([alpha = 0, theta = STANDARD_THETA]: ArrayLike<number> & Iterable<number>): ThetaFit => ({
    alpha: Math.min(ALPHA.most, Math.max(ALPHA.least, alpha)),
    theta: Math.min(THETA.most, Math.max(THETA.least, theta)),
  });
  const loss = (at: Float64Array): number => {
    const { alpha, theta } = read(at);
    const share = 1 - 1 / theta;
    let level = values[0] ?? 0;
    let left = 1 - alpha;
    let squares = 0;
    for (let t = 1; t < values.length; t++) {
      const value = values[t] ?? 0;
      const error = value - level - (share * (slope[t - 1] ?? 0) * (1 - left)) / alpha;
      squares += error * error;
      level += alpha * (value - level);
      left *= 1 - alpha;
    }
    return squares;
  };
  const size = isOptimised ? 2 : 1;
  return read(minimize(loss, [0.3, STANDARD_THETA].slice(0, size), [0.3, 1].slice(0, size), EVALUATIONS).at);
}

/** Steps of drift that smoothing lags behind the line after `origin` steps. */
function reachOf(alpha: number, origin: number): number {
  return (1 - (1 - alpha) ** (origin + 1)) / alpha;
}

/** Smoothed level, and slope of the line through the values so far, after every value. */
export function runTheta(
  values: Float64Array,
  alpha: number,
): { readonly level: Float64Array; readonly slope: Float64Array } {
  const level = new Float64Array(values.length);
  const slope = new Float64Array(values.length);
  let last = values[0] ?? 0;
  let [sum, moment] = [0, 0];
  for (let t = 0; t < values.length; t++) {
    const value = values[t] ?? 0;
    last += alpha * (value - last);
    sum += value;
    moment += t * value;
    const count = t + 1;
    const middle = t / 2;
    level[t] = last;
    slope[t] = t === 0 ? 0 : (moment - middle * sum) / ((count * (count * count - 1)) / 12);
  }
  return { level, slope };
}
