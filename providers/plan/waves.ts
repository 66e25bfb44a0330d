/**
 * Which hosts are updated together, and in which order: canaries first, then the least loaded ones, as many at once
 * as the limits and the capacity allow.
 *
 * Not for: where copies go (wave-search.ts).
 *
 * Invariants
 * 1. No wave is wider than the limits; no zone loses more hosts at once than its limit.
 * 2. A host of the wave takes no copies in that wave.
 */
import type { DurationQuantiles } from "../../sdk/model";

import { sumDurations } from "./durations";
import type { Placement } from "./placement";
import { compareText } from "./problem";
import {
  settleMoves,
  stepOptions,
  withWorkloads,
  type ScheduleContext,
  type ScheduleFailure,
  type Timeline,
} from "./schedule";
import { createUpdateSteps } from "./steps";
import { searchWave, type PlacedMove, type SearchOptions, type Stuck, type Task } from "./wave-search";

/** What the waves of one try have in common. */
export interface WaveOptions extends Omit<SearchOptions, "index" | "ids"> {
  /** Standby hosts to reserve before the first cordon. */
  readonly reserve: readonly string[];
  /** Ids in use; ids of new copies are added. */
  readonly ids: Set<string>;
}

/** Plans waves until all hosts are updated; returns why, when that does not work. */
export function planUpdateWaves(
  context: ScheduleContext,
  placement: Placement,
  timeline: Timeline,
  hosts: readonly string[],
  options: WaveOptions,
): ScheduleFailure | undefined {
  const { problem, input } = context;
  const left = new Set(hosts.flatMap((host) => problem.siteOf.get(host) ?? []));
  const hostIds = (sites: Iterable<number>): string[] =>
    [...sites].map((site) => problem.sites[site]?.host.id ?? "").sort(compareText);
  while (left.size > 0) {
    const first = timeline.waves.length === 0;
    const reserve = first ? options.reserve : [];
    const range = timeline.rangeOfNext(longestUpdateWave(context, reserve.length > 0));
    const overload = placement.beginWave(range, new Set());
    if (overload) {
      return { cause: { kind: "overload", overload }, left: hostIds(left), waves: timeline.waves };
    }
    const canary = isCanaryNext(context, timeline);
    const { canaryHosts, hostsAtOnce } = input.spec.limits;
    const width = canary ? Math.min(canaryHosts, hostsAtOnce) : hostsAtOnce;
    const found = findWave(context, placement, orderHosts(context, placement, left), width, {
      ...options,
      index: timeline.nextIndex,
    });
    if ("stuck" in found) {
      return { cause: { kind: "stuck", stuck: found.stuck }, left: hostIds(left), waves: timeline.waves };
    }

    const ids = hostIds(found.sites);
    const steps = createUpdateSteps(
      timeline.nextIndex,
      ids,
      withWorkloads(problem, found.moves),
      reserve,
      stepOptions(context),
    );
    timeline.append(canary ? "canary" : "update", ids, found.moves, steps, range);
    settleMoves(placement, found.moves);
    placement.markUpdated(found.sites);
    for (const { arrived } of found.moves) options.ids.add(arrived.id);
    for (const site of found.sites) left.delete(site);
  }
  return undefined;
}

/** A canary wave comes once, before any host of the run was updated. */
function isCanaryNext({ input }: ScheduleContext, timeline: Timeline): boolean {
  const begun = timeline.waves.length > 0 || (input.progress?.updatedHosts.length ?? 0) > 0;
  return !begun && input.spec.limits.canaryHosts > 0;
}

/**
 * Tries the widest wave first, then half as wide, down to single hosts in order.
 */
function findWave(
  context: ScheduleContext,
  placement: Placement,
  order: readonly number[],
  width: number,
  options: SearchOptions,
): { readonly sites: readonly number[]; readonly moves: readonly PlacedMove[] } | { readonly stuck: Stuck } {
  let stuck: Stuck | undefined;
  const seen = new Set<string>();
  const tryHosts = (
    sites: readonly number[],
  ): { readonly sites: readonly number[]; readonly moves: readonly PlacedMove[] } | undefined => {
    const key = sites.join();
    if (seen.has(key)) return undefined;
    seen.add(key);
    placement.setLeaving(new Set(sites));
    const tasks = sites.flatMap((site): Task[] => placement.copiesAt(site).map((copy) => ({ copy })));
    const result = searchWave(context.problem, placement, tasks, options);
    if ("moves" in result) return { sites, moves: result.moves };
    stuck ??= result.stuck;
    if (sites.length === 1) stuck = result.stuck;
    return undefined;
  };

  for (let size = width; size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    const found = tryHosts(pickHosts(context, order, size));
    if (found) return found;
  }
  for (const site of order) {
    const found = tryHosts([site]);
    if (found) return found;
  }
  return { stuck: stuck as Stuck };
}

/** The first hosts of the order that the zones' limits let go together. */
function pickHosts({ problem, input }: ScheduleContext, order: readonly number[], width: number): number[] {
  const perZone = new Map<string, number>();
  const picked: number[] = [];
  for (const site of order) {
    if (picked.length >= width) break;
    const zone = problem.sites[site]?.host.zone ?? "";
    const count = perZone.get(zone) ?? 0;
    if (count >= Math.max(1, input.spec.limits.hostsPerZone)) continue;
    perZone.set(zone, count + 1);
    picked.push(site);
  }
  return picked;
}

/** Least disruptive first: hosts without exclusive workloads, then by load, then by id. */
function orderHosts({ problem }: ScheduleContext, placement: Placement, left: ReadonlySet<number>): number[] {
  const keys = new Map(
    [...left].map((site) => {
      const copies = placement.copiesAt(site);
      const exclusive = copies.filter((copy) => problem.works[copy.work]?.workload.exclusive).length;
      return [site, { exclusive, load: Math.round(placement.loadOf(site) * 1e6), copies: copies.length }] as const;
    }),
  );
  return [...left].sort((a, b) => {
    const [x, y] = [keys.get(a), keys.get(b)];
    if (!x || !y) return 0;
    return x.exclusive - y.exclusive || x.load - y.load || x.copies - y.copies || a - b;
  });
}

/** Upper bound of a wave's time before it is known what moves in it. */
function longestUpdateWave({ durations, input }: ScheduleContext, reserves: boolean): DurationQuantiles {
  const move = longestMove({ durations });
  const sheds = input.fleet.workloads.some((workload) => workload.criticality === "sheddable");
  return sumDurations([
    ...(reserves ? [durations.reserve] : []),
    durations.cordon,
    move,
    durations.snapshot,
    durations.update,
    ...(input.spec.update.reboot ? [durations.reboot] : []),
    durations.validate,
    durations.uncordon,
    ...(sheds ? [durations["start-copy"], durations.admit] : []),
    durations.soak,
  ]);
}

/** Upper bound of the time of one move of whatever method. */
export function longestMove({ durations }: Pick<ScheduleContext, "durations">): DurationQuantiles {
  const surge = sumDurations([durations["start-copy"], durations.admit, durations.drain, durations["stop-copy"]]);
  const handOver = durations["hand-over"];
  return { p50Ms: Math.max(surge.p50Ms, handOver.p50Ms), p95Ms: Math.max(surge.p95Ms, handOver.p95Ms) };
}
