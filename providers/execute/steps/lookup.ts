/**
 * Reading the live platform for steps: hosts, replicas, backends, probes.
 *
 * Not for: effects (traffic.ts, copies.ts and the steps).
 */
import { DriverError } from "../../../sdk/model";
import type { Backend, Host, Replica, Service, Workload } from "../../../sdk/model";
import { listServing } from "../serving";
import { driverErrorCode } from "../calls";
import type { CallBounds, StepContext } from "../step";

/**
 * A host as it is now. What is listed of a host that does not answer lacks its mark and boot id, which must not be
 * taken for a host without them: it is asked again.
 * @throws DriverError unreachable when it does not answer in time
 */
export function observeHost(context: StepContext, host: string): Promise<Host> {
  return context.read(async (signal) => {
    const observed = await context.platform.hosts.observe(host, signal);
    if (observed.state !== "unreachable") return observed;
    throw new DriverError("unreachable", host, `does not answer: ${observed.stateReason ?? "no reason is known"}`);
  });
}

/** A workload's approved policy. @throws DriverError not-found */
export function workloadOf(context: StepContext, name: string): Workload {
  const workload = context.workloads.get(name);
  if (!workload) throw new DriverError("not-found", name, "the plan moves a workload that is not in the run's bundle");
  return workload;
}

/**
 * A replica, or an endpoint of a function, as it is now; undefined when it does not exist or is stopped. That a replica is not listed says nothing
 * while its host does not answer, or has not answered for the moment of the listing: only the host itself can say that
 * it does not have it.
 * @throws DriverError unreachable when the host does not answer in time
 */
export function findReplica(context: StepContext, id: string, bounds?: CallBounds): Promise<Replica | undefined> {
  const { hosts } = context.platform;
  return context.read(async (signal) => {
    const listed = (await listServing(context.platform, signal)).find((replica) => replica.id === id);
    if (listed) return listed.state === "stopped" ? undefined : listed;
    const host = context.hostOf(id);
    if (host === undefined) return undefined;
    const { state } = await hosts.observe(host, signal);
    if (state === "stopped" || (state === "ready" && !(await hasReplica(context, host, id, signal)))) return undefined;
    throw new DriverError("unreachable", host, `whether it runs ${id} cannot be told`);
  }, bounds);
}

/** True when a host says that it has a replica, in whatever state. @throws DriverError when it says nothing */
async function hasReplica({ platform }: StepContext, host: string, id: string, signal: AbortSignal): Promise<boolean> {
  try {
    await platform.workloads.describe(host, id, signal);
    return true;
  } catch (error) {
    if (driverErrorCode(error) === "not-found") return false;
    throw error;
  }
}

/** A workload's service as the switch has it now; undefined when the workload has none. */
export async function findService(
  context: StepContext,
  workload: Workload,
  bounds?: CallBounds,
): Promise<Service | undefined> {
  if (workload.service === undefined) return undefined;
  const services = await context.read((signal) => context.platform.traffic.observe(signal), bounds);
  return services.find((service) => service.name === workload.service);
}

/** A replica's backend as the switch has it now. */
export async function findBackend(
  context: StepContext,
  workload: Workload,
  replica: string,
): Promise<Backend | undefined> {
  const service = await findService(context, workload);
  return service?.backends.find((backend) => backend.replica === replica);
}

/** What the update's probe prints on a host; null when it fails there, which is a version like any other. */
export async function probeOutput(
  context: StepContext,
  host: string,
): Promise<{ output: string | null; matches: boolean }> {
  const { probe, expect } = context.spec.update;
  try {
    return await context.read((signal) => context.platform.hosts.probe(host, probe, expect, signal));
  } catch (error) {
    if (driverErrorCode(error) === "failed") return { output: null, matches: false };
    throw error;
  }
}
