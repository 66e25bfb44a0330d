/**
 * Demand profiles: what each workload and each island needs of CPU, memory, disk IO and bandwidth, hour by hour, over
 * the opening that is planned for and over the next day.
 *
 * Not for: deciding about capacity, which looks at the joint paths of the window in their fine step (providers/plan).
 *
 * Invariants
 * 1. An island's rows are quantiles of the sum over its workloads within each path, never sums of quantiles.
 * 2. A resource that nobody measures has no profile; an island's counts the workloads that are measured and no others.
 */
import type { DemandProfile, ProfileResource, Series, Workload, WorkloadHistory } from "../../../sdk/model";
import { floorToGrid, isKind, peakQuantiles, quantileRows, seriesEndMs } from "../../../sdk/model";
import { alignBefore } from "../align-series";
import type { PathSource } from "../joint-paths";
import { sampleJointPaths } from "../joint-paths";
import { seasonalNaive } from "../seasonal-naive";

/** What {@link createProfiles} needs. */
export interface ProfilesInput {
  readonly histories: readonly WorkloadHistory[];
  readonly workloads: readonly Workload[];
  /** Nothing measured from here on is used; the day begins here. Milliseconds since the epoch. */
  readonly nowMs: number;
  /** The opening that is planned for. */
  readonly window: { readonly startMs: number; readonly endMs: number };
  readonly seed: number;
}

const HOUR_MS = 3_600_000;
const DAY_HOURS = 24;
const LEVELS = [0.5, 0.95] as const;
/** Enough for a P95 of an hour; deciding about capacity takes more. */
const PATHS = 100;

const RESOURCES: readonly ProfileResource[] = [
  "cpuMillis",
  "memoryBytes",
  "diskBytesPerSecond",
  "networkBytesPerSecond",
];

/** One resource of one workload with its model. */
interface Track {
  readonly workload: Workload;
  readonly resource: ProfileResource;
  readonly source: PathSource;
}

/**
 * Profiles of all workloads and islands. The model is the quick one: a day ahead by the hour is for people and for
 * placing families; what a window rests on is forecast with all models in its own step.
 */
export function createProfiles(input: ProfilesInput): readonly DemandProfile[] {
  const histories = new Map(input.histories.map((history) => [history.workload, history]));
  const tracks = input.workloads.flatMap((workload) =>
    RESOURCES.flatMap((resource) => fitTrack(workload, resource, histories.get(workload.name), input.nowMs)),
  );
  const { startMs, endMs } = input.window;
  const windowStart = floorToGrid(startMs, HOUR_MS);
  const dayStart = floorToGrid(input.nowMs, HOUR_MS);
  return [
    ...profilesOf(input, tracks, "window", windowStart, Math.max(1, Math.ceil((endMs - windowStart) / HOUR_MS))),
    ...profilesOf(input, tracks, "day", dayStart, DAY_HOURS),
  ];
}

function fitTrack(
  workload: Workload,
  resource: ProfileResource,
  history: WorkloadHistory | undefined,
  nowMs: number,
): readonly Track[] {
  const measured = history && seriesFor(resource, history);
  const series = measured && alignBefore(measured, floorToGrid(nowMs, HOUR_MS), HOUR_MS);
  if (series === undefined) return [];
  try {
    return [{ workload, resource, source: { fitted: seasonalNaive().fit(series), endMs: seriesEndMs(series) } }];
  } catch (error) {
    if (!isKind(error, "SeriesError")) throw error;
    return [];
  }
}

function seriesFor(resource: ProfileResource, { cpu, memory, disk, network }: WorkloadHistory): Series | undefined {
  switch (resource) {
    case "cpuMillis":
      return cpu;
    case "memoryBytes":
      return memory;
    case "diskBytesPerSecond":
      return disk;
    case "networkBytesPerSecond":
      return network;
  }
}

function profilesOf(
  { workloads, seed }: ProfilesInput,
  tracks: readonly Track[],
  span: DemandProfile["span"],
  startMs: number,
  steps: number,
): readonly DemandProfile[] {
  // All resources are drawn together: what is busy with its CPU is mostly busy with its disk as well.
  const sources = tracks.map(({ source }) => source);
  const paths = sampleJointPaths({ sources, startMs, stepMs: HOUR_MS, steps, paths: PATHS, seed });
  const render = (subject: string, resource: ProfileResource, members: readonly number[]): DemandProfile => {
    const sums = paths.map((path) => {
      const sum = new Float64Array(steps);
      for (const index of members) {
        const copies = copiesOf(tracks[index]);
        for (let h = 0; h < steps; h++) sum[h] = (sum[h] as number) + copies * (path[index * steps + h] ?? 0);
      }
      return sum;
    });
    return {
      subject,
      resource,
      span,
      startMs,
      stepMs: HOUR_MS,
      levels: [...LEVELS],
      rows: quantileRows(sums, steps, LEVELS).map((row) => Array.from(row, Math.round)),
      peak: peakQuantiles(sums, LEVELS).map(Math.round),
    };
  };
  const islands = [...new Set(workloads.map(({ island }) => island))];
  return [
    ...tracks.map(({ workload, resource }, index) => render(`workload/${workload.name}`, resource, [index])),
    ...islands.flatMap((island) =>
      RESOURCES.flatMap((resource) => {
        const members = tracks.flatMap((track, index) =>
          track.workload.island === island && track.resource === resource ? [index] : [],
        );
        return members.length === 0 ? [] : [render(`island/${island}`, resource, members)];
      }),
    ),
  ];
}

/** Memory is measured of one copy, everything else of all copies together. */
function copiesOf(track: Track | undefined): number {
  return track?.resource === "memoryBytes" ? track.workload.copies : 1;
}
