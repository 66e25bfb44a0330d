/**
 * The plan: waves of steps (waves.ts) with times, reasons and blockers, inside an envelope that a person approves.
 * Plain data, readable as JSON; rendering is in providers/report.
 *
 * Not for: how it is found (providers/plan) or carried out (providers/execute).
 */
import type { BalanceFindings } from "./balance";
import type { HostDecision, UnitDecision } from "./decisions";
import type { ProbeResult } from "./fleet";
import type { Forecast } from "./forecast";
import type { CostLine } from "./plan-cost";
import type { UpdateWay } from "./update-way";
import type { DurationQuantiles, StepKind, Wave } from "./waves";

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
  /** Hosts of an island that may be disrupted at once, by island and reason, for those that have budgets. Absent: none has. */
  readonly disruptionBudgets?: import("./disruption").HostsByReason;
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
  /** What disruption budgets come to with the limits of the opening. Absent: no island of it has one. */
  readonly budgetsInEffect?: readonly import("./disruption").BudgetInEffect[];
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
