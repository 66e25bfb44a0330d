/** `validate`: the probe matches and the user's checks are green. Changes nothing, so there is nothing to undo. */
import { DriverError, messageOf } from "../../../sdk/model";
import type { HostUpdateSpec } from "../../../sdk/model";
import { validateHost } from "../../verify/validate-host";
import { CALL_TIMEOUT_MS, isUncertain } from "../calls";
import type { Step, StepContext, StepOf, StepProgress } from "../step";
import { generousDeadlineMs } from "../step";

const FLOOR_MS = 120_000;
/** Services of a host that has just come back need a moment; a check gets this long to become green. */
const SETTLE_MS = 10_000;
/** How long a host may not answer before that counts as a failure. */
const PATIENCE_MS = 30_000;

export const validateStep: Step<StepOf<"validate">> = {
  observe: () => Promise.resolve("before"),
  prior: () => Promise.resolve(null),
  start: ({ clock }) => Promise.resolve(String(clock.now())),

  async poll(context) {
    const look = await lookAt(context, context.step.host);
    if (look.state !== "failed") return look;
    const sinceMs = context.clock.now() - Number(context.operation);
    if (sinceMs >= SETTLE_MS) return look;
    return { state: "running", waitsFor: look.reason, againMs: 1_000 };
  },

  undo: () => Promise.resolve(undefined),
  isWait: true,
  deadlineMs: ({ step, spec }) => generousDeadlineMs(step, FLOOR_MS) + 2 * longestLookMs(spec),
};

/** Time that the user's checks may take, one after the other. */
export function longestLookMs(spec: HostUpdateSpec): number {
  const checks = spec.islands.flatMap((island) => island.validate);
  return checks.reduce((sum, check) => sum + check.timeoutMs, 0);
}

/** One look at an updated host: it answers, and is valid. */
export async function lookAt(context: StepContext, host: string): Promise<StepProgress> {
  const { platform, spec } = context;
  try {
    await waitForAnswer(context, host);
  } catch (error) {
    if (!isUncertain(error)) throw error;
    return { state: "failed", reason: `${messageOf(error)} for ${String(PATIENCE_MS / 1000)} s` };
  }
  const islands = context.islandsOf(host);
  const validation = await context.read((signal) => validateHost({ platform, spec, host, islands, signal }), {
    timeoutMs: CALL_TIMEOUT_MS + longestLookMs(spec),
  });
  if (validation.ok) return { state: "done", result: { checks: validation.checks.map((check) => check.check) } };
  return { state: "failed", reason: validation.reason, output: validation.output };
}

/** An agent that is restarted is away for a moment; that alone says nothing about its host. */
async function waitForAnswer(context: StepContext, host: string): Promise<void> {
  await context.read(
    async (signal) => {
      const { state, stateReason } = await context.platform.hosts.observe(host, signal);
      if (state === "ready") return;
      throw new DriverError("unreachable", host, `is ${state}${stateReason === undefined ? "" : ` (${stateReason})`}`);
    },
    { giveUpAt: context.clock.now() + PATIENCE_MS },
  );
}
