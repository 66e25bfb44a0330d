/**
 * `live-migrate`: a copy moves to another host with its memory while it runs; its id and address stay, so the switch has
 * nothing to do. Undone by moving it back the same way.
 */
import { DriverError } from "../../../sdk/model";
import type { Step, StepContext, StepOf } from "../step";
import { generousDeadlineMs } from "../step";
import { askBeforeMove, tellAfterMove } from "./hooks";
import { findReplica, workloadOf } from "./lookup";

const FLOOR_MS = 300_000;

type MigrateContext = StepContext<StepOf<"live-migrate">>;

export const liveMigrateStep: Step<StepOf<"live-migrate">> = {
  async observe(context) {
    const { step } = context;
    const host = (await findReplica(context, step.replica))?.host;
    if (host === step.toHost) return "after";
    return host === step.fromHost ? "before" : "unknown";
  },

  async prior(context) {
    return { host: (await findReplica(context, context.step.replica))?.host ?? null };
  },

  async start(context) {
    const { step } = context;
    const workload = workloadOf(context, step.workload);
    const deferral = await askBeforeMove(context, workload, step.replica, context.spec.limits.drainMs);
    if (deferral) return deferral;
    const { pauseMs } = await migrate(context, step.fromHost, step.toHost);
    await tellAfterMove(context, workload, { id: step.replica, host: step.toHost });
    return { state: "done", result: { pauseMs, parkedRequests: 0 } };
  },

  async undo(context, prior) {
    const { step } = context;
    const { host: before } = prior as unknown as { readonly host: string | null };
    if (before !== step.fromHost) return undefined;
    if ((await findReplica(context, step.replica))?.host !== step.toHost) return undefined;
    await migrate(context, step.toHost, step.fromHost);
    return `${step.replica} is back on ${step.fromHost}`;
  },

  deadlineMs: ({ step, spec }) => generousDeadlineMs(step, FLOOR_MS) + spec.limits.drainMs,
};

async function migrate(context: MigrateContext, from: string, to: string): Promise<{ readonly pauseMs: number }> {
  const { step, platform } = context;
  const drive = platform.workloads.migrate;
  if (!drive) {
    throw new DriverError("unsupported", step.replica, `the driver of ${from} offers no live migration any more`, {
      remedy: "plan again: what cannot be moved so is handed over or started anew",
    });
  }
  const timeoutMs = Math.max(1, context.deadlineAt - context.clock.now());
  return context.effect(`migrate-to-${to}`, { host: from }, (call) => drive(from, step.replica, to, call, step), {
    timeoutMs,
  });
}
