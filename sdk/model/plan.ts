/**
 * The plan: waves of steps with times, reasons and blockers, inside an envelope that a person approves.
 * Plain data, readable as JSON; rendering is in providers/report.
 *
 * Not for: how it is found (providers/plan) or carried out (providers/execute).
 */
import type { HostDecision, MigrationScore, UnitDecision } from "./decisions";
import type { HostShare, ProbeResult } from "./fleet";
import type { Forecast } from "./forecast";
import type { UpdateWay } from "./update-way";

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
  /** Lanes under way at once, by what they share: `hosts`, `zone/a`, `rack/a1`, `island/shop`. */
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

/** Why a plan cannot start, and what would help. */
export interface Blocker {
  readonly code: BlockerCode;
  readonly subject: string;
  readonly reason: string;
  readonly fix: string;
  /** Promises and limits that cannot be kept together, none of them needlessly named; there may be more such sets. */
  readonly conflict?: readonly string[];
}

export type BlockerCode =
  | "capacity"
  | "budget"
  | "metrics"
  | "unreachable"
  | "window"
  | "fit"
  | "probe"
  | "lease"
  | "store"
  | "foreign-mark"
  | "unhealthy"
  | "no-runner"
  | "not-approved"
  | "stage"
  | "input";

/** A time in which runs may start and work, with the same limits all through. */
export interface Opening {
  /** Names of the calendars that open it, sorted: `nightly + saturdays`. */
  readonly window: string;
  readonly startMs: number;
  readonly endMs: number;
  /** The strictest of those calendars' limits; absent: those of the update alone. */
  readonly limits?: import("./policy").WindowLimits;
}

/** An update that goes before this one: a stage. */
export type StageGate =
  /** It is done, or planned to be, at P95 of its end; this one may begin once it was watched for the soak after that. */
  | { readonly kind: "done" | "planned"; readonly stage: string; readonly endMs: number; readonly soakMs: number }
  /** It does not end well unless somebody acts. */
  | { readonly kind: "stopped"; readonly stage: string; readonly reason: string; readonly fix: string };

/** An opening that was looked at. */
export interface JudgedOpening {
  readonly opening: Opening;
  readonly isChosen: boolean;
  readonly reason: string;
}

/** A host left out, with the reason. */
export interface SkippedHost {
  readonly host: string;
  readonly reason: string;
}

/** Reserve that the run holds from its start to its end. */
export interface ReservePlan {
  readonly hosts: readonly string[];
  readonly reason: string;
}

/** What a plan costs; golden journals of earlier versions have no items. */
export interface CostLine {
  readonly reservedHostHours: number;
  /** Absent when no price is known. */
  readonly amount?: number;
  readonly currency?: string;
  readonly note: string;
  readonly items?: readonly CostItem[];
  readonly waves?: readonly WaveCost[];
  /** Plans that cost less and keep the promise as well, cheapest first. */
  readonly cheaper?: readonly CheaperPlan[];
}

/** One kind of cost. */
export interface CostItem {
  readonly kind: "reservation" | "surge" | "replacement" | "transfer" | "burst";
  readonly quantity: number;
  /** Such as `host hours`. */
  readonly unit: string;
  /** Absent when it has no price. */
  readonly amount?: number;
}

/** What one wave costs. */
export interface WaveCost {
  readonly wave: number;
  readonly items: readonly CostItem[];
  readonly amount?: number;
}

/** Another plan that was found by planning again with one change. */
export interface CheaperPlan {
  /** The change, as in `limits.hostsAtOnce: 4`. */
  readonly change: string;
  readonly amount: number;
  /** How much less than the plan. */
  readonly saves: number;
  /** What it takes in exchange. */
  readonly total: DurationQuantiles;
  readonly reserveHosts: number;
  readonly startMs: number;
}

/** What a person approves. Its digest is the plan's identity. */
export interface Envelope {
  /** Update commands, probe, expectation, reboot: digest of the update part of the spec. */
  readonly updateDigest: string;
  readonly update: string;
  /** Hosts that may be changed, sorted. */
  readonly hosts: readonly string[];
  /** How each host is updated, where the update gives two ways; hosts that did not answer are missing. Absent: it gives one. */
  readonly ways?: Readonly<Record<string, UpdateWay>>;
  readonly budgets: Readonly<Record<string, number>>;
  readonly maxPauseMs: Readonly<Record<string, number>>;
  readonly hostsAtOnce: number;
  readonly hostsPerZone: number;
  /** Absent: as many as of a zone, and as many as at all. */
  readonly hostsPerRack?: number;
  readonly hostsPerIsland?: number;
  /** Present where runs wait for quiet times. */
  readonly timing?: "quiet";
  readonly canaryHosts: number;
  readonly maximumReserveHosts: number;
  /** Nothing disruptive after this, relative to the opening: the window's length. */
  readonly maximumDurationMs: number;
  readonly confidence: number;
  readonly windows: readonly string[];
  /** Functions that may stand in for copies, by workload; absent: none. */
  readonly bursts?: Readonly<Record<string, string>>;
  /** Rules that stop the run, sorted; absent: none. */
  readonly stopRules?: readonly string[];
  /** Where copies may run and what they hold, by island and workload, for those that declare it; absent: none does. */
  readonly places?: Readonly<Record<string, string>>;
  /** Updates that must be done before this one, and for how long, sorted; absent: none. */
  readonly after?: readonly string[];
}

/** How loaded hosts would be, before and after a rebalance. */
export interface BalanceFindings {
  /** Why something is done, or why not. */
  readonly reason: string;
  /** How far ahead was looked, ms since the epoch. */
  readonly untilMs: number;
  readonly rows: readonly BalanceRow[];
  /** Absent in earlier versions. */
  readonly uses?: readonly BalanceUse[];
  /** Shares with which what one island frees is another one's; absent: none needs more, or none leaves anything. */
  readonly shares?: readonly ShareChange[];
}

/** A host or an island that is over its target, or hardly used, in the time ahead; shares as in {@link BalanceRow}. */
export interface BalanceUse {
  readonly kind: "host" | "island";
  readonly name: string;
  readonly state: "over" | "under";
  readonly before: number;
  readonly after: number;
}

/** Another share of a host for an island: it leaves some, or takes what others leave. Shares of the host's CPU. */
export interface ShareChange {
  readonly host: string;
  readonly island: string;
  readonly from: number;
  readonly to: number;
  /** What it needs at the plan's quantile after the moves, so that its load is within the target, a tenth free at least. */
  readonly needed: number;
  /** Until when a wave of the plan puts it in force, ms since the epoch. Absent: its host does not offer that. */
  readonly untilMs?: number;
}

/** An island's share of one host: its highest load in the time ahead, as a share of that. */
export interface BalanceRow {
  readonly host: string;
  readonly island: string;
  readonly before: number;
  readonly after: number;
}

/** A whole plan. `waves` is the schedule; it may be re-planned inside the envelope. */
export interface MigrationPlan {
  readonly v: 1;
  readonly decision: "run" | "nothing" | "blocked";
  /** Planning slot: time rounded down, milliseconds since the epoch. */
  readonly slotMs: number;
  readonly seed: number;
  /** The opening it is planned for; absent when there is none. */
  readonly opening?: Opening;
  readonly nextOpenings: readonly Opening[];
  /** What it waits for before its opening; absent: no stage goes before it. */
  readonly stages?: readonly StageGate[];
  readonly envelope: Envelope;
  /** SHA-256 of the canonical JSON of the envelope, hex. */
  readonly digest: string;
  readonly reserve: ReservePlan;
  readonly waves: readonly Wave[];
  readonly skipped: readonly SkippedHost[];
  readonly blockers: readonly Blocker[];
  readonly warnings: readonly string[];
  readonly total: DurationQuantiles;
  readonly cost: CostLine;
  /** Openings that were looked at, soonest first, and why each was taken or not; absent in earlier versions. */
  readonly openingChoice?: readonly JudgedOpening[];
  /** What a rebalance found; absent in the plan of an update. */
  readonly balance?: BalanceFindings;
  /** Decisions about units that no move is of; `unitDecisions` adds those of the moves. Absent in earlier versions. */
  readonly units?: readonly UnitDecision[];
  /** Which way of updating was taken for each host, and why not a less disruptive one; absent in earlier versions. */
  readonly hostDecisions?: readonly HostDecision[];
  /** Probe output of each host at planning. */
  readonly probes: Readonly<Record<string, ProbeResult>>;
}

/** Everything planning needs; with it stored, the same plan can be rebuilt anywhere. */
export interface Bundle {
  readonly v: 1;
  readonly packageVersion: string;
  /** Folder of the program that declared the update; relative paths of the spec begin there. Absent: none was told. */
  readonly folder?: string;
  readonly spec: import("./policy").HostUpdateSpec;
  readonly fleet: import("./fleet").Fleet;
  readonly forecast: Forecast;
  readonly slotMs: number;
  /** Nothing starts before it, ms since the epoch: a rebalance rests after the one before. Absent: at once. */
  readonly notBeforeMs?: number;
  /** What is known of the stages before it; absent: it has none. */
  readonly stages?: readonly StageGate[];
  /** Durations learned from earlier runs, by step kind. */
  readonly durations: Readonly<Partial<Record<StepKind, DurationQuantiles>>>;
}
