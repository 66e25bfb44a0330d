/**
 * Autoregression by the Yule-Walker equations, its order by the corrected Akaike criterion.
 *
 * Sources: G. U. Yule, 1927; G. Walker, 1931; solved order by order, J. Durbin, "The Fitting of Time-Series Models",
 * Revue de l'Institut International de Statistique 28(3), 1960.
 */

/** Coefficients of the last values, newest first. */
export interface Autoregression {
  readonly coefficients: Float64Array;
  /** Variance of what they leave. */
  readonly variance: number;
}

/** All orders from 0 to `most`. @param values with mean 0 */
export function solveYuleWalker(values: Float64Array, most: number): readonly Autoregression[] {
  const count = values.length;
  const covariances = Float64Array.from({ length: most + 1 }, (_, lag) => {
    let sum = 0;
    for (let t = lag; t < count; t++) sum += (values[t] ?? 0) * (values[t - lag] ?? 0);
    return sum / count;
  });
  let variance = covariances[0] ?? 0;
  let coefficients = new Float64Array(0);
  const orders: Autoregression[] = [{ coefficients, variance }];
  for (let order = 1; order <= most && variance > 0; order++) {
    let reflection = covariances[order] ?? 0;
    for (let i = 0; i < order - 1; i++) reflection -= (coefficients[i] ?? 0) * (covariances[order - 1 - i] ?? 0);
    reflection /= variance;
    const next = new Float64Array(order);
    for (let i = 0; i < order - 1; i++) {
      next[i] = (coefficients[i] ?? 0) - reflection * (coefficients[order - 2 - i] ?? 0);
    }
    next[order - 1] = reflection;
    coefficients = next;
    variance *= 1 - reflection * reflection;
    orders.push({ coefficients, variance });
  }
  return orders;
}

/** The order with the least criterion. @param values with mean 0 */
export function fitAutoregression(values: Float64Array, most: number): Autoregression {
  const count = values.length;
  const orders = solveYuleWalker(values, Math.min(most, Math.floor(count / 4)));
  const criterion = ({ coefficients, variance }: Autoregression): number =>
    count * Math.log(variance + Number.MIN_VALUE) +
    (2 * (coefficients.length + 1) * count) / (count - coefficients.length - 2);
  return orders.reduce((best, other) => (criterion(other) < criterion(best) ? other : best));
}

/** `weights(h)`: what each of the last values counts in the forecast h steps ahead; computed once for each h. */
export function forecastWeights(coefficients: Float64Array): (horizon: number) => Float64Array {
  const size = coefficients.length;
  const known = [coefficients];
  return (horizon) => {
    while (known.length < horizon) {
      // One step further is the same step from the values of one step later, of which the newest is the forecast.
      const before = known[known.length - 1] ?? coefficients;
      const next = new Float64Array(size);
      for (let i = 0; i < size; i++) next[i] = (before[0] ?? 0) * (coefficients[i] ?? 0) + (before[i + 1] ?? 0);
      known.push(next);
    }
    return known[horizon - 1] ?? coefficients;
  };
}
