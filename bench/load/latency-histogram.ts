/**
 * Latencies in buckets 1 % wide, so that quantiles of two phases can be compared without keeping every value.
 *
 * Not for: the switch's own histogram, whose bounds are part of a contract (providers/drivers/contracts.ts).
 */
import type { LatencySummary } from "../../sdk/model";

const SMALLEST_MS = 0.01;
const GROWTH = 1.01;
const LOG_GROWTH = Math.log(GROWTH);

/** Counts latencies. */
export class LatencyHistogram {
  private readonly counts: number[] = [];
  private total = 0;
  private maxMs = 0;

  record(latencyMs: number): void {
    const bucket = latencyMs <= SMALLEST_MS ? 0 : Math.ceil(Math.log(latencyMs / SMALLEST_MS) / LOG_GROWTH);
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.total += 1;
    if (latencyMs > this.maxMs) this.maxMs = latencyMs;
  }

  /** Upper bound of the bucket in which the quantile lies, at most the largest value; 0 without values. */
  quantile(level: number): number {
    if (this.total === 0) return 0;
    const rank = Math.max(1, Math.ceil(level * this.total));
    let seen = 0;
    for (let bucket = 0; bucket < this.counts.length; bucket += 1) {
      seen += this.counts[bucket] ?? 0;
      if (seen >= rank) return Math.min(this.maxMs, SMALLEST_MS * GROWTH ** bucket);
    }
    return this.maxMs;
  }

  summary(): LatencySummary {
    return {
      requests: this.total,
      p50Ms: this.quantile(0.5),
      p95Ms: this.quantile(0.95),
      p99Ms: this.quantile(0.99),
      maxMs: this.maxMs,
    };
  }
}
