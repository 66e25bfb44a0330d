/**
 * `await-end`: a copy that ends soon by itself is waited for, on a host that takes no new ones. There is nothing to undo;
 * one that does not end in time defers the run to another opening.
 */
import type { Step, StepOf } from "../step";
import { findReplica } from "./lookup";

const LONGEST_POLL_MS = 5_000;
/** The deadline of the step comes after its own, which says more. */
const MARGIN_MS = 60_000;

export const awaitEndStep: Step<StepOf<"await-end">> = {
  isWait: true,
  pollMs: LONGEST_POLL_MS,

  async observe(context) {
    return (await findReplica(context, context.step.replica)) === undefined ? "after" : "before";
  },

  prior: ({ clock }) => Promise.resolve({ sinceMs: clock.now() }),

  start: () => Promise.resolve(undefined),

  async poll(context) {
    const { step, clock, prior } = context;
    const copy = await findReplica(context, step.replica);
    if (copy?.host !== step.host) return { state: "done", result: null };
    const { sinceMs } = prior as unknown as { readonly sinceMs: number };
    if (clock.now() < sinceMs + step.deadlineMs) return { state: "running", waitsFor: `${step.replica} has not ended` };
    return {
      state: "failed",
      deferred: true,
      reason: `${step.replica} has not ended by itself within ${String(Math.round(step.deadlineMs / 1000))} s`,
      remedy: `the run waits for the next opening; raise the lifetime of ${step.workload}, or leave it out to have its copies moved`,
    };
  },

  undo: () => Promise.resolve(undefined),

  deadlineMs: ({ step }) => step.deadlineMs + MARGIN_MS,
};
