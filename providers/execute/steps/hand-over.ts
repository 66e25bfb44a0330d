/**
 * `hand-over`: an exclusive workload moves to another host. The protocol is in hand-over-protocol.ts; here are the
 * second try, resuming, and the way back, which is the same protocol in the other direction.
 */
import { DriverError, isKind } from "../../../sdk/model";
import type { Json, Workload } from "../../../sdk/model";
import type { Step, StepContext, StepOf, StepOutcome } from "../step";
import { generousDeadlineMs } from "../step";
import type { HandOver, HandOverResult } from "./hand-over-protocol";
import { completeHandOver, findOwner, handOverResultToJson, revertHandOver, runHandOver } from "./hand-over-protocol";
import { askBeforeMove } from "./hooks";
import { findReplica, workloadOf } from "./lookup";

/** A failed hand-over has put everything back; one more try costs one more pause at most. */
const TRIES = 2;
const FLOOR_MS = 180_000;

type HandOverContext = StepContext<StepOf<"hand-over">>;

export const handOverStep: Step<StepOf<"hand-over">> = {
  async observe(context) {
    const { step } = context;
    const owner = await findOwner(context, workloadOf(context, step.workload));
    if (owner !== step.toReplica) return owner === step.fromReplica ? "before" : "unknown";
    // What an earlier owner left may lack its last part, the hook; completing it again costs nothing.
    if (context.isResumed) return "partial";
    return (await findReplica(context, step.fromReplica)) === undefined ? "after" : "partial";
  },

  async prior(context) {
    const { step } = context;
    const owner = await findOwner(context, workloadOf(context, step.workload));
    return { owner: owner ?? null };
  },

  async start(context) {
    const { step } = context;
    const handOver = describeHandOver(context);
    const owner = await findOwner(context, handOver.workload);
    if (owner === step.toReplica) {
      return done(await completeHandOver(context, handOver));
    }
    if (context.isResumed) await revertHandOver(context, handOver);
    const deferral = await askBeforeMove(context, handOver.workload, step.fromReplica, context.spec.limits.drainMs);
    if (deferral) return deferral;
    return move(context, handOver);
  },

  async undo(context, prior) {
    try {
      return await bringBack(context, prior);
    } catch (error) {
      throw await withCopyLeft(context, error);
    }
  },

  deadlineMs: ({ step, spec }) => generousDeadlineMs(step, FLOOR_MS) + spec.limits.drainMs,
};

async function bringBack(context: HandOverContext, prior: Json): Promise<string | undefined> {
  const { step } = context;
  const forth = describeHandOver(context);
  const { owner: ownerBefore } = prior as unknown as { readonly owner: string | null };
  if (ownerBefore !== step.fromReplica) return undefined;
  const owner = await findOwner(context, forth.workload);
  const back: HandOver = { ...forth, from: forth.to, to: forth.from };
  if (owner === step.fromReplica) {
    // Either it never left, or an earlier undo has brought it back and was cut short.
    if ((await findReplica(context, step.toReplica)) === undefined) return undefined;
    await revertHandOver(context, forth);
    return `${step.workload} is on ${step.fromHost}`;
  }
  // Cut over, but the old copy is still there: the forward direction ends first.
  if ((await findReplica(context, step.fromReplica)) !== undefined) await completeHandOver(context, forth);
  else await revertHandOver(context, back);
  const outcome = await move(context, back);
  if (outcome.state === "failed") throw new DriverError("failed", step.workload, outcome.reason);
  return `${step.workload} is back on ${step.fromHost}`;
}

/**
 * Where one copy cannot be asked, the other one is left as it is: the new one may hold the only state that is left, and
 * after a cut-over the old one lacks what was written since. It is named, so that somebody decides.
 */
async function withCopyLeft(context: HandOverContext, error: unknown): Promise<unknown> {
  if (!isKind(error, "DriverError")) return error;
  const { fromReplica, toReplica } = context.step;
  const found = await Promise.all(
    [toReplica, fromReplica].map((replica) => findReplica(context, replica).catch(() => undefined)),
  );
  const left = found.flatMap((copy) =>
    copy && (copy.id === toReplica || copy.state !== "healthy")
      ? [`${copy.id} is left ${copy.state} on ${copy.host}`]
      : [],
  );
  if (left.length === 0) return error;
  const { code, subject, message, remedy } = error as DriverError;
  const text = message.startsWith(`${subject}: `) ? message.slice(subject.length + 2) : message;
  return new DriverError(code, subject, `${text}; ${left.join("; ")}`, {
    ...(remedy === undefined ? {} : { remedy }),
    cause: error,
  });
}

async function move(context: HandOverContext, handOver: HandOver): Promise<StepOutcome> {
  const { workload, from, maxPauseMs } = handOver;
  for (let attempt = 1; ; attempt++) {
    const outcome = await runHandOver(context, handOver);
    if (outcome.kind === "moved") return done(outcome.result);
    if (attempt >= TRIES) {
      return {
        state: "failed",
        reason: `${outcome.reason}; ${workload.name} stayed on ${from.host}`,
        remedy: `look why ${workload.name} cannot be moved within ${String(maxPauseMs)} ms, or raise its maxPause`,
      };
    }
    await context.decide(`${workload.name}: hand-over reverted (${outcome.reason}); tried once more`);
  }
}

function done(result: HandOverResult): StepOutcome {
  return { state: "done", result: handOverResultToJson(result) };
}

function describeHandOver(context: HandOverContext): HandOver {
  const { step } = context;
  const workload = workloadOf(context, step.workload);
  return {
    workload,
    service: serviceOf(workload),
    from: { replica: step.fromReplica, host: step.fromHost },
    to: { replica: step.toReplica, host: step.toHost },
    maxPauseMs: step.maxPauseMs,
    ...(step.bytesPerSecond === undefined ? {} : { bytesPerSecond: step.bytesPerSecond }),
  };
}

function serviceOf(workload: Workload): string {
  if (workload.service !== undefined) return workload.service;
  throw new DriverError("unsupported", workload.name, "an exclusive workload without a service cannot be handed over", {
    remedy: "give it a service at the traffic switch, so that its requests can be parked",
  });
}
