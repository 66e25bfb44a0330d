/**
 * `drain`: a copy leaves traffic, and its requests are answered. Waits for the budget and for the application's
 * `beforeMove` first; undone by giving its weight back.
 */
import { messageOf } from "../../../sdk/model";
import type { Step, StepOf } from "../step";
import { DONE } from "../step";
import { driverErrorCode } from "../calls";
import { askBeforeMove } from "./hooks";
import { findBackend, findReplica, workloadOf } from "./lookup";
import { drainBackend, setWeight, waitForBackend } from "./traffic";

/** Calls around the three waits: hook, budget, requests. */
const CALLS_MS = 60_000;

interface Prior {
  /** Null when the switch did not know the copy. */
  readonly weight: number | null;
}

export const drainStep: Step<StepOf<"drain">> = {
  async observe(context) {
    const workload = workloadOf(context, context.step.workload);
    if (workload.service === undefined) return "before";
    const backend = await findBackend(context, workload, context.step.replica);
    if (!backend) return "after";
    if (backend.weight > 0) return "before";
    return backend.inFlight === 0 ? "after" : "partial";
  },

  async prior(context) {
    const backend = await findBackend(context, workloadOf(context, context.step.workload), context.step.replica);
    return { weight: backend?.weight ?? null };
  },

  async start(context) {
    const { step, clock } = context;
    const workload = workloadOf(context, step.workload);
    const deferral = await askBeforeMove(context, workload, step.replica, step.deadlineMs);
    if (deferral) return deferral;
    if (workload.service === undefined) return DONE;
    try {
      // Twice the deadline: once for the budget, once for the requests under way.
      const giveUpAt = clock.now() + 2 * step.deadlineMs;
      const { closedUpgrades } = await drainBackend(context, workload, step.replica, giveUpAt);
      if (closedUpgrades > 0) return { state: "done", result: { closedUpgrades } };
    } catch (error) {
      if (driverErrorCode(error) !== "timeout") throw error;
      return {
        state: "failed",
        reason: `${messageOf(error)} after ${String(Math.round(step.deadlineMs / 1000))} s`,
        remedy: "raise limits.drain, or look which requests take that long",
      };
    }
    return DONE;
  },

  async undo(context, prior) {
    const { weight } = prior as unknown as Prior;
    const { replica } = context.step;
    if (weight === null || weight === 0) return undefined;
    const workload = workloadOf(context, context.step.workload);
    const backend = await findBackend(context, workload, replica);
    const copy = await findReplica(context, replica);
    if (backend?.weight === weight && backend.address === copy?.address) return undefined;
    await setWeight(context, workload, replica, weight);
    await waitForBackend(context, workload, replica);
    return `${replica} serves again`;
  },

  deadlineMs: ({ step }) => 3 * step.deadlineMs + CALLS_MS,
};
