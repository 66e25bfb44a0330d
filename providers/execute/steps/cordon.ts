/** `cordon` and `uncordon`: this run's mark on a host. Each is the other's way back. */
import type { Json } from "../../../sdk/model";
import type { Step, StepContext, StepOf } from "../step";
import { DONE, generousDeadlineMs } from "../step";
import { observeHost } from "./lookup";

const FLOOR_MS = 60_000;

type CordonContext = StepContext<StepOf<"cordon"> | StepOf<"uncordon">>;

interface Prior {
  readonly wasCordoned: boolean;
}

export const cordonStep: Step<StepOf<"cordon">> = {
  observe: async (context) => ((await isCordonedByRun(context)) ? "after" : "before"),
  prior: recordMark,
  async start(context) {
    await cordon(context);
    return DONE;
  },
  async undo(context, prior) {
    if (readPrior(prior).wasCordoned) return undefined;
    await uncordon(context);
    return `${context.step.host} takes work again`;
  },
  deadlineMs: ({ step }) => generousDeadlineMs(step, FLOOR_MS),
};

export const uncordonStep: Step<StepOf<"uncordon">> = {
  observe: async (context) => ((await isCordonedByRun(context)) ? "before" : "after"),
  prior: recordMark,
  async start(context) {
    await uncordon(context);
    return DONE;
  },
  async undo(context, prior) {
    if (!readPrior(prior).wasCordoned) return undefined;
    await cordon(context);
    return undefined;
  },
  deadlineMs: ({ step }) => generousDeadlineMs(step, FLOOR_MS),
};

async function isCordonedByRun(context: CordonContext): Promise<boolean> {
  const host = await observeHost(context, context.step.host);
  return host.cordoned?.owner === context.run;
}

async function recordMark(context: CordonContext): Promise<Json> {
  return { wasCordoned: await isCordonedByRun(context) };
}

async function cordon({ step, run, platform, marksExpireAt, effect }: CordonContext): Promise<void> {
  const mark = { owner: run, expiresAt: marksExpireAt };
  await effect("cordon", { host: step.host }, (call) => platform.hosts.cordon(step.host, mark, call));
}

async function uncordon({ step, platform, effect }: CordonContext): Promise<void> {
  await effect("uncordon", { host: step.host }, (call) => platform.hosts.uncordon(step.host, call));
}

function readPrior(prior: Json): Prior {
  return prior as unknown as Prior;
}
