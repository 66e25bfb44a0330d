/**
 * What a plan knows of the demand ahead beyond the forecast of each workload: signals, who causes whose demand, which
 * functions matter, what users foretell, the update's own load, and the sum of each island. Pure.
 *
 * Not for: the plan's decisions (explanation.ts).
 */
import { formatDurationShort, formatPercentage, type Forecast, type Island, type Workload } from "../../sdk/model";
import { quantileOfSorted, sumPaths, wholeShares } from "../../sdk/model";

/** Level of the peaks that are told. */
const TOLD_LEVEL = 0.95;

/** All of it in words; empty where nothing is known. */
export function renderDemand(
  forecast: Forecast,
  fleet: { readonly islands: readonly Pick<Island, "name">[]; readonly workloads: readonly Workload[] },
): string {
  const { signals = [], dependencies = [], functions = [], users = [], impact } = forecast;
  const lines = [
    ...fleet.islands.map(({ name }) => describeIsland(forecast, name, fleet.workloads)),
    ...signals.map(({ name, type, reason }) => `signal ${name} (${type}): ${reason}`),
    ...dependencies.map(
      ({ caller, called, share, lagMs, confidence, reason }) =>
        `${caller} causes ${formatPercentage(share)} of ${called}'s load, ` +
        `${lagMs === 0 ? "at once" : `after ${formatDurationShort(lagMs)}`} (sure ${formatPercentage(confidence)}): ${reason}`,
    ),
    ...functions.map(
      ({ workload, name, criticality, confidence, reason }) =>
        `${name} of ${workload} is ${criticality} (sure ${formatPercentage(confidence)}): ${reason}`,
    ),
    ...users.map(({ workload, reason }) => `users of ${workload}: ${reason}`),
    ...(impact === undefined ? [] : [describeImpact(impact)]),
  ];
  return lines.length === 0 ? "" : ["demand:", ...lines.map((line) => `  ${line}`)].join("\n");
}

function describeIsland({ demand }: Forecast, island: string, workloads: readonly Workload[]): string {
  const own = workloads.filter((workload) => workload.island === island).map(({ name }) => name);
  const peakOf = (names: readonly string[]): number => {
    const peaks = sumPaths(demand, wholeShares(names)).map((path) =>
      path.reduce((most, one) => Math.max(most, one), 0),
    );
    return quantileOfSorted(Float64Array.from(peaks).sort(), TOLD_LEVEL);
  };
  const apart = own.reduce((sum, name) => sum + peakOf([name]), 0);
  return (
    `${island} needs at most ${cores(peakOf(own))} cores 19 times of 20; ` +
    `the peaks of its workloads one by one add up to ${cores(apart)}`
  );
}

function describeImpact({ duration, parts, measuredHosts }: NonNullable<Forecast["impact"]>): string {
  const cpuMillis = Math.max(0, ...parts.map((part) => part.cpuMillis.p95));
  const disk = Math.max(0, ...parts.map((part) => part.diskBytesPerSecond.p95)) / 2 ** 20;
  const basis =
    measuredHosts === 0
      ? "a guess from its package"
      : `from ${String(measuredHosts)} host${measuredHosts === 1 ? "" : "s"} of earlier runs`;
  return (
    `the update itself takes ${formatDurationShort(duration.p50Ms)} a host (P95 ${formatDurationShort(duration.p95Ms)}), ` +
    `at most ${cores(cpuMillis)} cores and ${disk.toFixed(1)} MiB/s of disk IO: ${basis}`
  );
}

function cores(cpuMillis: number): string {
  return (cpuMillis / 1000).toFixed(2);
}
