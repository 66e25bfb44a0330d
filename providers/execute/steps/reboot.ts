/**
 * `reboot`: restarts a host that serves nothing any more. Refused while a copy on it counts for a budget. Not undone
 * by itself: the undo of the update restarts the host where that is needed.
 */
import { DriverError } from "../../../sdk/model";
import { availableReplicas, observeServing } from "../budget-gate";
import { isUncertain } from "../calls";
import type { Step, StepContext, StepOf } from "../step";
import { generousDeadlineMs } from "../step";
import { observeHost } from "./lookup";

const FLOOR_MS = 600_000;
const LOOK_AGAIN_MS = 250;

interface Prior {
  readonly bootId: string;
}

export const rebootStep: Step<StepOf<"reboot">> = {
  async observe(context) {
    // Where the update found its work done before, the host needs no restart for it.
    if (context.record("update", context.step.host)?.alreadyDone === true) return "after";
    if (context.prior === undefined) return "before";
    const host = await observeHost(context, context.step.host);
    return host.state === "ready" && host.bootId !== (context.prior as unknown as Prior).bootId ? "after" : "before";
  },

  async prior(context) {
    return { bootId: (await observeHost(context, context.step.host)).bootId } satisfies Prior;
  },

  async start(context) {
    const { host } = context.step;
    const operation = await passHostBudgets(context, host, () =>
      context.effect("reboot", { host }, (call) => context.platform.hosts.reboot(host, call)),
    );
    return operation.key;
  },

  async poll(context) {
    const { host } = context.step;
    const { bootId } = context.prior as unknown as Prior;
    const key = context.operation;
    try {
      const now = await lookOnce(context, (signal) => context.platform.hosts.observe(host, signal));
      if (now.state === "ready" && now.bootId !== bootId) return { state: "done", result: { bootId: now.bootId } };
      const operation = key
        ? await lookOnce(context, (signal) => context.platform.hosts.operation(host, key, signal))
        : undefined;
      if (operation?.state === "failed") {
        return { state: "failed", reason: operation.reason ?? "the restart failed", output: operation.output };
      }
    } catch (error) {
      // A host that restarts does not answer; that is what it is waited for.
      if (!isUncertain(error)) throw error;
    }
    return { state: "running", waitsFor: `${host} has not come back from its restart` };
  },

  undo: () => Promise.resolve(undefined),

  deadlineMs: ({ step }) => generousDeadlineMs(step, FLOOR_MS),
};

/** Restarts a host within another step's undo and waits until it is back. @throws DriverError timeout */
export async function restartHost(context: StepContext, host: string, name: string): Promise<void> {
  const { bootId } = await observeHost(context, host);
  const started = await context.effect(name, { host }, (call) => context.platform.hosts.reboot(host, call));
  for (;;) {
    try {
      const operation = await lookOnce(context, (signal) =>
        context.platform.hosts.operation(host, started.key, signal),
      );
      if (operation?.state === "failed") {
        throw new DriverError("failed", host, `the restart failed: ${operation.reason ?? "unknown"}`);
      }
      const now = await lookOnce(context, (signal) => context.platform.hosts.observe(host, signal));
      // A repeated key after a crash finds the restart already done: the boot id is then the new one from the start.
      const isOver = now.bootId !== bootId || operation?.state === "done";
      if (now.state === "ready" && isOver) return;
    } catch (error) {
      if (!isUncertain(error)) throw error;
    }
    if (context.clock.now() >= context.deadlineAt) {
      throw new DriverError("timeout", host, "has not come back from its restart");
    }
    await context.wait(LOOK_AGAIN_MS);
  }
}

/** One try: a host that restarts is asked again by the loop around it. */
export function lookOnce<T>(context: StepContext, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return context.read(call, { giveUpAt: context.clock.now() });
}

/** Passes the gates of all workloads with a serving copy on the host, in the order of their names. */
export async function passHostBudgets<T>(context: StepContext, host: string, effect: () => Promise<T>): Promise<T> {
  // Copies on a host that does not answer are not listed.
  await observeHost(context, host);
  const serving = await observeServing(context);
  const onHost = (id: string): boolean =>
    serving.replicas.some((replica) => replica.id === id && replica.host === host);
  const workloads = [...context.workloads.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  let pass = effect;
  for (const workload of workloads) {
    const leaving = availableReplicas(workload, serving).filter(onHost);
    if (leaving.length === 0) continue;
    if (workload.exclusive) {
      throw new DriverError(
        "refused",
        host,
        `${leaving.join(", ")} is the only copy of ${workload.name} and still here`,
      );
    }
    const inner = pass;
    pass = () =>
      context.gate.pass(context, workload, leaving, context.clock.now() + context.spec.limits.drainMs, inner);
  }
  return pass();
}
