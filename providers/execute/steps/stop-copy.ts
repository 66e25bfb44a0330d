/**
 * `stop-copy`: a drained copy ends; refused while the budget does not allow it, and until then it serves again. Undone
 * by starting the very same copy again on its host.
 */
import type { Json } from "../../../sdk/model";
import type { StartSpec } from "../../drivers/contracts";
import type { Step, StepOf } from "../step";
import { DONE, generousDeadlineMs } from "../step";
import { stopCopy, waitForCopy } from "./copies";
import { findBackend, findReplica, workloadOf } from "./lookup";
import { drainBackend, removeBackend, serveAgain, setWeight, waitForBackend } from "./traffic";

const FLOOR_MS = 60_000;

interface Prior {
  /** Null when the copy was not there. */
  readonly spec: StartSpec | null;
  readonly weight: number;
}

export const stopCopyStep: Step<StepOf<"stop-copy">> = {
  async observe(context) {
    const { step } = context;
    const copy = await findReplica(context, step.replica);
    const backend = await findBackend(context, workloadOf(context, step.workload), step.replica);
    if (!copy && !backend) return "after";
    return copy && backend ? "before" : "partial";
  },

  async prior(context) {
    const { step, platform } = context;
    const copy = await findReplica(context, step.replica);
    const backend = await findBackend(context, workloadOf(context, step.workload), step.replica);
    const spec = copy ? await context.read((signal) => platform.workloads.describe(copy.host, copy.id, signal)) : null;
    const prior: Prior = { spec, weight: backend?.weight ?? 0 };
    return prior as unknown as Json;
  },

  async start(context) {
    const { step } = context;
    const workload = workloadOf(context, step.workload);
    const stop = async (): Promise<boolean> => {
      if (((await findBackend(context, workload, step.replica))?.weight ?? 0) > 0) return false;
      await removeBackend(context, workload, step.replica);
      await stopCopy(context, step.host, step.replica);
      return true;
    };
    const serve = (): Promise<void> => serveAgain(context, workload, step.replica);
    // What has come back into traffic is drained once more before it ends.
    while (!(await context.gate.pass(context, workload, [step.replica], context.deadlineAt, stop, serve))) {
      await drainBackend(context, workload, step.replica, context.deadlineAt);
    }
    return DONE;
  },

  async undo(context, prior) {
    const { spec, weight } = prior as unknown as Prior;
    const { step, platform } = context;
    if (!spec) return undefined;
    const workload = workloadOf(context, step.workload);
    const isThere = (await findReplica(context, step.replica)) !== undefined;
    if (!isThere)
      await context.effect("start", { host: step.host }, (call) => platform.workloads.start(step.host, spec, call));
    await waitForCopy(context, step.replica, "healthy");
    if (weight > 0) {
      await setWeight(context, workload, step.replica, weight);
      await waitForBackend(context, workload, step.replica);
    }
    return isThere ? undefined : `${step.replica} runs on ${step.host} again`;
  },

  deadlineMs: ({ step, spec }) => generousDeadlineMs(step, FLOOR_MS) + spec.limits.drainMs,
};
