/**
 * Starts the declared copies of a new local fleet, or of one that was switched off, and gives them traffic.
 *
 * Not for: fleets in use; from then on runs decide what runs where.
 *
 * Invariant: it looks before it acts, so that a fleet that was half populated is finished, not doubled.
 */
import { randomUUID } from "node:crypto";
import {
  DriverError,
  type LocalFleetSpec,
  type LocalWorkloadSpec,
  type Replica,
  type Service,
} from "../../../sdk/model";
import { createAgentConnections, type AgentConnections } from "../agent-connections";
import { systemClock, type Clock } from "../../clock";
import type { CallContext, StartSpec, TrafficDriver, WorkloadDriver } from "../contracts";
import type { Inventory } from "../inventory";
import { createSwitchTrafficDriver } from "../traffic/switch-driver";
import { createAgentWorkloadDriver } from "../workloads/agent";
import { placeCopies } from "./place-copies";

const HEALTHY_PATIENCE_MS = 60_000;
const POLL_MS = 100;

/** A copy that is to run: one that runs already, one that ended here, or a new one. */
interface WantedCopy {
  readonly replica: string;
  readonly host: string;
  readonly workload: LocalWorkloadSpec;
  readonly origin: "running" | "ended" | "new";
}

/** Starts what is missing and waits until all of it is healthy and has traffic. */
export async function populateFleet(
  spec: LocalFleetSpec,
  inventory: Inventory,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<void> {
  const agents = createAgentConnections(inventory, clock);
  const traffic = createSwitchTrafficDriver({ url: inventory.switch?.url ?? "", tls: inventory.tls });
  const workloads = createAgentWorkloadDriver(agents);
  try {
    const wanted = chooseCopies(spec, await workloads.list(signal), await traffic.observe(signal));
    await Promise.all(
      wanted
        .filter(({ origin }) => origin !== "running")
        .map(async ({ replica, host, workload, origin }) => {
          const start: StartSpec =
            origin === "ended"
              ? await workloads.describe(host, replica, signal)
              : {
                  replica,
                  workload: workload.name,
                  process: workload.process,
                  request: workload.request,
                  standby: false,
                };
          await workloads.start(host, start, await contextFor(agents, host, spec, signal));
        }),
    );
    await waitUntilHealthy(workloads, wanted, signal, clock);
    await admit(spec, wanted, await workloads.list(signal), traffic, signal);
  } finally {
    agents.close();
    traffic.close();
  }
}

/**
 * Copies that ended come back where they were, because their state lies there; of an exclusive workload the owner's.
 * New ones fill up to the declared number.
 */
function chooseCopies(
  spec: LocalFleetSpec,
  replicas: readonly Replica[],
  services: readonly Service[],
): readonly WantedCopy[] {
  const placements = placeCopies(spec);
  return spec.workloads.flatMap((workload) => {
    const owner = services.find(({ name }) => name === workload.service)?.owner;
    const existing = replicas
      .filter((replica) => replica.workload === workload.name)
      .toSorted((a, b) => rankOf(b, owner) - rankOf(a, owner))
      .slice(0, workload.copies)
      .map(({ id, host, state }): WantedCopy => {
        return { replica: id, host, workload, origin: state === "stopped" ? "ended" : "running" };
      });
    const known = new Set(replicas.map(({ id }) => id));
    const fresh = placements
      .filter((placement) => placement.workload === workload.name && !known.has(placement.replica))
      .map(({ replica, host }): WantedCopy => ({ replica, host, workload, origin: "new" }));
    return [...existing, ...fresh].slice(0, workload.copies);
  });
}

/** What runs goes before what ended, the owner's copy before all. */
function rankOf({ id, state }: Replica, owner: string | undefined): number {
  return (id === owner ? 2 : 0) + (state === "stopped" ? 0 : 1);
}

/** A fleet that starts anew acts with the host's own epoch: no run is at work, and none may be shut out. */
async function contextFor(
  agents: AgentConnections,
  host: string,
  spec: LocalFleetSpec,
  signal: AbortSignal,
): Promise<CallContext> {
  const { epoch } = await agents.read<{ readonly epoch: number | null }>(host, "fence", { resource: "host" }, signal);
  return createContext(spec, epoch ?? 0, signal);
}

function createContext(spec: LocalFleetSpec, epoch: number, signal: AbortSignal): CallContext {
  // The effects look before they act; a key is only for retries of this very call.
  return { key: `fleet/${spec.name}/${randomUUID()}`, epoch, owner: `fleet/${spec.name}`, signal };
}

async function waitUntilHealthy(
  workloads: WorkloadDriver,
  wanted: readonly WantedCopy[],
  signal: AbortSignal,
  clock: Clock,
): Promise<void> {
  const end = clock.monotonic() + HEALTHY_PATIENCE_MS;
  for (;;) {
    const states = new Map((await workloads.list(signal)).map(({ id, state }) => [id, state]));
    const waiting = wanted.filter(({ replica }) => states.get(replica) !== "healthy");
    const [first] = waiting;
    if (!first) return;
    const lost = waiting.find(({ replica }) => states.get(replica) === "stopped");
    if (lost || clock.monotonic() > end || signal.aborted) {
      const { replica, host } = lost ?? first;
      throw new DriverError("failed", replica, `does not become healthy on ${host}`, {
        remedy: `read its log below hosts/${host}/state/logs of the fleet's folder`,
      });
    }
    await clock.sleep(POLL_MS, signal);
  }
}

/** One after the other: the first backend of an exclusive service becomes its owner. */
async function admit(
  spec: LocalFleetSpec,
  wanted: readonly WantedCopy[],
  replicas: readonly Replica[],
  traffic: TrafficDriver,
  signal: AbortSignal,
): Promise<void> {
  const services = new Map((await traffic.observe(signal)).map((service) => [service.name, service]));
  for (const { replica, workload } of wanted) {
    const address = replicas.find(({ id }) => id === replica)?.address;
    if (workload.service === undefined || address === undefined) continue;
    const backend = services.get(workload.service)?.backends.find((known) => known.replica === replica);
    if (backend?.address === address && backend.weight > 0) continue;
    const admitted = { replica, address, weight: 1, health: workload.process.health };
    await traffic.setBackend(workload.service, admitted, createContext(spec, 0, signal));
  }
}
