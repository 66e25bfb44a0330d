/**
 * The gate before every disruptive call: the budget is looked up in the live platform, not in the plan, and check
 * and effect are one critical section per workload, so that two steps cannot both spend the last allowed copy.
 *
 * Not for: capacity (the planner's) and exclusive workloads, which are handed over and never counted.
 *
 * Invariants
 * 1. While the effect of one step is under way, no other step of this run passes for the same workload.
 * 2. Available = healthy and, where there is a service, a healthy backend with a weight.
 * 3. The budget of the moment counts where it is stricter than the one that the wave was planned with: a wave that is
 *    late may reach into a time with another one.
 */
import { DriverError } from "../../sdk/model";
import type { Replica, Service, Workload } from "../../sdk/model";
import { listServing } from "./serving";
import type { StepContext } from "./step";

/** Time between two looks while the budget does not allow the step. */
const LOOK_AGAIN_MS = 1_000;

/** What can be seen of replicas and their traffic at one moment. */
export interface Serving {
  readonly replicas: readonly Replica[];
  readonly services: readonly Service[];
}

/** One look at all replicas and services. */
export async function observeServing(context: StepContext): Promise<Serving> {
  const { platform } = context;
  const [replicas, services] = await Promise.all([
    context.read((signal) => listServing(platform, signal)),
    context.read((signal) => platform.traffic.observe(signal)),
  ]);
  return { replicas, services };
}

/** Ids of the replicas of a workload that serve now, sorted. */
export function availableReplicas(workload: Workload, serving: Serving): readonly string[] {
  const service = serving.services.find((candidate) => candidate.name === workload.service);
  return serving.replicas
    .filter((replica) => replica.workload === workload.name && replica.state === "healthy")
    .filter((replica) => {
      if (workload.service === undefined) return true;
      const backend = service?.backends.find((candidate) => candidate.replica === replica.id);
      return backend !== undefined && backend.healthy && backend.weight > 0;
    })
    .map((replica) => replica.id)
    .sort();
}

/** Copies of a workload that must serve at every moment. */
export function requiredCopies(workload: Workload): number {
  return Math.max(0, workload.copies - workload.maxUnavailable);
}

/** Checks budgets against the live platform; one for the whole run. */
export class BudgetGate {
  private readonly tails = new Map<string, Promise<void>>();

  /** @param asOfNow a workload with the budget of the moment. @default its own at any time */
  constructor(private readonly asOfNow: (workload: Workload) => Workload = (workload) => workload) {}

  /**
   * Waits until the budget lets these replicas of one workload go, then makes the effect.
   * @param giveUpAt wall time in ms until when to wait for the budget
   * @param whenShort done once, before the wait, where the budget does not let them go
   * @throws DriverError refused when the budget does not allow it in time; InterruptedError when told to stop before
   */
  async pass<T>(
    context: StepContext,
    workload: Workload,
    leaving: readonly string[],
    giveUpAt: number,
    effect: () => Promise<T>,
    whenShort: () => Promise<void> = () => Promise.resolve(),
  ): Promise<T> {
    if (workload.exclusive) return effect();
    const previous = this.tails.get(workload.name) ?? Promise.resolve();
    let leave = (): void => undefined;
    const turn = new Promise<void>((resolve) => {
      leave = resolve;
    });
    this.tails.set(
      workload.name,
      previous.then(() => turn),
    );
    await previous;
    try {
      await this.waitForBudget(context, workload, leaving, giveUpAt, whenShort);
      return await effect();
    } finally {
      leave();
    }
  }

  private async waitForBudget(
    context: StepContext,
    workload: Workload,
    leaving: readonly string[],
    giveUpAt: number,
    whenShort: () => Promise<void>,
  ): Promise<void> {
    for (let looks = 1; ; looks++) {
      await context.throwIfStopped();
      const required = Math.max(requiredCopies(workload), requiredCopies(this.asOfNow(workload)));
      const available = availableReplicas(workload, await observeServing(context));
      const left = available.filter((replica) => !leaving.includes(replica)).length;
      if (left >= required) return;
      if (looks === 1) await whenShort();
      if (context.clock.now() + LOOK_AGAIN_MS > giveUpAt) {
        throw new DriverError(
          "refused",
          workload.name,
          `the budget does not let ${leaving.join(", ")} go: ${String(left)} of ${String(workload.copies)} copies would serve, ` +
            `at least ${String(required)} must`,
          { remedy: `bring the missing copies of ${workload.name} back, or raise budget.maxUnavailable` },
        );
      }
      await context.wait(LOOK_AGAIN_MS);
    }
  }
}
