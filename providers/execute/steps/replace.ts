/**
 * `replace`: another machine, made of the update's image, takes the place of a host that serves nothing any more. The old
 * machine is kept, so the way back is to put it in its place again; the probe is the judge of that.
 * `discard-replaced`: ends the machine that was kept. The point of no return of its host: from its intent on the host stays as
 * updated, and undoing goes on to the end. A machine that cannot be ended is told and left to people; the host works.
 */
import { DriverError, isKind, messageOf, replacementTimes } from "../../../sdk/model";
import type { Host } from "../../../sdk/model";
import type { ReplacementDriver } from "../../drivers/contracts";
import { isUncertain } from "../calls";
import type { Step, StepContext, StepOf, StepProgress } from "../step";
import { DONE, generousDeadlineMs } from "../step";
import { observeHost, probeOutput } from "./lookup";
import { lookOnce, passHostBudgets } from "./reboot";
import { versionBefore } from "./update";

/** The platform ends a replacement at its deadline; the run waits longer, so that the platform's answer is what counts. */
const ANSWER_MS = 60_000;
const DISCARD_FLOOR_MS = 60_000;
const LOOK_AGAIN_MS = 500;

type ReplaceContext = StepContext<StepOf<"replace">>;
type DiscardContext = StepContext<StepOf<"discard-replaced">>;

interface Prior {
  /** What the probe printed; null when it failed. */
  readonly probe: string | null;
  readonly bootId: string;
}

export const replaceStep: Step<StepOf<"replace">> = {
  async observe(context) {
    const { host } = context.step;
    const { replaced } = await observeAtOnce(context, host);
    if (replaced?.owner === context.run) return "partial";
    return (await probeOutput(context, host)).matches ? "after" : "before";
  },

  async prior(context) {
    const { host } = context.step;
    const { bootId } = await observeHost(context, host);
    return { probe: (await probeOutput(context, host)).output, bootId } satisfies Prior;
  },

  async start(context) {
    const { host } = context.step;
    const { image = "" } = context.spec.update;
    const { timeoutMs } = replacementTimes(context.spec.update);
    const driver = driverOf(context, host);
    const operation = await passHostBudgets(context, host, () =>
      context.effect("replace", { host }, (call) => driver.start(host, { image, timeoutMs }, call)),
    );
    return operation.key;
  },

  async poll(context): Promise<StepProgress> {
    const { host } = context.step;
    const before = (context.prior as unknown as Prior).bootId;
    const key = context.operation;
    try {
      const operation = key
        ? await lookOnce(context, (signal) => context.platform.hosts.operation(host, key, signal))
        : undefined;
      if (operation?.state === "failed") {
        return { state: "failed", reason: operation.reason ?? "the replacement failed", output: operation.output };
      }
      const { state, bootId, replaced } = await lookOnce(context, (signal) =>
        context.platform.hosts.observe(host, signal),
      );
      const isNew = state === "ready" && bootId !== before && replaced?.owner === context.run;
      if (isNew) return { state: "done", result: { bootId } };
    } catch (error) {
      // The new machine does not answer before it is there; that is what it is waited for.
      if (!isUncertain(error)) throw error;
    }
    return { state: "running", waitsFor: `the machine that takes the place of ${host} does not answer` };
  },

  async undo(context, prior) {
    const { host } = context.step;
    const before = versionBefore(prior);
    const { replaced } = await observeAtOnce(context, host);
    if (replaced?.owner !== context.run && (await probeOutput(context, host)).output === before) {
      if (!context.isResumed) return undefined;
    } else {
      const driver = driverOf(context, host);
      await context.effect("restore", { host }, (call) => driver.restore(host, call));
      await waitForReturn(context, host);
    }
    const { output } = await probeOutput(context, host);
    if (output !== before) {
      throw new DriverError(
        "failed",
        host,
        `its machine is back, but the probe prints ${JSON.stringify(output)} and not ${JSON.stringify(before)} as before`,
        { remedy: `bring ${host} back by hand; it is cordoned and takes no work` },
      );
    }
    return `${host} has its machine back, with ${JSON.stringify(before)}`;
  },

  deadlineMs: ({ spec }) => 2 * replacementTimes(spec.update).timeoutMs + ANSWER_MS,
};

export const discardReplacedStep: Step<StepOf<"discard-replaced">> = {
  async observe(context) {
    // Where the replacement found its work done before, nothing was kept.
    const { replaced } = await observeAtOnce(context, context.step.host);
    return replaced?.owner === context.run ? "before" : "after";
  },

  async prior(context) {
    return { kept: (await observeAtOnce(context, context.step.host)).replaced?.bootId ?? "" };
  },

  async start(context) {
    try {
      await discard(context);
    } catch (error) {
      if (!isKind(error, "DriverError")) throw error;
      const reason = messageOf(error);
      await context.decide(`the machine that ${context.step.host} replaced is left, for it cannot be ended: ${reason}`);
      return { state: "done", result: { left: reason } };
    }
    return DONE;
  },

  async undo(context) {
    await discard(context);
    return `the machine that ${context.step.host} replaced was ended: it stays as updated`;
  },

  deadlineMs: ({ step }) => generousDeadlineMs(step, DISCARD_FLOOR_MS),
};

async function discard(context: DiscardContext): Promise<void> {
  const { host } = context.step;
  const driver = driverOf(context, host);
  await context.effect("discard", { host }, (call) => driver.discard(host, call));
}

function driverOf({ platform }: ReplaceContext | DiscardContext, host: string): ReplacementDriver {
  const { replacement } = platform.hosts;
  if (!replacement) throw new DriverError("unsupported", host, "its driver cannot replace its machine");
  return replacement;
}

/** The host as its platform tells, whether its machine answers or not. */
function observeAtOnce(context: ReplaceContext | DiscardContext, host: string): Promise<Host> {
  return context.read((signal) => context.platform.hosts.observe(host, signal));
}

/** Waits until the machine that was put back answers. @throws DriverError timeout */
async function waitForReturn(context: ReplaceContext, host: string): Promise<void> {
  for (;;) {
    try {
      const { state, replaced } = await lookOnce(context, (signal) => context.platform.hosts.observe(host, signal));
      if (state === "ready" && !replaced) return;
    } catch (error) {
      if (!isUncertain(error)) throw error;
    }
    if (context.clock.now() >= context.deadlineAt) {
      throw new DriverError("timeout", host, "its machine has not come back into its place");
    }
    await context.wait(LOOK_AGAIN_MS);
  }
}
