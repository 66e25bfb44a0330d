/**
 * How many standby hosts the run needs, and when: the smallest number with which every wave keeps the promise, and of
 * those in each wave only what it needs (reserve-track.ts), where that costs less and holds nothing up.
 *
 * Not for: starting them; that is a step of the run.
 */
import { reservedHours, reservedSpans } from "../../sdk/model";

import { planCost } from "./cost";
import { describeFailure, plural } from "./explain";
import type { Problem } from "./problem";
import type { Schedule, ScheduleContext, ScheduleResult } from "./schedule";
import { peakQuantile, stepRange } from "./capacity";
import { LANE_RULES } from "./rolling-wave";
import { trySchedule, tryStyle } from "./try-schedule";
import type { LookAhead } from "./waves";

/** Up to so many hosts every number is tried; above, only some, because each is a whole plan. */
const EVERY_NUMBER_UP_TO = 8;
/** Tries at a reserve that follows the forecast, each a whole plan; of large fleets one. */
const FOLLOWING_TRIES = 3;
const LARGE_FROM_HOSTS = 1000;
/** A reserve that follows must save this share of the hours, and make the run longer by this share at most. */
const LEAST_SAVED = 0.05;
const MOST_LONGER = 0.05;
/** Demand rises when it is higher than now's by more than this factor. */
const RISES = 1.1;
/** And it may move a few copies more: by this share, and so many. */
const MORE_MOVES_SHARE = 0.1;
const MORE_MOVES = 2;

/**
 * A schedule with the smallest reserve, or the failure of the try with the largest. Functions stand in for copies where
 * there is none otherwise, where fewer copies are shed then, or where that is cheaper than a reserve; functions of workloads
 * are refused only where there is none with all of these.
 */
export function findSchedule(context: ScheduleContext, hosts: readonly string[]): ScheduleResult {
  const whole = findWhole(context, hosts);
  if ("schedule" in whole || !context.problem.works.some(({ refusable }) => refusable)) return whole;
  const mayBurst = context.problem.works.some(({ burst }) => burst);
  const degraded = findReserve({ ...context, mayBurst, mayRefuse: true }, hosts);
  return "schedule" in degraded ? degraded : whole;
}

/** The same with all that workloads do for their users. */
function findWhole(context: ScheduleContext, hosts: readonly string[]): ScheduleResult {
  const without = findReserve(context, hosts);
  if (hosts.length === 0 || !context.problem.works.some(({ burst }) => burst)) return without;
  const { held } = context.problem;
  if ("schedule" in without && without.schedule.reserve.length <= held.length && countShed(without.schedule) === 0) {
    return without;
  }
  const bursting = findReserve({ ...context, mayBurst: true }, hosts);
  if ("failure" in bursting) return "schedule" in without ? without : bursting;
  const burstReason = whyBurst(context, without, bursting.schedule);
  return burstReason === undefined ? without : { schedule: { ...bursting.schedule, burstReason } };
}

/** Why functions stand in; undefined where the schedule without them is as good. */
function whyBurst({ input }: ScheduleContext, without: ScheduleResult, bursting: Schedule): string | undefined {
  const copies = bursting.waves.flatMap(({ moves }) => moves.filter(({ method }) => method === "burst")).length;
  const stand = `functions stand in for ${plural(copies, "copy", "copies")}`;
  if ("failure" in without) return copies === 0 ? undefined : `${stand} that no host has room for`;
  const [more, fewer] = [countShed(without.schedule), countShed(bursting)];
  if (copies === 0 || fewer > more) return undefined;
  if (fewer < more) return `${stand}, so that ${String(fewer)} pause instead of ${String(more)}`;
  const [with_, other] = [planCost(bursting, input), planCost(without.schedule, input)];
  if (with_.amount === undefined || other.amount === undefined || with_.amount >= other.amount) return undefined;
  const reserve = `${other.amount.toFixed(2)} with ${plural(without.schedule.reserve.length, "reserved host")}`;
  return `${stand}: ${with_.amount.toFixed(2)} ${with_.currency ?? ""} instead of ${reserve}`;
}

function countShed({ waves }: Schedule): number {
  return waves.reduce((sum, wave) => sum + wave.moves.filter(({ method }) => method === "shed").length, 0);
}

function findReserve(context: ScheduleContext, hosts: readonly string[]): ScheduleResult {
  const { spec } = context.input;
  const sizing = Math.max(spec.confidence, spec.pool?.quantile ?? 0);
  const result = searchReserve(context, hosts, sizing);
  if ("schedule" in result || sizing === spec.confidence) return result;
  const promise = searchReserve(context, hosts, spec.confidence);
  if ("failure" in promise) return promise;
  const warning =
    `the pool's quantile ${String(sizing)} cannot be kept with ${String(spec.pool?.maximumHosts ?? 0)} reserved hosts; ` +
    `the promise of ${String(spec.confidence)} is`;
  return { schedule: { ...promise.schedule, warnings: [...promise.schedule.warnings, warning] } };
}

function searchReserve(context: ScheduleContext, hosts: readonly string[], confidence: number): ScheduleResult {
  const { problem, input } = context;
  // With no host left to update there is nothing to reserve for.
  const allowed = hosts.length === 0 ? 0 : (input.spec.pool?.maximumHosts ?? 0) - problem.held.length;
  const most = Math.max(0, Math.min(problem.standby.length, allowed));
  const tries = new Map<number, ScheduleResult>();
  const tryCount = (count: number): ScheduleResult => {
    const known = tries.get(count);
    if (known) return known;
    const result = trySchedule(context, hosts, count, confidence);
    tries.set(count, result);
    return result;
  };

  let failed = -1;
  let found: number | undefined;
  for (let count = 0; found === undefined && failed < most;) {
    if ("schedule" in tryCount(count)) found = count;
    else {
      failed = count;
      count = Math.min(most, count < EVERY_NUMBER_UP_TO ? count + 1 : count * 2);
    }
  }
  if (found === undefined) return makeRoomLater(context, hosts, most, confidence) ?? tryCount(most);
  while (found - failed > 1) {
    const middle = Math.floor((found + failed) / 2);
    if ("schedule" in tryCount(middle)) found = middle;
    else failed = middle;
  }
  const { reused, result } = reuseStarted(context, hosts, found, confidence, tryCount(found));
  const fewer = found > 0 ? tries.get(found - 1) : undefined;
  if ("failure" in result) return result;
  const why = describeReserve(context, result.schedule, fewer);
  const following = followForecast(reused, hosts, found, confidence, result.schedule);
  if (!following) return { schedule: { ...result.schedule, reserveReason: why } };
  const [hours, atOnce] = [hoursOf(following), hoursOf(result.schedule)].map((value) => value.toFixed(1));
  const saving = `held only while it is needed: ${hours ?? ""} host hours instead of ${atOnce ?? ""}`;
  return { schedule: { ...following, reserveReason: `${why}; ${saving}` } };
}

/**
 * The same with standby hosts that are started already in the place of those that would have to be, where that is no
 * longer: what is there is reused.
 */
function reuseStarted(
  context: ScheduleContext,
  hosts: readonly string[],
  count: number,
  confidence: number,
  found: ScheduleResult,
): { readonly reused: ScheduleContext; readonly result: ScheduleResult } {
  const { problem } = context;
  const asFound = { reused: context, result: found };
  if (count === 0 || "failure" in found) return asFound;
  const standby = startedFirst(problem);
  const isSame = standby.slice(0, count).every((site) => problem.standby.indexOf(site) < count);
  if (isSame) return asFound;
  const reused = { ...context, problem: { ...problem, standby } };
  const result = trySchedule(reused, hosts, count, confidence);
  const isLonger = "failure" in result || result.schedule.total.p95Ms > (1 + MOST_LONGER) * found.schedule.total.p95Ms;
  return isLonger ? asFound : { reused, result };
}

function startedFirst({ sites, standby }: Problem): readonly number[] {
  const isStarted = (site: number): number => (sites[site]?.host.state === "ready" ? 0 : 1);
  return standby.toSorted((a, b) => isStarted(a) - isStarted(b));
}

/** The schedule with a reserve that follows what each wave needs, where it is worth it. */
function followForecast(
  context: ScheduleContext,
  hosts: readonly string[],
  count: number,
  confidence: number,
  whole: Schedule,
): Schedule | undefined {
  if (whole.reserve.length === 0 || hosts.length === 0) return undefined;
  // Where demand rises, room for it may be made when it comes near, instead of from the beginning.
  const ways = risesLater(context, 2 * whole.total.p95Ms) ? (["rest", "soon"] as const) : (["rest"] as const);
  let best: Schedule | undefined;
  for (const lookAhead of ways) {
    const schedule = tryFollowing(context, hosts, count, confidence, lookAhead);
    if (!schedule || !isWorthFollowing(schedule, whole)) continue;
    if (best === undefined || hoursOf(schedule) < (1 - LEAST_SAVED) * hoursOf(best)) best = schedule;
  }
  return best;
}

/** A schedule with a reserve that follows, without hosts that are given back and needed again. */
function tryFollowing(
  context: ScheduleContext,
  hosts: readonly string[],
  count: number,
  confidence: number,
  lookAhead: LookAhead,
): Schedule | undefined {
  const tries = context.problem.sites.length < LARGE_FROM_HOSTS ? FOLLOWING_TRIES : 1;
  const [rules] = LANE_RULES;
  let keptWaves = 0;
  for (let attempt = 0; attempt < tries; attempt++) {
    const options = { style: "balanced", lookAhead, mayShed: true, followsFrom: keptWaves, rules } as const;
    const result = tryStyle(context, hosts, count, confidence, options);
    if ("failure" in result) return undefined;
    const { schedule, regrets } = result;
    if (regrets === undefined) return schedule;
    keptWaves = regrets + 1;
  }
  return undefined;
}

/**
 * A schedule that makes room for a rise when it comes near, where none has it from the beginning: a run under way may stand
 * where copies are to part before the rise.
 */
function makeRoomLater(
  context: ScheduleContext,
  hosts: readonly string[],
  count: number,
  confidence: number,
): ScheduleResult | undefined {
  if (hosts.length === 0 || !risesLater(context, Number.POSITIVE_INFINITY)) return undefined;
  const schedule = tryFollowing(context, hosts, count, confidence, "soon");
  if (!schedule) return undefined;
  const reserveReason =
    schedule.reserve.length === 0
      ? "room for the rise of demand is made by moves when it comes near"
      : `${describeReserve(context, schedule, undefined)}; taken when demand rises`;
  return { schedule: { ...schedule, reserveReason } };
}

/** True where some island's demand is higher later in the next `forMs` than it is when the run begins. */
function risesLater({ problem, totals, quantile, startMs }: ScheduleContext, forMs: number): boolean {
  const whole = stepRange(problem.demand, startMs, startMs + forMs);
  const now = { from: whole.from, to: whole.from + 1 };
  return totals.some(
    (demand) => peakQuantile(problem, demand, whole, quantile) > RISES * peakQuantile(problem, demand, now, quantile),
  );
}

function isWorthFollowing(following: Schedule, whole: Schedule): boolean {
  const moves = ({ waves }: Schedule): number => waves.reduce((sum, wave) => sum + wave.moves.length, 0);
  return (
    hoursOf(following) <= (1 - LEAST_SAVED) * hoursOf(whole) &&
    following.total.p95Ms <= (1 + MOST_LONGER) * whole.total.p95Ms &&
    moves(following) <= (1 + MORE_MOVES_SHARE) * moves(whole) + MORE_MOVES &&
    countShed(following) <= countShed(whole)
  );
}

function hoursOf({ waves, reserve }: Schedule): number {
  return reservedHours(reservedSpans({ waves, reserve: { hosts: reserve, reason: "" } }));
}

function describeReserve(
  { problem, input }: ScheduleContext,
  { reserve }: Schedule,
  fewer: ScheduleResult | undefined,
): string {
  const warmHosts = Math.min(input.spec.pool?.warmHosts ?? 0, reserve.length);
  if (reserve.length === 0) return "every wave keeps the promise without";
  if (warmHosts > 0) {
    const needed = reserve.length - warmHosts;
    return `${needed === 0 ? "every wave keeps the promise without" : `${plural(needed, "host")} ${needed === 1 ? "is" : "are"} enough`}; ${String(warmHosts)} more kept warm`;
  }
  const without =
    fewer && "failure" in fewer
      ? `; with ${plural(reserve.length - 1, "host")} ${describeFailure(problem, fewer.failure)}`
      : "";
  return `${plural(reserve.length, "host")} ${reserve.length === 1 ? "is" : "are"} enough for every wave${without}`;
}
