/**
 * Giving traffic to a copy and taking it away, as steps and their undo need it.
 *
 * Invariant: traffic is only taken from a serving copy through the budget gate.
 */
import { DriverError } from "../../../sdk/model";
import type { HealthCheck, Replica, Workload } from "../../../sdk/model";
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
 * half of the time that is left then; the switch closes those that are still open.
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
  await context.gate.pass(context, workload, [replica], giveUpAt, () => {
    const now = context.clock.now();
    const closeUpgradesAt = now + Math.max(0, Math.floor((giveUpAt - now) / 2));
    return setWeight(context, workload, replica, 0, "drain", { closeUpgradesAt });
  });
  for (;;) {
    const backend = await findBackend(context, workload, replica);
    if (!backend || backend.inFlight === 0) return { closedUpgrades: backend?.closedUpgrades ?? 0 };
    if (context.clock.now() >= giveUpAt) {
      throw new DriverError("timeout", replica, `${String(backend.inFlight)} requests are still under way`);
    }
    await context.wait(LOOK_AGAIN_MS);
  }
}

async function healthOf(context: StepContext, workload: Workload, copy: Replica | undefined): Promise<HealthCheck> {
  if (workload.process) return workload.process.health;
  if (!copy) return UNKNOWN_HEALTH;
  const spec = await context.read((signal) => context.platform.workloads.describe(copy.host, copy.id, signal));
  return spec.process.health;
}
