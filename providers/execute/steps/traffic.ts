/**
 * Giving traffic to a copy and taking it away, as steps and their undo need it.
 *
 * Invariants
 * 1. Traffic is only taken from a serving copy through the budget gate.
 * 2. A copy that was taken out of traffic and still runs serves again at once where too few are left: others may die
 *    right after the look that let it go.
 */
import { DriverError } from "../../../sdk/model";
import type { HealthCheck, Replica, Workload } from "../../../sdk/model";
import { listEndpoints } from "../serving";
import { requiredCopies } from "../budget-gate";
import type { StepContext } from "../step";
import { findBackend, findReplica, findService } from "./lookup";

/** Weight of a copy whose siblings tell none. */
const DEFAULT_WEIGHT = 1;
const LOOK_AGAIN_MS = 50;
/** For draining the backend of a copy that has ended: nothing will be found healthy there. */
const UNKNOWN_HEALTH: HealthCheck = { path: "/", intervalMs: 1000, timeoutMs: 1000 };

/** The weight that a copy's siblings have: an even share. */
export async function evenWeight(context: StepContext, workload: Workload): Promise<number> {
  const service = await findService(context, workload);
  return Math.max(DEFAULT_WEIGHT, ...(service?.backends.map((backend) => backend.weight) ?? []));
}

/** Adds a replica as a backend, or changes its weight, at the address where it serves now. */
export async function setWeight(
  context: StepContext,
  workload: Workload,
  replica: string,
  weight: number,
  name = "set-backend",
  closing: { readonly closeUpgradesAt?: number } = {},
): Promise<void> {
  const { service } = workload;
  if (service === undefined) return;
  const copy = await findReplica(context, replica);
  // A copy that has ended is still drained at the switch; one that is to serve must be there.
  const known = weight === 0 ? await findBackend(context, workload, replica) : undefined;
  const address = copy?.address ?? known?.address;
  if (address === undefined) {
    if (weight === 0) return;
    throw new DriverError("not-found", replica, "the copy that is to serve is not there");
  }
  const health = await healthOf(context, workload, copy);
  await context.effect(name, "run", (call) =>
    context.platform.traffic.setBackend(service, { replica, address, weight, health, ...closing }, call),
  );
}

/** Takes the backend out of the switch; one that is not there is success. */
export async function removeBackend(
  context: StepContext,
  workload: Workload,
  replica: string,
  name = "remove-backend",
): Promise<void> {
  const { service } = workload;
  if (service === undefined) return;
  if ((await findBackend(context, workload, replica)) === undefined) return;
  await context.effect(name, "run", (call) => context.platform.traffic.removeBackend(service, replica, call));
}

/** Waits until the switch finds the backend healthy. @throws DriverError timeout */
export async function waitForBackend(context: StepContext, workload: Workload, replica: string): Promise<void> {
  if (workload.service === undefined) return;
  while ((await findBackend(context, workload, replica))?.healthy !== true) {
    if (context.clock.now() >= context.deadlineAt) {
      throw new DriverError("timeout", replica, "the switch does not find it healthy");
    }
    await context.wait(LOOK_AGAIN_MS);
  }
}

/**
 * Takes a serving replica out of traffic through the budget gate and waits for its requests. Upgraded connections get
 * half of the time that is left then; the switch closes those that are still open. Where too few copies serve
 * meanwhile, it serves again and waits for the budget anew.
 * @param giveUpAt wall time in ms
 * @returns how many upgraded connections had to be closed
 * @throws DriverError refused by the budget; timeout when requests stay under way
 */
export async function drainBackend(
  context: StepContext,
  workload: Workload,
  replica: string,
  giveUpAt: number,
): Promise<{ readonly closedUpgrades: number }> {
  for (let name = "drain"; ; name = `drain-${String(context.clock.now())}`) {
    await context.gate.pass(context, workload, [replica], giveUpAt, () => {
      const now = context.clock.now();
      const closeUpgradesAt = now + Math.max(0, Math.floor((giveUpAt - now) / 2));
      return setWeight(context, workload, replica, 0, name, { closeUpgradesAt });
    });
    const drained = await waitForRequests(context, workload, replica, giveUpAt);
    if (drained) return drained;
    await serveAgain(context, workload, replica);
    if (context.clock.now() >= giveUpAt) {
      throw new DriverError("refused", workload.name, `too few copies serve whenever ${replica} is drained`, {
        remedy: `look why copies of ${workload.name} come and go, or raise budget.maxUnavailable`,
      });
    }
  }
}

/**
 * Gives a copy its share of traffic again where it runs, is healthy and has none; nothing else is begun until the
 * switch finds it healthy.
 */
export async function serveAgain(context: StepContext, workload: Workload, replica: string): Promise<void> {
  const backend = await findBackend(context, workload, replica);
  const copy = await findReplica(context, replica);
  if (backend?.weight !== 0 || copy?.state !== "healthy") return;
  // The time makes it a call of its own: it may happen more than once in a step, and a repeated key changes nothing.
  const name = `serve-again-${String(context.clock.now())}`;
  await setWeight(context, workload, replica, await evenWeight(context, workload), name);
  await waitForBackend(context, workload, replica);
}

/**
 * Waits until a drained copy has answered; undefined when too few copies serve before that.
 * @throws DriverError timeout
 */
async function waitForRequests(
  context: StepContext,
  workload: Workload,
  replica: string,
  giveUpAt: number,
): Promise<{ readonly closedUpgrades: number } | undefined> {
  for (;;) {
    const service = await findService(context, workload);
    const backend = service?.backends.find((candidate) => candidate.replica === replica);
    if (!backend || backend.inFlight === 0) return { closedUpgrades: backend?.closedUpgrades ?? 0 };
    // An exclusive one is paused by its hand-over, not by a copy that is missing.
    const serving = service?.backends.filter(({ healthy, weight }) => healthy && weight > 0).length ?? 0;
    if (!workload.exclusive && serving < requiredCopies(workload)) return undefined;
    if (context.clock.now() >= giveUpAt) {
      throw new DriverError("timeout", replica, `${String(backend.inFlight)} requests are still under way`);
    }
    await context.wait(LOOK_AGAIN_MS);
  }
}

async function healthOf(context: StepContext, workload: Workload, copy: Replica | undefined): Promise<HealthCheck> {
  if (!copy) return workload.process?.health ?? UNKNOWN_HEALTH;
  if (copy.function !== undefined) {
    const endpoints = await context.read((signal) => listEndpoints(context.platform, signal));
    return endpoints.find(({ id }) => id === copy.id)?.health ?? UNKNOWN_HEALTH;
  }
  if (workload.process) return workload.process.health;
  const spec = await context.read((signal) => context.platform.workloads.describe(copy.host, copy.id, signal));
  return spec.process.health;
}
