/**
 * What a service's traffic was over time: stretches in which it did one and the same, and bursts. Buckets of a second
 * are made of it when somebody asks.
 *
 * Not for: deciding what becomes of requests (load-model.ts).
 */
import { LATENCY_BOUNDS_MS } from "../drivers/contracts";
import type { ServiceTraffic } from "../drivers/contracts";
import type { ResolvedWorkloadSpec } from "./fleet-spec";
import { WriteLog } from "./write-log";

const BUCKET_MS = 1000;

/** What becomes of the requests that arrive. */
export type TrafficMode = "served" | "failed" | "parked";

interface Segment {
  readonly fromMs: number;
  toMs: number;
  readonly mode: TrafficMode;
}

/** Requests that ended at one moment: let go after parking, or broken off. */
export interface TrafficBurst {
  readonly atMs: number;
  readonly requests: number;
  readonly failed: number;
  readonly waitedMs: number;
}

type Bucket = ServiceTraffic["buckets"][number];

/** Traffic of one service since the fleet began. */
export class TrafficHistory {
  /** Writes that were acknowledged; exclusive services only. */
  acknowledged = WriteLog.empty;
  nextWrite = 0;
  /** The copy whose state was last compared with what was acknowledged. */
  checkedWriter: string | undefined;
  private readonly segments: Segment[] = [];
  private readonly bursts: TrafficBurst[] = [];

  constructor(
    private readonly workload: ResolvedWorkloadSpec,
    private readonly originMs: number,
  ) {}

  /** Whole requests that arrive in (from, to]; sums over adjacent ranges are exact. */
  arrivals(fromMs: number, toMs: number): number {
    const upTo = (ms: number): number => Math.floor(((ms - this.originMs) * this.workload.requestsPerSecond) / 1000);
    return upTo(toMs) - upTo(fromMs);
  }

  /** Notes what became of the requests between two moments. */
  extend(fromMs: number, toMs: number, mode: TrafficMode): void {
    const last = this.segments.at(-1);
    if (last?.mode === mode && last.toMs === fromMs) last.toMs = toMs;
    else this.segments.push({ fromMs, toMs, mode });
  }

  addBurst(burst: TrafficBurst): void {
    this.bursts.push(burst);
  }

  /** Buckets of one second from `sinceMs` to `untilMs`. */
  bucketsBetween(sinceMs: number, untilMs: number): readonly Bucket[] {
    const buckets: Bucket[] = [];
    const firstMs = Math.floor(Math.max(sinceMs, this.originMs) / BUCKET_MS) * BUCKET_MS;
    for (let atMs = firstMs; atMs < untilMs; atMs += BUCKET_MS) {
      buckets.push(this.bucket(atMs, Math.min(atMs + BUCKET_MS, untilMs)));
    }
    return buckets;
  }

  private bucket(atMs: number, endMs: number): Bucket {
    const { requestMs, slowRequestMs, slowShare } = this.workload;
    const sums: Record<TrafficMode, number> = { served: 0, failed: 0, parked: 0 };
    for (const segment of this.segments) {
      const fromMs = Math.max(segment.fromMs, atMs);
      const toMs = Math.min(segment.toMs, endMs);
      if (toMs > fromMs) sums[segment.mode] += this.arrivals(fromMs, toMs);
    }
    const bursts = this.bursts.filter((burst) => burst.atMs >= atMs && burst.atMs < atMs + BUCKET_MS);
    const released = bursts.reduce((sum, burst) => sum + burst.requests, 0);
    const failed = sums.failed + bursts.reduce((sum, burst) => sum + burst.failed, 0);
    const slow = Math.round(sums.served * slowShare);
    const histogram = LATENCY_BOUNDS_MS.map(() => 0).concat(0);
    countLatency(histogram, requestMs, sums.served - slow);
    countLatency(histogram, slowRequestMs, slow);
    for (const burst of bursts) countLatency(histogram, burst.waitedMs + requestMs, burst.requests);
    const maxMs = Math.max(slow > 0 ? slowRequestMs : requestMs, ...bursts.map((burst) => burst.waitedMs));
    const p99Ms = slowShare > SLOW_FROM_SHARE ? slowRequestMs : maxMs;
    return { atMs, requests: sums.served + released + failed, failed, p50Ms: requestMs, p99Ms, maxMs, histogram };
  }
}

/** More slow requests than this and the 99th percentile is one of them. */
const SLOW_FROM_SHARE = 0.01;

function countLatency(histogram: number[], latencyMs: number, count: number): void {
  const index = LATENCY_BOUNDS_MS.findIndex((bound) => latencyMs <= bound);
  const bucket = index < 0 ? LATENCY_BOUNDS_MS.length : index;
  histogram[bucket] = (histogram[bucket] ?? 0) + count;
}
