/**
 * The failback at the end of a run: copies leave the reserve, go home where the policy wants it, then the reserve is
 * released.
 *
 * Not for: copies that were shed; they come back in the wave of their host.
 *
 * Invariant: no copy is left on a reserved host.
 */
import type { FailbackPolicy } from "../../sdk/model";

import { sumDurations } from "./durations";
import { cellOfCopy } from "./capacity";
import type { Placement } from "./placement";
import { compareText, type Copy, type Problem } from "./problem";
import {
  settleMoves,
  stepOptions,
  withWorkloads,
  type ScheduleContext,
  type ScheduleFailure,
  type Timeline,
} from "./schedule";
import { createFailbackSteps } from "./steps";
import { longestMove, type WaveOptions } from "./waves";
import { searchWave, weightOfNew, type PlacedMove, type Task } from "./wave-search";

/** What a move back must win at least, as a share of a host's CPU: below that, the move is not worth it. */
const MOVE_COST = 0.1;
/** A hand-over pauses its workload, so it must win more. */
const HAND_OVER_COST = 0.3;
/** What it is worth to have the copies of a workload in one more zone. */
const ZONE_BENEFIT = 0.2;
/** A home may be free only after another copy has gone home: waves of failback at most. */
const MAXIMUM_WAVES = 3;

/** Plans the failback; returns why, when a copy cannot leave the reserve. Adds warnings for copies that stay. */
export function planFailback(
  context: ScheduleContext,
  placement: Placement,
  timeline: Timeline,
  reserved: readonly number[],
  options: WaveOptions,
  warnings: string[],
): ScheduleFailure | undefined {
  const { problem, input } = context;
  const standby = new Set(reserved);
  const release = reserved.map((site) => problem.sites[site]?.host.id ?? "").sort(compareText);
  for (let wave = 1; wave <= MAXIMUM_WAVES; wave++) {
    const range = timeline.rangeOfNext(sumDurations([longestMove(context), context.durations.release]));
    const overload = placement.beginWave(range, standby);
    if (overload) return { cause: { kind: "overload", overload }, left: [], waves: timeline.waves };
    const displaced = findDisplaced(context, placement, standby);
    const search = { ...options, index: timeline.nextIndex, failback: true };

    const leaving = searchWave(
      problem,
      placement,
      displaced.filter(({ copy }) => standby.has(copy.site)),
      search,
    );
    if ("stuck" in leaving) {
      return { cause: { kind: "stuck", stuck: leaving.stuck }, left: [], waves: timeline.waves };
    }
    const moves: PlacedMove[] = [...leaving.moves];
    const stay: Task[] = [];
    for (const task of displaced) {
      if (standby.has(task.copy.site) || !isWorthIt(problem, placement, task, input.spec.failback)) continue;
      const found = searchWave(problem, placement, [{ ...task, onlyHome: true }], search);
      if ("moves" in found) moves.push(...found.moves);
      else stay.push(task);
    }

    const last = stay.length === 0 || moves.length === 0 || wave === MAXIMUM_WAVES;
    const releaseNow = last ? release : [];
    if (moves.length > 0 || releaseNow.length > 0) {
      const steps = createFailbackSteps(
        timeline.nextIndex,
        withWorkloads(problem, moves),
        releaseNow,
        stepOptions(context),
      );
      const hosts = [...new Set(moves.flatMap(({ move }) => move.to ?? []))].sort(compareText);
      timeline.append("failback", hosts, moves, steps, range);
      settleMoves(placement, moves);
      for (const { arrived } of moves) options.ids.add(arrived.id);
    }
    if (last) {
      for (const { copy, home } of stay) warnings.push(describeStay(problem, copy, home));
      return undefined;
    }
  }
  return undefined;
}

/**
 * Copies that are not where one of their workload was at the run's start, each with a free home where there is one;
 * those on the reserve come first.
 */
function findDisplaced(context: ScheduleContext, placement: Placement, standby: ReadonlySet<number>): Task[] {
  const { problem } = context;
  return problem.works.flatMap((_, work): Task[] => {
    const free = originsOf(context, work);
    const copies = [...placement.hostsOf(work).keys()]
      .sort((a, b) => a - b)
      .flatMap((site) => placement.copiesAt(site).filter((copy) => copy.work === work));
    const away = copies.filter((copy) => {
      if (standby.has(copy.site)) return true;
      const left = free.get(copy.site) ?? 0;
      free.set(copy.site, left - 1);
      return left <= 0;
    });
    away.sort((a, b) => Number(standby.has(b.site)) - Number(standby.has(a.site)) || compareText(a.id, b.id));
    const homes = [...free]
      .filter(([site, count]) => count > 0 && !standby.has(site))
      .flatMap(([site, count]) => Array.from({ length: count }, () => site))
      .sort((a, b) => a - b);
    return away.map((copy) => {
      const home = takeNearest(problem, homes, copy.site);
      return { copy, ...(home === undefined ? {} : { home }) };
    });
  });
}

/** How many copies of a workload each host had at the run's start. */
function originsOf({ input, problem }: ScheduleContext, work: number): Map<number, number> {
  const name = problem.works[work]?.workload.name ?? "";
  const recorded = input.progress?.origins[name];
  const sites = recorded
    ? recorded.flatMap((host) => problem.siteOf.get(host) ?? [])
    : (problem.copiesOf[work] ?? []).map((copy) => copy.site);
  const counts = new Map<number, number>();
  for (const site of sites) counts.set(site, (counts.get(site) ?? 0) + 1);
  return counts;
}

/** Takes a home in the same zone where there is one, else the first. */
function takeNearest(problem: Problem, homes: number[], site: number): number | undefined {
  const zone = problem.sites[site]?.host.zone;
  const near = homes.findIndex((home) => problem.sites[home]?.host.zone === zone);
  return homes.splice(Math.max(0, near), 1)[0];
}

function isWorthIt(problem: Problem, placement: Placement, { copy, home }: Task, policy: FailbackPolicy): boolean {
  if (home === undefined || policy === "never") return false;
  if (policy === "origin") return true;
  const cell = cellOfCopy(problem, copy);
  const capacity = problem.cells[cell]?.cpuMillis ?? 0;
  if (capacity <= 0) return false;
  const here = placement.loadOf(copy.site);
  const there = placement.assess(copy.work, home, weightOfNew(problem, copy)).cpuShare;
  const cost = problem.works[copy.work]?.workload.exclusive ? HAND_OVER_COST : MOVE_COST;
  return here - there + zoneBenefit(problem, placement, copy, home) > cost;
}

function zoneBenefit(problem: Problem, placement: Placement, copy: Copy, home: number): number {
  const zoneOf = (site: number): string => problem.sites[site]?.host.zone ?? "";
  const shares = (zone: string): boolean =>
    [...placement.hostsOf(copy.work)].some(
      ([site, count]) => zoneOf(site) === zone && (site === copy.site ? count > 1 : count > 0),
    );
  if (zoneOf(copy.site) === zoneOf(home)) return 0;
  return (shares(zoneOf(copy.site)) ? ZONE_BENEFIT : 0) - (shares(zoneOf(home)) ? ZONE_BENEFIT : 0);
}

function describeStay(problem: Problem, copy: Copy, home: number | undefined): string {
  const hostOf = (site: number | undefined): string => problem.sites[site ?? -1]?.host.id ?? "its origin";
  return `${copy.id} stays on ${hostOf(copy.site)}: ${hostOf(home)} has no room for it at the end of the run`;
}
