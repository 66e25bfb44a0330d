/**
 * Gathers what stop rules are judged on while a run goes on: traffic by the second from the switch, demand against the
 * forecast from the hosts' samples. Each look asks only for what is new.
 *
 * Not for: judging (stop-rules.ts).
 *
 * Invariants
 * 1. A second of traffic counts once, with what the switch said of it last.
 * 2. A step of the forecast counts only when it was watched for most of its length, and is compared with the forecast
 *    that was known when it began.
 * 3. A value that comes late is no drop: a step for which a workload's samples are missing is judged one step later, and
 *    never where samples of it came after that step.
 */
import type { Fleet, Forecast, JointDemand, RunState, StepRecord } from "../../sdk/model";
import { quantileOfSorted, sumAtStep, sumPaths, wholeShares } from "../../sdk/model";
import type { ReplicaUsage, ServiceTraffic } from "../drivers/contracts";
import { limitsOf, trackDemand, type TrackLimits, type TrackedStep } from "../forecast/tracker/track-demand";
import type { Evidence, TrafficSecond } from "./stop-rules";

/** The switch is asked again for its last seconds: requests that end late count where they belong. */
const OVERLAP_MS = 5_000;
/** Share of a step that must have been watched. */
const WATCHED_SHARE = 0.8;
/** Forecasts that are remembered: one is made before each wave. */
const FORECASTS_KEPT = 8;

const FAILED: ReadonlySet<StepRecord["status"]> = new Set(["failed", "undoing", "undone", "undo-failed"]);

/** Traffic of all services, by the second. */
export class TrafficEvidence {
  private readonly services = new Map<string, Map<number, TrafficSecond>>();
  private seenMs: number | undefined;

  /** From when on the switch is to be asked. @param earliestMs start of what matters at all */
  nextSinceMs(earliestMs: number): number {
    return Math.max(earliestMs, this.seenMs === undefined ? earliestMs : this.seenMs - OVERLAP_MS);
  }

  /** Adds what the switch answered at `nowMs`, and forgets what is older than `earliestMs`. */
  add(traffic: readonly ServiceTraffic[], nowMs: number, earliestMs: number): void {
    for (const { service, buckets } of traffic) {
      const seconds = this.services.get(service) ?? new Map<number, TrafficSecond>();
      this.services.set(service, seconds);
      for (const { atMs, requests, failed } of buckets) seconds.set(atMs, { atMs, requests, failed });
      for (const atMs of seconds.keys()) if (atMs < earliestMs) seconds.delete(atMs);
    }
    this.seenMs = nowMs;
  }

  list(): Evidence["traffic"] {
    return [...this.services].map(([service, seconds]) => ({ service, seconds: [...seconds.values()] }));
  }
}

/** Demand of islands, by the steps of the forecasts. */
export class DemandEvidence {
  private readonly forecasts: { readonly notedMs: number; readonly demand: JointDemand }[] = [];
  /** Core-milliseconds by start of the step and workload. */
  private readonly used = new Map<number, Map<string, number>>();
  private readonly watchedMs = new Map<number, number>();
  /** Sampled time by start of the step, workload and copy. */
  private readonly covered = new Map<number, Map<string, Map<string, number>>>();
  private readonly takenUntil = new Map<string, number>();
  private firstMs: number | undefined;
  private seenMs: number | undefined;
  private readonly limits = new WeakMap<JointDemand, ReadonlyMap<string, TrackLimits>>();

  constructor(private readonly fleet: Pick<Fleet, "workloads">) {}

  /** A forecast that planning rests on from now on. */
  noteForecast({ demand }: Forecast, nowMs: number): void {
    this.forecasts.push({ notedMs: nowMs, demand });
    if (this.forecasts.length > FORECASTS_KEPT) this.forecasts.shift();
  }

  /** From when on hosts are to be asked: a copy whose samples are late is asked again for a step. */
  nextSinceMs(nowMs: number): number {
    const seenMs = this.seenMs ?? nowMs;
    const earliestMs = seenMs - (this.stepMs() ?? 0);
    const late = [...this.takenUntil.values()].filter((untilMs) => untilMs >= earliestMs);
    return Math.max(this.firstMs ?? nowMs, Math.min(seenMs, ...late));
  }

  /** Adds the samples that the hosts gave at `nowMs`. */
  add(usage: readonly ReplicaUsage[], nowMs: number): void {
    const stepMs = this.stepMs();
    const fromMs = this.seenMs ?? nowMs;
    this.seenMs = nowMs;
    const firstMs = (this.firstMs ??= nowMs);
    if (stepMs === undefined) return;
    for (let atMs = fromMs; atMs < nowMs;) {
      const startMs = floorTo(atMs, stepMs);
      const endMs = Math.min(nowMs, startMs + stepMs);
      this.watchedMs.set(startMs, (this.watchedMs.get(startMs) ?? 0) + endMs - atMs);
      atMs = endMs;
    }
    for (const { replica, workload, startMs, stepMs: sampleMs, cpuMillis } of usage) {
      cpuMillis.forEach((value, index) => {
        const atMs = startMs + index * sampleMs;
        if (value === null || atMs < Math.max(firstMs, this.takenUntil.get(replica) ?? 0)) return;
        const step = floorTo(atMs, stepMs);
        const byWorkload = this.used.get(step) ?? new Map<string, number>();
        this.used.set(step, byWorkload);
        byWorkload.set(workload, (byWorkload.get(workload) ?? 0) + value * sampleMs);
        const copies = this.coveredBy(step, workload);
        copies.set(replica, (copies.get(replica) ?? 0) + sampleMs);
        this.takenUntil.set(replica, atMs + sampleMs);
      });
    }
  }

  /** Passed steps of each island, oldest first. */
  list(quantile: number, nowMs: number): ReturnType<Evidence["demand"]> {
    return this.passedSteps(nowMs).map(({ island, steps }) => ({
      island,
      steps: steps.map(({ startMs, actualCpuMillis, paths }) => ({
        startMs,
        actualCpuMillis,
        forecastCpuMillis: quantileOfSorted(paths, quantile),
      })),
    }));
  }

  /**
   * Whether each island's demand still behaves as it was forecast.
   * @param sinceOf from when on an island's steps count
   */
  track(nowMs: number, sinceOf: (island: string) => number): Evidence["tracks"] {
    return this.passedSteps(nowMs).map(({ island, workloads, steps }) => {
      const latest = this.forecasts.at(-1);
      const limits = latest ? this.limitsOf(latest.demand, workloads) : { persistence: 0 };
      return {
        island,
        verdict: trackDemand(
          steps.filter(({ startMs }) => startMs >= sinceOf(island)),
          limits,
        ),
      };
    });
  }

  private passedSteps(nowMs: number): readonly {
    readonly island: string;
    readonly workloads: readonly string[];
    readonly steps: readonly TrackedStep[];
  }[] {
    const stepMs = this.stepMs();
    if (stepMs === undefined) return [];
    const islands = [...new Set(this.fleet.workloads.map(({ island }) => island))];
    const passed = [...this.watchedMs]
      .filter(([startMs, watchedMs]) => startMs + stepMs <= nowMs && watchedMs >= stepMs * WATCHED_SHARE)
      .sort(([a], [b]) => a - b);
    return islands.map((island) => {
      const workloads = this.fleet.workloads.filter((workload) => workload.island === island).map(({ name }) => name);
      const steps = passed.flatMap(([startMs, watchedMs]): readonly TrackedStep[] => {
        const paths = this.pathsAt(startMs, workloads);
        if (paths === undefined) return [];
        const isNewest = nowMs < startMs + 2 * stepMs;
        if (workloads.some((name) => this.isLate(name, startMs, watchedMs, isNewest))) return [];
        const used = this.used.get(startMs);
        const usedMs = workloads.reduce((sum, name) => sum + (used?.get(name) ?? 0), 0);
        // A sample of a whole step that was watched for a part of it tells of the whole.
        const toldMs = Math.max(watchedMs, ...workloads.map((name) => this.coverageOf(name, startMs)));
        return [{ startMs, actualCpuMillis: usedMs / toldMs, paths }];
      });
      return { island, workloads, steps };
    });
  }

  /** Whether samples of a workload that runs are missing in a step: one that has none any more no longer runs. */
  private isLate(workload: string, startMs: number, watchedMs: number, isNewest: boolean): boolean {
    if (this.coverageOf(workload, startMs) >= watchedMs * WATCHED_SHARE) return false;
    const sampled = [...this.covered].filter(([, workloads]) => workloads.has(workload)).map(([step]) => step);
    const isKnownBefore = sampled.some((step) => step <= startMs);
    return isKnownBefore && (isNewest || sampled.some((step) => step > startMs));
  }

  /** Time of a step that samples tell of, by the copy that has most of them. */
  private coverageOf(workload: string, startMs: number): number {
    return Math.max(0, ...(this.covered.get(startMs)?.get(workload)?.values() ?? []));
  }

  private coveredBy(step: number, workload: string): Map<string, number> {
    const workloads = this.covered.get(step) ?? new Map<string, Map<string, number>>();
    this.covered.set(step, workloads);
    const copies = workloads.get(workload) ?? new Map<string, number>();
    workloads.set(workload, copies);
    return copies;
  }

  private stepMs(): number | undefined {
    return this.forecasts.at(-1)?.demand.stepMs;
  }

  /** What chance does, by island's paths; kept, for it takes all of them. */
  private limitsOf(demand: JointDemand, workloads: readonly string[]): TrackLimits {
    const key = workloads.join();
    const known = this.limits.get(demand)?.get(key);
    if (known !== undefined) return known;
    const found = limitsOf(sumPaths(demand, wholeShares(workloads)), demand.steps);
    this.limits.set(demand, new Map([...(this.limits.get(demand) ?? []), [key, found]]));
    return found;
  }

  /** Demand of some workloads together on each path at a step, ascending. */
  private pathsAt(startMs: number, workloads: readonly string[]): Float64Array | undefined {
    const covers = ({ demand }: { readonly demand: JointDemand }): boolean =>
      startMs >= demand.startMs && startMs < demand.startMs + demand.steps * demand.stepMs;
    const known = this.forecasts.filter(covers);
    const chosen = known.findLast(({ notedMs }) => notedMs <= startMs) ?? known[0];
    if (!chosen || chosen.demand.cpuMillis.length === 0) return undefined;
    const step = Math.floor((startMs - chosen.demand.startMs) / chosen.demand.stepMs);
    if (!workloads.some((name) => chosen.demand.workloads.includes(name))) return undefined;
    return sumAtStep(chosen.demand, wholeShares(workloads), step).sort();
  }
}

/** Moves that were begun since then, by workload and place, and those of them that failed or were undone. */
export function countMoves(state: RunState, sinceMs: number): Evidence["moves"] {
  const records = state.steps.filter(({ intentAt }) => intentAt >= sinceMs);
  const moves = state.waves.flatMap((wave) =>
    wave.moves.flatMap((move) => {
      const own = records.filter(({ step }) => "move" in step && step.move === move.id);
      return own.length === 0 ? [] : [{ move, isFailed: own.some(({ status }) => FAILED.has(status)) }];
    }),
  );
  const failed = moves
    .filter(({ isFailed }) => isFailed)
    .map(({ move }) => `${move.workload} from ${move.from}${move.to === undefined ? "" : ` to ${move.to}`}`);
  return { begun: moves.length, failed };
}

function floorTo(atMs: number, stepMs: number): number {
  return Math.floor(atMs / stepMs) * stepMs;
}
