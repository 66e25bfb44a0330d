/**
 * A fleet in memory: the whole Platform of providers/drivers/contracts.ts on a virtual clock, with scripted faults and
 * a log of what really happened. The core of tests and of simulation.
 *
 * Not for: performance numbers; its times are made up.
 */
import type { Fleet, Resources, Workload } from "../../sdk/model";
import type { Platform } from "../drivers/contracts";
import type { Observations, PlatformState } from "../guard/observations";
import { CallGate } from "./call-gate";
import type { CallCounts } from "./call-gate";
import type { Fault } from "./faults";
import type { FleetEvent, FleetHappening } from "./fleet-events";
import { createObservations } from "./fleet-observations";
import type { MemoryFleetSpec } from "./fleet-spec";
import { FleetState } from "./fleet-state";
import type { HostRecord } from "./fleet-records";
import { createMemoryFunctions, renderEndpoint } from "./memory-functions";
import { createMemoryCapacity, createMemoryHosts } from "./memory-hosts";
import { createMemoryTraffic, renderService } from "./memory-traffic";
import { createMemoryWorkloads } from "./memory-workloads";
import { createRandom } from "./random";
import { bindToProcess } from "./simulated-process";
import type { SimulatedProcess } from "./simulated-process";
import type { VirtualClock } from "./virtual-clock";

/** Kinds of events that are harm done. */
const HARM: ReadonlySet<FleetHappening["kind"]> = new Set([
  "writes-lost",
  "dual-writers",
  "requests-failed",
  "double-effect",
  "overload",
  "function-overload",
]);

/** An in-memory platform and what a test can do to it. */
export interface MemoryFleet {
  readonly platform: Platform;
  /** The platform as a process sees it: it goes dead with the process. */
  asProcess(owner: SimulatedProcess): Platform;
  /** Everything that happened so far, oldest first. */
  readonly events: readonly FleetEvent[];
  /** Calls by name; a preview must make no mutation. */
  readonly calls: CallCounts;
  /** Scripts a fault of a call. */
  inject(fault: Fault): void;
  /** Takes a host's power away now; it comes back after `backAfterMs`, empty, or never. */
  killHost(host: string, backAfterMs?: number): void;
  /** The host's agent does not answer for a time; its workloads go on. */
  killAgent(host: string, backAfterMs: number): void;
  /** Makes a copy unhealthy or healthy. */
  setHealth(replica: string, isHealthy: boolean): void;
  /** Lets a copy's health change each `everyMs`, `times` times. */
  flapHealth(replica: string, everyMs: number, times: number): void;
  /** Puts a foreign owner's cordon mark on a host. */
  markForeign(host: string, owner: string, forMs: number): void;
  /** What the `version` probe prints on each host. */
  versions(): Readonly<Record<string, string>>;
  /** Where the copies of each workload run, sorted. */
  placements(): Readonly<Record<string, readonly string[]>>;
  /** Acknowledged writes that the current writer of an exclusive workload lacks. */
  lostWrites(workload: string): number;
  /** Writes acknowledged so far by a service. */
  acknowledgedWrites(service: string): number;
  /** The fleet as discovery would see it now, joined with policy. */
  observeFleet(workloads: readonly Workload[], share?: { readonly cpu: number; readonly memory: number }): Fleet;
  /** Everything that the independent checker needs to know of the time until now. */
  observations(): Observations;
  /** What went wrong in a way that no run may cause: lost writes, two writers, failed requests, things done twice. */
  harm(): readonly FleetEvent[];
  /** CPU in use on each host now. */
  cpuByHost(): Readonly<Record<string, number>>;
  /** Sum of the capacity of hosts that are ready. */
  readyCapacity(): Resources;
}

/**
 * Creates a fleet in its initial state.
 * @param seed of the jitter of calls; the same seed and the same calls give the same events
 * @throws RangeError when a workload names a host that does not exist
 */
export function createMemoryFleet(spec: MemoryFleetSpec, clock: VirtualClock, seed: number): MemoryFleet {
  const state = new FleetState(spec, clock);
  const gate = new CallGate(state, createRandom(seed));
  const platform: Platform = {
    name: spec.name,
    hosts: createMemoryHosts(state, gate),
    workloads: createMemoryWorkloads(state, gate),
    traffic: createMemoryTraffic(state, gate),
    capacity: createMemoryCapacity(state, gate),
    ...(state.functions.size > 0 ? { functions: createMemoryFunctions(state, gate) } : {}),
    recorder: {
      trafficSince: (sinceMs, signal) =>
        gate.read({ call: "recorder.trafficSince", subjects: ["switch"] }, signal, () =>
          state.load.trafficSince(sinceMs),
        ),
    },
    singleMachine: true,
    close: () => Promise.resolve(),
  };

  const first = observeState(state);

  const hostOf = (id: string): HostRecord => {
    const host = state.hosts.get(id);
    if (!host) throw new RangeError(`there is no host ${id}`);
    return host;
  };
  const setHealth = (replica: string, isHealthy: boolean): void => {
    state.change(() => {
      for (const copy of state.allCopies()) {
        if (copy.spec.replica === replica) state.setReplicaState(copy, isHealthy ? "healthy" : "unhealthy");
      }
    });
  };

  return {
    platform,
    asProcess: (owner) => bindToProcess(platform, owner),
    get events() {
      state.load.settle();
      return state.events;
    },
    get calls() {
      return gate.counts;
    },
    inject: (fault) => {
      gate.faults.add(fault);
    },
    killHost: (id, backAfterMs) => {
      const host = hostOf(id);
      state.change(() => {
        state.powerOff(host, true);
      });
      if (backAfterMs !== undefined) {
        state.changeAfter(backAfterMs, () => {
          state.boot(host, true);
        });
      }
    },
    killAgent: (id, backAfterMs) => {
      const host = hostOf(id);
      host.isAgentUp = false;
      state.changeAfter(backAfterMs, () => {
        host.isAgentUp = true;
      });
    },
    setHealth,
    flapHealth: (replica, everyMs, times) => {
      for (let turn = 0; turn < times; turn += 1) {
        clock.after(everyMs * (turn + 1), () => {
          setHealth(replica, turn % 2 === 1);
        });
      }
    },
    markForeign: (id, owner, forMs) => {
      hostOf(id).cordon = { owner, expiresAt: clock.now() + forMs };
    },
    versions: () => Object.fromEntries([...state.hosts.values()].map((host) => [host.spec.id, host.version])),
    placements: () =>
      Object.fromEntries(
        [...state.workloads.keys()].map((name) => [
          name,
          state
            .allCopies()
            .filter((copy) => copy.workload.name === name)
            .map((copy) => copy.host)
            .sort(),
        ]),
      ),
    lostWrites: (workload) => state.load.countLostWrites(workload),
    acknowledgedWrites: (service) => state.load.countAcknowledged(service),
    observeFleet: (workloads, share = { cpu: 1, memory: 1 }) => observeFleet(state, workloads, share),
    observations: () => {
      state.load.settle();
      return createObservations(
        state.events,
        first,
        observeState(state),
        (service) => state.services.get(service)?.workload.name ?? service,
      );
    },
    harm: () => {
      state.load.settle();
      return state.events.filter((event) => HARM.has(event.kind));
    },
    cpuByHost: () => Object.fromEntries(state.load.cpuByHost(clock.now())),
    readyCapacity: () => {
      const ready = [...state.hosts.values()].filter((host) => state.isReachable(host));
      return {
        cpuMillis: ready.reduce((sum, host) => sum + host.spec.capacity.cpuMillis, 0),
        memoryBytes: ready.reduce((sum, host) => sum + host.spec.capacity.memoryBytes, 0),
      };
    },
  };
}

/** The platform as it is, with what the `version` probe prints. */
function observeState(state: FleetState): PlatformState {
  return {
    atMs: state.clock.now(),
    hosts: [...state.hosts.values()].map((host) => state.renderHost(host)),
    replicas: state.allCopies().map((copy) => state.renderReplica(copy)),
    services: [...state.services.values()].map((service) => renderService(state, service)),
    ...(state.functions.size > 0 ? { endpoints: [...state.endpoints.values()].map(renderEndpoint) } : {}),
    probes: Object.fromEntries([...state.hosts.values()].map((host) => [host.spec.id, host.version])),
  };
}

function observeFleet(
  state: FleetState,
  workloads: readonly Workload[],
  share: { readonly cpu: number; readonly memory: number },
): Fleet {
  const { atMs, hosts, replicas, services, endpoints } = observeState(state);
  const island = workloads[0]?.island ?? "island";
  return {
    observedAt: atMs,
    islands: [{ name: island, hosts: hosts.map((host) => host.id), share }],
    hosts,
    workloads,
    replicas,
    services,
    refusesPaths: true,
    ...(endpoints ? { functions: [...state.functions.keys()].sort(), endpoints } : {}),
  };
}
