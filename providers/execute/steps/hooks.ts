/** The application's own say in moves: `beforeMove` may answer "not now", `afterMove` is told once. */
import type { Replica, Workload } from "../../../sdk/model";
import type { StepContext, StepFailure } from "../step";
import { findReplica } from "./lookup";

/** Time between two questions. */
const ASK_AGAIN_MS = 1_000;

/**
 * Asks a copy whether it may be moved now, again and again while it answers "not now".
 * @param patienceMs how long
 * @returns a deferral when it still does not want to
 */
export async function askBeforeMove(
  context: StepContext,
  workload: Workload,
  replica: string,
  patienceMs: number,
): Promise<StepFailure | undefined> {
  const path = workload.hooks.beforeMove;
  if (path === undefined) return undefined;
  const giveUpAt = context.clock.now() + patienceMs;
  for (;;) {
    const copy = await findReplica(context, replica);
    // A copy that has died by itself has nothing to say, nor has a function.
    if (copy?.state !== "healthy" || copy.function !== undefined) return undefined;
    // Every question is a new one: with the same key the recorded "not now" would be the answer for ever.
    const name = `before-move-${String(context.clock.now())}`;
    const answer = await context.effect(name, { host: copy.host }, (call) =>
      context.platform.workloads.hook(copy.host, replica, path, call),
    );
    if (answer === "ok") return undefined;
    if (context.clock.now() + ASK_AGAIN_MS > giveUpAt) {
      return {
        state: "failed",
        deferred: true,
        reason: `${replica} answers its beforeMove hook with "not now" for ${String(Math.round(patienceMs / 1000))} s`,
        remedy: `the run waits for the next opening; look why ${workload.name} does not want to be moved`,
      };
    }
    await context.wait(ASK_AGAIN_MS);
  }
}

/** Tells a copy that it has taken over. */
export async function tellAfterMove(
  context: StepContext,
  workload: Workload,
  replica: Pick<Replica, "id" | "host" | "function">,
): Promise<void> {
  const path = workload.hooks.afterMove;
  if (path === undefined || replica.function !== undefined) return;
  await context.effect("after-move", { host: replica.host }, (call) =>
    context.platform.workloads.hook(replica.host, replica.id, path, call),
  );
}
