/** `soak`: the updated hosts are watched for a while; validation must stay green to the end. */
import type { Step, StepOf } from "../step";
import { longestLookMs, lookAt } from "./validate";

/** Time between two looks at the hosts. */
const LOOK_MS = 5_000;
const CALLS_MS = 300_000;

export const soakStep: Step<StepOf<"soak">> = {
  observe: () => Promise.resolve("before"),
  prior: () => Promise.resolve(null),
  // The beginning is journaled: whoever resumes waits for the rest only.
  start: ({ clock }) => Promise.resolve(String(clock.now())),

  async poll(context) {
    const { step, clock } = context;
    for (const host of step.hosts) {
      const look = await lookAt(context, host);
      if (look.state === "failed") return { ...look, reason: `${host}: ${look.reason}` };
    }
    const leftMs = Number(context.operation) + step.durationMs - clock.now();
    if (leftMs <= 0) return { state: "done", result: null };
    return { state: "running", waitsFor: "the soak time is not over", againMs: Math.min(LOOK_MS, leftMs) };
  },

  undo: () => Promise.resolve(undefined),
  isWait: true,
  deadlineMs: ({ step, spec }) => step.durationMs + CALLS_MS + 2 * step.hosts.length * longestLookMs(spec),
};
