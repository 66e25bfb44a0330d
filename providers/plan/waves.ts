/**
 * Which hosts are updated together, and in which order: canaries first, then the quietest and least loaded ones, as
 * many at once as the limits and the capacity allow. Narrow waves take all their hosts at once; in wide ones hosts
 * follow each other, each as soon as the limits have room, for the slowest host of a group would hold all up.
 *
 * Not for: where copies go (wave-search.ts, rolling-wave.ts).
 *
 * Invariants
 * 1. No wave is wider than the limits; no zone, rack or island loses more hosts at once than its limit.
 * 2. A host of the wave takes no copies before it is updated.
 */
import { isMovesOnly, type DurationQuantiles } from "../../sdk/model";

import { stepCount, type StepRange } from "./capacity";
import { longestMove, longestOf, sumDurations, timeOfWay, undoDuration } from "./durations";
import { expectedLane, limitsOfHost, meanDuration, placesOf, type LaneDuration } from "./lanes";
import { byHostLeft, transferTimes } from "./links";
import { longerBy } from "./move-steps";
import { isPinned } from "./place-rules";
import type { Placement } from "./placement";
import { compareText, type Problem } from "./problem";
import { partsOfStep, regretOf } from "./quiet";
import type { ReserveTrack, WaveAttempt } from "./reserve-track";
import {
  findRollingWave,
  ROLLING_FROM,
  rollingTime,
  timeForLanes,
  type LaneRules,
  type RollingWave,
} from "./rolling-wave";
import { appendRoomWave } from "./room-wave";
import { disturbanceOf } from "./scores/migration-score";
import {
  settleMoves,
  stepOptions,
  withWorkloads,
  type ScheduleContext,
  type ScheduleFailure,
  type Timeline,
} from "./schedule";
import { mayStay, tasksOf } from "./stay";
import { createUpdateSteps } from "./steps";
import type { Goal } from "./targets";
import { findRoom } from "./wave-room";
import { searchRefined } from "./wave-refinement";
import type { PlacedMove, SearchOptions, Stuck } from "./wave-search";

/**
 * Until when what is put somewhere must fit: the estimated end of the run, that of its opening, or that of the next wave and
 * of a relief after it, with the time of one more wave to spare for what is late.
 */
export type LookAhead = "rest" | "opening" | "soon";

/** How much longer a run may take than its limits alone say, for capacity holds it up as well. */
const LONGER = 3;

/** Hosts come in an order that is good until the rest of the run is over, this much later than expected. */
const LATER = 1.5;

/** Hosts of a wave that goes all at once: its search is one over the copies of all of them. */
const WIDEST_AT_ONCE = 32;

/** What the waves of one try have in common. */
export interface WaveOptions extends Omit<SearchOptions, "index" | "ids"> {
  /** True where copies of other hosts may move away first, for those of a host that find no room. @default false */
  readonly makesRoom?: boolean;
  readonly reserve: ReserveTrack;
  readonly lookAhead: LookAhead;
  readonly rules: LaneRules;
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
  const { problem } = context;
  const { reserve } = options;
  const left = new Set(hosts.flatMap((host) => problem.siteOf.get(host) ?? []));
  while (left.size > 0) {
    const expected = expectedTime(context, left.size);
    const restRange = (): StepRange =>
      timeline.rangeOfNext({ p50Ms: LONGER * expected.p50Ms, p95Ms: LONGER * expected.p95Ms });
    const soonStep = (): number => {
      const { rangeOf, time } = expectWave(context, placement, timeline, left, options);
      return rangeOf(sumDurations([time, timeToRelieve(context)])).to;
    };
    const untilStep = (): number => {
      if (options.lookAhead === "soon") return soonStep();
      return options.lookAhead === "rest" ? restRange().to : stepCount(problem.demand);
    };
    const searchOptions = (): SearchOptions => ({ ...options, index: timeline.nextIndex });
    const planned = timeline.waves.length;
    const next = reserve.next({
      context,
      placement,
      timeline,
      attempt: () => tryWave(context, placement, timeline, left, untilStep(), options),
      searchOptions,
      restRange,
      soonStep,
      restMs: expected.p50Ms,
    });
    const made =
      options.makesRoom === true && "cause" in next.attempt.found
        ? makeRoom(context, placement, timeline, left, next.reserve, untilStep, options)
        : undefined;
    const attempt = made?.attempt ?? next.attempt;
    const reserved = made?.reserve ?? next.reserve;
    const { found, range } = attempt;
    if ("cause" in found) return { cause: found.cause, left: hostIds(problem, left), waves: timeline.waves };
    for (const { moves } of timeline.waves.slice(planned))
      for (const { newReplica } of moves) options.ids.add(newReplica);

    const { rolling } = found;
    const transferMs = rolling?.transferMs ?? transferTimes(problem, context.input.fleet, byHostLeft(found.moves));
    const ids = rolling ? rolling.hosts : hostIds(problem, found.sites);
    const moves = withWorkloads(problem, found.moves);
    const steps = createUpdateSteps(timeline.nextIndex, ids, moves, hostIds(problem, reserved), {
      ...stepOptions(context),
      transferOf: (host) => transferMs.get(host) ?? 0,
      ...(rolling ? { laneOf: (host) => ({ after: rolling.after.get(host) ?? [] }) } : {}),
    });
    if (attempt.staying) placement.setLeaving(new Set(found.sites.filter((site) => !mayStay(problem, site))));
    timeline.append(attempt.isCanary ? "canary" : "update", ids, found.moves, steps, range, rolling?.lanes);
    settleMoves(placement, found.moves);
    placement.markUpdated(found.sites);
    for (const { arrived } of found.moves) options.ids.add(arrived.id);
    for (const site of found.sites) left.delete(site);
  }
  return undefined;
}

/** Hosts for whose copies room is looked for before there is said to be none. */
const MOST_ROOMS = 3;

/**
 * The wave of one host, where the placement search finds places for all of its copies: at once, or after a wave in which
 * copies of others move away. Undefined: then everything is as before.
 */
function makeRoom(
  context: ScheduleContext,
  placement: Placement,
  timeline: Timeline,
  left: ReadonlySet<number>,
  reserved: readonly number[],
  untilStep: () => number,
  options: WaveOptions,
): { readonly attempt: TriedWave; readonly reserve: readonly number[] } | undefined {
  const { problem, input } = context;
  const place = timeline.waves.length;
  const order = orderHosts(context, placement, timeline, left, 1);
  // What the failed wave has looked at is as it was; the range is set anew.
  const kept = placement.keep();
  for (const site of order.slice(0, MOST_ROOMS)) {
    const range = { from: timeline.rangeOfNext(NO_TIME).from, to: untilStep() };
    placement.beginWave(range, new Set([site]));
    const copies = tasksOf(context, placement, site).flatMap(({ copy, inPlace, isLeftToEnd }) =>
      inPlace?.first === true || isLeftToEnd === true ? [] : [copy],
    );
    const allowedShare = 1 - input.spec.confidence;
    if (context.rooms.left <= 0) break;
    context.rooms.left -= 1;
    const room = findRoom(problem, placement, { site, copies, range, allowedShare, seed: input.spec.seed });
    if (room) {
      const search = { ...options, index: timeline.nextIndex };
      const until = (of: StepRange): number => Math.max(of.to, untilStep());
      const isReady =
        room.displaced.length === 0 ||
        appendRoomWave({ context, placement, timeline, search, untilStep: until, reserve: reserved }, room);
      if (isReady) {
        const ids = new Set(options.ids);
        for (const { moves } of timeline.waves.slice(place)) for (const { newReplica } of moves) ids.add(newReplica);
        const targets = [...room.targets].map(([id, to]) => [id, { site: to, why: "room" }] as const);
        const goals = { site, goals: new Map(targets) };
        const attempt = tryWave(context, placement, timeline, left, untilStep(), { ...options, ids }, goals);
        if (!("cause" in attempt.found)) {
          kept.drop();
          return { attempt, reserve: room.displaced.length === 0 ? reserved : [] };
        }
      }
    }
    timeline.cutAt(place);
    kept.restore();
  }
  kept.drop();
  return undefined;
}

function hostIds({ sites: all }: Problem, sites: Iterable<number>): string[] {
  return [...sites].map((site) => all[site]?.host.id ?? "").sort(compareText);
}

/** The next wave as it was found, or why there is none. */
interface TriedWave extends WaveAttempt {
  readonly found:
    | {
        readonly sites: readonly number[];
        readonly moves: readonly PlacedMove[];
        readonly rolling?: RollingWave;
      }
    | Pick<ScheduleFailure, "cause">;
  readonly range: StepRange;
  readonly isCanary: boolean;
  /** True where copies may stay on hosts that are left. */
  readonly staying: boolean;
}

/** What is known of the next wave before its hosts are. */
interface ExpectedWave {
  readonly isCanary: boolean;
  /** True where copies may stay on hosts that are left: hosts hold each other up little then. */
  readonly staying: boolean;
  /** Hosts at once, at most. */
  readonly width: number;
  readonly isRolling: boolean;
  readonly lane: LaneDuration;
  /** Time that there is for its lanes. */
  readonly mostMs: number;
  readonly time: DurationQuantiles;
  /** Steps in which it can lie, and so much more. */
  readonly rangeOf: (more: DurationQuantiles) => StepRange;
}

const NO_TIME: DurationQuantiles = { p50Ms: 0, p95Ms: 0 };

function expectWave(
  context: ScheduleContext,
  placement: Placement,
  timeline: Timeline,
  left: ReadonlySet<number>,
  { reserve }: Pick<WaveOptions, "reserve">,
): ExpectedWave {
  const { problem, input } = context;
  const isCanary = isCanaryNext(context, timeline);
  const { canaryHosts, hostsAtOnce } = input.spec.limits;
  const width = isCanary ? Math.min(canaryHosts, hostsAtOnce) : hostsAtOnce;
  const longest = longestUpdateWave(context, reserve.mayGrow);
  const staying = [...left].some((site) => mayStay(problem, site));
  const isRolling = !isCanary && !staying && width >= ROLLING_FROM && left.size >= ROLLING_FROM;
  const lane = expectedLane(context, copiesPerHost(placement, left));
  const mostMs = timeOfNext(context, timeline, lane);
  const time = isRolling ? rollingTime(lane, left.size, width, mostMs) : longest;
  const rangeOf = (more: DurationQuantiles): StepRange => timeline.rangeOfNext(sumDurations([time, more]));
  return { isCanary, staying, width, isRolling, lane, mostMs, time, rangeOf };
}

/** Time that a relief takes, a few moves one after the other, before it is known which. */
function timeToRelieve({ durations }: ScheduleContext): DurationQuantiles {
  const move = longestMove({ durations });
  return sumDurations([durations.reserve, move, move]);
}

/** Looks for the next wave with the placement as it is; the placement is in the wave afterwards. */
function tryWave(
  context: ScheduleContext,
  placement: Placement,
  timeline: Timeline,
  left: ReadonlySet<number>,
  untilStep: number,
  options: WaveOptions,
  room?: { readonly site: number; readonly goals: ReadonlyMap<string, Goal> },
): TriedWave {
  const wave = expectWave(context, placement, timeline, left, options);
  const { isCanary, staying, lane, mostMs } = wave;
  const width = room ? 1 : wave.width;
  const isRolling = wave.isRolling && !room;
  const range = wave.rangeOf(NO_TIME);
  const tried = { range, isCanary, staying };
  const overload = placement.beginWave(range, new Set(), untilStep);
  if (overload) return { ...tried, found: { cause: { kind: "overload", overload } }, width: 0, isWidest: true };
  const order = room ? [room.site] : orderHosts(context, placement, timeline, left, width);
  const search = { ...options, index: timeline.nextIndex, ...(room ? { goals: room.goals } : {}) };
  const rolling = isRolling ? findRollingWave(context, placement, order, lane, { ...search, mostMs }) : undefined;
  if (rolling) {
    return {
      ...tried,
      found: { ...rolling, rolling },
      width: rolling.sites.length,
      isWidest: rolling.sites.length === left.size,
    };
  }
  const widest = Math.min(width, WIDEST_AT_ONCE);
  const found = findWave(context, placement, order, widest, search);
  if ("stuck" in found) {
    return { ...tried, found: { cause: { kind: "stuck", stuck: found.stuck } }, width: 0, isWidest: false };
  }
  const isWidest = found.sites.length >= pickHosts(context, order, widest).length;
  return { ...tried, found, width: found.sites.length, isWidest };
}

/**
 * Time for the lanes of the wave that a run under way is about to begin: what does not fit before its opening ends, or
 * before limits change, is for the next one.
 */
function timeOfNext(
  { input, durations, startMs, problem }: ScheduleContext,
  timeline: Timeline,
  lane: LaneDuration,
): number {
  const { spec, progress } = input;
  if (!progress || timeline.waves.length > 0) return Number.POSITIVE_INFINITY;
  return timeForLanes(lane, progress.opening.endMs - startMs, undoDuration(spec, durations, problem.ways));
}

/** Copies on a host that is left, on average, rounded up. */
function copiesPerHost(placement: Placement, left: ReadonlySet<number>): number {
  let copies = 0;
  for (const site of left) copies += placement.copyCountAt(site);
  return Math.ceil(copies / Math.max(1, left.size));
}

/** A canary wave comes once, before any host of the run was updated. */
function isCanaryNext({ input }: ScheduleContext, timeline: Timeline): boolean {
  const begun = timeline.waves.some((wave) => !isMovesOnly(wave)) || (input.progress?.updatedHosts.length ?? 0) > 0;
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
    const tasks = sites.flatMap((site) => tasksOf(context, placement, site));
    const result = searchRefined(context.problem, placement, tasks, options);
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

/** The first hosts of the order that the limits let go together. */
function pickHosts(context: ScheduleContext, order: readonly number[], width: number): number[] {
  const taken = new Map<string, number>();
  const picked: number[] = [];
  for (const site of order) {
    if (picked.length >= width) break;
    const limits = limitsOfHost(context, site);
    if (limits.some((name) => (taken.get(name) ?? 0) >= Math.max(1, placesOf(context, name)))) continue;
    for (const name of limits) taken.set(name, (taken.get(name) ?? 0) + 1);
    picked.push(site);
  }
  return picked;
}

/**
 * Hosts whose data is moved best at this time come first, then those that are least disruptive: without exclusive
 * workloads, with workloads that others call before those that call them, with little load, with few copies.
 */
function orderHosts(
  context: ScheduleContext,
  placement: Placement,
  timeline: Timeline,
  left: ReadonlySet<number>,
  width: number,
): number[] {
  const { problem, transfers, business, dependencies } = context;
  const partMs = problem.demand.stepMs / partsOfStep(problem);
  const from = Math.max(0, Math.floor((context.startMs + timeline.total.p50Ms - problem.demand.startMs) / partMs));
  const { p95Ms } = restTime(left.size, width, longestUpdateWave(context, false));
  const to = from + Math.max(1, Math.ceil((LATER * p95Ms) / partMs));
  const keys = new Map(
    [...left].map((site) => {
      const copies = placement.copiesAt(site);
      const exclusive = copies.filter((copy) => problem.works[copy.work]?.workload.exclusive).length;
      const depth = dependencies.isAny
        ? Math.max(0, ...copies.map(({ work }) => dependencies.depthOf(problem.works[work]?.workload.name ?? "")))
        : 0;
      const regret = transfers ? regretOf(business, transfers, site, from, to) : 0;
      return [
        site,
        { regret, exclusive, depth, load: Math.round(placement.loadOf(site) * 1e6), copies: copies.length },
      ] as const;
    }),
  );
  return [...left].sort((a, b) => {
    const [x, y] = [keys.get(a), keys.get(b)];
    if (!x || !y) return 0;
    return (
      x.regret - y.regret ||
      x.exclusive - y.exclusive ||
      x.depth - y.depth ||
      x.load - y.load ||
      x.copies - y.copies ||
      a - b
    );
  });
}

/** Time that updating this many hosts takes at least, as far as it is known before the waves are. */
export function expectedTime(context: ScheduleContext, hosts: number): DurationQuantiles {
  return restTime(hosts, context.input.spec.limits.hostsAtOnce, longestUpdateWave(context, false));
}

/** Time that the rest of a run takes, as far as it is known before the waves are. */
function restTime(hosts: number, hostsAtOnce: number, wave: DurationQuantiles): DurationQuantiles {
  const rounds = Math.ceil(hosts / Math.max(1, hostsAtOnce));
  return { p50Ms: rounds * wave.p50Ms, p95Ms: rounds * meanDuration(wave) + (wave.p95Ms - wave.p50Ms) };
}

/** Upper bound of a wave's time before it is known what moves in it. */
function longestUpdateWave(
  { durations, input, problem, mayBurst, mayRefuse }: ScheduleContext,
  reserves: boolean,
): DurationQuantiles {
  const move = longestMove({ durations });
  const coldMs = mayBurst ? Math.max(0, ...problem.works.map(({ burst }) => burst?.target.coldStartMs ?? 0)) : 0;
  const back = [durations["start-copy"], durations.admit];
  const sheds =
    mayRefuse || input.fleet.workloads.some((workload) => workload.criticality === "sheddable" || isPinned(workload));
  const restarted = disturbanceOf(input.spec) === "copies" ? [move] : [];
  const longestChange = longestOf(
    problem.ways.map((way) =>
      sumDurations([
        timeOfWay(way, input.spec.update, durations),
        ...(way === "replacement" ? [durations["discard-replaced"]] : restarted),
      ]),
    ),
  );
  return sumDurations([
    ...(reserves ? [durations.reserve] : []),
    durations.cordon,
    move,
    durations.snapshot,
    longestChange,
    durations.validate,
    durations.uncordon,
    ...(sheds || mayBurst ? back : []),
    ...(mayRefuse ? [durations["refuse-paths"], durations["serve-paths"]] : []),
    ...(mayBurst
      ? [longerBy(durations["deploy-function"], coldMs), durations.admit, durations.drain, durations["remove-function"]]
      : []),
    durations.soak,
  ]);
}
