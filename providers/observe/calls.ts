/**
 * Counted calls of a fleet's services, and the bandwidth that they add up to.
 *
 * Not for: who causes whose load (providers/forecast/dependencies).
 */
import type { Fleet, HostUpdateSpec, Series, ServiceCalls, WorkloadHistory } from "../../sdk/model";
import { ceilToGrid, floorToGrid, isKind } from "../../sdk/model";
import type { IslandPlatforms } from "./fleet";
import { groupByPlatform } from "./fleet";
import type { TimeRange } from "./metric-source";

/**
 * Calls in a range of whole minutes. A switch that counts none, or does not answer, has none: a forecast without them
 * is a forecast still.
 */
export async function observeCalls(
  platforms: IslandPlatforms,
  spec: HostUpdateSpec,
  range: TimeRange,
  signal: AbortSignal,
): Promise<readonly ServiceCalls[]> {
  const answers = await Promise.all(
    groupByPlatform(platforms, spec).map(async ([{ recorder }]) => {
      try {
        return (await recorder?.callsSince?.(range.fromMs, signal)) ?? [];
      } catch (error) {
        signal.throwIfAborted();
        if (!isKind(error, "DriverError")) throw error;
        return [];
      }
    }),
  );
  return answers.flat().map(({ service, calls }) => ({
    service,
    calls: calls.filter(({ atMs }) => atMs >= range.fromMs && atMs < range.toMs),
  }));
}

/** Histories with the bandwidth of services where no source knows any. Minutes without calls within the range are 0. */
export function addBandwidth(
  histories: readonly WorkloadHistory[],
  fleet: Fleet,
  services: readonly ServiceCalls[],
  stepMs: number,
): readonly WorkloadHistory[] {
  const serviceOf = new Map(fleet.workloads.map(({ name, service }) => [name, service]));
  const callsOf = new Map(services.map(({ service, calls }) => [service, calls]));
  return histories.map((history) => {
    const calls = callsOf.get(serviceOf.get(history.workload) ?? "") ?? [];
    if (history.network !== undefined || calls.length === 0) return history;
    return { ...history, network: bandwidthOf(history.workload, calls, stepMs) };
  });
}

function bandwidthOf(workload: string, calls: ServiceCalls["calls"], stepMs: number): Series {
  const times = calls.map(({ atMs }) => atMs);
  // The first step is only counted in part.
  const startMs = ceilToGrid(Math.min(...times), stepMs);
  const endMs = floorToGrid(Math.max(...times), stepMs) + stepMs;
  const values = new Float64Array(Math.max(0, Math.round((endMs - startMs) / stepMs)));
  for (const { atMs, bytes } of calls) {
    const step = Math.floor((atMs - startMs) / stepMs);
    if (step >= 0) values[step] = (values[step] ?? 0) + (bytes / stepMs) * 1000;
  }
  return { id: `workload/${workload}`, unit: "networkBytesPerSecond", startMs, stepMs, values };
}
