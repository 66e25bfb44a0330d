/**
 * `update`: runs the update's command on a host. Cannot be left halfway: it is driven to its end, then judged.
 * Undone by the update's own `undo`, a restart where the host was restarted, and the probe as the judge.
 */
import { DriverError } from "../../../sdk/model";
import type { Json } from "../../../sdk/model";
import type { Operation } from "../../drivers/contracts";
import type { Step, StepContext, StepOf, StepProgress } from "../step";
import { observeHost, probeOutput } from "./lookup";
import { restartHost } from "./reboot";

/** The agent ends the command at its deadline; the run waits longer, so that the agent's answer is what counts. */
const ANSWER_MS = 60_000;
/** A restart within the undo. */
const RESTART_MS = 600_000;
const OUTPUT_LIMIT = 4_000;
const LOOK_AGAIN_MS = 250;

type UpdateContext = StepContext<StepOf<"update">>;

interface Prior {
  /** What the probe printed; null when it failed. */
  readonly probe: string | null;
  readonly bootId: string;
}

export const updateStep: Step<StepOf<"update">> = {
  async observe(context) {
    const operation = await findOperation(context, operationKey(context));
    if (operation) return operation.state === "done" ? "after" : "partial";
    return (await probeOutput(context, context.step.host)).matches ? "after" : "before";
  },

  async prior(context) {
    const { bootId } = await observeHost(context, context.step.host);
    const { output } = await probeOutput(context, context.step.host);
    return { probe: output, bootId } satisfies Prior;
  },

  async start(context) {
    const { command = "", timeoutMs } = context.spec.update;
    const operation = await context.effect("update", { host: context.step.host }, (call) =>
      context.platform.hosts.startUpdate(context.step.host, { command, timeoutMs }, call),
    );
    return operation.key;
  },

  async poll(context) {
    return judge(await findOperation(context, operationKey(context)), context.step.host);
  },

  async undo(context, prior) {
    const { probe } = prior as unknown as Prior;
    const { host } = context.step;
    const operation = await waitForEnd(context, updateKey(context));
    const now = await probeOutput(context, host);
    // Without an operation the host has never seen the command: there is nothing to undo.
    if (!operation && now.output === probe) return undefined;
    await runUndoCommand(context);
    if (context.record("reboot", host) !== undefined) await restartHost(context, host, "undo-reboot");
    const after = await probeOutput(context, host);
    if (after.output !== probe) {
      throw new DriverError(
        "failed",
        host,
        `after the undo the probe prints ${render(after.output)}, before the update it printed ${render(probe)}`,
        { remedy: `bring ${host} back by hand; it is cordoned and takes no work` },
      );
    }
    return `${host} is back on ${render(probe)}`;
  },

  deadlineMs: ({ spec }) => 2 * spec.update.timeoutMs + ANSWER_MS + (spec.update.reboot ? RESTART_MS : 0),
};

/** Key of the update's operation; in the undo's context the step's own key is told apart by its suffix. */
function updateKey(context: UpdateContext): string {
  return `${context.key.replace(/\/undo.*$/, "")}/update`;
}

function operationKey(context: UpdateContext): string {
  return context.operation ?? updateKey(context);
}

function findOperation(context: UpdateContext, key: string): Promise<Operation | undefined> {
  return context.read((signal) => context.platform.hosts.operation(context.step.host, key, signal));
}

function judge(operation: Operation | undefined, host: string): StepProgress {
  if (!operation) return { state: "failed", reason: `${host} does not know the command that was started on it` };
  if (operation.state === "running") return { state: "running", waitsFor: "the command has not ended" };
  const output = operation.output.slice(-OUTPUT_LIMIT);
  if (operation.state === "done") {
    const load = operation.load ? { load: { ...operation.load } } : {};
    return { state: "done", result: { exitCode: operation.exitCode ?? 0, output, ...load } };
  }
  return { state: "failed", reason: reasonOf(operation), output };
}

async function runUndoCommand(context: UpdateContext): Promise<void> {
  const { host } = context.step;
  const { undo, timeoutMs } = context.spec.update;
  if (undo === undefined) {
    throw new DriverError("unsupported", host, "the update is declared irreversible, so there is no undo", {
      remedy: `bring ${host} to a good state by hand, or give the update an undo`,
    });
  }
  const started = await context.effect("undo-command", { host }, (call) =>
    context.platform.hosts.startUpdate(host, { command: undo, timeoutMs }, call),
  );
  const ended = await waitForEnd(context, started.key);
  if (ended?.state !== "done") {
    throw new DriverError("failed", host, `the undo failed: ${ended ? reasonOf(ended) : "the host does not know it"}`, {
      remedy: `bring ${host} back by hand; it is cordoned and takes no work`,
      ...(ended ? { output: ended.output.slice(-OUTPUT_LIMIT) } : {}),
    });
  }
}

async function waitForEnd(context: UpdateContext, key: string): Promise<Operation | undefined> {
  for (;;) {
    const operation = await findOperation(context, key);
    if (operation?.state !== "running") return operation;
    if (context.clock.now() >= context.deadlineAt) {
      throw new DriverError("timeout", context.step.host, "the command has not ended in time");
    }
    await context.wait(LOOK_AGAIN_MS);
  }
}

function reasonOf(operation: Operation): string {
  return operation.reason ?? `exit code ${String(operation.exitCode ?? "unknown")}`;
}

function render(output: string | null): string {
  return output === null ? "nothing (it fails)" : JSON.stringify(output);
}

/** What an update's `prior` says about the version, for people and reports; undefined for anything else. */
export function versionBefore(prior: Json): string | null | undefined {
  return typeof prior === "object" && prior !== null && "probe" in prior
    ? (prior as unknown as Prior).probe
    : undefined;
}
