/**
 * How `pulumi up` stays with a run: it waits for hosts that another run has, follows a run that another process works
 * on, and leaves after `attachFor` where a runner is there to carry on.
 *
 * Not for: the runner, which never waits: it looks again in its next pass.
 *
 * Invariant: nothing is held while it waits, so that two runs cannot wait for each other for ever.
 */
import { formatDurationShort, InterruptedError, isFinalPhase, type RunState } from "../../sdk/model";
import { currentOpening } from "../calendar";
import { runResource } from "./leases";
import type { RunEnvironment } from "./environment";
import { describeRunner, findRunner } from "./heartbeat";
import { readRun } from "./session";
import type { UpdateCaller } from "./host-update";

/** Time between two looks at a lease that another owner has. */
const LOOK_AGAIN_MS = 5000;
/** Between the name of an owner and how often it has lost its leases. */
const AGAIN = ", again ";

/** Why waiting has ended. */
export type WaitEnd =
  /** The lease is free: take it. */
  | { readonly kind: "free" }
  /** The run has ended in the hands of the other process. */
  | { readonly kind: "ended"; readonly run: RunState }
  /** The window has closed meanwhile. */
  | { readonly kind: "closed"; readonly run: RunState; readonly reason: string };

/**
 * Waits for a lease that another owner has, and says whose it is; or for one that this process had and has lost.
 * @throws InterruptedError when told to stop
 */
export async function waitForOwner(
  { store, clock, spec }: RunEnvironment,
  { progress, signal, owner }: Pick<UpdateCaller, "progress" | "signal" | "owner">,
  runId: string,
  resource: string,
): Promise<WaitEnd> {
  const isOwnRun = resource === runResource(runId);
  let told = "";
  let holder = owner;
  for (;;) {
    if (signal.aborted) throw new InterruptedError(`stopped while waiting for ${resource}, held by ${holder}`);
    const lease = await store.leases.inspect(resource);
    if (!lease) return { kind: "free" };
    const isClosed = !currentOpening(spec.windows, clock.now());
    const run = isOwnRun || isClosed ? await readRun(store, runId) : undefined;
    if (run && isFinalPhase(run.phase)) return { kind: "ended", run };
    holder = lease.owner;
    const ofOthers = isOwnRun
      ? `run ${runId} is carried out by ${holder}`
      : `waiting for ${resource}, held by ${holder}`;
    const isOwn = processOf(holder) === processOf(owner);
    const text = isOwn ? `waiting for this process's own lease to lapse, which it has lost` : ofOthers;
    if (run && !isOwnRun) return { kind: "closed", run, reason: `the window closed while ${text}` };
    if (text !== told) progress.line(text);
    told = text;
    progress.status(`${text} until ${new Date(lease.expiresAt).toISOString()}`);
    await clock.sleep(LOOK_AGAIN_MS, signal);
  }
}

/** An owner that takes a run up again is the same process under another name. */
export function ownerAgain(owner: string, losses: number): string {
  return `${owner}${AGAIN}${String(losses)}`;
}

function processOf(owner: string): string {
  return owner.split(AGAIN)[0] ?? owner;
}

/** A stay with a run that ends by itself. */
export interface Attachment {
  /** Aborts when the caller is told to stop, and when its time is over. */
  readonly signal: AbortSignal;
  /** What to say when its time is over and a runner carries on; undefined before. */
  left(): string | undefined;
  end(): void;
}

/** Begins to count `attachFor`; without it, and for runners, the stay has no end. */
export function attach(environment: RunEnvironment, caller: UpdateCaller): Attachment {
  const { attachForMs } = environment.spec;
  if (attachForMs === undefined || caller.role === "runner") {
    return { signal: caller.signal, left: () => undefined, end: () => undefined };
  }
  const over = new AbortController();
  const ended = new AbortController();
  let left: string | undefined;
  void leaveInTime(environment, caller, attachForMs, ended.signal).then((text) => {
    left = text;
    if (text !== undefined) over.abort();
  });
  return {
    signal: AbortSignal.any([caller.signal, over.signal]),
    left: () => left,
    end: () => {
      ended.abort();
    },
  };
}

/** Waits for the end of `attachFor`, and from then on for a runner that can carry on. */
async function leaveInTime(
  { store, clock }: RunEnvironment,
  { progress }: UpdateCaller,
  attachForMs: number,
  ended: AbortSignal,
): Promise<string | undefined> {
  await clock.sleep(attachForMs, ended);
  for (let isTold = false; !ended.aborted; isTold = true) {
    // A store that does not answer knows no runner: then it stays.
    const runner = await findRunner(store).catch(() => undefined);
    if (runner) return `attached for ${formatDurationShort(attachForMs)}; ${describeRunner(runner)} carries it on`;
    if (!isTold) progress.line("attachFor is over, but there is no runner to carry on: staying to the end");
    await clock.sleep(LOOK_AGAIN_MS, ended);
  }
  return undefined;
}
