/**
 * What executor and undo share: the run's surroundings, and the context that each step gets.
 *
 * Not for: the order of steps (executor.ts, undo.ts).
 */
import { InterruptedError } from "../../sdk/model";
import type { Fleet, HostUpdateSpec, Json, LeaseLostError, PlanStep, Wave } from "../../sdk/model";
import type { Clock, Progress } from "../clock";
import type { Platform } from "../drivers/contracts";
import type { BudgetGate } from "./budget-gate";
import { CALL_TIMEOUT_MS, callUntil, type CallOptions } from "./calls";
import type { RunJournal } from "./run-journal";
import type { CallBounds, EffectScope, Step, StepContext } from "./step";

/** The leases as effects see them; implemented by runner/leases.ts. */
export interface LeaseGuard {
  /** Aborts, with the LeaseLostError as reason, when a lease is lost. */
  readonly signal: AbortSignal;
  /** @throws LeaseLostError when the leases can no longer be proven */
  assertHeld(): void;
  /** A platform has answered that a newer owner exists. */
  declareLost(error: LeaseLostError): void;
  /** Epoch of the lease that fences an effect. */
  epochOf(scope: EffectScope): number;
}

/** Whether the run was told to stop. Asked before every step. */
export interface StopControl {
  /** Aborts when this process was told to stop, for waits that may be left. */
  readonly signal: AbortSignal;
  /** The reason to stop at the next step border, or undefined. Never throws but for a lost lease. */
  reason(): Promise<string | undefined>;
}

/** Surroundings of all steps of a run. */
export interface Execution {
  readonly run: string;
  readonly platform: Platform;
  readonly clock: Clock;
  readonly spec: HostUpdateSpec;
  /** The fleet whose policy was approved: workloads and islands. */
  readonly fleet: Fleet;
  readonly gate: BudgetGate;
  readonly marksExpireAt: number;
  readonly journal: RunJournal;
  readonly progress: Progress;
  readonly leases: LeaseGuard;
  readonly stop: StopControl;
  /** Whether the plan of the wave no longer holds: no further host of it begins then. @default it always holds */
  readonly isOutdated?: () => boolean;
}

/** What changes from one use of a step's context to the next. */
export interface StepStand {
  readonly key: string;
  readonly prior?: Json | undefined;
  readonly operation?: string | undefined;
  readonly isResumed: boolean;
  /** True while the step is undone. */
  readonly isUndo?: boolean;
  /** True where it was waited for in vain already: one try is made. */
  readonly isTriedOnce?: boolean;
}

/**
 * Calls that are made under leases, and end with them.
 * @param giveUpAt wall time in ms at which no further try begins
 */
export function leasedCall(
  leases: Pick<LeaseGuard, "signal" | "assertHeld" | "declareLost">,
  clock: Clock,
  giveUpAt: number,
  timeoutMs = CALL_TIMEOUT_MS,
): CallOptions {
  return {
    clock,
    signal: leases.signal,
    giveUpAt,
    timeoutMs,
    assertHeld: () => {
      leases.assertHeld();
    },
    onStale: (error) => {
      leases.declareLost(error);
    },
  };
}

/** The context of one step; its deadline counts from now. */
export function createStepContext(
  execution: Execution,
  wave: Wave,
  step: PlanStep,
  kind: Step,
  stand: StepStand,
): StepContext {
  const { run, platform, clock, spec, fleet, gate, marksExpireAt, journal, leases, stop } = execution;
  const { signal } = leases;
  const deadlineAt = clock.now() + (stand.isTriedOnce === true ? 0 : kind.deadlineMs({ step, spec }));
  const callOptions = (bounds: CallBounds | undefined): CallOptions =>
    leasedCall(leases, clock, bounds?.giveUpAt ?? deadlineAt, bounds?.timeoutMs);
  return {
    run,
    step,
    key: stand.key,
    prior: stand.prior,
    operation: stand.operation,
    isResumed: stand.isResumed,
    platform,
    clock,
    spec,
    workloads: new Map(fleet.workloads.map((workload) => [workload.name, workload])),
    gate,
    marksExpireAt,
    deadlineAt,
    signal,
    islandsOf: (host) => fleet.islands.filter((island) => island.hosts.includes(host)).map((island) => island.name),
    hostOf: (replica) => placeOf(wave, replica),
    record: (recordKind, host) => {
      const found = wave.steps.find(
        (candidate) => candidate.kind === recordKind && "host" in candidate && candidate.host === host,
      );
      return found && journal.step(found.id);
    },
    recordOfMove: (recordKind) => {
      const move = "move" in step ? step.move : undefined;
      const found = wave.steps.find(
        (candidate) => candidate.kind === recordKind && "move" in candidate && candidate.move === move,
      );
      return found && journal.step(found.id);
    },
    effect: (name, scope, call, bounds) =>
      callUntil(callOptions(bounds), (callSignal) =>
        call({
          key: `${stand.key}/${name}`,
          epoch: leases.epochOf(scope),
          owner: run,
          signal: callSignal,
        }),
      ),
    read: (call, bounds) => callUntil(callOptions(bounds), call),
    wait: async (ms) => {
      await clock.sleep(ms, signal);
      if (signal.aborted) throw signal.reason;
    },
    throwIfStopped: async () => {
      const reason = stand.isUndo === true ? undefined : await stop.reason();
      if (reason !== undefined) throw new InterruptedError(reason);
    },
    decide: async (text) => {
      await journal.write({ kind: "decision", text });
      execution.progress.line(text);
    },
  };
}

function placeOf(wave: Wave, replica: string): string | undefined {
  for (const move of wave.moves) {
    if (move.newReplica === replica) return move.to ?? move.from;
    if (move.replica === replica) return move.from;
  }
  return undefined;
}
