/**
 * The contract of a step: what is true before and after it, how it is started and watched, and its exact way back.
 * One object per kind of PlanStep lives in steps/; they hold no state, all they need comes with the context.
 *
 * Not for: order, journal and undo of whole waves (executor.ts, undo.ts).
 *
 * Invariants
 * 1. `observe` and `prior` change nothing.
 * 2. Every effect goes through `StepContext.effect`, so that it carries a key, an epoch and a deadline, and stops at
 *    once when the lease is lost.
 * 3. `start` may be called again with the same key after any error and after a crash: no second effect.
 * 4. `undo` needs nothing but the live platform and the `prior` that was stored with the intent.
 */
import type { HostUpdateSpec, Json, PlanStep, StepKind, StepRecord, Workload } from "../../sdk/model";
import type { Clock } from "../clock";
import type { CallContext, Platform } from "../drivers/contracts";
import type { BudgetGate } from "./budget-gate";

/** The step of one kind. */
export type StepOf<K extends StepKind> = Extract<PlanStep, { kind: K }>;

/**
 * What the platform looks like: as before the step, as after it, in between, or it cannot be told.
 */
export type Observation = "before" | "after" | "partial" | "unknown";

/** How a step under way stands. */
export type StepProgress =
  | {
      readonly state: "running";
      /** What it waits for; said when its deadline passes. */
      readonly waitsFor: string;
      /** Look again after this time; absent: with growing pauses up to `pollMs`. */
      readonly againMs?: number;
    }
  | StepOutcome;

/** How a step ended. */
export type StepOutcome = { readonly state: "done"; readonly result: Json } | StepFailure;

/** A step that failed. */
export interface StepFailure {
  readonly state: "failed";
  readonly reason: string;
  /** What the host printed. */
  readonly output?: string;
  /** What a person can do; absent: the run's general advice. */
  readonly remedy?: string;
  /** Nothing is wrong, it only cannot be now: the run goes back to `armed` instead of failing. */
  readonly deferred?: boolean;
}

/** One kind of step. */
export interface Step<S extends PlanStep = PlanStep> {
  /** How the platform looks now. Called before the intent is stored, and again on resuming. */
  observe(context: StepContext<S>): Promise<Observation>;
  /** All that `undo` will need; stored with the intent, before any effect. */
  prior(context: StepContext<S>): Promise<Json>;
  /**
   * Makes the effect. Returns how it ended; or the id of an operation under way, which is journaled, so that whoever
   * resumes the step goes on with `poll`; or undefined where `poll` tells without one. Without an operation, resuming
   * starts again with the same key.
   */
  start(context: StepContext<S>): Promise<string | StepOutcome | undefined>;
  /** How it stands after `start`. Called until it is done or failed, or the deadline has passed. */
  poll?(context: StepContext<S>): Promise<StepProgress>;
  /**
   * Brings back what `prior` says; idempotent. Returns what was done, for people, or undefined when there was
   * nothing to undo. @throws DriverError when it cannot be brought back
   */
  undo(context: StepContext<S>, prior: Json): Promise<string | undefined>;
  /** Longest time from start to end, however long it is expected to take. */
  deadlineMs(context: Pick<StepContext<S>, "step" | "spec">): number;
  /** Longest time between two polls. @default 500 */
  readonly pollMs?: number;
  /** Only waits: it may be left at any moment and entered again. */
  readonly isWait?: boolean;
}

/** What a step sees of its run. */
export interface StepContext<S extends PlanStep = PlanStep> {
  readonly run: string;
  readonly step: S;
  /** `<run>/<step id>/<try>`. */
  readonly key: string;
  /** Stored with the intent; undefined until then. */
  readonly prior: Json | undefined;
  /** What `start` returned, as journaled. */
  readonly operation: string | undefined;
  /** True when the intent was stored by an earlier owner: something may have been done already. */
  readonly isResumed: boolean;
  readonly platform: Platform;
  readonly clock: Clock;
  readonly spec: HostUpdateSpec;
  /** Workloads by name: the policy that was approved. */
  readonly workloads: ReadonlyMap<string, Workload>;
  readonly gate: BudgetGate;
  /** When marks on hosts lapse by themselves, wall time in ms. */
  readonly marksExpireAt: number;
  /** Wall time in ms at which the step gives up. */
  readonly deadlineAt: number;
  /** Aborts when the lease is lost: nothing may have an effect any more. */
  readonly signal: AbortSignal;
  /** Names of the islands that a host belongs to. */
  readonly islandsOf: (host: string) => readonly string[];
  /** Host on which a replica of this wave's moves is or was meant to be. */
  readonly hostOf: (replica: string) => string | undefined;
  /** What the journal says of another step of this wave. */
  readonly record: (kind: StepKind, host: string) => StepRecord | undefined;
  /** What the journal says of another step of the same move. */
  readonly recordOfMove: (kind: StepKind) => StepRecord | undefined;
  /**
   * Calls a driver for an effect. After `unreachable` and `timeout` the call is repeated with the same key, with
   * back-off.
   * @param name name of the call within the step, part of its key
   * @param scope whose lease's epoch it carries: a host's, or the run's for the switch and the pool
   * @throws DriverError for every other answer; LeaseLostError on `stale-epoch` and when the lease is lost
   */
  readonly effect: <T>(
    name: string,
    scope: EffectScope,
    call: (context: CallContext) => Promise<T>,
    bounds?: CallBounds,
  ) => Promise<T>;
  /** Calls a driver to read; repeated like an effect. */
  readonly read: <T>(call: (signal: AbortSignal) => Promise<T>, bounds?: CallBounds) => Promise<T>;
  /** Waits; ends early when the lease is lost. @throws LeaseLostError then */
  readonly wait: (ms: number) => Promise<void>;
  /**
   * Asked by a step that waits before its effect: it leaves then, and begins again when the run goes on. Undoing is not
   * stopped in the middle of a step. @throws InterruptedError when the run was told to stop
   */
  readonly throwIfStopped: () => Promise<void>;
  /** Journals a decision and tells it. */
  readonly decide: (text: string) => Promise<void>;
}

/** Whose lease fences an effect. */
export type EffectScope = "run" | { readonly host: string };

/** Bounds of one call and its repetitions. */
export interface CallBounds {
  /** Wall time in ms at which no further try begins. @default the step's deadline */
  readonly giveUpAt?: number;
  /** Longest time of one try. @default CALL_TIMEOUT_MS of calls.ts */
  readonly timeoutMs?: number;
}

/** What `start` returns for a step that is done then and has nothing to tell. */
export const DONE: StepOutcome = { state: "done", result: null };

/** Deadline from the expected time: generous, for a wrong deadline costs an undo. */
export function generousDeadlineMs(step: PlanStep, floorMs: number): number {
  return Math.max(floorMs, 4 * step.expected.p95Ms);
}
