/**
 * The steps of one move: the new copy comes, the old one goes, or a function stands in for it.
 *
 * Not for: what hosts and waves have to wait for (steps.ts).
 *
 * Invariants
 * 1. Every step comes after all steps that it waits for, in the list as well.
 * 2. A copy that serves leaves traffic only after its replacement has been admitted (surge before evict).
 */
import type { DurationQuantiles, HostUpdateSpec, Move, PlanStep, StandIn, Workload } from "../../sdk/model";

import type { DependencyOrder } from "./dependency-order";
import type { StepDurations } from "./durations";

/** A move with what its steps need. */
export interface WorkloadMove {
  readonly move: Move;
  readonly workload: Workload;
  /** Time until the copy ends by itself, P95; where it is left to end. */
  readonly endsInMs?: number;
}

/** Settings of all steps. */
export interface StepOptions {
  readonly spec: HostUpdateSpec;
  readonly durations: StepDurations;
  /** Who calls whom: absent, nobody. */
  readonly dependencies?: DependencyOrder;
  /** What is to know of a host's lane where hosts follow each other; absent: all go at once. */
  readonly laneOf?: (host: string) => LaneSteps;
  /** Time that the transfers of a host's moves take, ms. @default 0 */
  readonly transferOf?: (host: string) => number;
}

/** Of a lane: hosts of the wave whose lanes come before. */
export interface LaneSteps {
  readonly after: readonly string[];
}

/** What takes so many times longer to end than it does 19 times of 20 is not waited for any more. */
const PATIENCE_FACTOR = 2;

/** Steps of a whole move: the new copy comes, then the old one goes. */
export function createMoveSteps(
  id: (kind: string) => string,
  move: WorkloadMove,
  after: readonly string[],
  options: StepOptions,
): PlanStep[] {
  const transferMs = options.transferOf?.(move.move.from);
  const surge = createSurgeSteps(id, move, after, options, transferMs);
  return [...surge, ...createLeaveSteps(id, move, surge.length > 0 ? lastOfMoves(surge) : after, options, transferMs)];
}

/** Steps after which what replaces a copy serves elsewhere; none where the old one goes first or is handed over. */
export function createSurgeSteps(
  id: (kind: string) => string,
  { move, workload }: WorkloadMove,
  after: readonly string[],
  options: StepOptions,
  transferMs = 0,
): PlanStep[] {
  if (move.standIn) return createStandInSteps(id, move, workload, move.standIn, after, options);
  if (move.method !== "surge" || move.to === undefined) return [];
  return createArriveSteps(id, { move, workload }, move.to, after, options, transferMs);
}

/** Steps after which a function serves for a copy. */
function createStandInSteps(
  id: (kind: string) => string,
  move: Move,
  workload: Workload,
  { function: name, endpoint }: StandIn,
  after: readonly string[],
  { durations }: StepOptions,
): PlanStep[] {
  const part = { move: move.id, workload: workload.name };
  const deploy: PlanStep = {
    ...part,
    id: id(`deploy-function/${endpoint}`),
    kind: "deploy-function",
    function: name,
    endpoint,
    after,
    expected: longerBy(durations["deploy-function"], workload.burst?.coldStartMs ?? 0),
  };
  const admit: PlanStep = {
    ...part,
    id: id(`admit/${endpoint}`),
    kind: "admit",
    replica: endpoint,
    after: [deploy.id],
    expected: durations.admit,
  };
  return [deploy, admit];
}

/** Steps after which a function no longer stands in for a copy that is back; none where none did. */
export function createFallBackSteps(
  id: (kind: string) => string,
  { move, workload }: WorkloadMove,
  after: readonly string[],
  { durations, spec }: StepOptions,
): PlanStep[] {
  if (!move.standIn) return [];
  const { function: name, endpoint } = move.standIn;
  const part = { move: move.id, workload: workload.name };
  const drain: PlanStep = {
    ...part,
    id: id(`drain/${endpoint}`),
    kind: "drain",
    replica: endpoint,
    deadlineMs: spec.limits.drainMs,
    after,
    expected: durations.drain,
  };
  const remove: PlanStep = {
    ...part,
    id: id(`remove-function/${endpoint}`),
    kind: "remove-function",
    function: name,
    endpoint,
    after: [drain.id],
    expected: durations["remove-function"],
  };
  return [drain, remove];
}

/** Ids of the last step of each move. */
export function lastOfMoves(steps: readonly PlanStep[]): string[] {
  return [...new Map(steps.map((step) => ["move" in step ? step.move : "", step.id])).values()];
}

/** Steps after which a copy no longer runs on its host. */
export function createLeaveSteps(
  id: (kind: string) => string,
  leaving: WorkloadMove,
  after: readonly string[],
  options: StepOptions,
  transferMs = 0,
): PlanStep[] {
  const { move, workload } = leaving;
  const { durations, spec } = options;
  const part = { move: move.id, workload: workload.name };
  if (move.method === "hand-over" && move.to !== undefined) {
    return [
      {
        ...part,
        id: id(`hand-over/${move.replica}`),
        kind: "hand-over",
        fromReplica: move.replica,
        fromHost: move.from,
        toReplica: move.newReplica,
        toHost: move.to,
        maxPauseMs: workload.maxPauseMs,
        ...rateOf(workload, transferMs),
        after,
        expected: longerBy(durations["hand-over"], transferMs),
      },
    ];
  }
  if (move.method === "live" && move.to !== undefined) {
    return [
      {
        ...part,
        id: id(`live-migrate/${move.replica}`),
        kind: "live-migrate",
        replica: move.replica,
        fromHost: move.from,
        toHost: move.to,
        maxPauseMs: workload.maxPauseMs,
        ...rateOf(workload, transferMs),
        after,
        expected: longerBy(durations["live-migrate"], transferMs),
      },
    ];
  }
  if (move.method === "end") {
    const { endsInMs = 0 } = leaving;
    const expected = { p50Ms: Math.round(endsInMs / 2), p95Ms: endsInMs };
    const [replica, host] = [move.replica, move.from];
    const deadlineMs = PATIENCE_FACTOR * endsInMs + spec.limits.drainMs;
    return [{ ...part, id: id(`await-end/${replica}`), kind: "await-end", replica, host, deadlineMs, after, expected }];
  }
  const stop = (before: readonly string[]): PlanStep => ({
    move: move.id,
    workload: workload.name,
    id: id(`stop-copy/${move.replica}`),
    kind: "stop-copy",
    replica: move.replica,
    host: move.from,
    after: before,
    expected: durations["stop-copy"],
  });
  if (workload.service === undefined) return [stop(after)];
  const drain: PlanStep = {
    move: move.id,
    workload: workload.name,
    id: id(`drain/${move.replica}`),
    kind: "drain",
    replica: move.replica,
    deadlineMs: spec.limits.drainMs,
    after,
    expected: durations.drain,
  };
  return [drain, stop([drain.id])];
}

/** Steps after which the new copy of a move serves on `host`. */
export function createArriveSteps(
  id: (kind: string) => string,
  { move, workload }: WorkloadMove,
  host: string,
  after: readonly string[],
  { durations }: StepOptions,
  transferMs = 0,
): PlanStep[] {
  const start: PlanStep = {
    move: move.id,
    workload: workload.name,
    replica: move.newReplica,
    id: id(`start-copy/${move.newReplica}`),
    kind: "start-copy",
    host,
    ...rateOf(workload, transferMs),
    after,
    expected: longerBy(durations["start-copy"], transferMs),
  };
  if (workload.service === undefined) return [start];
  const admit: PlanStep = {
    move: move.id,
    workload: workload.name,
    replica: move.newReplica,
    id: id(`admit/${move.newReplica}`),
    kind: "admit",
    after: [start.id],
    expected: durations.admit,
  };
  return [start, admit];
}

/** What a move may carry a second over the links that it shares with others. */
function rateOf({ transferBytes = 0 }: Workload, transferMs: number): { readonly bytesPerSecond?: number } {
  return transferBytes > 0 && transferMs > 0 ? { bytesPerSecond: Math.floor((1000 * transferBytes) / transferMs) } : {};
}

/** A duration with so much more at the median and at P95. */
export function longerBy(duration: DurationQuantiles, ms: number): DurationQuantiles {
  return ms === 0 ? duration : { p50Ms: duration.p50Ms + ms, p95Ms: duration.p95Ms + ms };
}
