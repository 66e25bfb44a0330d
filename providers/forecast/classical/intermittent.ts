/**
 * Demand that is 0 most of the time: its size and how often it comes are smoothed apart.
 *
 * Sources: J. D. Croston, "Forecasting and Stock Control for Intermittent Demands", Operational Research Quarterly
 * 23(3), 1972; without its bias (SBA), A. A. Syntetos and J. E. Boylan, International Journal of Forecasting 21(2), 2005;
 * demand that ends (TSB), R. H. Teunter, A. A. Syntetos and M. Z. Babai, European Journal of Operational Research
 * 214(3), 2011.
 */
import type { PointModel } from "./point-model";

/** Which of the three. */
export type IntermittentKind = "Croston" | "SBA" | "TSB";

/** A series is intermittent when at least this share of it is 0. */
const INTERMITTENT_SHARE = 0.3;
const FEWEST_DEMANDS = 3;
/** Speeds tried; larger ones follow single demands. */
const SPEEDS = [0.05, 0.1, 0.2, 0.3] as const;
const SYNTETOS_HALF = 2;

/** Expected demand of the next step after every value, with one speed for size and frequency. */
export function runIntermittent(values: Float64Array, kind: IntermittentKind, speed: number): Float64Array {
  const rates = new Float64Array(values.length);
  const first = values.findIndex((value) => value > 0);
  if (first < 0) return rates;
  let size = values[first] ?? 0;
  let interval = first + 1;
  let probability = 1 / interval;
  let since = 0;
  for (let t = 0; t < values.length; t++) {
    const value = values[t] ?? 0;
    since++;
    if (t > first && value > 0) {
      size += speed * (value - size);
      interval += speed * (since - interval);
    }
    if (t > first) probability += speed * ((value > 0 ? 1 : 0) - probability);
    if (value > 0) since = 0;
    if (t < first) continue;
    if (kind === "TSB") rates[t] = probability * size;
    else rates[t] = (size / interval) * (kind === "SBA" ? 1 - speed / SYNTETOS_HALF : 1);
  }
  return rates;
}

/** A model of series with many zeros; it is not fitted to others. */
export function intermittentModel(kind: IntermittentKind): PointModel {
  return {
    name: kind,
    fit: (values) => {
      let [zeros, demands] = [0, 0];
      for (const value of values) {
        if (value === 0) zeros++;
        else if (value > 0) demands++;
      }
      if (zeros < INTERMITTENT_SHARE * values.length || demands < FEWEST_DEMANDS) return undefined;
      const fits = SPEEDS.map((speed) => {
        const rates = runIntermittent(values, kind, speed);
        let squares = 0;
        for (let t = 1; t < values.length; t++) squares += ((values[t] ?? 0) - (rates[t - 1] ?? 0)) ** 2;
        return { rates, squares };
      });
      const { rates } = fits.reduce((best, other) => (other.squares < best.squares ? other : best));
      return { name: kind, point: (origin) => rates[origin] ?? 0 };
    },
  };
}
