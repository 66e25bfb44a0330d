/**
 * Starting and stopping copies, as steps and their undo need it.
 *
 * Not for: traffic (traffic.ts) and exclusive workloads (hand-over.ts).
 */
import { CORES, DriverError } from "../../../sdk/model";
import type { Host, Replica, Workload } from "../../../sdk/model";
import type { StartSpec } from "../../drivers/contracts";
import type { StepContext, StepProgress } from "../step";
import { findReplica } from "./lookup";

/** Time a copy gets to end by itself; it has no requests left when it is asked. */
const STOP_GRACE_MS = 10_000;
const LOOK_AGAIN_MS = 100;

/**
 * The spec for one more copy: what the copy ran that it comes back for, else what its siblings run, else what was
 * declared.
 * @throws DriverError unsupported; unreachable when hosts that may run a sibling do not answer in time
 */
export async function specForCopy(
  context: StepContext,
  workload: Workload,
  copy: { readonly replica: string; readonly standby: boolean },
): Promise<StartSpec> {
  const stopped = (context.recordOfMove("stop-copy")?.prior as { readonly spec?: StartSpec | null } | undefined)?.spec;
  if (stopped) return { ...stopped, ...copy };
  const sibling = await findSibling(context, workload, copy.replica);
  const described = sibling
    ? await context.read((signal) => context.platform.workloads.describe(sibling.host, sibling.id, signal))
    : undefined;
  const cores = described?.cores ?? workload.devices?.[CORES];
  const process = described?.process ?? workload.process;
  if (!process) {
    throw new DriverError("unsupported", workload.name, "no copy runs and nothing says how to start one", {
      remedy: "declare command, port and health of the workload",
    });
  }
  return {
    replica: copy.replica,
    workload: workload.name,
    process,
    request: described?.request ?? workload.request,
    ...(cores === undefined ? {} : { cores: Math.max(1, Math.ceil(cores)) }),
    standby: copy.standby,
  };
}

/**
 * Another copy of the workload, a healthy one first. A host that does not answer may have one: until all have answered
 * before and after the listing, it is made again.
 */
function findSibling(context: StepContext, workload: Workload, replica: string): Promise<Replica | undefined> {
  const { workloads, hosts } = context.platform;
  const findSilent = async (signal: AbortSignal): Promise<Host | undefined> =>
    (await hosts.list(signal)).find(({ state }) => state === "unreachable");
  return context.read(async (signal) => {
    const silentBefore = await findSilent(signal);
    const replicas = await workloads.list(signal);
    const siblings = replicas.filter((other) => other.workload === workload.name && other.id !== replica);
    const sibling = siblings.find((other) => other.state === "healthy") ?? siblings[0];
    if (sibling || workload.process) return sibling;
    const silent = silentBefore ?? (await findSilent(signal));
    if (!silent) return undefined;
    throw new DriverError("unreachable", silent.id, `whether it runs a copy of ${workload.name} cannot be told`);
  });
}

/** How far a copy is on its way to a state. */
export async function pollCopy(
  context: StepContext,
  replica: string,
  wanted: "healthy" | "standby",
): Promise<StepProgress> {
  const copy = await findReplica(context, replica);
  if (!copy) return { state: "failed", reason: `${replica} has ended instead of becoming ${wanted}` };
  if (copy.state === wanted) return { state: "done", result: { replica, address: copy.address ?? null } };
  return { state: "running", waitsFor: `${replica} is ${copy.state}, not ${wanted}` };
}

/** Waits for a copy. @throws DriverError failed when it ends or is not there in time */
export async function waitForCopy(
  context: StepContext,
  replica: string,
  wanted: "healthy" | "standby",
): Promise<Replica> {
  for (;;) {
    const progress = await pollCopy(context, replica, wanted);
    if (progress.state === "done") break;
    if (progress.state === "failed") throw new DriverError("failed", replica, progress.reason);
    if (context.clock.now() >= context.deadlineAt) throw new DriverError("timeout", replica, progress.waitsFor);
    await context.wait(LOOK_AGAIN_MS);
  }
  const copy = await findReplica(context, replica);
  if (!copy) throw new DriverError("failed", replica, `has ended right after it was ${wanted}`);
  return copy;
}

/** Stops a copy; one that is not there is success. */
export async function stopCopy(context: StepContext, host: string, replica: string, name = "stop"): Promise<void> {
  await context.effect(name, { host }, (call) => context.platform.workloads.stop(host, replica, STOP_GRACE_MS, call));
}
