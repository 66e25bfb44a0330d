/** `admit`: a healthy copy gets its share of traffic. Undone by draining it again. */
import type { Step, StepOf } from "../step";
import { generousDeadlineMs } from "../step";
import { tellAfterMove } from "./hooks";
import { findBackend, findReplica, workloadOf } from "./lookup";
import { drainBackend, evenWeight, removeBackend, setWeight } from "./traffic";

const FLOOR_MS = 60_000;

interface Prior {
  /** Null when the switch did not know the copy. */
  readonly weight: number | null;
}

export const admitStep: Step<StepOf<"admit">> = {
  async observe(context) {
    const workload = workloadOf(context, context.step.workload);
    if (workload.service === undefined) return "before";
    const backend = await findBackend(context, workload, context.step.replica);
    if (!backend || backend.weight === 0) return "before";
    return backend.healthy ? "after" : "partial";
  },

  async prior(context) {
    const backend = await findBackend(context, workloadOf(context, context.step.workload), context.step.replica);
    return { weight: backend?.weight ?? null };
  },

  async start(context) {
    const workload = workloadOf(context, context.step.workload);
    await setWeight(context, workload, context.step.replica, await evenWeight(context, workload));
    return undefined;
  },

  async poll(context) {
    const { replica } = context.step;
    const workload = workloadOf(context, context.step.workload);
    const copy = await findReplica(context, replica);
    if (!copy) return { state: "failed", reason: `${replica} has ended before it could serve` };
    if (workload.service !== undefined) {
      const backend = await findBackend(context, workload, replica);
      if (backend?.healthy !== true)
        return { state: "running", waitsFor: `the switch does not find ${replica} healthy` };
    }
    await tellAfterMove(context, workload, copy);
    return { state: "done", result: null };
  },

  async undo(context, prior) {
    const { weight } = prior as unknown as Prior;
    const { replica } = context.step;
    const workload = workloadOf(context, context.step.workload);
    if (weight !== null && weight > 0) return undefined;
    if (!(await findBackend(context, workload, replica))) return undefined;
    await drainBackend(context, workload, replica, context.deadlineAt);
    if (weight === null) await removeBackend(context, workload, replica);
    return `${replica} takes no traffic any more`;
  },

  deadlineMs: ({ step, spec }) => generousDeadlineMs(step, FLOOR_MS) + spec.limits.drainMs,
};
