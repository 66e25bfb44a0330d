/** Latency summaries from histograms: quantiles are interpolated within a bucket of LATENCY_BOUNDS_MS. */
import type { LatencySummary } from "../../sdk/model";
import { LATENCY_BOUNDS_MS, type ServiceTraffic } from "../drivers/contracts";

type Bucket = ServiceTraffic["buckets"][number];

/** Summary of some seconds of one service. Without requests all times are 0. */
export function summarizeLatency(buckets: readonly Bucket[]): LatencySummary {
  const histogram = new Array<number>(LATENCY_BOUNDS_MS.length + 1).fill(0);
  let maxMs = 0;
  let requests = 0;
  for (const bucket of buckets) {
    requests += bucket.requests;
    maxMs = Math.max(maxMs, bucket.maxMs);
    bucket.histogram.forEach((count, index) => {
      histogram[index] = (histogram[index] ?? 0) + count;
    });
  }
  const quantile = (level: number): number => histogramQuantile(histogram, level, maxMs);
  return { requests, p50Ms: quantile(0.5), p95Ms: quantile(0.95), p99Ms: quantile(0.99), maxMs };
}

/** Quantile of a histogram, linear within its bucket; the open bucket ends at `maxMs`. */
export function histogramQuantile(histogram: readonly number[], level: number, maxMs: number): number {
  const total = histogram.reduce((sum, count) => sum + count, 0);
  if (total === 0) return 0;
  const rank = level * total;
  let seen = 0;
  for (let index = 0; index < histogram.length; index++) {
    const count = histogram[index] ?? 0;
    if (count > 0 && seen + count >= rank) {
      const low = index === 0 ? 0 : (LATENCY_BOUNDS_MS[index - 1] ?? 0);
      const high = Math.min(LATENCY_BOUNDS_MS[index] ?? maxMs, Math.max(maxMs, low));
      return low + ((rank - seen) / count) * Math.max(0, high - low);
    }
    seen += count;
  }
  return maxMs;
}
