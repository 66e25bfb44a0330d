/**
 * The load history of a fleet's workloads: asks the source of each island for its workloads, and the hosts for the
 * last minutes.
 *
 * Not for: forecasting; a workload that no source knows comes back without series.
 */
import type { Fleet, HostUpdateSpec, IslandSpec, MetricUnit, Series, WorkloadHistory } from "../../sdk/model";
import { isKind } from "../../sdk/model";
import type { UsageSampler } from "../drivers/contracts";
import { createAgentSource } from "./agent";
import type { IslandPlatforms } from "./fleet";
import { groupByPlatform } from "./fleet";
import type { MetricSource, TimeRange } from "./metric-source";
import { openMetricSource } from "./open-source";

/** Step of the live samples asked for. */
const LIVE_STEP_MS = 60_000;
/** The last minutes that tell the level of the moment; longer ones are history already. */
const LIVE_RANGE_MS = 15 * 60_000;
/** What is asked for of each workload, by the field of its history. */
const UNITS = {
  cpu: "cpuMillis",
  memory: "memoryBytes",
  requests: "requestsPerSecond",
  disk: "diskBytesPerSecond",
  network: "networkBytesPerSecond",
} as const satisfies Partial<Record<keyof WorkloadHistory, MetricUnit>>;

/**
 * Reads the history of every workload of the fleet.
 * @param range what to ask for; nothing measured after `toMs` comes back
 * @throws DriverError when a source gives no answer; MistakeError when a recorded file is wrong
 */
export async function observeHistory(
  platforms: IslandPlatforms,
  spec: HostUpdateSpec,
  fleet: Fleet,
  range: TimeRange,
  stepMs: number,
  signal: AbortSignal,
): Promise<readonly WorkloadHistory[]> {
  const perPlatform = await Promise.all(
    groupByPlatform(platforms, spec).map(async ([platform, islands]) => {
      const perIsland = await Promise.all(
        islands.map((island) => islandHistory(island, platform.sampler, fleet, range, stepMs, signal)),
      );
      return perIsland.flat();
    }),
  );
  return perPlatform.flat();
}

/** What tells that the histories of a range would be others: files that have changed. What is asked by time does not change. */
export async function stampHistory({ islands }: HostUpdateSpec): Promise<readonly string[]> {
  const files = islands.flatMap(({ metrics }) => (metrics.kind === "recorded" ? [metrics.file] : []));
  if (files.length === 0) return [];
  const { stampOf } = await import("./recorded.js");
  return Promise.all([...new Set(files)].map(stampOf));
}

/** What the sources of these islands say about themselves; for reports. */
export async function listDisclosures(platforms: IslandPlatforms, spec: HostUpdateSpec): Promise<readonly string[]> {
  const sources = await Promise.all(
    groupByPlatform(platforms, spec).flatMap(([platform, islands]) =>
      islands.map((island) => openSource(island, platform.sampler)),
    ),
  );
  return [...new Set(sources.flatMap(({ disclosure }) => (disclosure === undefined ? [] : [disclosure])))];
}

function openSource(island: IslandSpec, sampler: UsageSampler | undefined, fleet?: Fleet): Promise<MetricSource> {
  return openMetricSource(island.metrics, {
    ...(sampler === undefined ? {} : { sampler }),
    ...(fleet === undefined ? {} : { capacityCpuMillis: (subject: string) => capacityOf(subject, fleet) }),
  });
}

/** Capacity of a host, or of all hosts that run a copy of a workload; undefined when there is none. */
function capacityOf(subject: string, fleet: Fleet): number | undefined {
  const runsOn = new Set(fleet.replicas.filter((r) => subject === `workload/${r.workload}`).map((r) => r.host));
  const hosts = fleet.hosts.filter((host) => subject === `host/${host.id}` || runsOn.has(host.id));
  return hosts.length === 0 ? undefined : hosts.reduce((sum, host) => sum + host.capacity.cpuMillis, 0);
}

async function islandHistory(
  island: IslandSpec,
  sampler: UsageSampler | undefined,
  fleet: Fleet,
  range: TimeRange,
  stepMs: number,
  signal: AbortSignal,
): Promise<readonly WorkloadHistory[]> {
  const names = fleet.workloads.filter((workload) => workload.island === island.name).map((workload) => workload.name);
  const source = await openSource(island, sampler, fleet);
  const fields = Object.entries(UNITS);
  const selectors = names.flatMap((name) => fields.map(([, unit]) => ({ subject: `workload/${name}`, unit })));
  const [answers, live] = await Promise.all([
    source.query(selectors, range, stepMs, signal),
    // The agents' own history is live already.
    island.metrics.kind === "agent" ? [] : liveSeries(names, sampler, range.toMs, signal),
  ]);
  return names.map((workload, index) => {
    const known = fields.flatMap(([field], at) => {
      const series = answers[index * fields.length + at];
      return series === undefined ? [] : [[field, series] as const];
    });
    const recent = live[index];
    return { workload, ...Object.fromEntries(known), ...(recent === undefined ? {} : { live: recent }) };
  });
}

/** Live CPU by workload; without an answer the forecast simply keeps the level of the history. */
async function liveSeries(
  names: readonly string[],
  sampler: UsageSampler | undefined,
  toMs: number,
  signal: AbortSignal,
): Promise<readonly (Series | undefined)[]> {
  if (sampler === undefined) return [];
  const selectors = names.map((name) => ({ subject: `workload/${name}`, unit: "cpuMillis" as const }));
  const range = { fromMs: toMs - LIVE_RANGE_MS, toMs };
  try {
    return await createAgentSource(sampler).query(selectors, range, LIVE_STEP_MS, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!isKind(error, "DriverError")) throw error;
    return [];
  }
}
