/**
 * Quantiles of a histogram whose samples lose weight with age: what autoscalers reserve by, and all that can be said of
 * a workload that began an hour ago.
 *
 * Sources: K. Rzadca et al., "Autopilot: workload autoscaling at Google", EuroSys 2020, section 3.2 (exponentially
 * decaying histograms); buckets that grow by 5 %, Kubernetes Vertical Pod Autoscaler, recommender/util/histogram.
 */
import { createErrorDistribution, errorQuantile } from "../conformal";
import type { QuantilesAt } from "../shape-model";

/** Each bucket is this much wider than the one below it. */
const GROWTH = 1.05;
/** Buckets below the largest value; smaller values are counted as 0. */
const BUCKETS = 180;
/** Older samples weigh less than 1 % of a new one. */
const OLDEST_HALF_LIVES = 7;

/** @param values none below 0. @param halfLifeSteps age at which a sample counts half */
export function decayingHistogram(
  values: Float64Array,
  halfLifeSteps: number,
): (levels: readonly number[]) => QuantilesAt {
  // Relative to the largest value, so that forecasts scale with their series.
  const largest = values.reduce((most, value) => Math.max(most, value), 0);
  const lowest = largest / GROWTH ** BUCKETS;
  const bucketOf = (value: number): number =>
    value <= lowest ? 0 : Math.min(BUCKETS, Math.ceil(Math.log(value / lowest) / Math.log(GROWTH)));
  const buckets = Uint8Array.from(values, bucketOf);
  const middles = Float64Array.from({ length: BUCKETS + 1 }, (_, bucket) =>
    bucket === 0 ? 0 : lowest * GROWTH ** (bucket - 0.5),
  );
  const oldest = Math.ceil(halfLifeSteps * OLDEST_HALF_LIVES);
  return (levels) => {
    let known = -1;
    let row = new Float64Array(levels.length);
    return (origin) => {
      if (origin === known) return row;
      const weights = new Float64Array(BUCKETS + 1);
      const from = Math.max(0, origin - oldest);
      for (let t = from; t <= origin; t++) {
        const bucket = buckets[t] ?? 0;
        weights[bucket] = (weights[bucket] ?? 0) + 2 ** ((t - origin) / halfLifeSteps);
      }
      const filled = Array.from(weights.keys()).filter((bucket) => (weights[bucket] ?? 0) > 0);
      const distribution = createErrorDistribution(
        Float64Array.from(filled, (bucket) => middles[bucket] ?? 0),
        Float64Array.from(filled, (bucket) => weights[bucket] ?? 0),
        origin - from + 1,
      );
      known = origin;
      row = Float64Array.from(levels, (level) => Math.max(0, errorQuantile(distribution, level)));
      return row;
    };
  };
}
