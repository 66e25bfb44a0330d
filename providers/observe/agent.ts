/**
 * Metric source over the hosts' own samples: what the agents measured of the replicas they run. Minutes of history,
 * enough to correct the level of a forecast, too short for a season.
 *
 * Not for: how agents sample (providers/agent) and how they are reached (the platform's driver).
 */
import type { MetricUnit, Series } from "../../sdk/model";
import { resampleSeries } from "../../sdk/model";
import type { ReplicaUsage, UsageSampler } from "../drivers/contracts";
import type { MetricSelector, MetricSource, TimeRange } from "./metric-source";

const WORKLOAD = "workload/";
const HOST = "host/";

/**
 * Creates the source. `cpuMillis` and `diskBytesPerSecond` of a workload or host are the sum over its replicas;
 * `memoryBytes` of a workload is the mean of one replica, of a host the sum. Other units are not known to it.
 */
export function createAgentSource(sampler: UsageSampler): MetricSource {
  return {
    name: "agents",
    query: async (selectors, range, stepMs, signal) => {
      const usages = await sampler.usageSince(range.fromMs, signal);
      return selectors.map((selector) => answer(selector, usages, range, stepMs));
    },
  };
}

function answer(
  selector: MetricSelector,
  usages: readonly ReplicaUsage[],
  range: TimeRange,
  stepMs: number,
): Series | undefined {
  const { unit } = selector;
  if (unit !== "cpuMillis" && unit !== "memoryBytes" && unit !== "diskBytesPerSecond") return undefined;
  const chosen = usages.filter((usage) => subjectMatches(selector.subject, usage));
  const parts = chosen.map((usage) => resampleSeries(seriesOfUsage(usage, unit), stepMs, range));
  const [first] = parts;
  if (first === undefined || parts.every((part) => part.values.every((value) => Number.isNaN(value)))) return undefined;
  const isMean = unit === "memoryBytes" && selector.subject.startsWith(WORKLOAD);
  const values = first.values.map((_, index) => {
    // A replica that did not run in an interval has no sample there and adds nothing; only all-gaps stay a gap.
    const known = parts.map((part) => part.values[index] ?? Number.NaN).filter((value) => !Number.isNaN(value));
    if (known.length === 0) return Number.NaN;
    const sum = known.reduce((total, value) => total + value, 0);
    return isMean ? sum / known.length : sum;
  });
  return { ...first, id: selector.subject, values };
}

function subjectMatches(subject: string, usage: ReplicaUsage): boolean {
  return subject === `${WORKLOAD}${usage.workload}` || subject === `${HOST}${usage.host}`;
}

type SampledUnit = Extract<MetricUnit, "cpuMillis" | "memoryBytes" | "diskBytesPerSecond">;

function seriesOfUsage(usage: ReplicaUsage, unit: SampledUnit): Series {
  const values = Float64Array.from(usage[unit] ?? [], (value) => value ?? Number.NaN);
  return { id: usage.replica, unit, startMs: usage.startMs, stepMs: usage.stepMs, values };
}
