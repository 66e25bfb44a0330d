/**
 * The failback at the end of a run: copies leave the reserve, go home where the policy wants it, then the reserve is
 * released.
 *
 * Not for: copies that were shed; they come back in the wave of their host.
 *
 * Invariant: no copy is left on a reserved host.
 */
import type { DurationQuantiles, Island } from "../../sdk/model";

import { cellOfCopy } from "./capacity";
import { criticalFirst } from "./critical-first";
import { describeBudget, undisturbedHosts } from "./disruption-budgets";
import { plural } from "./explain";
import { expectedFailback, FailbackLanes } from "./failback-lanes";
import type { PossibleMove } from "./links";
import type { Placement } from "./placement";
import { compareText, type Copy, type Problem } from "./problem";
import { longestOfMoves, type ScheduleContext, type ScheduleFailure, type Timeline } from "./schedule";
import type { WaveOptions } from "./waves";
import { searchWave, weightOfNew, type PlacedMove, type SearchOptions, type Task } from "./wave-search";

/** What a move back must win at least, as a share of a host's CPU: below that, the move is not worth it. */
const MOVE_COST = 0.1;
/** A hand-over pauses its workload, so it must win more. */
const HAND_OVER_COST = 0.3;
/** What it is worth to have the copies of a workload in one more zone. */
const ZONE_BENEFIT = 0.2;
/** Copies that go home because it is better there: a number that never matters, and a share of all that bounds churn. */
const FEWEST_RETURNS = 64;
const RETURNS_SHARE = 0.03;
/** A home may be free only after another copy has gone home: looks at those that found none, and waves of failback, at most. */
const MAXIMUM_LOOKS = 3;
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
  const { problem } = context;
  const standby = new Set(reserved);
  const undisturbed = new Map(
    [...undisturbedHosts(context.input.fleet, "failback")].flatMap(([host, island]) => {
      const site = problem.siteOf.get(host);
      return site === undefined ? [] : [[site, island] as const];
    }),
  );
  let returns = Math.max(FEWEST_RETURNS, Math.floor(RETURNS_SHARE * problem.copies.length));
  for (let wave = 1; wave <= MAXIMUM_WAVES; wave++) {
    const away = findDisplaced(context, placement, standby);
    const displaced = away.filter(({ copy }) => !undisturbed.has(copy.site));
    const range = timeline.rangeOfNext(timeOfFailback(context, displaced, standby, returns));
    const overload = placement.beginWave(range, standby);
    if (overload) return { cause: { kind: "overload", overload }, left: [], waves: timeline.waves };
    const search = { ...options, index: timeline.nextIndex, failback: true };
    const lanes = new FailbackLanes(context, placement, "failback");

    const leaving = searchWave(
      problem,
      placement,
      displaced.filter(({ copy }) => standby.has(copy.site)),
      search,
    );
    if ("stuck" in leaving) {
      return { cause: { kind: "stuck", stuck: leaving.stuck }, left: [], waves: timeline.waves };
    }
    lanes.addAll(leaving.moves);
    const wanted = worthwhile(context, placement, displaced, standby, returns);
    const stay = bringHome(context, placement, wanted, lanes, search);
    returns -= lanes.moves.length - leaving.moves.length;

    const last = stay.length === 0 || lanes.moves.length === 0 || wave === MAXIMUM_WAVES;
    const releaseNow = last ? reserved : [];
    if (lanes.moves.length > 0 || releaseNow.length > 0) {
      lanes.append(timeline, releaseNow, range);
      for (const { arrived } of lanes.moves) options.ids.add(arrived.id);
    }
    if (last) {
      for (const { copy, home } of stay) warnings.push(describeStay(problem, copy, home));
      const held = worthwhile(context, placement, without(away, displaced), standby, returns);
      warnings.push(...describeUndisturbed(held, undisturbed));
      return undefined;
    }
  }
  return undefined;
}

/** Upper bound of the time of a failback wave. */
function timeOfFailback(
  context: ScheduleContext,
  displaced: readonly Task[],
  standby: ReadonlySet<number>,
  returns: number,
): DurationQuantiles {
  // Copies on the reserve may go anywhere, the others home or nowhere.
  const possible = displaced.flatMap(({ copy, home }): PossibleMove[] =>
    standby.has(copy.site) ? [{ copy }] : home === undefined ? [] : [{ copy, onlyTo: home }],
  );
  const most = Math.min(possible.length, returns + possible.filter(({ onlyTo }) => onlyTo === undefined).length);
  const hosts = new Set(possible.map(({ copy }) => copy.site)).size;
  return expectedFailback(context, most, Math.min(most, hosts), longestOfMoves(context, possible, most));
}

/**
 * Brings copies home, those of one host after those of another, each where it has room by then. Hosts of which none finds
 * room are looked at again when others have left. Returns what stays.
 */
function bringHome(
  { problem }: ScheduleContext,
  placement: Placement,
  wanted: readonly Task[],
  lanes: FailbackLanes,
  search: SearchOptions,
): readonly Task[] {
  const stay: Task[] = [];
  let left = [...Map.groupBy(wanted, ({ copy }) => copy.site)];
  for (let look = 1; look <= MAXIMUM_LOOKS && left.length > 0; look++) {
    const before = left.length;
    left = left.filter(([site, tasks]) => {
      const moves: PlacedMove[] = [];
      const stuck = tasks.filter((task) => {
        if (task.home !== undefined && !lanes.mayFollow(task.home)) return true;
        const found = searchWave(problem, placement, [{ ...task, onlyHome: true }], search);
        if ("stuck" in found) return true;
        moves.push(...found.moves);
        return false;
      });
      if (moves.length === 0) return true;
      lanes.add(site, moves);
      stay.push(...stuck);
      return false;
    });
    if (left.length === before) break;
  }
  return [...stay, ...left.flatMap(([, tasks]) => tasks)];
}

/**
 * Copies that are not where one of their workload was at the run's start, each with a free home where there is one;
 * those on the reserve come first.
 */
function findDisplaced(context: ScheduleContext, placement: Placement, standby: ReadonlySet<number>): Task[] {
  const { problem } = context;
  return problem.works.flatMap((_, work): Task[] => {
    const origins = originsOf(context, work);
    const hosts = placement.hostsOf(work);
    if (isAtHome(hosts, origins, standby)) return [];
    const free = new Map<number, number>();
    for (const site of origins) free.set(site, (free.get(site) ?? 0) + 1);
    const copies = [...hosts.keys()].sort((a, b) => a - b).flatMap((site) => placement.copiesOf(work, site));
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

/** True where no host has more of a workload's copies than it had at the run's start. */
function isAtHome(
  hosts: ReadonlyMap<number, number>,
  origins: readonly number[],
  standby: ReadonlySet<number>,
): boolean {
  // No host has less than one of them: with more hosts than there were copies some are elsewhere.
  if (hosts.size > origins.length) return false;
  for (const [site, count] of hosts) {
    if (standby.has(site)) return false;
    let left = count;
    for (const origin of origins) if (origin === site) left--;
    if (left > 0) return false;
  }
  return true;
}

/** Hosts of a workload's copies at the run's start, one for each. */
function originsOf({ input, problem }: ScheduleContext, work: number): readonly number[] {
  const recorded = input.progress?.origins[problem.works[work]?.workload.name ?? ""];
  return recorded
    ? recorded.flatMap((host) => problem.siteOf.get(host) ?? [])
    : (problem.copiesOf[work] ?? []).map((copy) => copy.site);
}

/** Takes a home in the same zone where there is one, else the first. */
function takeNearest(problem: Problem, homes: number[], site: number): number | undefined {
  const zone = problem.sites[site]?.host.zone;
  const near = homes.findIndex((home) => problem.sites[home]?.host.zone === zone);
  return homes.splice(Math.max(0, near), 1)[0];
}

/** Copies to bring home, critical ones first, of those that need not go: as many as churn allows, those that win most. */
function worthwhile(
  { problem, input }: ScheduleContext,
  placement: Placement,
  displaced: readonly Task[],
  standby: ReadonlySet<number>,
  most: number,
): readonly Task[] {
  const policy = input.spec.failback;
  const tasks = displaced.filter(({ copy, home }) => !standby.has(copy.site) && home !== undefined);
  if (policy === "never") return [];
  const ordered = (some: readonly Task[]): readonly Task[] =>
    criticalFirst(some, ({ copy }) => problem.works[copy.work]?.workload);
  if (policy === "origin") return ordered(tasks);
  const loads = new Map<number, number>();
  const loadOf = (site: number): number => {
    let load = loads.get(site);
    if (load === undefined) loads.set(site, (load = placement.loadOf(site)));
    return load;
  };
  const worth = new Map(tasks.map((task) => [task, worthOf(problem, placement, loadOf, task)]));
  const better = tasks.filter((task) => (worth.get(task) ?? 0) > 0);
  if (better.length <= most) return ordered(better);
  return ordered(better.sort((a, b) => (worth.get(b) ?? 0) - (worth.get(a) ?? 0)).slice(0, Math.max(0, most)));
}

/** What it wins to go home beyond what it costs, as a share of a host's CPU. */
function worthOf(
  problem: Problem,
  placement: Placement,
  loadOf: (site: number) => number,
  { copy, home }: Task,
): number {
  const cell = cellOfCopy(problem, copy);
  if (home === undefined || (problem.cells[cell]?.cpuMillis ?? 0) <= 0) return 0;
  const here = loadOf(copy.site);
  const there = placement.shareWith(copy.work, home, weightOfNew(problem, copy));
  const cost = problem.works[copy.work]?.workload.exclusive ? HAND_OVER_COST : MOVE_COST;
  return here - there + zoneBenefit(problem, placement, copy, home) - cost;
}

function zoneBenefit({ columns }: Problem, placement: Placement, copy: Copy, home: number): number {
  const { zoneOf } = columns;
  const [here, there] = [zoneOf[copy.site] as number, zoneOf[home] as number];
  if (here === there) return 0;
  let [others, othersThere] = [0, 0];
  for (const [site, count] of placement.hostsOf(copy.work)) {
    if (zoneOf[site] === here) others += site === copy.site ? count - 1 : count;
    else if (zoneOf[site] === there) othersThere += count;
  }
  return (others > 0 ? ZONE_BENEFIT : 0) - (othersThere > 0 ? ZONE_BENEFIT : 0);
}

function without(tasks: readonly Task[], others: readonly Task[]): readonly Task[] {
  const known = new Set(others);
  return tasks.filter((task) => !known.has(task));
}

/** Says that copies stay on hosts whose budgets let no failback begin, an island each. */
function describeUndisturbed(held: readonly Task[], undisturbed: ReadonlyMap<number, Island>): readonly string[] {
  return [...Map.groupBy(held, ({ copy }) => undisturbed.get(copy.site) as Island)].map(
    ([island, tasks]) =>
      `${plural(tasks.length, "copy", "copies")} would go home and will not: ${describeBudget(island, "failback")} lets no failback begin`,
  );
}

function describeStay(problem: Problem, copy: Copy, home: number | undefined): string {
  const hostOf = (site: number | undefined): string => problem.sites[site ?? -1]?.host.id ?? "its origin";
  return `${copy.id} stays on ${hostOf(copy.site)}: ${hostOf(home)} has no room for it at the end of the run`;
}
