/**
 * What a service's clients saw: buckets of one second with a latency histogram, kept for six hours.
 *
 * Not for: metrics of hosts. Kept in memory: a restarted switch begins anew.
 *
 * Invariants
 * 1. A request is counted once, when its answer ended, in the second in which it ended.
 * 2. Slow requests (the client marked them) count as requests and failures; their latency is kept apart.
 */
import { LATENCY_BOUNDS_MS } from "../../contracts";
import type { ServiceTraffic } from "../../contracts";

/** How long buckets are kept. */
export const KEPT_SECONDS = 6 * 3600;

/** Requests that clients mark with this header (value `1`) are expected to be slow; they are judged apart. */
export const SLOW_HEADER = "x-archipelago-slow";

/** One bucket as it is told: what every reader of the contract knows, and the slow ones. */
export type TrafficSecond = ServiceTraffic["buckets"][number] & { readonly slow: number };

interface Second {
  readonly second: number;
  requests: number;
  failed: number;
  slow: number;
  maxMs: number;
  readonly histogram: Uint32Array;
}

const BUCKETS = LATENCY_BOUNDS_MS.length + 1;

/** Counts of one service. */
export class TrafficStats {
  /** Ring: second s is at s modulo KEPT_SECONDS. */
  private readonly ring = new Array<Second | undefined>(KEPT_SECONDS);

  private allRequests = 0;
  private allFailed = 0;

  /** Requests since the switch began, as counters for monitoring. */
  totals(): { readonly requests: number; readonly failed: number } {
    return { requests: this.allRequests, failed: this.allFailed };
  }

  /**
   * Counts one request.
   * @param atMs wall time of its end
   */
  record(atMs: number, latencyMs: number, isFailed: boolean, isSlow: boolean): void {
    const bucket = this.secondAt(Math.floor(atMs / 1000));
    bucket.requests += 1;
    this.allRequests += 1;
    if (isFailed) {
      bucket.failed += 1;
      this.allFailed += 1;
    }
    if (isSlow) {
      bucket.slow += 1;
      return;
    }
    const index = bucketOf(latencyMs);
    bucket.histogram[index] = (bucket.histogram[index] ?? 0) + 1;
    if (latencyMs > bucket.maxMs) bucket.maxMs = latencyMs;
  }

  /** Buckets with traffic from `sinceMs` on, oldest first. */
  since(sinceMs: number, nowMs: number): readonly TrafficSecond[] {
    const last = Math.floor(nowMs / 1000);
    const first = Math.max(Math.floor(sinceMs / 1000), last - KEPT_SECONDS + 1);
    const buckets: TrafficSecond[] = [];
    for (let second = first; second <= last; second += 1) {
      const bucket = this.ring[second % KEPT_SECONDS];
      if (bucket?.second !== second) continue;
      buckets.push({
        atMs: second * 1000,
        requests: bucket.requests,
        failed: bucket.failed,
        slow: bucket.slow,
        p50Ms: quantileOf(bucket.histogram, 0.5, bucket.maxMs),
        p99Ms: quantileOf(bucket.histogram, 0.99, bucket.maxMs),
        maxMs: bucket.maxMs,
        histogram: Array.from(bucket.histogram),
      });
    }
    return buckets;
  }

  private secondAt(second: number): Second {
    const slot = second % KEPT_SECONDS;
    const found = this.ring[slot];
    if (found?.second === second) return found;
    const fresh: Second = { second, requests: 0, failed: 0, slow: 0, maxMs: 0, histogram: new Uint32Array(BUCKETS) };
    this.ring[slot] = fresh;
    return fresh;
  }
}

/** Index of the histogram's bucket for a latency; the last one is open. */
export function bucketOf(latencyMs: number): number {
  let low = 0;
  let high = LATENCY_BOUNDS_MS.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (latencyMs <= (LATENCY_BOUNDS_MS[middle] as number)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Quantile of a histogram, linear within its bucket, never above the largest value seen; 0 when it is empty. */
export function quantileOf(histogram: Uint32Array, level: number, maxMs: number): number {
  let total = 0;
  for (const count of histogram) total += count;
  if (total === 0) return 0;
  const rank = level * total;
  let seen = 0;
  for (let i = 0; i < histogram.length; i += 1) {
    const count = histogram[i] ?? 0;
    if (count > 0 && seen + count >= rank) {
      const lower = i === 0 ? 0 : (LATENCY_BOUNDS_MS[i - 1] as number);
      const upper = Math.min(LATENCY_BOUNDS_MS[i] ?? maxMs, maxMs);
      return Math.min(maxMs, lower + Math.max(0, upper - lower) * ((rank - seen) / count));
    }
    seen += count;
  }
  return maxMs;
}
