/**
 * Waves of a plan: what is moved and changed in which steps, with times and reasons. Plain data, readable as JSON.
 *
 * Not for: the plan around them (plan.ts), how they are found (providers/plan) or carried out (providers/execute).
 */
import type { MigrationScore } from "./decisions";
import type { HostShare } from "./fleet";

/** What a run does to a host or workload; one call of a driver each. */
export type PlanStep =
  /** Start standby hosts and hold them for this run. */
  | (StepBase & { readonly kind: "reserve"; readonly hosts: readonly string[] })
  /** Give reserved hosts back. */
  | (StepBase & { readonly kind: "release"; readonly hosts: readonly string[] })
  | (StepBase & { readonly kind: "cordon"; readonly host: string })
  | (StepBase & { readonly kind: "uncordon"; readonly host: string })
  /** Start one more copy and wait until it is healthy. */
  | (StepBase & TransferStep & { readonly kind: "start-copy"; readonly replica: string; readonly host: string })
  /** Give a healthy copy its share of traffic. */
  | (StepBase & MoveStep & { readonly kind: "admit"; readonly replica: string })
  /** Take a copy out of traffic and wait until its requests are answered. */
  | (StepBase & MoveStep & { readonly kind: "drain"; readonly replica: string; readonly deadlineMs: number })
  | (StepBase & MoveStep & { readonly kind: "stop-copy"; readonly replica: string; readonly host: string })
  /** Move an exclusive workload: park, quiesce, snapshot, restore, verify, cut over, resume. */
  | (StepBase &
      TransferStep & {
        readonly kind: "hand-over";
        readonly fromReplica: string;
        readonly fromHost: string;
        readonly toReplica: string;
        readonly toHost: string;
        readonly maxPauseMs: number;
      })
  /** Move a copy with its memory while it runs; it keeps its id and address. */
  | (StepBase &
      TransferStep & {
        readonly kind: "live-migrate";
        readonly replica: string;
        readonly fromHost: string;
        readonly toHost: string;
        readonly maxPauseMs: number;
      })
  /** Wait until a copy has ended by itself; until `deadlineMs` after the step's beginning. */
  | (StepBase &
      MoveStep & {
        readonly kind: "await-end";
        readonly replica: string;
        readonly host: string;
        readonly deadlineMs: number;
      })
  /** Let islands of one host use what others leave, until `untilMs` (ms since the epoch). */
  | (StepBase & {
      readonly kind: "set-shares";
      readonly host: string;
      readonly shares: readonly HostShare[];
      readonly untilMs: number;
    })
  /** Refuse the requests of functions that can be shed, and serve them again. */
  | (StepBase & PathsStep & { readonly kind: "refuse-paths" })
  | (StepBase & PathsStep & { readonly kind: "serve-paths" })
  /** Deploy a function to stand in for a copy, and call it until it answers; it gets its traffic by `admit`. */
  | (StepBase & MoveStep & FunctionStep & { readonly kind: "deploy-function" })
  /** Take it away again, drained before. */
  | (StepBase & MoveStep & FunctionStep & { readonly kind: "remove-function" })
  /** Record version, configuration and placement before the first change. */
  | (StepBase & { readonly kind: "snapshot"; readonly host: string })
  | (StepBase & { readonly kind: "update"; readonly host: string })
  | (StepBase & { readonly kind: "reboot"; readonly host: string })
  /** Let another machine, made of the update's image, take a host's place; the old one is kept. */
  | (StepBase & { readonly kind: "replace"; readonly host: string })
  /** End the machine that was replaced: there is no way back after this. */
  | (StepBase & { readonly kind: "discard-replaced"; readonly host: string })
  | (StepBase & { readonly kind: "validate"; readonly host: string })
  /** Watch the updated hosts for a while. */
  | (StepBase & { readonly kind: "soak"; readonly hosts: readonly string[]; readonly durationMs: number });

export type StepKind = PlanStep["kind"];

/** True for the step that brings a host to what is wanted. */
export function isChange(step: PlanStep): step is Extract<PlanStep, { readonly kind: "update" | "replace" }> {
  return step.kind === "update" || step.kind === "replace";
}

interface StepBase {
  /** Unique within the run: `w2/host-03/update`. */
  readonly id: string;
  /** Ids of steps that must be done first; all in the same wave. */
  readonly after: readonly string[];
  readonly expected: DurationQuantiles;
}

interface MoveStep {
  /** The move this step belongs to. */
  readonly move: string;
  readonly workload: string;
}

/** A step that carries the state or data of a copy from one host to another. */
interface TransferStep extends MoveStep {
  /**
   * What it may carry a second, so that the links that it shares with others hold it. Absent: nothing to carry, or no
   * bound is known.
   */
  readonly bytesPerSecond?: number;
}

interface PathsStep {
  readonly workload: string;
  /** Beginnings of paths, sorted. */
  readonly paths: readonly string[];
}

interface FunctionStep {
  readonly function: string;
  readonly endpoint: string;
}

export interface DurationQuantiles {
  readonly p50Ms: number;
  readonly p95Ms: number;
}

/** One transfer of a replica, with why. */
export interface Move {
  readonly id: string;
  readonly workload: string;
  readonly replica: string;
  readonly newReplica: string;
  readonly from: string;
  /**
   * Absent when the copy is shed or a function stands in for it for the time of the host's update, when it is restarted
   * after it on the same host, or ends.
   */
  readonly to?: string;
  readonly method: "surge" | "hand-over" | "live" | "burst" | "shed" | "restart" | "end";
  readonly reason: string;
  /** Score of the chosen target and of the best others, highest first. */
  readonly scores: readonly TargetScore[];
  /** What spoke for moving it, and what it costs; golden journals of earlier versions have none. */
  readonly migration?: MigrationScore;
  /** With `burst`: what serves meanwhile. */
  readonly standIn?: StandIn;
  /** With `shed`: functions of its workload that are refused meanwhile, so that the other copies carry its part. */
  readonly refuses?: RefusedFunctions;
}

/** Functions of a workload whose requests are refused. */
export interface RefusedFunctions {
  /** Beginnings of their paths, sorted. */
  readonly paths: readonly string[];
  /** Their part of the workload's requests, 0..1. */
  readonly share: number;
}

/** A function that serves for a copy while that one does not run. */
export interface StandIn {
  readonly function: string;
  /** Id of its endpoint, one for each copy. */
  readonly endpoint: string;
  /** Its part of the workload's requests, 0..1. */
  readonly share: number;
  /** Requests per second that it gets, at the plan's quantile, and CPU time of one, ms. */
  readonly requestsPerSecond: number;
  readonly cpuMsPerRequest: number;
}

export interface TargetScore {
  readonly host: string;
  readonly score: number;
  /** Named parts that sum to the score. */
  readonly parts: Readonly<Record<string, number>>;
  /** Why it cannot be taken, where it cannot. */
  readonly rejected?: string;
}

/**
 * How the hosts of a wave follow each other: each host's steps, its soak among them, are a *lane*. A lane is under way
 * from the host's cordon, for which every limit that it counts against must have room, until the host works again; while
 * it soaks it holds no place. New copies of its moves are started before, as far as `ahead` lets it.
 */
export interface WaveLanes {
  /** Lanes under way at once, by what they share: `hosts`, `zone/a`, `rack/a1`, `island/shop`, `budget/update/shop`. */
  readonly limits: Readonly<Record<string, number>>;
  /**
   * Lanes beside those under way that may start the new copies of their moves, so that they are there when a place is
   * free, by what they share. Absent, as in earlier versions: none, and a lane is under way from its first step on.
   */
  readonly ahead?: Readonly<Record<string, number>>;
  /** By host: the limits that its lane counts against. */
  readonly uses: Readonly<Record<string, readonly string[]>>;
}

/** A group of hosts updated together, or one after the other (`lanes`), or the failback at the end. */
export interface Wave {
  /** From 1. */
  readonly index: number;
  readonly kind: "canary" | "update" | "failback" | "move";
  readonly hosts: readonly string[];
  /** Planned, milliseconds since the epoch. */
  readonly startMs: number;
  /** Planned end at the median and at P95. */
  readonly endMs: number;
  readonly endP95Ms: number;
  readonly moves: readonly Move[];
  readonly steps: readonly PlanStep[];
  /** Absent: all hosts at once. */
  readonly lanes?: WaveLanes;
  /**
   * Share of joint paths in which some host is over its island's share of capacity in this wave, 0..1; with several
   * islands, of the one where it is largest.
   */
  readonly overCapacityShare: number;
  /**
   * Lowest capacity of the island's serving hosts in this wave, and demand at the pool's quantile; with several islands, of
   * the one that is closest to its capacity.
   */
  readonly capacityCpuMillis: number;
  readonly demandCpuMillis: number;
  /** The same of each island; absent where there is one, and in earlier versions. */
  readonly islands?: readonly IslandRoom[];
}

/** What an island has in service in a wave, and what it needs at the pool's quantile. */
export interface IslandRoom {
  readonly island: string;
  readonly capacityCpuMillis: number;
  readonly demandCpuMillis: number;
}

/** The island of a wave that is closest to its capacity; undefined where the plan has one island. */
export function tightestIsland({ islands, capacityCpuMillis, demandCpuMillis }: Wave): string | undefined {
  return islands?.find((one) => one.capacityCpuMillis === capacityCpuMillis && one.demandCpuMillis === demandCpuMillis)
    ?.island;
}

/** True for waves that move copies and change no host. */
export function isMovesOnly({ kind }: Pick<Wave, "kind">): boolean {
  return kind === "failback" || kind === "move";
}
