/**
 * Tries of one schedule with a given number of reserved hosts: ways to judge room, how far ahead, whether copies pause, and
 * what else is looked at once one is found.
 *
 * Not for: how many hosts are reserved and when (reserve.ts).
 */
import { pathCount } from "./capacity";
import { planFailback } from "./failback";
import { normalQuantile } from "./lanes";
import { isPinned } from "./place-rules";
import { Placement } from "./placement";
import { isBetterPlaced } from "./placement-cost";
import { compareText } from "./problem";
import { ReserveTrack } from "./reserve-track";
import { LANE_RULES, type LaneRules } from "./rolling-wave";
import {
  Timeline,
  type Schedule,
  type ScheduleContext,
  type ScheduleFailure,
  type ScheduleResult,
  type TryResult,
} from "./schedule";
import { planUpdateWaves, type LookAhead } from "./waves";

/**
 * Ways in which a schedule is tried, the kind one first. `margin` is `balanced` with room beside the paths for what
 * they do not show; only fleets whose hosts are many beside their paths need it.
 */
const STYLES = ["margin", "balanced", "tight"] as const;
type TryStyle = (typeof STYLES)[number];
/** So many cells for each path are shown well enough by the paths themselves. */
const CELLS_PER_PATH = 0.5;
/** What a cell carries before and after its host is updated. */
const LOADS_OF_CELL = 2;
/** Second and further tries of one schedule: bounds the search where nothing fits. */
const MAXIMUM_TRIES = 4_000;
/** Up to so many hosts times copies several rules for lanes are tried; more would take too long, and vary less. */
const MOST_COMPARED = 100_000;
/** The same for destinations where there are lanes: they rarely come out better there, and take as long as the plan itself. */
const MOST_REFINED_IN_LANES = 10_000;
/** Where waves have no lanes a run may take this share longer, when its destinations cost less. */
const LONGER_WHERE_BETTER_PLACED = 0.05;

/** True when a host is over its share as it stands: neither reserve nor other targets change that. */
export function isOverloadedAtStart({ cause, waves }: ScheduleFailure): boolean {
  return cause.kind === "overload" && waves.length === 0;
}

export function trySchedule(
  context: ScheduleContext,
  hosts: readonly string[],
  count: number,
  confidence: number,
): ScheduleResult {
  let failure: ScheduleFailure | undefined;
  // How long a run takes is known when it is planned. Where demand grew over what was looked at, all time counts.
  let lookAhead: LookAhead = "rest";
  // What was shed in one wave may be in the way later: a wider budget must not be a worse one.
  for (const mayShed of canShed(context) ? [true, false] : [true]) {
    for (const style of STYLES) {
      if (style === "margin" && marginOf(context, confidence) === 0) continue;
      const [rules] = LANE_RULES;
      let result = tryStyle(context, hosts, count, confidence, { style, lookAhead, mayShed, rules });
      if ("failure" in result && result.failure.cause.kind === "overload" && lookAhead === "rest") {
        lookAhead = "opening";
        if (!isOverloadedAtStart(result.failure)) {
          result = tryStyle(context, hosts, count, confidence, { style, lookAhead, mayShed, rules });
        }
      }
      if ("schedule" in result) {
        const found: Try = { style, lookAhead, mayShed, rules };
        return {
          schedule: lookCloser(context, hosts, result.schedule, style, (changed) =>
            tryStyle(context, hosts, count, confidence, { ...found, ...changed }),
          ),
        };
      }
      failure ??= result.failure;
      if (isOverloadedAtStart(result.failure)) return { failure };
    }
  }
  // Before anything is called blocked or reserved: copies of others may make room.
  const [rules] = LANE_RULES;
  for (const mayShed of canShed(context) ? [true, false] : [true]) {
    const options = { style: "balanced", lookAhead, mayShed, rules, makesRoom: true } as const;
    const result = tryStyle(context, hosts, count, confidence, options);
    if ("schedule" in result) return result;
  }
  return { failure: failure as ScheduleFailure };
}

/** Hosts to start beside `count` more, so that as many as the pool wants are kept warm. */
function missingWarm({ problem, input }: ScheduleContext, count: number): number {
  const { warmHosts = 0, maximumHosts = 0 } = input.spec.pool ?? {};
  const inUse = new Set(problem.copies.map(({ site }) => site));
  const idle = problem.held.filter((site) => !inUse.has(site)).length;
  return Math.max(0, Math.min(warmHosts - idle, maximumHosts - problem.held.length - count));
}

/**
 * What else is tried of small fleets where a schedule was found: other rules for lanes, of which the shortest is taken; then
 * better destinations, where these make it no worse.
 */
function lookCloser(
  { problem, comparesLanes }: ScheduleContext,
  hosts: readonly string[],
  found: Schedule,
  style: TryStyle,
  tryWith: (changed: Partial<Pick<Try, "refines" | "rules">>) => ScheduleResult,
): Schedule {
  const size = hosts.length * problem.copies.length;
  if (!comparesLanes || size > MOST_COMPARED) return found;
  const hasLanes = found.waves.some(({ kind, lanes }) => kind === "update" && lanes !== undefined);
  let [best, bestRules]: [Schedule, LaneRules] = [found, LANE_RULES[0]];
  for (const rules of hasLanes ? LANE_RULES.slice(1) : []) {
    const result = tryWith({ rules });
    if ("failure" in result || result.schedule.total.p50Ms >= best.total.p50Ms) continue;
    [best, bestRules] = [result.schedule, rules];
  }
  if (style === "tight" || (hasLanes && size > MOST_REFINED_IN_LANES)) return best;
  const refined = tryWith({ rules: bestRules, refines: true });
  if ("failure" in refined) return best;
  // Where hosts follow each other, time is what is looked for.
  return isBetterPlaced(refined.schedule, best, hasLanes ? 0 : LONGER_WHERE_BETTER_PLACED) ? refined.schedule : best;
}

/** True where some copy may pause while its host is updated. */
function canShed({ problem, mayRefuse }: ScheduleContext): boolean {
  return problem.works.some(
    ({ workload, refusable }) =>
      (workload.criticality === "sheddable" || isPinned(workload) || (mayRefuse && refusable !== undefined)) &&
      !workload.exclusive &&
      workload.maxUnavailable > 0,
  );
}

/** How one schedule is tried. */
interface Try {
  readonly style: TryStyle;
  readonly lookAhead: LookAhead;
  readonly mayShed: boolean;
  /** The reserve follows what waves need, and is not given back before this many waves. Absent: it is held all the time. */
  readonly followsFrom?: number;
  /** Copies of other hosts may move away so that those of a host find room. @default false */
  readonly makesRoom?: boolean;
  /** Destinations of each wave are improved together. @default false */
  readonly refines?: boolean;
  readonly rules: LaneRules;
}

/** The result of a try, which is that of before where it was kept. */
export function tryStyle(
  context: ScheduleContext,
  hosts: readonly string[],
  count: number,
  confidence: number,
  options: Try,
): TryResult {
  const { tried, startMs, mayBurst, mayRefuse, problem } = context;
  if (!tried) return tryAnew(context, hosts, count, confidence, options);
  const key = JSON.stringify([startMs, hosts, count, confidence, options, mayBurst, mayRefuse, problem.standby]);
  const known = tried.get(key);
  if (known) return known;
  const result = tryAnew(context, hosts, count, confidence, options);
  tried.set(key, result);
  return result;
}

function tryAnew(
  context: ScheduleContext,
  hosts: readonly string[],
  count: number,
  confidence: number,
  { style, lookAhead, mayShed, followsFrom, makesRoom = false, refines = false, rules }: Try,
): TryResult {
  const { problem, input, quantile } = context;
  const extra = problem.standby.slice(0, count);
  const hostId = (site: number): string => problem.sites[site]?.host.id ?? "";
  const placement = new Placement(problem, {
    allowedShare: 1 - confidence,
    quantile,
    marginDeviates: style === "margin" ? marginOf(context, confidence) : 0,
  });
  const spare = problem.standby.slice(count, count + missingWarm(context, count));
  const reserve = new ReserveTrack(placement, {
    held: problem.held,
    extra,
    spare,
    warm: input.spec.pool?.warmHosts ?? 0,
    follows: followsFrom !== undefined,
    relieves: lookAhead === "soon",
    keptWaves: followsFrom ?? 0,
  });
  const timeline = new Timeline(context, placement);
  const warnings: string[] = [];
  const options = {
    style: style === "tight" ? ("tight" as const) : ("balanced" as const),
    quantile,
    lookAhead,
    makesRoom,
    mayShed,
    mayBurst: context.mayBurst,
    mayRefuse: context.mayRefuse,
    rules,
    ...(refines ? { refine: { seed: input.spec.seed } } : {}),
    ids: new Set(input.fleet.replicas.map((replica) => replica.id)),
    tries: { left: MAXIMUM_TRIES },
    reserve,
  };
  const failure =
    planUpdateWaves(context, placement, timeline, hosts, options) ??
    planFailback(context, placement, timeline, reserve.current, options, warnings);
  if (failure) return { failure };
  const schedule: Schedule = {
    waves: timeline.waves,
    reserve: reserve.all.map(hostId).sort(compareText),
    reserveReason: "",
    warnings,
    total: timeline.total,
  };
  return { schedule, regrets: reserve.regrets };
}

/**
 * Deviations above the mean at which all cells together are over their share with the allowed probability (Bonferroni):
 * each with what it carries before its host is updated, and after. Mean and deviation are known from the paths alone, so
 * that it is the bound of one more draw (Student, 1908).
 */
export function marginOf({ problem }: ScheduleContext, confidence: number): number {
  const paths = pathCount(problem.demand);
  const { length } = problem.cells;
  if (paths < 2 || length <= CELLS_PER_PATH * paths) return 0;
  return studentQuantile(1 - (1 - confidence) / (LOADS_OF_CELL * length), paths - 1) * Math.sqrt(1 + 1 / paths);
}

/** Quantile of Student's t by its expansion about the normal one (Abramowitz and Stegun 26.7.5, to the second order). */
function studentQuantile(level: number, freedom: number): number {
  const z = normalQuantile(level);
  return z + (z ** 3 + z) / (4 * freedom) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2);
}
