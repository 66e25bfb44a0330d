/**
 * Lanes: what hosts that follow each other within a wave share, and how long that takes. Limits are kept by counting
 * places at run time, not by fixed times, so that they hold however long each host takes.
 *
 * Not for: which hosts (waves.ts) and keeping the limits at run time (providers/execute).
 */
import type { DisruptionReason, DurationQuantiles, PlanStep, StepKind, UpdateWay, WaveLanes } from "../../sdk/model";

import { budgetsOfHost, placesOfBudget } from "./disruption-budgets";
import { longestOf, sumDurations } from "./durations";
import { LimitedQueue } from "./limited-queue";
import type { Problem } from "./problem";
import type { ScheduleContext } from "./schedule";

/** Draws from which the time of a wave with lanes is estimated; fewer of many lanes, whose sum varies less. */
const MOST_DRAWS = 24;
const FEWEST_DRAWS = 6;
const LANES_DRAWN = 4_000;
/** Standard normal deviate of the 95th percentile. */
const Z95 = 1.645;

/** Lanes that go ahead of those that have places, beside each of these: enough that one is ready when a place is free. */
const AHEAD_SHARE = 0.5;

/** One host's part of a wave. */
export interface Lane {
  readonly host: string;
  /** What it counts against. */
  readonly uses: readonly string[];
  /** Hosts of the wave whose lanes have to end before. */
  readonly after: readonly string[];
  readonly duration: LaneDuration;
}

/** How long a lane takes. */
export interface LaneDuration {
  /** Until the new copies of its moves serve, before it needs a place. */
  readonly ahead: DurationQuantiles;
  /** From the host's cordon until it works again, for which it has one. */
  readonly placed: DurationQuantiles;
  /** What it soaks after that, and until a machine that it replaced is ended. */
  readonly soakMs: number;
}

/** Lanes beside those under way, by limit, that start new copies before a place is free. */
export function lanesAhead(limits: WaveLanes["limits"]): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(limits).map(([name, places]) => [name, aheadOf(places)]));
}

/** Lanes that go ahead beside so many places. */
function aheadOf(places: number): number {
  return Math.ceil(places * AHEAD_SHARE);
}

/** Time of a lane from its steps: of those of one kind, which go at once, the slowest counts. */
export function laneDuration(steps: readonly PlanStep[]): LaneDuration {
  const kinds = new Map<StepKind, { readonly longest: DurationQuantiles; readonly count: number }>();
  let drainMs = Number.POSITIVE_INFINITY;
  for (const step of steps) {
    const { kind, expected } = step;
    const known = kinds.get(kind);
    const longest = known && known.longest.p95Ms > expected.p95Ms ? known.longest : expected;
    kinds.set(kind, { longest, count: (known?.count ?? 0) + 1 });
    if (kind === "drain") drainMs = step.deadlineMs;
  }
  return sumOfKinds((kind) => {
    const found = kinds.get(kind);
    return found ? slowestOf(found.longest, found.count) : NOTHING;
  }, drainMs);
}

/** Time of the lane of a host that so many copies have to leave, before it is known where they go; of several ways the longest. */
export function expectedLane(
  context: Pick<ScheduleContext, "durations" | "input" | "problem">,
  copies: number,
): LaneDuration {
  const lanes = context.problem.ways.map((way) => laneOfWay(context, copies, way));
  return {
    ahead: longestOf(lanes.map(({ ahead }) => ahead)),
    placed: longestOf(lanes.map(({ placed }) => placed)),
    soakMs: Math.max(0, ...lanes.map(({ soakMs }) => soakMs)),
  };
}

function laneOfWay(
  { durations, input }: Pick<ScheduleContext, "durations" | "input">,
  copies: number,
  way: UpdateWay,
): LaneDuration {
  const { update, limits } = input.spec;
  return sumOfKinds((kind) => {
    // Most copies surge; other ways are few.
    if (
      kind === "hand-over" ||
      kind === "live-migrate" ||
      kind === "await-end" ||
      (kind === "reboot" && (!update.reboot || way === "replacement")) ||
      (kind === "update" && way === "replacement") ||
      ((kind === "replace" || kind === "discard-replaced") && way === "in-place")
    )
      return NOTHING;
    const isOfCopy = kind === "start-copy" || kind === "admit" || kind === "drain" || kind === "stop-copy";
    return isOfCopy ? slowestOf(durations[kind], Math.max(1, copies)) : durations[kind];
  }, limits.drainMs);
}

/** @param of time of all steps of one kind @param drainMs deadline of drains: none takes longer, however many there are */
function sumOfKinds(of: (kind: StepKind) => DurationQuantiles, drainMs: number): LaneDuration {
  const leaving = sumDurations([atMost(of("drain"), drainMs), of("stop-copy")]);
  const ways = [leaving, of("hand-over"), of("live-migrate"), of("await-end")];
  const gone = {
    p50Ms: Math.max(...ways.map(({ p50Ms }) => p50Ms)),
    p95Ms: Math.max(...ways.map(({ p95Ms }) => p95Ms)),
  };
  const host = (["cordon", "snapshot", "update", "reboot", "replace", "validate", "uncordon"] as const).map(of);
  return {
    ahead: sumDurations([of("start-copy"), of("admit")]),
    placed: sumDurations([gone, ...host]),
    soakMs: of("soak").p50Ms + of("discard-replaced").p50Ms,
  };
}

const NOTHING: DurationQuantiles = { p50Ms: 0, p95Ms: 0 };

function atMost({ p50Ms, p95Ms }: DurationQuantiles, ms: number): DurationQuantiles {
  return { p50Ms: Math.min(p50Ms, ms), p95Ms: Math.min(p95Ms, ms) };
}

/** Quantiles of the longest of so many log-normal durations that are independent of each other. */
function slowestOf(duration: DurationQuantiles, count: number): DurationQuantiles {
  if (count === 1 || duration.p50Ms <= 0) return duration;
  const spread = spreadOf(duration);
  const at = (level: number): number => duration.p50Ms * Math.exp(spread * normalQuantile(level ** (1 / count)));
  return { p50Ms: at(0.5), p95Ms: at(0.95) };
}

/** Standard deviation of the logarithm of a log-normal duration. */
function spreadOf({ p50Ms, p95Ms }: DurationQuantiles): number {
  return p50Ms > 0 ? Math.log(Math.max(p95Ms, p50Ms) / p50Ms) / Z95 : 0;
}

/**
 * What a host's lane counts against, before it is known where its copies go.
 * @param reason what the host is disrupted for
 */
export function limitsOfHost(
  { problem, input }: Pick<ScheduleContext, "problem" | "input">,
  site: number,
  reason: DisruptionReason = "update",
): readonly string[] {
  const host = problem.sites[site]?.host;
  const { hostsPerRack, hostsPerIsland } = input.spec.limits;
  if (!host) return [];
  return [
    "hosts",
    `zone/${host.zone}`,
    ...(hostsPerRack === undefined ? [] : [`rack/${host.rack}`]),
    ...(hostsPerIsland === undefined ? [] : islandsOf(problem, site).map((island) => `island/${island}`)),
    ...budgetsOfHost(problem, input.fleet, site, reason),
  ];
}

/** Places of what {@link limitsOfHost} names. */
export function placesOf({ input }: Pick<ScheduleContext, "input">, name: string): number {
  const { hostsAtOnce, hostsPerZone, hostsPerRack, hostsPerIsland } = input.spec.limits;
  if (name === "hosts") return hostsAtOnce;
  if (name.startsWith("zone/")) return hostsPerZone;
  if (name.startsWith("rack/")) return hostsPerRack ?? hostsPerZone;
  return placesOfBudget(input.fleet, name) ?? hostsPerIsland ?? hostsAtOnce;
}

function islandsOf(problem: Problem, site: number): string[] {
  return problem.islands.filter((_, island) => (problem.cellAt[site * problem.islands.length + island] ?? -1) >= 0);
}

/** When lanes begin that come one after the other, each as soon as its limits have room. */
export class LaneClock {
  private readonly numbers = new Map<string, number>();
  /** By limit: when each of its places is free, ms, as a heap with the first one on top; and that first one. */
  private readonly free: Float64Array[] = [];
  private readonly firsts: number[] = [];

  constructor(private readonly placesOf: (name: string) => number) {}

  /** Numbers of limits, by which the clock is asked. */
  numberLimits(names: readonly string[]): Int32Array {
    return Int32Array.from(names, (name) => {
      let number = this.numbers.get(name);
      if (number === undefined) {
        number = this.free.push(new Float64Array(Math.max(1, this.placesOf(name)))) - 1;
        this.numbers.set(name, number);
        this.firsts.push(0);
      }
      return number;
    });
  }

  /** When a lane with these limits could begin. */
  earliest(limits: Int32Array): number {
    let start = 0;
    for (const limit of limits) {
      const first = this.firsts[limit] as number;
      if (first > start) start = first;
    }
    return start;
  }

  /** Takes the places until `untilMs`. */
  take(limits: Int32Array, untilMs: number): void {
    for (const limit of limits) {
      const heap = this.free[limit] as Float64Array;
      replaceFirst(heap, untilMs);
      this.firsts[limit] = heap[0] as number;
    }
  }
}

/** Puts a later time in the place of a heap's first one. */
function replaceFirst(heap: Float64Array, value: number): void {
  let at = 0;
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && (heap[child + 1] as number) < (heap[child] as number)) child++;
    if ((heap[child] as number) >= value) break;
    heap[at] = heap[child] as number;
    at = child;
  }
  heap[at] = value;
}

/** Mean of the log-normal distribution with these quantiles. */
export function meanDuration({ p50Ms, p95Ms }: DurationQuantiles): number {
  if (p50Ms <= 0) return p95Ms / 2;
  return p50Ms * Math.exp((Math.log(Math.max(p95Ms, p50Ms) / p50Ms) / Z95) ** 2 / 2);
}

/**
 * Time of all lanes of a wave: quantiles over draws of their durations (log-normal), each draw carried out as a run
 * would, the first lane of the list that may begin first. Deterministic: the draws are spread evenly and shifted.
 */
export function lanesDuration(lanes: readonly Lane[], { limits, ahead }: Omit<WaveLanes, "uses">): DurationQuantiles {
  if (lanes.length === 0) return NOTHING;
  const numbered = numberLanes(lanes, limits, ahead ?? {});
  const draws = Math.max(FEWEST_DRAWS, Math.min(MOST_DRAWS, Math.ceil(LANES_DRAWN / lanes.length)));
  const ends = Float64Array.from({ length: draws }, (_, draw) => playLanes(numbered, draw)).sort();
  return {
    p50Ms: Math.ceil(ends[Math.floor(draws / 2)] as number),
    p95Ms: Math.ceil(ends[Math.ceil(draws * 0.95) - 1] as number),
  };
}

/** Lanes with numbers for names. */
interface NumberedLanes {
  readonly uses: readonly Int32Array[];
  /** How many lanes have to end before, and which ones it is one of those for. */
  readonly blockers: Int32Array;
  readonly blocks: readonly (readonly number[])[];
  /** By limit: lanes with places, and lanes that may have begun. */
  readonly places: Int32Array;
  readonly beginnings: Int32Array;
  readonly ahead: DrawnDurations;
  readonly placed: DrawnDurations;
  readonly soakMs: Float64Array;
}

/** By lane: median, and deviation of the logarithm. */
interface DrawnDurations {
  readonly p50Ms: Float64Array;
  readonly spread: Float64Array;
}

function numberLanes(lanes: readonly Lane[], limits: WaveLanes["limits"], ahead: WaveLanes["limits"]): NumberedLanes {
  const index = new Map(lanes.map(({ host }, lane) => [host, lane]));
  const names = new Map<string, number>();
  for (const { uses } of lanes) for (const name of uses) if (!names.has(name)) names.set(name, names.size);
  const placesAt = (name: string): number => Math.max(1, limits[name] ?? 1);
  const after = lanes.map((lane) => [...new Set(lane.after.flatMap((host) => index.get(host) ?? []))]);
  const blocks: number[][] = lanes.map(() => []);
  after.forEach((others, lane) => {
    for (const other of others) blocks[other]?.push(lane);
  });
  return {
    uses: lanes.map(({ uses }) => Int32Array.from(uses, (name) => names.get(name) ?? 0)),
    blockers: Int32Array.from(after, (others) => others.length),
    blocks,
    places: Int32Array.from(names.keys(), placesAt),
    beginnings: Int32Array.from(names.keys(), (name) => placesAt(name) + (ahead[name] ?? 0)),
    ahead: drawnDurations(lanes.map(({ duration }) => duration.ahead)),
    placed: drawnDurations(lanes.map(({ duration }) => duration.placed)),
    soakMs: Float64Array.from(lanes, ({ duration }) => duration.soakMs),
  };
}

function drawnDurations(durations: readonly DurationQuantiles[]): DrawnDurations {
  return {
    p50Ms: Float64Array.from(durations, ({ p50Ms, p95Ms }) => p50Ms || p95Ms / 2),
    spread: Float64Array.from(durations, spreadOf),
  };
}

/** What ends next in a lane. */
const AHEAD = 0;
const PLACED = 1;
const SOAKED = 2;

function playLanes(lanes: NumberedLanes, draw: number): number {
  const { uses, blocks, soakMs } = lanes;
  const placed = new LimitedQueue(uses, lanes.places);
  const begun = new LimitedQueue(uses, lanes.beginnings);
  const blockers = Int32Array.from(lanes.blockers);
  const running: Ending[] = [];
  const drawn = ({ p50Ms, spread }: DrawnDurations, lane: number): number =>
    (p50Ms[lane] as number) * Math.exp((spread[lane] as number) * deviateOf(lane, draw));
  let nowMs = 0;
  blockers.forEach((count, lane) => {
    if (count === 0) begun.add(lane);
  });
  for (;;) {
    placed.begin((lane) => {
      push(running, { lane, endMs: nowMs + drawn(lanes.placed, lane), what: PLACED });
    });
    begun.begin((lane) => {
      push(running, { lane, endMs: nowMs + drawn(lanes.ahead, lane), what: AHEAD });
    });
    const next = pop(running);
    // Lanes wait for lanes before them in the list only, so the first one may begin when nothing is under way.
    if (!next) return nowMs;
    nowMs = next.endMs;
    switch (next.what) {
      case AHEAD:
        placed.add(next.lane);
        break;
      case PLACED:
        placed.giveBack(next.lane);
        begun.giveBack(next.lane);
        push(running, { lane: next.lane, endMs: nowMs + (soakMs[next.lane] as number), what: SOAKED });
        break;
      case SOAKED:
        for (const other of blocks[next.lane] as readonly number[]) {
          blockers[other] = (blockers[other] as number) - 1;
          if (blockers[other] === 0) begun.add(other);
        }
    }
  }
}

/** A normal deviate at a level that lanes and draws spread evenly (a Kronecker sequence). */
function deviateOf(lane: number, draw: number): number {
  const level =
    (0.5 + (lane + 1) * 0.6180339887498949 + (draw + 1) * 0.7548776662466927 + lane * draw * 0.3819660113) % 1;
  return normalQuantile(Math.min(0.999, Math.max(0.001, level)));
}

/** Inverse of the normal distribution, good to 4.5e-4 (Abramowitz and Stegun 26.2.23). */
export function normalQuantile(level: number): number {
  const tail = level < 0.5 ? level : 1 - level;
  const t = Math.sqrt(-2 * Math.log(Math.max(tail, Number.MIN_VALUE)));
  const value = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  return level < 0.5 ? -value : value;
}

interface Ending {
  readonly lane: number;
  readonly endMs: number;
  readonly what: typeof AHEAD | typeof PLACED | typeof SOAKED;
}

function push(heap: Ending[], item: Ending): void {
  heap.push(item);
  for (let at = heap.length - 1; at > 0;) {
    const parent = (at - 1) >> 1;
    if ((heap[parent] as Ending).endMs <= item.endMs) break;
    heap[at] = heap[parent] as Ending;
    heap[parent] = item;
    at = parent;
  }
}

function pop(heap: Ending[]): Ending | undefined {
  const [top] = heap;
  const last = heap.pop();
  if (!top || !last || heap.length === 0) return top;
  heap[0] = last;
  for (let at = 0; ;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && (heap[child + 1] as Ending).endMs < (heap[child] as Ending).endMs) child++;
    if ((heap[child] as Ending).endMs >= last.endMs) break;
    heap[at] = heap[child] as Ending;
    heap[child] = last;
    at = child;
  }
  return top;
}
