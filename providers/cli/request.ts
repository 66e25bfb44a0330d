/** What pause, resume and cancel share: asking, and waiting until it is done. */
import { isFinalPhase, type Phase, type RunRequest, type RunState } from "../../sdk/model";
import { systemClock } from "../clock";
import type { RunStore } from "../journal/run-store";
import { runResource } from "../runner/leases";
import { requestCancel, requestPause, requestResume } from "../runner/requests";
import { readRun } from "../runner/session";
import { describePerson } from "./caller";
import { UsageError, type OptionTable } from "./command";
import { STORE_OPTIONS } from "./store";
import type { Terminal } from "./terminal";

/** Options of a command that asks something of a run. */
export const REQUEST_OPTIONS = {
  ...STORE_OPTIONS,
  why: { value: "TEXT", about: "reason, for the journal, the audit log and whoever looks at it" },
  "no-wait": { about: "return once it is asked; without it the command stays until it is done" },
} as const satisfies OptionTable;

/** Time between two looks at a run that is waited for. */
const LOOK_EVERY_MS = 500;

/** What was asked, and what the run is now. */
export interface AskedRun {
  readonly request: RunRequest;
  readonly run: RunState;
  /** A process works on the run and will honour it; without one it counts when somebody carries the run on. */
  readonly isHeld: boolean;
}

/** Asks for it. @throws MistakeError when there is no run, or it has ended */
export async function ask(
  store: RunStore,
  family: string,
  wish: RunRequest["wish"],
  why: string | undefined,
): Promise<AskedRun> {
  const send = { pause: requestPause, resume: requestResume, cancel: requestCancel }[wish];
  const request = await send(store, family, describePerson(), why ?? "");
  const run = await requireRun(store, request.run);
  return { request, run, isHeld: await isWorkedOn(store, run.id) };
}

/**
 * Waits while a process works on the run, until it is in a phase that is waited for or has ended.
 * @returns its state then, or when nobody works on it any more
 */
export async function waitUntil(
  store: RunStore,
  runId: string,
  phases: readonly Phase[],
  terminal: Terminal,
  signal: AbortSignal,
): Promise<RunState> {
  for (;;) {
    const run = await requireRun(store, runId);
    if (phases.includes(run.phase) || isFinalPhase(run.phase)) break;
    if (signal.aborted || !(await isWorkedOn(store, runId))) break;
    terminal.progress.status(`${runId} is ${run.phase}; it stops at its next step border ...`);
    await systemClock.sleep(LOOK_EVERY_MS, signal);
  }
  terminal.progress.status("");
  return requireRun(store, runId);
}

/** True while a process holds the run. */
async function isWorkedOn(store: RunStore, runId: string): Promise<boolean> {
  const lease = await store.leases.inspect(runResource(runId));
  return lease !== undefined && lease.expiresAt > systemClock.now();
}

async function requireRun(store: RunStore, runId: string): Promise<RunState> {
  const run = await readRun(store, runId);
  if (!run) throw new UsageError(`run ${runId} is no longer in the store`);
  return run;
}

/** Shows what became of it. */
export function showAsked(request: RunRequest, run: RunState, text: string, isJson: boolean, terminal: Terminal): void {
  if (!isJson) {
    terminal.print(`${run.id}: ${text}`);
    return;
  }
  terminal.printJson({
    v: 1,
    run: run.id,
    phase: run.phase,
    reason: run.phaseReason,
    request: { ...request, at: new Date(request.at).toISOString() },
  });
}
