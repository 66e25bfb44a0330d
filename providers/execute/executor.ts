/**
 * Carries out the steps of one wave: each as soon as the steps it follows are done, many at once while they wait.
 *
 * Not for: what a step does (steps/), undoing a wave (undo.ts) and what follows a wave (providers/runner).
 *
 * Invariants
 * 1. The intent of a step, with its way back, is stored before its effect; its end is stored before any step that
 *    follows it begins.
 * 2. After a failure or a stop request no further step begins; those under way are finished first.
 * 3. A lost lease ends everything at once: no call is made and nothing is stored any more.
 * 4. Whoever executes a wave again, after a crash, continues it: what is done is not done again.
 */
import { formatDurationShort, isKind, messageOf } from "../../sdk/model";
import type { DriverError, Json, PlanStep, RunFailure, StepRecord, Wave } from "../../sdk/model";
import { driverErrorCode, isUncertain } from "./calls";
import type { Execution, StepStand } from "./execution";
import { createStepContext } from "./execution";
import { LaneGate, lanesNotBegun } from "./lanes";
import { LinkGate } from "./link-gate";
import type { Step, StepContext, StepFailure, StepOutcome, StepProgress } from "./step";
import { stepOf } from "./steps";

/** A step that failed, and how. */
export interface FailedStep {
  readonly step: PlanStep;
  readonly failure: StepFailure;
}

/** How the steps of a wave ended. */
export type WaveOutcome =
  | { readonly kind: "done" }
  /** Its plan no longer held: what was begun is done, the lanes of these hosts have not begun. */
  | { readonly kind: "cut-short"; readonly left: readonly string[] }
  | { readonly kind: "failed"; readonly failed: FailedStep }
  /** Stopped at a step border; the wave goes on when it is executed again. */
  | { readonly kind: "stopped"; readonly reason: string };

/** Steps under way at once; they wait on hosts, so this bounds sockets, not work. */
const STEPS_AT_ONCE = 256;
const FIRST_POLL_MS = 20;
const LONGEST_POLL_MS = 500;
/** A long step looks this often whether the run was told to stop; waits leave then, all else is finished. */
const STOP_LOOK_MS = 5_000;

/** What a person can do about a failed step that says nothing itself. */
export const GENERAL_REMEDY = "remove the cause, then raise `attempt` and run `pulumi up` again";

type StepEnd = StepOutcome | { readonly state: "left"; readonly reason: string };

/**
 * Carries out what is left of a wave.
 * @throws LeaseLostError; StoreError when the journal cannot be written
 */
export async function executeWave(execution: Execution, wave: Wave): Promise<WaveOutcome> {
  const { journal, stop } = execution;
  const statusOf = (id: string): StepRecord["status"] | undefined => journal.step(id)?.status;
  const waiting = new Set(wave.steps.filter((step) => statusOf(step.id) !== "done"));
  const running = new Map<string, Promise<void>>();
  const lanes = new LaneGate(wave, statusOf);
  const links = new LinkGate(execution.fleet, wave);
  let failed: FailedStep | undefined;
  let stopReason: string | undefined;
  let fatal: { readonly error: unknown } | undefined;

  const run = async (step: PlanStep): Promise<void> => {
    try {
      stopReason ??= await stop.reason();
      if (stopReason !== undefined || failed || fatal) {
        waiting.add(step);
        return;
      }
      const end = await executeStep(execution, wave, step, () => failed === undefined);
      if (end.state === "done") lanes.leave(step);
      if (end.state === "failed") failed ??= { step, failure: end };
      if (end.state === "left") {
        stopReason ??= end.reason;
        waiting.add(step);
      }
    } catch (error) {
      fatal ??= { error };
    } finally {
      links.leave(step);
    }
  };

  for (;;) {
    const isOver = failed !== undefined || stopReason !== undefined || fatal !== undefined;
    if (!isOver) {
      if (execution.isOutdated?.() === true) lanes.close();
      for (const step of waiting) {
        if (running.size >= STEPS_AT_ONCE) break;
        if (!step.after.every((id) => statusOf(id) === "done")) continue;
        if (!links.hasRoom(step) || !lanes.admit(step)) continue;
        links.take(step);
        waiting.delete(step);
        running.set(
          step.id,
          run(step).finally(() => running.delete(step.id)),
        );
      }
    }
    if (running.size === 0) break;
    await Promise.race(running.values());
  }
  if (fatal) throw fatal.error;
  if (failed) return { kind: "failed", failed };
  if (stopReason !== undefined) return { kind: "stopped", reason: stopReason };
  if (waiting.size > 0) {
    const left = lanesNotBegun(wave, statusOf);
    if (lanes.holdsBack(waiting)) return { kind: "cut-short", left };
    const ids = [...waiting].map((step) => step.id).join(", ");
    throw new RangeError(`wave ${String(wave.index)}: steps follow steps that are not in it: ${ids}`);
  }
  return { kind: "done" };
}

/** The failure of a run from a failed step, before anything is undone. */
export function describeFailure({ step, failure }: FailedStep): RunFailure {
  return {
    subject: subjectOf(step),
    step: step.kind,
    reason: failure.reason,
    ...(failure.output === undefined ? {} : { output: failure.output }),
    undone: [],
    notUndone: [],
    remedy: failure.remedy ?? GENERAL_REMEDY,
  };
}

/** What a step is about: a host, a workload or the hosts of the reserve. */
export function subjectOf(step: PlanStep): string {
  if ("host" in step) return step.host;
  return "hosts" in step ? step.hosts.join(", ") : step.workload;
}

async function executeStep(
  execution: Execution,
  wave: Wave,
  step: PlanStep,
  isFirstFailure: () => boolean,
): Promise<StepEnd> {
  const { journal, progress } = execution;
  const kind = stepOf(step);
  const record = journal.step(step.id);
  progress.status(`wave ${String(wave.index)}: ${step.kind} ${subjectOf(step)}`);
  const end = await watchForStop(execution, step, () =>
    record && record.status !== "undone"
      ? resumeStep(execution, wave, record, kind)
      : beginStep(execution, wave, step, kind, record),
  );
  if (end.state === "failed") {
    const { reason, output } = end;
    const event = { kind: "step-failed", id: step.id, reason, ...(output === undefined ? {} : { output }) } as const;
    // Stored together, so that whoever resumes knows the reason and what to do. What made the run fail stays its failure,
    // with all that it names, when giving back fails as well.
    if (end.deferred === true || !isFirstFailure() || journal.state().failure !== undefined) await journal.write(event);
    else await journal.write(event, { kind: "failure", failure: describeFailure({ step, failure: end }) });
  }
  return end;
}

/** While a long step goes on it tells that the run was told to stop, and that this step is finished first. */
async function watchForStop<T>(
  { clock, stop, progress }: Execution,
  step: PlanStep,
  carryOut: () => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const watch = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(STOP_LOOK_MS, over.signal);
      if (over.signal.aborted) return;
      const reason = await stop.reason();
      if (reason === undefined) continue;
      progress.line(`${reason}; ${step.kind} ${subjectOf(step)} is brought to an end, nothing else is begun`);
      return;
    }
  };
  // What goes wrong with asking is the next step border's business.
  watch().catch(() => undefined);
  try {
    return await carryOut();
  } finally {
    over.abort(STEP_OVER);
  }
}

/** Reason of an abort that nobody reads. */
const STEP_OVER = "over";

/** @param undone the try before, where there was one: with its key a driver would answer what it did then */
async function beginStep(
  execution: Execution,
  wave: Wave,
  step: PlanStep,
  kind: Step,
  undone: StepRecord | undefined,
): Promise<StepEnd> {
  const { journal, run } = execution;
  const key = `${run}/${step.id}/${String(undone ? tryOf(undone) + 1 : 1)}`;
  const look = createStepContext(execution, wave, step, kind, { key, isResumed: false });
  let prior: Json;
  try {
    const observation = await kind.observe(look);
    prior = await kind.prior(look);
    if (observation === "after") {
      await journal.write(
        { kind: "step-intent", step, key, prior },
        { kind: "step-done", id: step.id, result: null, alreadyDone: true },
      );
      return { state: "done", result: null };
    }
  } catch (error) {
    const failure = failureOf(error);
    await journal.write({ kind: "step-intent", step, key, prior: null });
    return failure;
  }
  await journal.write({ kind: "step-intent", step, key, prior });
  return driveStep(execution, wave, step, kind, { key, prior, isResumed: false });
}

/** Number of a try: the last part of its key. */
function tryOf({ key }: StepRecord): number {
  return Number(key.slice(key.lastIndexOf("/") + 1));
}

async function resumeStep(execution: Execution, wave: Wave, record: StepRecord, kind: Step): Promise<StepEnd> {
  const { step, key, prior, operation } = record;
  const stand: StepStand = { key, prior, operation, isResumed: true };
  if (record.status !== "started") {
    const context = createStepContext(execution, wave, step, kind, stand);
    try {
      if ((await kind.observe(context)) === "after") return await storeDone(execution, step, null);
    } catch (error) {
      return failureOf(error);
    }
  }
  return driveStep(execution, wave, step, kind, stand);
}

/** Starts a step unless an operation is under way, and follows it to its end. */
async function driveStep(
  execution: Execution,
  wave: Wave,
  step: PlanStep,
  kind: Step,
  stand: StepStand,
): Promise<StepEnd> {
  let context = createStepContext(execution, wave, step, kind, stand);
  try {
    if (stand.operation === undefined) {
      const started = await kind.start(context);
      if (typeof started === "object") {
        return started.state === "done" ? await storeDone(execution, step, started.result) : started;
      }
      if (started !== undefined) {
        await execution.journal.write({ kind: "step-started", id: step.id, operation: started });
        context = { ...context, operation: started };
      }
    }
    const end = await follow(execution, kind, context);
    return end.state === "done" ? await storeDone(execution, step, end.result) : end;
  } catch (error) {
    // Told to stop before its effect: its intent stands, and it begins again when the run goes on.
    if (isKind(error, "InterruptedError")) return { state: "left", reason: messageOf(error) };
    return failureOf(error);
  }
}

/** Polls until the step is done, has failed or its deadline has passed. */
async function follow(execution: Execution, kind: Step, context: StepContext): Promise<StepEnd> {
  const { clock, stop, leases } = execution;
  const longestMs = kind.pollMs ?? LONGEST_POLL_MS;
  const begunAt = clock.now();
  let pauseMs = FIRST_POLL_MS;
  for (;;) {
    const progress = await look(kind, context);
    if (progress.state !== "running") return progress;
    if (clock.now() >= context.deadlineAt) {
      const lasted = formatDurationShort(clock.now() - begunAt);
      return { state: "failed", reason: `not done after ${lasted}: ${progress.waitsFor}` };
    }
    if (kind.isWait === true) {
      const reason = await stop.reason();
      if (reason !== undefined) return { state: "left", reason };
      const againMs = Math.min(progress.againMs ?? pauseMs, STOP_LOOK_MS);
      await clock.sleep(againMs, AbortSignal.any([leases.signal, stop.signal]));
      if (leases.signal.aborted) throw leases.signal.reason;
    } else {
      await context.wait(progress.againMs ?? pauseMs);
    }
    pauseMs = Math.min(longestMs, pauseMs * 2);
  }
}

async function look(kind: Step, context: StepContext): Promise<StepProgress> {
  if (!kind.poll) return { state: "done", result: null };
  try {
    return await kind.poll(context);
  } catch (error) {
    // No answer is no verdict; the step's deadline is.
    if (isUncertain(error)) return { state: "running", waitsFor: messageOf(error) };
    throw error;
  }
}

async function storeDone(execution: Execution, step: PlanStep, result: Json): Promise<StepOutcome> {
  await execution.journal.write({ kind: "step-done", id: step.id, result, alreadyDone: false });
  return { state: "done", result };
}

/** True for what concerns this process, not the step: whoever takes the run next goes on with it. */
export function endsProcess(error: unknown): boolean {
  return isKind(error, "LeaseLostError") || isKind(error, "StoreError") || isKind(error, "InterruptedError");
}

/** What a thrown error means for a step. Lost leases and a broken journal are no step's failure: thrown on. */
function failureOf(error: unknown): StepFailure {
  if (endsProcess(error)) throw error;
  if (driverErrorCode(error) === undefined) return { state: "failed", reason: messageOf(error) };
  const { message, output, remedy } = error as DriverError;
  return {
    state: "failed",
    reason: message,
    ...(output === undefined ? {} : { output }),
    ...(remedy === undefined ? {} : { remedy }),
  };
}
