import assert from "node:assert/strict";
import fc from "fast-check";
import { LATENCY_BOUNDS_MS } from "../../providers/drivers/contracts";
import { bucketOf, KEPT_SECONDS, quantileOf, TrafficStats } from "../../providers/drivers/traffic/switch/traffic-stats";

describe("traffic of a service", () => {
  it("is counted in the second in which a request ended", () => {
    const stats = new TrafficStats();
    stats.record(10_500, 3, false, false);
    stats.record(10_900, 5, true, false);
    stats.record(12_000, 2000, false, true);
    const buckets = stats.since(0, 12_000);
    assert.deepEqual(
      buckets.map(({ atMs, requests, failed, slow, maxMs }) => ({ atMs, requests, failed, slow, maxMs })),
      [
        { atMs: 10_000, requests: 2, failed: 1, slow: 0, maxMs: 5 },
        { atMs: 12_000, requests: 1, failed: 0, slow: 1, maxMs: 0 },
      ],
    );
    assert.deepEqual(stats.since(11_000, 12_000).length, 1);
  });

  it("is kept for six hours, and a slot that is used again begins anew", () => {
    const stats = new TrafficStats();
    stats.record(5_000, 1, false, false);
    const later = 5_000 + KEPT_SECONDS * 1000;
    assert.equal(stats.since(0, later - 1000).length, 1);
    assert.equal(stats.since(0, later).length, 0);
    stats.record(later, 1, false, false);
    assert.deepEqual(
      stats.since(0, later).map(({ atMs, requests }) => [atMs, requests]),
      [[later, 1]],
    );
  });

  it("puts every latency into the bucket whose bounds enclose it", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 60_000, noNaN: true }), (latency) => {
        const index = bucketOf(latency);
        assert.ok(latency <= (LATENCY_BOUNDS_MS[index] ?? Number.POSITIVE_INFINITY));
        assert.ok(index === 0 || latency > (LATENCY_BOUNDS_MS[index - 1] ?? Number.NaN));
      }),
    );
  });

  it("estimates quantiles within the bucket in which they lie", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 40_000, noNaN: true }), { minLength: 1, maxLength: 300 }),
        fc.constantFrom(0.5, 0.95, 0.99),
        (latencies, level) => {
          const histogram = new Uint32Array(LATENCY_BOUNDS_MS.length + 1);
          for (const latency of latencies) {
            const index = bucketOf(latency);
            histogram[index] = (histogram[index] ?? 0) + 1;
          }
          const sorted = [...latencies].sort((a, b) => a - b);
          const exact = sorted[Math.max(0, Math.ceil(level * sorted.length) - 1)] ?? 0;
          const max = sorted.at(-1) ?? 0;
          const estimate = quantileOf(histogram, level, max);
          const bucket = bucketOf(exact);
          assert.ok(estimate <= max);
          assert.ok(estimate <= (LATENCY_BOUNDS_MS[bucket] ?? max));
          assert.ok(estimate >= (LATENCY_BOUNDS_MS[bucket - 1] ?? 0) || estimate === max);
        },
      ),
    );
  });
});
