/**
 * Jobs that hosts start by the clock (crontabs, timers of systemd), as signals of the workloads beside them: the
 * forecast learns what they do to demand.
 *
 * Not for: reading files; agents do that, at the paths that their configuration names (providers/agent/schedules).
 *
 * Invariants
 * 1. A job that runs several times a day is in the shape of the day already and makes no signal.
 * 2. Hosts that do not answer, and patterns that are none, have no jobs: a forecast never fails for them.
 */
import type { Fleet, HostSchedule, HostUpdateSpec, SignalTimeline } from "../../sdk/model";
import { isKind } from "../../sdk/model";
import { openingsOf } from "../calendar";
import { groupByPlatform, type IslandPlatforms } from "./fleet";
import type { TimeRange } from "./metric-source";

const DAY_MS = 86_400_000;
/** Nobody says how long a job takes: its effect is looked for in the half hour after its start. */
const ASSUMED_MS = 30 * 60_000;
/** Openings that meet become one; starts must not. */
const START_MS = 1000;
const MOST_SPANS = 500;
const MOST_PER_DAY = 2;

/**
 * Signals of jobs that start within the time ahead.
 * @param range the history and the time ahead @param aheadMs where the time ahead begins
 */
export async function observeHostSchedules(
  platforms: IslandPlatforms,
  spec: HostUpdateSpec,
  fleet: Pick<Fleet, "replicas">,
  range: TimeRange,
  aheadMs: number,
  signal: AbortSignal,
): Promise<readonly SignalTimeline[]> {
  const answers = await Promise.all(
    groupByPlatform(platforms, spec).map(async ([{ schedules }]) =>
      schedules?.schedules(signal).catch((error: unknown) => {
        signal.throwIfAborted();
        if (!isKind(error, "DriverError")) throw error;
        return [];
      }),
    ),
  );
  return [...groupAlike(answers.flatMap((found) => found ?? []))].flatMap((jobs) =>
    timelineOf(jobs, fleet, range, aheadMs),
  );
}

/** The same job of several hosts is one. */
function groupAlike(jobs: readonly HostSchedule[]): Iterable<readonly HostSchedule[]> {
  const groups = new Map<string, HostSchedule[]>();
  for (const job of jobs) {
    const key = [job.program, job.source, job.cron, job.timezone].join("\n");
    groups.set(key, [...(groups.get(key) ?? []), job]);
  }
  return groups.values();
}

function timelineOf(
  jobs: readonly HostSchedule[],
  { replicas }: Pick<Fleet, "replicas">,
  { fromMs, toMs }: TimeRange,
  aheadMs: number,
): readonly SignalTimeline[] {
  const [job] = jobs;
  const hosts = [...new Set(jobs.map(({ host }) => host))].sort();
  const workloads = [
    ...new Set(replicas.filter(({ host }) => hosts.includes(host)).map(({ workload }) => workload)),
  ].sort();
  if (!job || workloads.length === 0) return [];
  const spans = startsOf(job, fromMs, toMs).map((startMs) => ({
    fromMs: startMs,
    toMs: startMs + ASSUMED_MS,
  }));
  const isOften = spans.length > MOST_PER_DAY * Math.max(1, (toMs - fromMs) / DAY_MS);
  if (isOften || !spans.some((span) => span.toMs > aheadMs && span.fromMs < toMs)) return [];
  const where = hosts.length <= 3 ? hosts.join(", ") : `${String(hosts.length)} hosts`;
  return [
    { name: `${job.program} on ${where} (${job.source}: ${job.cron})`, type: "cron", workloads, isOfAll: false, spans },
  ];
}

function startsOf({ cron, timezone }: HostSchedule, fromMs: number, toMs: number): readonly number[] {
  try {
    const window = { name: cron, cron, timezone, durationMs: START_MS, freezes: [] };
    return openingsOf([window], fromMs, MOST_SPANS, toMs - fromMs).map(({ startMs }) => startMs);
  } catch {
    return [];
  }
}
