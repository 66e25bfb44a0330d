/** Adds simulated runs up to distributions and counts. Pure. */
import type { Distribution, RunSample, SimulationInput, SimulationResult } from "./simulation";
import type { SimulatedPlan } from "./simulate-run";

const BINS = 20;
const MOST_REASONS = 8;

/** What all samples come to; their order does not matter. */
export function summarize(
  { bundle, runs, seed, assumptions }: SimulationInput,
  { plan, startMs, closesMs }: SimulatedPlan,
  samples: readonly RunSample[],
): SimulationResult {
  const duration = distributionOf(samples.filter(({ phase }) => phase === "done").map(({ durationMs }) => durationMs));
  const pauses = distributionOf(samples.flatMap(({ pausesMs }) => pausesMs));
  const reasons = countBy(samples.flatMap(({ reason }) => (reason === undefined ? [] : [plainReason(reason)])));
  return {
    v: 1,
    name: bundle.spec.name,
    runs,
    seed,
    assumptions,
    startMs,
    closesMs,
    timezone: bundle.spec.windows[0]?.timezone ?? "UTC",
    phases: Object.fromEntries(countBy(samples.map(({ phase }) => phase))),
    ...(duration ? { duration } : {}),
    ...(pauses ? { pauses } : {}),
    violations: Object.fromEntries(countBy(samples.flatMap(({ violations }) => [...new Set(violations)]))),
    overCapacity: samples.filter(({ isOverCapacity }) => isOverCapacity).length,
    plannedOverCapacityShare: Math.max(0, ...plan.waves.map(({ overCapacityShare }) => overCapacityShare)),
    reasons: reasons.slice(0, MOST_REASONS).map(([reason, count]) => ({ reason, runs: count })),
  };
}

/** Quantiles by the nearest rank, and bins from the smallest to the largest; undefined of nothing. */
export function distributionOf(values: readonly number[]): Distribution | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const [minimum] = sorted;
  const maximum = sorted.at(-1);
  if (minimum === undefined || maximum === undefined) return undefined;
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? minimum;
  const width = (maximum - minimum) / BINS;
  const counts = new Array<number>(width > 0 ? BINS : 1).fill(0);
  for (const value of sorted) {
    const bin = width > 0 ? Math.min(BINS - 1, Math.floor((value - minimum) / width)) : 0;
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const bins = counts.map((count, bin) => ({ from: minimum + bin * width, to: minimum + (bin + 1) * width, count }));
  return { count: sorted.length, minimum, p50: at(0.5), p95: at(0.95), maximum, bins };
}

/** Values with how often they come, the most frequent first, equals by name. */
function countBy(values: readonly string[]): readonly (readonly [value: string, count: number])[] {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1));
}

/** The first line of a reason without its numbers, so that the same reason is counted once. */
function plainReason(reason: string): string {
  return (reason.split("\n")[0] ?? "").replace(/\b\d+(\.\d+)?( ?(ms|s|min|h))?\b/g, "#");
}
