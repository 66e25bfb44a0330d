/**
 * The contracts of the drivers: hosts, workloads, traffic, capacity, functions, snapshots. Each has an in-memory fake with
 * scripted faults (providers/testing) and a shared contract test (test/drivers) that every driver passes.
 *
 * Invariants
 * 1. Every mutating call carries a `CallContext`. A repeated key answers with the recorded result and has no second
 *    effect; an epoch older than the highest seen by the host (or switch) is refused with `stale-epoch`.
 * 2. Calls that read never change anything, nor count as mutating.
 * 3. Errors are DriverError. After `unreachable` and `timeout` the effect is unknown: observe, or call again with
 *    the same key.
 * 4. Long work (`startUpdate`, `reboot`, a replacement and its way back) returns at once; `operation` tells how it stands,
 *    also after the agent was restarted.
 */
import type {
  Backend,
  FleetNetwork,
  FunctionEndpoint,
  Host,
  HostSchedule,
  Mark,
  OperationLoad,
  ProbeResult,
  ProcessSpec,
  Replica,
  Resources,
  Service,
  ServiceCalls,
  SharesInForce,
  HealthCheck,
} from "../../sdk/model";

/** What makes a mutating call safe to repeat and to fence. */
export interface CallContext {
  /** Idempotency key, unique per effect: `<run>/<step id>/<attempt of the step>/<call>`. */
  readonly key: string;
  /** Epoch of the lease on the host, or of the run for the switch and the pool. */
  readonly epoch: number;
  /** Run id; the owner of marks. */
  readonly owner: string;
  readonly signal: AbortSignal;
}

/** Long work on a host. */
export interface Operation {
  readonly key: string;
  readonly state: "running" | "done" | "failed";
  readonly exitCode?: number;
  /** Last 64 KiB of what it printed, both streams. */
  readonly output: string;
  /** Why it failed: `deadline`, `exit code 3`, `command not found`, `interrupted by a restart of the host`. */
  readonly reason?: string;
  readonly startedAt: number;
  readonly endedAt?: number;
  /** What it used of the host, once it is over; absent where nobody measured, or it was too short. */
  readonly load?: OperationLoad;
}

export interface CommandSpec {
  /** Run by `/bin/sh -c` in the host's root folder. */
  readonly command: string;
  readonly timeoutMs: number;
}

/** How a driver refuses calls of an earlier owner. */
export type Fence = "enforced" | "checked" | "none";

export interface HostDriver {
  readonly fence: Fence;
  /** All hosts of the platform, standby ones too. An unreachable host is listed as such, not left out. */
  list(signal: AbortSignal): Promise<readonly Host[]>;
  observe(host: string, signal: AbortSignal): Promise<Host>;
  /** Runs the probe and compares its trimmed output with the glob. A read. @throws DriverError failed: exit code */
  probe(host: string, command: string, expect: string, signal: AbortSignal): Promise<ProbeResult>;
  /** Runs a user's check; exit code 0 is green. A read. */
  check(
    host: string,
    command: CommandSpec,
    signal: AbortSignal,
  ): Promise<{ readonly ok: boolean; readonly output: string }>;
  /** Puts the mark or renews it. @throws DriverError conflict when another owner's mark is on it */
  cordon(host: string, mark: Mark, context: CallContext): Promise<void>;
  /** Removes this owner's mark; without one it does nothing. */
  uncordon(host: string, context: CallContext): Promise<void>;
  /** Makes `epoch` the lowest that the host accepts. */
  fenceOff(host: string, context: CallContext): Promise<void>;
  /**
   * Puts shares in force in place of those that were, whoever put them there: the host's lease says who may. Copies of the
   * named workloads use no more than their island's part of the host, all together, until the mark lapses; null ends it at
   * once. Absent: not offered; hosts that it can be used on say so (`Host.offers`).
   * @throws DriverError failed when the shares are more than the whole host
   */
  readonly setShares?: (host: string, shares: SharesInForce | null, context: CallContext) => Promise<void>;
  /** @throws DriverError unsupported where no command may change the host, which says so (`Host.immutable`) */
  startUpdate(host: string, command: CommandSpec, context: CallContext): Promise<Operation>;
  /** Restarts the host; every process on it ends. Done when it answers with another boot id. */
  reboot(host: string, context: CallContext): Promise<Operation>;
  /** Absent: not offered; hosts whose machines can be replaced say so (`Host.offers`). */
  readonly replacement?: ReplacementDriver;
  /** Undefined when the host never saw the key. */
  operation(host: string, key: string, signal: AbortSignal): Promise<Operation | undefined>;
}

/**
 * Puts another machine into a host's place. The host keeps its id, zone, rack, labels and marks; the new machine is made of
 * an image, has no copies and another boot id. The old one is stopped and kept, as `Host.replaced` tells, until it is put
 * back or ended. The platform answers for a host whose machine does not.
 */
export interface ReplacementDriver {
  /**
   * Done when the new machine answers. It may fail, or never end, with the new machine in place: `restore` then too.
   * @throws DriverError unsupported where the host does not offer it; conflict while copies run on it, or a machine that it
   *   replaced is still kept
   */
  start(host: string, spec: ReplacementSpec, context: CallContext): Promise<Operation>;
  /**
   * Ends the new machine and starts the old one, with all that was on its disks. Done when that one answers. A host of which no
   * machine is kept is success. @throws DriverError conflict while copies run on it, or another owner replaced it
   */
  restore(host: string, context: CallContext): Promise<Operation>;
  /** Ends the machine that is kept: it cannot be restored any more. Without one it does nothing. @throws DriverError conflict when another owner replaced it */
  discard(host: string, context: CallContext): Promise<void>;
}

/** The machine that is wanted. */
export interface ReplacementSpec {
  /** As the platform names it. */
  readonly image: string;
  readonly timeoutMs: number;
}

/** What to start: the same spec as its siblings. */
export interface StartSpec {
  readonly replica: string;
  readonly workload: string;
  readonly process: ProcessSpec;
  readonly request: Resources;
  /** Cores that it is to be pinned to, at least 1. Absent: it may use all of the host's. */
  readonly cores?: number;
  /** Start an exclusive copy empty and inactive; a hand-over restores and activates it. */
  readonly standby: boolean;
}

/** Identity and bounds of a hand-over; the parties left finish or revert it by themselves. */
export interface HandOverToken {
  readonly token: string;
  readonly service: string;
  /** Wall time in ms after which a party without news asks the switch who the owner is. */
  readonly deadline: number;
}

/** Reference of a state taken from a copy. */
export interface StateReference {
  readonly id: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** What a transfer may take of the links that it shares. */
export interface AllottedRate {
  /** Absent: no bound is known. */
  readonly bytesPerSecond?: number;
}

/** Copies on all hosts that answered, and those that did not. */
export interface ReplicaListing {
  readonly replicas: readonly Replica[];
  /** Hosts whose copies are not known, with the reason; those that nobody started too. */
  readonly silent: readonly { readonly host: string; readonly reason: string }[];
}

export interface WorkloadDriver {
  readonly fence: Fence;
  /** Copies on the hosts that answer. */
  list(signal: AbortSignal): Promise<readonly Replica[]>;
  /** The same, and which hosts did not answer: for whoever must not take a missing copy for a stopped one. */
  survey(signal: AbortSignal): Promise<ReplicaListing>;
  /** The spec of a running copy, so that a sibling can be started. */
  describe(host: string, replica: string, signal: AbortSignal): Promise<StartSpec>;
  /** Starts a copy; returns at once. A copy of that id that runs already is success. */
  start(host: string, spec: StartSpec, context: CallContext): Promise<Replica>;
  /** Stops a copy: asks, then kills at the grace's end. A copy that is not there is success. */
  stop(host: string, replica: string, graceMs: number, context: CallContext): Promise<void>;
  /** Calls one of the application's hooks on a copy. `notNow` when it answers 409. */
  hook(host: string, replica: string, path: string, context: CallContext): Promise<"ok" | "notNow">;
  /** Stops writes of a copy; it resumes by itself after the deadline unless the switch says it is no longer the owner. */
  quiesce(host: string, replica: string, token: HandOverToken, context: CallContext): Promise<void>;
  /** Takes the state of a quiesced copy. Large state streams; it never lies in the journal. */
  snapshot(host: string, replica: string, context: CallContext): Promise<StateReference>;
  /**
   * Puts that state into a standby copy on another host and returns the hash of what it now holds. Over the network it goes
   * at most at the rate that is allotted, where one is.
   */
  restore(
    host: string,
    replica: string,
    from: { readonly host: string; readonly replica: string; readonly state: StateReference } & AllottedRate,
    token: HandOverToken,
    context: CallContext,
  ): Promise<{ readonly sha256: string }>;
  /**
   * Moves a healthy copy with its memory to another host while it runs; it keeps its id and address. Returns when it runs
   * there, and for how long it stood still. A copy that is there already is success. When it fails the copy is where it
   * was. Its memory goes over the network at most at the rate that is allotted, where one is. Absent: not offered; hosts that it can be used between say so (`Host.offers`), and copies for how long it would
   * stop them (`Replica.blackoutMs`).
   */
  readonly migrate?: (
    host: string,
    replica: string,
    to: string,
    context: CallContext,
    rate?: AllottedRate,
  ) => Promise<{ readonly pauseMs: number }>;
  /** Makes a quiesced or standby copy active. */
  activate(host: string, replica: string, context: CallContext): Promise<void>;
}

export interface TrafficDriver {
  readonly fence: Fence;
  observe(signal: AbortSignal): Promise<readonly Service[]>;
  /**
   * Adds a backend or sets its weight; weight 0 drains: no new request, those under way go on. An upgraded connection
   * (WebSocket) is a request under way; at `closeUpgradesAt` (wall time, ms) the switch closes those that are left, and
   * `observe` tells how many.
   */
  setBackend(
    service: string,
    backend: Pick<Backend, "replica" | "address" | "weight"> & {
      readonly health: HealthCheck;
      readonly closeUpgradesAt?: number;
    },
    context: CallContext,
  ): Promise<void>;
  removeBackend(service: string, replica: string, context: CallContext): Promise<void>;
  /**
   * Closes upgraded connections of an exclusive service and holds new requests until `unpark` or the token's deadline; at the deadline the switch
   * declares the hand-over reverted unless it was cut over, and sends to the owner as soon as it is active.
   */
  park(service: string, token: HandOverToken, context: CallContext): Promise<void>;
  /** Makes another replica the owner. The point of no return. @throws DriverError expired when the token is over */
  cutOver(
    service: string,
    token: string,
    to: Pick<Backend, "replica" | "address"> & { readonly health: HealthCheck },
    context: CallContext,
  ): Promise<void>;
  /**
   * Refuses requests of a service whose paths begin so (503 with `Retry-After`), in place of what was refused before; none
   * where `paths` is empty. Those under way go on. `/reports` stands for itself and all below it. Absent: not offered.
   * @throws DriverError conflict when another owner refuses paths of it
   */
  readonly refuse?: (service: string, paths: readonly string[], context: CallContext) => Promise<void>;
  /** Ends the parking; returns how long requests were held and how many. */
  unpark(
    service: string,
    token: string,
    context: CallContext,
  ): Promise<{ readonly pauseMs: number; readonly parkedRequests: number }>;
}

export interface CapacityDriver {
  readonly fence: Fence;
  /**
   * Makes `epoch` the lowest that is accepted of this owner; once it has answered, nothing that an earlier owner called
   * has an effect any more. Drivers whose fence is enforced have it.
   */
  fenceOff?(context: CallContext): Promise<void>;
  /** Starts standby hosts and marks them as this run's. Done when they are ready. */
  reserve(hosts: readonly string[], mark: Mark, context: CallContext): Promise<void>;
  /** Stops them again. @throws DriverError conflict while a replica runs on one */
  release(hosts: readonly string[], context: CallContext): Promise<void>;
}

/** What to deploy: a function under an id of its own. */
export interface DeploySpec {
  readonly endpoint: string;
  readonly function: string;
  readonly workload: string;
}

/**
 * Functions that stand in for copies for a time. An endpoint is one deployment, with an address that the switch can send
 * to; it is deployed, called until it is warm, and removed when the copy is back.
 */
export interface FunctionDriver {
  readonly fence: Fence;
  /** As that of {@link CapacityDriver}. */
  fenceOff?(context: CallContext): Promise<void>;
  /** Names of the functions that can be deployed, sorted. */
  offered(signal: AbortSignal): Promise<readonly string[]>;
  /** All endpoints that are deployed, by whomever. */
  list(signal: AbortSignal): Promise<readonly FunctionEndpoint[]>;
  /**
   * Deploys an endpoint; returns at once, `list` tells when it is ready. One of that id that is there already is success.
   * @throws DriverError not-found where there is no such function
   */
  deploy(spec: DeploySpec, context: CallContext): Promise<void>;
  /** Calls its health path once, as the switch would: the first calls are slow. A read. `isHealthy`: it answered 2xx. */
  invoke(endpoint: string, signal: AbortSignal): Promise<{ readonly isHealthy: boolean; readonly tookMs: number }>;
  /** Removes an endpoint; requests under way there break off. One that is not there is success. */
  remove(endpoint: string, context: CallContext): Promise<void>;
}

/** Content-addressed store of snapshots. */
export interface SnapshotStore {
  put(id: string, content: AsyncIterable<Uint8Array>): Promise<StateReference>;
  get(id: string): AsyncIterable<Uint8Array>;
  list(): Promise<readonly StateReference[]>;
  delete(id: string): Promise<void>;
  /** @throws DriverError failed when content and hash differ */
  verify(reference: StateReference): Promise<void>;
}

/** What happened to traffic lately, for reports and live metrics. */
export interface TrafficRecorder {
  /** Buckets of one second per service from `sinceMs` on. */
  trafficSince(sinceMs: number, signal: AbortSignal): Promise<readonly ServiceTraffic[]>;
  /** Who called which function how often, by the minute, from `sinceMs` on. Absent: nobody counts that. */
  callsSince?(sinceMs: number, signal: AbortSignal): Promise<readonly ServiceCalls[]>;
}

export interface ServiceTraffic {
  readonly service: string;
  readonly buckets: readonly {
    readonly atMs: number;
    readonly requests: number;
    readonly failed: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
    readonly maxMs: number;
    /** Latency histogram: counts per bucket of LATENCY_BOUNDS_MS. */
    readonly histogram: readonly number[];
  }[];
}

/** Upper bounds in ms of the latency histogram; the last bucket is open. */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 25, 30, 35, 40, 50, 60, 70,
  80, 90, 100, 125, 150, 175, 200, 250, 300, 400, 500, 750, 1000, 1500, 2000, 2500, 3000, 5000, 10000, 30000,
];

/** Recent use of resources as the hosts themselves sample it: minutes, for the level of the moment. */
export interface UsageSampler {
  /** Samples of every replica on every reachable host from `sinceMs` on; a host without an answer is left out. */
  usageSince(sinceMs: number, signal: AbortSignal): Promise<readonly ReplicaUsage[]>;
}

/** Jobs that hosts start by the clock. */
export interface ScheduleReader {
  /** Of every reachable host that names files of such jobs; a host without an answer is left out. */
  schedules(signal: AbortSignal): Promise<readonly HostSchedule[]>;
}

/** Use of one replica on a regular grid; a gap is null. */
export interface ReplicaUsage {
  readonly replica: string;
  readonly workload: string;
  readonly host: string;
  /** Milliseconds since the epoch of the first interval's beginning. */
  readonly startMs: number;
  readonly stepMs: number;
  readonly cpuMillis: readonly (number | null)[];
  readonly memoryBytes: readonly (number | null)[];
  /** Read and written; absent where the host does not tell. */
  readonly diskBytesPerSecond?: readonly (number | null)[];
}

/** One platform: everything a run touches. */
export interface Platform {
  readonly name: string;
  readonly hosts: HostDriver;
  readonly workloads: WorkloadDriver;
  readonly traffic: TrafficDriver;
  readonly capacity: CapacityDriver;
  /** Absent: no function can stand in for copies. */
  readonly functions?: FunctionDriver;
  readonly recorder?: TrafficRecorder;
  readonly sampler?: UsageSampler;
  /** Absent: the platform's hosts tell of no jobs. */
  readonly schedules?: ScheduleReader;
  /** Links that its hosts share. Absent: none is known to be a bound. */
  readonly network?: FleetNetwork;
  /** Where the run store is when the user names none; absent: the platform has none. */
  readonly defaultStore?: string;
  /** True when every host is on this machine, so that a `file:` store is safe. */
  readonly singleMachine: boolean;
  close(): Promise<void>;
}
