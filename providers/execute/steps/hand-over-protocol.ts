/**
 * The hand-over of an exclusive workload from one host to another: at most one copy is active at any moment, no
 * acknowledged write is lost, and requests wait at the switch for at most `maxPauseMs`.
 *
 *   start standby -> park -> requests under way end -> quiesce -> snapshot -> restore -> compare hashes
 *     -> cut over -> activate -> unpark -> stop the old copy
 *
 * Not for: workloads with several copies, which are surged.
 *
 * Invariants
 * 1. The switch alone knows the owner. After anything unclear it is asked, and its answer decides the direction.
 * 2. Before the cut-over every failure goes back: the old copy active, requests let through, the new copy stopped.
 * 3. After the cut-over everything goes forward; nothing reactivates the old copy.
 * 4. The old copy is active again before parked requests are let through to it.
 */
import { DriverError, isKind, messageOf } from "../../../sdk/model";
import type { Json, Workload } from "../../../sdk/model";
import type { AllottedRate, HandOverToken } from "../../drivers/contracts";
import { driverErrorCode } from "../calls";
import type { StepContext } from "../step";
import { findReplica, findService } from "./lookup";
import { specForCopy, stopCopy, waitForCopy } from "./copies";
import { tellAfterMove } from "./hooks";
import { removeBackend } from "./traffic";

/** Share of the longest pause after which the parties give up, so that going back fits into it as well. */
const DECIDE_WITHIN = 0.7;
/** Share of what is left of it in which the state has to be there: a pause is promised, a link's share is not. */
const TRANSFER_WITHIN = 0.5;
const LOOK_AGAIN_MS = 10;

/** Where one copy of the workload is or shall be. */
export interface CopyPlace {
  readonly replica: string;
  readonly host: string;
}

/** One hand-over. */
export interface HandOver {
  readonly workload: Workload;
  readonly service: string;
  readonly from: CopyPlace;
  readonly to: CopyPlace;
  readonly maxPauseMs: number;
  /** What the plan has allotted to it of the links that it shares. Absent: no bound is known. */
  readonly bytesPerSecond?: number;
}

/** How one run of the protocol ended. */
export type HandOverOutcome =
  | { readonly kind: "moved"; readonly result: HandOverResult }
  /** Everything is as before. */
  | { readonly kind: "reverted"; readonly reason: string };

/** What is journaled of a hand-over. */
export interface HandOverResult {
  /** How long requests were held; null when the run that measured it was lost. */
  readonly pauseMs: number | null;
  readonly parkedRequests: number | null;
  readonly sha256: string | null;
  readonly bytes: number | null;
}

/** Names the parts of one run of the protocol, so that no call meets the recorded answer of an earlier one. */
interface Attempt {
  readonly context: StepContext;
  readonly handOver: HandOver;
  readonly token: HandOverToken;
  /** Calls of one attempt have keys of their own: `<call>@<time>`. */
  readonly suffix: string;
}

/** Replica that owns the service, as the switch says. */
export async function findOwner(context: StepContext, workload: Workload): Promise<string | undefined> {
  return (await findService(context, workload))?.owner;
}

/** Runs the protocol once, from the beginning. */
export async function runHandOver(context: StepContext, handOver: HandOver): Promise<HandOverOutcome> {
  const startedAt = context.clock.now();
  const suffix = `@${String(startedAt)}`;
  try {
    await startStandby(context, handOver, suffix);
  } catch (error) {
    if (isKind(error, "LeaseLostError")) throw error;
    await stopCopy(context, handOver.to.host, handOver.to.replica, `stop-standby${suffix}`);
    return { kind: "reverted", reason: `the standby copy did not come up: ${messageOf(error)}` };
  }
  const attempt: Attempt = {
    context,
    handOver,
    suffix,
    token: {
      token: `${context.key}${suffix}`,
      service: handOver.service,
      deadline: context.clock.now() + Math.floor(handOver.maxPauseMs * DECIDE_WITHIN),
    },
  };
  try {
    const state = await moveState(attempt);
    return { kind: "moved", result: { ...(await goForward(attempt)), ...state } };
  } catch (error) {
    if (isKind(error, "LeaseLostError")) throw error;
    if ((await findOwner(context, handOver.workload)) === handOver.to.replica) {
      const result = await goForward(attempt);
      return { kind: "moved", result: { ...result, sha256: null, bytes: null } };
    }
    const isLate = context.clock.now() >= attempt.token.deadline;
    await goBack(attempt);
    if (!isLate) return { kind: "reverted", reason: messageOf(error) };
    // The parties have given up by themselves then; what a call says after that may only follow from it.
    const decideMs = Math.floor(handOver.maxPauseMs * DECIDE_WITHIN);
    const reason = `it took longer than the ${String(decideMs)} ms of its pause that are for it (${messageOf(error)})`;
    return { kind: "reverted", reason };
  }
}

/** Finishes a hand-over that was cut over by an owner that is gone, or that failed after its cut-over. */
export async function completeHandOver(context: StepContext, handOver: HandOver): Promise<HandOverResult> {
  const attempt = await adoptAttempt(context, handOver);
  return { ...(await goForward(attempt)), sha256: null, bytes: null };
}

/** Puts everything back after an owner that is gone left before its cut-over. Without traces of one it does nothing. */
export async function revertHandOver(context: StepContext, handOver: HandOver): Promise<void> {
  await goBack(await adoptAttempt(context, handOver));
}

async function adoptAttempt(context: StepContext, handOver: HandOver): Promise<Attempt> {
  const parked = (await findService(context, handOver.workload))?.parked;
  const token = { token: parked?.token ?? "", service: handOver.service, deadline: parked?.expiresAt ?? 0 };
  return { context, handOver, token, suffix: `@${String(context.clock.now())}` };
}

async function startStandby(context: StepContext, { workload, to }: HandOver, suffix: string): Promise<void> {
  const spec = await specForCopy(context, workload, { replica: to.replica, standby: true });
  await context.effect(`start-standby${suffix}`, { host: to.host }, (call) =>
    context.platform.workloads.start(to.host, spec, call),
  );
  await waitForCopy(context, to.replica, "standby");
}

/** Everything from parking to the cut-over; throws with everything still owned by the old copy, or unclear. */
async function moveState(attempt: Attempt): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const { context, handOver, token, suffix } = attempt;
  const { workload, service, from, to } = handOver;
  const { workloads, traffic } = context.platform;
  const bounds = { giveUpAt: token.deadline, timeoutMs: Math.max(1, token.deadline - context.clock.now()) };

  await context.effect(`park${suffix}`, "run", (call) => traffic.park(service, token, call), bounds);
  await waitForRequests(attempt);
  await context.effect(
    `quiesce${suffix}`,
    { host: from.host },
    (call) => workloads.quiesce(from.host, from.replica, token, call),
    bounds,
  );
  const state = await context.effect(
    `snapshot${suffix}`,
    { host: from.host },
    (call) => workloads.snapshot(from.host, from.replica, call),
    bounds,
  );
  const restored = await context.effect(
    `restore${suffix}`,
    { host: to.host },
    (call) => workloads.restore(to.host, to.replica, { ...from, state, ...rateFor(attempt, state.bytes) }, token, call),
    bounds,
  );
  if (restored.sha256 !== state.sha256) {
    throw new DriverError(
      "failed",
      workload.name,
      `the restored state has the hash ${restored.sha256.slice(0, 12)} instead of ${state.sha256.slice(0, 12)}`,
    );
  }
  const copy = await findReplica(context, to.replica, bounds);
  if (copy?.address === undefined) throw new DriverError("not-found", to.replica, "the new copy has ended");
  const { address } = copy;
  const { process } = await context.read((signal) => workloads.describe(to.host, to.replica, signal), bounds);
  const backend = { replica: to.replica, address, health: process.health };
  await context.effect(
    `cut-over${suffix}`,
    "run",
    (call) => traffic.cutOver(service, token.token, backend, call),
    bounds,
  );
  return { sha256: state.sha256, bytes: state.bytes };
}

/** The allotted rate, or as much more as the state needs to be there within a part of the pause that is left. */
function rateFor({ context, handOver, token }: Attempt, bytes: number): AllottedRate {
  const { bytesPerSecond } = handOver;
  if (bytesPerSecond === undefined) return {};
  const leftMs = Math.max(1, token.deadline - context.clock.now());
  return { bytesPerSecond: Math.max(bytesPerSecond, Math.ceil((1000 * bytes) / (TRANSFER_WITHIN * leftMs))) };
}

async function waitForRequests({ context, handOver, token }: Attempt): Promise<void> {
  for (;;) {
    const service = await findService(context, handOver.workload, { giveUpAt: token.deadline });
    const backend = service?.backends.find((candidate) => candidate.replica === handOver.from.replica);
    if (!backend || backend.inFlight === 0) return;
    if (context.clock.now() >= token.deadline) {
      throw new DriverError("timeout", handOver.service, `${String(backend.inFlight)} requests are still under way`);
    }
    await context.wait(LOOK_AGAIN_MS);
  }
}

async function goForward({
  context,
  handOver,
  token,
  suffix,
}: Attempt): Promise<Pick<HandOverResult, "pauseMs" | "parkedRequests">> {
  const { workload, from, to } = handOver;
  await context.effect(`activate${suffix}`, { host: to.host }, (call) =>
    context.platform.workloads.activate(to.host, to.replica, call),
  );
  const pause = await unpark({ context, handOver, token, suffix });
  await waitForCopy(context, to.replica, "healthy");
  await removeBackend(context, workload, from.replica, `remove-old-backend${suffix}`);
  await stopCopy(context, from.host, from.replica, `stop-old${suffix}`);
  await tellAfterMove(context, workload, { id: to.replica, host: to.host });
  return pause ?? { pauseMs: null, parkedRequests: null };
}

async function goBack({ context, handOver, token, suffix }: Attempt): Promise<void> {
  const { workload, from, to } = handOver;
  const old = await findReplica(context, from.replica);
  if (old && old.state !== "healthy") {
    await context.effect(`reactivate${suffix}`, { host: from.host }, (call) =>
      context.platform.workloads.activate(from.host, from.replica, call),
    );
  }
  await unpark({ context, handOver, token, suffix });
  if (old) await waitForCopy(context, from.replica, "healthy");
  // Only where a way back was cut short after its own cut-over is the copy that goes a backend.
  await removeBackend(context, workload, to.replica, `remove-standby-backend${suffix}`);
  if (await findReplica(context, to.replica)) {
    await stopCopy(context, to.host, to.replica, `stop-standby${suffix}`);
  }
}

/** Lets requests through. Undefined when the switch has ended the parking by itself, at the token's deadline. */
async function unpark({
  context,
  handOver,
  token,
  suffix,
}: Attempt): Promise<{ readonly pauseMs: number; readonly parkedRequests: number } | undefined> {
  if (token.token === "") return undefined;
  try {
    return await context.effect(`unpark${suffix}`, "run", (call) =>
      context.platform.traffic.unpark(handOver.service, token.token, call),
    );
  } catch (error) {
    const code = driverErrorCode(error);
    if (code === "expired" || code === "not-found" || code === "conflict") return undefined;
    throw error;
  }
}

/** A result as the journal holds it. */
export function handOverResultToJson(result: HandOverResult): Json {
  return { ...result };
}
