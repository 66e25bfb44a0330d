/** `start-copy`: one more copy, until it is healthy. Undone by stopping it, if it was not there before. */
import type { Step, StepOf } from "../step";
import { generousDeadlineMs } from "../step";
import { pollCopy, specForCopy, stopCopy } from "./copies";
import { findBackend, findReplica, workloadOf } from "./lookup";
import { drainBackend, removeBackend } from "./traffic";

const FLOOR_MS = 120_000;

interface Prior {
  readonly existed: boolean;
}

export const startCopyStep: Step<StepOf<"start-copy">> = {
  async observe(context) {
    const copy = await findReplica(context, context.step.replica);
    if (!copy) return "before";
    return copy.state === "healthy" || copy.state === "standby" ? "after" : "partial";
  },

  async prior(context) {
    return { existed: (await findReplica(context, context.step.replica)) !== undefined };
  },

  async start(context) {
    const { step, platform } = context;
    const workload = workloadOf(context, step.workload);
    const spec = await specForCopy(context, workload, { replica: step.replica, standby: workload.exclusive });
    await context.effect("start", { host: step.host }, (call) => platform.workloads.start(step.host, spec, call));
    return undefined;
  },

  poll: (context) =>
    pollCopy(
      context,
      context.step.replica,
      workloadOf(context, context.step.workload).exclusive ? "standby" : "healthy",
    ),

  async undo(context, prior) {
    const { step, gate } = context;
    if ((prior as unknown as Prior).existed) return undefined;
    if (!(await findReplica(context, step.replica))) return undefined;
    const workload = workloadOf(context, step.workload);
    // Where taking its traffic away has failed before, it still has requests: they would break off with it.
    const backend = workload.exclusive ? undefined : await findBackend(context, workload, step.replica);
    if (backend && backend.weight > 0) await drainBackend(context, workload, step.replica, context.deadlineAt);
    await gate.pass(context, workload, [step.replica], context.deadlineAt, async () => {
      await removeBackend(context, workload, step.replica);
      await stopCopy(context, step.host, step.replica);
    });
    return `${step.replica} on ${step.host} stopped`;
  },

  deadlineMs: ({ step }) => generousDeadlineMs(step, FLOOR_MS),
};
