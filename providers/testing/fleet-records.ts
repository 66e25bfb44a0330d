/**
 * The records of which an in-memory fleet's state consists, and how they begin and end.
 *
 * Not for: changing them; everything goes through FleetState.change.
 */
import { DriverError } from "../../sdk/model";
import type { Mark, ReplacedMachine, ReplicaState, Service, SharesInForce } from "../../sdk/model";
import type { HandOverToken, Operation, StartSpec } from "../drivers/contracts";
import type { ResolvedFunctionSpec, ResolvedHostSpec, ResolvedWorkloadSpec } from "./fleet-spec";
import { WriteLog } from "./write-log";

/** A simulated host. */
export interface HostRecord {
  readonly spec: ResolvedHostSpec;
  power: "on" | "off" | "booting";
  isAgentUp: boolean;
  boots: number;
  version: string;
  /** Takes effect at the next boot. */
  pendingVersion: string | undefined;
  cordon: Mark | undefined;
  reservation: Mark | undefined;
  shares: SharesInForce | undefined;
  readonly operations: Map<string, MutableOperation>;
  /** The command whose operation runs. */
  running: { readonly key: string; readonly command: string; cancel: () => void } | undefined;
  /** Last thing done by commands or reboots, for finding what is done twice. */
  lastDone: string | undefined;
  /** State of exclusive workloads on the host's disk: it survives the process. */
  disk: Map<string, WriteLog>;
  /** The machine whose place the present one took. */
  replaced: ReplacedRecord | undefined;
  nextPort: number;
}

/** A machine that is kept out of service. */
export interface ReplacedRecord extends ReplacedMachine {
  readonly version: string;
  readonly pendingVersion: string | undefined;
  readonly disk: Map<string, WriteLog>;
}

/** An operation under way. */
export type MutableOperation = { -readonly [K in keyof Operation]: Operation[K] };

/** A simulated copy. */
export interface ReplicaRecord {
  readonly spec: StartSpec;
  readonly workload: ResolvedWorkloadSpec;
  readonly host: string;
  readonly address: string;
  /** When it ends by itself; absent: it does not. */
  readonly endsAtMs?: number;
  state: ReplicaState;
  /** Asked to stop: finishes what it has, takes nothing new. */
  isStopping: boolean;
  log: WriteLog;
  token: HandOverToken | undefined;
}

/** A deployed function: what stands in for a copy, with when it is warm. */
export interface EndpointRecord {
  readonly spec: ResolvedFunctionSpec;
  readonly owner: string;
  readonly copy: ReplicaRecord;
  readonly warmAtMs: number;
}

/** A backend at the switch. */
export interface BackendRecord {
  readonly replica: string;
  readonly address: string;
  weight: number;
  /** Wall time at which it began to get requests. */
  servingSinceMs: number;
  /** Rate of requests it had when it stopped getting new ones, and when that was. */
  drained: { readonly atMs: number; readonly perSecond: number } | undefined;
}

/** Requests held back by a hand-over. */
export interface ParkRecord {
  readonly token: string;
  readonly expiresAt: number;
  readonly sinceMs: number;
  waiting: number;
  /** The hand-over is over; requests only wait until the owner is active. */
  isEnding: boolean;
}

/** What became of a hand-over at the switch. */
export interface HandOverRecord {
  readonly token: string;
  state: "parked" | "cut-over" | "ended" | "reverted";
  result: { readonly pauseMs: number; readonly parkedRequests: number } | undefined;
}

/** A service at the simulated switch. */
export interface ServiceRecord {
  readonly name: string;
  readonly workload: ResolvedWorkloadSpec;
  owner: string | undefined;
  readonly backends: Map<string, BackendRecord>;
  park: ParkRecord | undefined;
  refused: NonNullable<Service["refused"]> | undefined;
  readonly handOvers: Map<string, HandOverRecord>;
}

/** Creates the record of a copy on a host, on a port of its own. */
export function createCopy(
  host: HostRecord,
  workload: ResolvedWorkloadSpec,
  spec: StartSpec,
  state: ReplicaState,
): ReplicaRecord {
  host.nextPort += 1;
  return {
    spec,
    workload,
    host: host.spec.id,
    address: `${host.spec.id}:${String(host.nextPort)}`,
    state,
    isStopping: false,
    log: spec.standby ? WriteLog.empty : (host.disk.get(workload.name) ?? WriteLog.empty),
    token: undefined,
  };
}

/** Ends an operation; without a reason it succeeded. */
export function endOperation(
  operation: MutableOperation,
  atMs: number,
  end: { readonly reason?: string; readonly exitCode?: number; readonly output?: string },
): void {
  operation.state = end.reason === undefined ? "done" : "failed";
  operation.endedAt = atMs;
  if (end.reason !== undefined) operation.reason = end.reason;
  if (end.exitCode !== undefined) operation.exitCode = end.exitCode;
  if (end.output !== undefined) operation.output = end.output;
}

/** Creates the record of a host in its initial state. */
export function createHost(spec: ResolvedHostSpec): HostRecord {
  return {
    spec,
    power: spec.role === "standby" ? "off" : "on",
    isAgentUp: true,
    boots: 1,
    version: spec.version,
    pendingVersion: undefined,
    cordon: undefined,
    reservation: undefined,
    shares: undefined,
    operations: new Map(),
    running: undefined,
    lastDone: undefined,
    disk: new Map(),
    replaced: undefined,
    nextPort: 20_000,
  };
}

/** A host by its id. @throws DriverError not-found */
export function findHost(hosts: ReadonlyMap<string, HostRecord>, id: string): HostRecord {
  const host = hosts.get(id);
  if (!host) throw new DriverError("not-found", id, "there is no such host");
  return host;
}

/** Id of a host's present boot. */
export function bootIdOf({ spec, boots }: HostRecord): string {
  return `${spec.id}-boot-${String(boots)}`;
}

/** The spec of a copy that runs at the beginning. */
export function createStartSpec(workload: ResolvedWorkloadSpec, replica: string): StartSpec {
  return {
    replica,
    workload: workload.name,
    process: { command: [workload.name], port: 0, health: workload.health, environment: {} },
    request: workload.request,
    standby: false,
  };
}
