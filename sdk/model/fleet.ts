/**
 * The fleet as observed at one moment: hosts, workloads (policy joined with what runs), replicas, services.
 * Plain data: it crosses processes as JSON and is stored in the bundle of a run.
 *
 * Not for: demand over time (series.ts, forecast.ts) and decisions (plan.ts).
 */
import type { DeviceRequest, HostDevices } from "./devices";
import type { CallReach, HostRule, MoveReach, SpreadRule } from "./host-rule";

/** An amount of each resource. All values are >= 0. */
export interface Resources {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
}

/** A temporary mark on a host (cordon, reservation): who put it, and when it lapses. */
export interface Mark {
  /** Run id, or a foreign owner such as `kured`. */
  readonly owner: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** A machine that runs replicas. */
export interface Host {
  readonly id: string;
  readonly zone: string;
  /** The zone's name where racks are not known. */
  readonly rack: string;
  readonly capacity: Resources;
  /** Such as `security: restricted`; what rules ask for. Absent: none. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Its devices by kind, such as `gpu`. Absent: none. */
  readonly devices?: Readonly<Record<string, HostDevices>>;
  /** Of each island's part of it; the stricter one of this and the island's holds. */
  readonly overcommit?: Overcommit;
  /** `standby`: part of the reserve, runs no work until reserved. */
  readonly role: "member" | "standby";
  /** `stopped` is normal for a standby that is not reserved. */
  readonly state: "ready" | "stopped" | "unreachable";
  /** Why it cannot be reached; only with `unreachable`. */
  readonly stateReason?: string;
  readonly cordoned?: Mark;
  /** Set on a standby host while a run holds it. */
  readonly reserved?: Mark;
  /** Absent: what the islands declare holds. */
  readonly shares?: SharesInForce;
  /** Changes at every restart of the host, and with the machine. */
  readonly bootId: string;
  /** Result of the update's probe on this host, where it was run. */
  readonly probe?: ProbeResult;
  /** What its network link carries each way; absent: no bound is known. */
  readonly linkBytesPerSecond?: number;
  /** What its driver can do beside moving copies and running commands. Absent: nothing. */
  readonly offers?: readonly HostOffer[];
  /** Why no command may change it, in its driver's words, such as a read-only image; probes and checks work. Absent: commands may. */
  readonly immutable?: string;
  /** The machine whose place another one took, kept until that one has proven itself. Absent: none is kept. */
  readonly replaced?: ReplacedMachine;
}

/** A machine that is out of service and can be put back in its place. */
export interface ReplacedMachine {
  /** Run that replaced it. */
  readonly owner: string;
  /** Its last one. */
  readonly bootId: string;
}

/**
 * `detached`: copies run on in memory and cores of their own while the rest of the host is updated. `live-migration`:
 * copies move with their memory, while they run, to another host that offers it too. `shares`: what each island may use of
 * it can be changed while it works. `replacement`: another machine, made of an image, can take its place.
 */
export type HostOffer = "detached" | "live-migration" | "shares" | "replacement";

/** What one island may use of a host that several have. */
export interface HostShare {
  readonly island: string;
  /** Of the host's CPU, 0..1. */
  readonly cpu: number;
  /** Workloads of the island: drivers know no islands. */
  readonly workloads: readonly string[];
}

/** Shares are sums of fractions: this much above the whole host is the whole host. */
export const SHARE_TOLERANCE = 1e-9;

/** Shares that a run put in force on a host. When the mark lapses, those that the islands declare hold again. */
export interface SharesInForce extends Mark {
  /** Together at most the whole host. */
  readonly shares: readonly HostShare[];
}

/** What a probe command printed and whether it matches what is wanted. */
export interface ProbeResult {
  /** Standard output, trimmed. */
  readonly output: string;
  readonly matches: boolean;
  /** Why the probe ended with an error or could not be run; then `matches` is false. */
  readonly error?: string;
}

/** How important a workload is when there is not enough for all. */
export type Criticality = "critical" | "normal" | "sheddable";

/** A unit of work: what is declared about it joined with what was discovered. */
export interface Workload {
  readonly name: string;
  readonly island: string;
  readonly criticality: Criticality;
  /** Desired number of replicas; 1 for an exclusive workload. */
  readonly copies: number;
  /** A single writer: at most one copy is active at any moment; moved by hand-over, never by surge. */
  readonly exclusive: boolean;
  /** Longest pause of an exclusive workload in a hand-over. */
  readonly maxPauseMs: number;
  /** Replicas that may be unavailable at a moment, against `copies`, rounded down. */
  readonly maxUnavailable: number;
  /** What one replica holds at the very least. */
  readonly request: Resources;
  /** Devices that one copy holds, by kind. Absent: none. */
  readonly devices?: DeviceRequest;
  /** Hosts of its island that its copies may run on. Absent: all. */
  readonly within?: HostRule;
  /** How far a copy may move. Absent: to any host that it may run on. */
  readonly moves?: MoveReach;
  /** In how many zones or racks there is a copy at every moment; where there are fewer, they get no fewer. Absent: one. */
  readonly spread?: SpreadRule;
  /** Workloads that no host runs beside it. Absent: none. */
  readonly apartFrom?: readonly string[];
  /** Room that is kept for it beside its demand, as a share of that. Absent: none. */
  readonly boost?: number;
  /** Copies of a job end by themselves within this time, P95; they have no budget. Absent: they do not end so. */
  readonly lifetimeMs?: number;
  /** What a move of one copy carries from host to host. Absent: nothing to speak of. */
  readonly transferBytes?: number;
  /** How a copy is started; absent when it was discovered and its platform knows how. */
  readonly process?: ProcessSpec;
  /** Name of its service at the traffic switch; absent for jobs without traffic. */
  readonly service?: string;
  readonly hooks: WorkloadHooks;
  /** Workloads that it calls, as declared; absent: none are. */
  readonly dependsOn?: readonly WorkloadDependency[];
  /** How important its functions are, as declared; absent: measured. */
  readonly functions?: readonly FunctionPolicy[];
  /** A function that can serve its requests for a time. Absent: none can. */
  readonly burst?: BurstTarget;
}

/** A function of a cloud, deployed when it is needed, that serves a workload's requests as its copies do. */
export interface BurstTarget {
  /** Its name, as the platform's function driver knows it. */
  readonly function: string;
  /** Most requests per second that it takes, of all of the workload's. */
  readonly requestsPerSecond: number;
  /** Time from its deployment until it answers as fast as it should, P95. */
  readonly coldStartMs: number;
  /** CPU time of one request, ms; calls follow from it. Absent: what the forecast measured. */
  readonly cpuMsPerRequest?: number;
  /** Price of a million calls, in the currency of the fleet's prices. Absent: that of the prices. */
  readonly pricePerMillionCalls?: number;
}

/** What serves as a function's deployment for one copy: it takes that copy's part of the requests. */
export interface FunctionEndpoint {
  readonly id: string;
  readonly function: string;
  readonly workload: string;
  /** Run that deployed it. */
  readonly owner: string;
  readonly state: "deploying" | "ready" | "failed";
  /** `host:port` where it serves, once it is ready. */
  readonly address: string;
  readonly health: HealthCheck;
}

/** How important one function of a workload is. */
export interface FunctionPolicy {
  /** Beginning of its paths, such as `/reports`. */
  readonly path: string;
  readonly criticality: Criticality;
}

/** A workload that another one calls. */
export interface WorkloadDependency {
  readonly workload: string;
  /** Calls for each request of the caller; absent: measured. */
  readonly callsPerRequest?: number;
  /** Time after which a change of the caller is felt; absent: measured. */
  readonly lagMs?: number;
  /** Every copy of the caller has one of the called workload in its rack or zone. Absent: calls may go further. */
  readonly within?: CallReach;
}

/** How a workload's process is started and watched on local and Linux hosts. */
export interface ProcessSpec {
  /** Program and arguments; no shell. */
  readonly command: readonly string[];
  /** Fixed port; 0 lets the agent choose one. It is given to the process as `PORT`. */
  readonly port: number;
  readonly health: HealthCheck;
  readonly environment: Readonly<Record<string, string>>;
}

/** HTTP check: 2xx within the timeout means healthy. */
export interface HealthCheck {
  readonly path: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** Where the application takes part: paths of its own HTTP server that the agent POSTs to. */
export interface WorkloadHooks {
  /** Called before a copy is drained or handed over; an answer of 409 means "not now". */
  readonly beforeMove?: string;
  /** Called on the new copy after it serves. */
  readonly afterMove?: string;
}

/** State of one replica. `standby`: restored but not active (an exclusive copy before its cutover). */
export type ReplicaState = "starting" | "healthy" | "unhealthy" | "quiesced" | "standby" | "stopped";

/** One running copy of a workload on a host. */
export interface Replica {
  readonly id: string;
  readonly workload: string;
  readonly host: string;
  readonly state: ReplicaState;
  /** `host:port` where it serves; absent for jobs without a port. */
  readonly address?: string;
  /** How long a live migration would stop it, P95. Absent: it cannot be migrated so. */
  readonly blackoutMs?: number;
  /** When it ends by itself, ms since the epoch, P95. Absent: it does not, or nobody knows. */
  readonly endsAtMs?: number;
  /** Its threads with the share of its CPU that each used lately, the busiest first. Absent: the host reports none. */
  readonly threads?: readonly ThreadUse[];
  /** The cores that it is pinned to. Absent: it may use all of the host's, or nobody knows. */
  readonly cores?: readonly number[];
  /** Function that it is an endpoint of; it runs on no host then. Absent: it is a copy on a host. */
  readonly function?: string;
}

/** A thread of a copy. */
export interface ThreadUse {
  /** Name and number, as in `worker/4711`. */
  readonly id: string;
  /** Of the copy's CPU, 0..1. */
  readonly share: number;
}

/** One backend of a service at the traffic switch. */
export interface Backend {
  readonly replica: string;
  readonly address: string;
  /** Relative weight; 0 gets no new request. */
  readonly weight: number;
  /** Requests under way, upgraded connections among them. */
  readonly inFlight: number;
  readonly healthy: boolean;
  /** Upgraded connections that the switch closed at the end of this drain; absent: none. */
  readonly closedUpgrades?: number;
}

/** A service at the traffic switch. */
export interface Service {
  readonly name: string;
  /** An exclusive service sends to its owner only. */
  readonly exclusive: boolean;
  /** Replica that owns an exclusive service. */
  readonly owner?: string;
  readonly backends: readonly Backend[];
  /** Set while requests are parked: by which hand-over, and until when. */
  readonly parked?: { readonly token: string; readonly expiresAt: number; readonly waiting: number };
  /** Beginnings of paths whose requests are refused, by whom, sorted. Absent: none are. */
  readonly refused?: { readonly owner: string; readonly paths: readonly string[] };
  /** False where the switch's engine cannot refuse requests by their paths. Absent: as its driver says. */
  readonly refusesPaths?: boolean;
}

/**
 * How far requests may be beyond what is there: their sum, and what copies hold, at most so many times of it. What copies
 * really use stays within what is there in any case, as far as joint demand tells.
 */
export interface Overcommit {
  /** Of requested CPU. Absent: requests are not counted, joint demand alone is. */
  readonly cpu?: number;
  /** Of memory, which has no joint demand. Absent: 1. */
  readonly memory?: number;
}

/** A share of hosts for one workload family. */
export interface Island {
  readonly name: string;
  readonly hosts: readonly string[];
  /** Share of each host that is promised to the island, each 0..1. */
  readonly share: { readonly cpu: number; readonly memory: number };
  /** Hosts that it may have, those of the reserve too. Absent: all. */
  readonly within?: HostRule;
  readonly overcommit?: Overcommit;
  /** How many of its hosts may be disrupted at once; the strictest wins. Absent: as many as limits allow. */
  readonly disruptionBudgets?: readonly import("./disruption").DisruptionBudget[];
}

/** The whole fleet at one moment. Ids are unique within their list. */
export interface Fleet {
  /** Milliseconds since the epoch. */
  readonly observedAt: number;
  readonly islands: readonly Island[];
  readonly hosts: readonly Host[];
  readonly workloads: readonly Workload[];
  readonly replicas: readonly Replica[];
  readonly services: readonly Service[];
  /** Links that hosts share. Absent: none is known to be a bound. */
  readonly network?: FleetNetwork;
  /** Maintenance that providers have announced for its hosts. Absent: none is known. */
  readonly events?: readonly MaintenanceEvent[];
  /** What its resources cost. Absent: the user told none. */
  readonly prices?: import("./prices").PriceTable;
  /** True where its switch can refuse requests by their paths. Absent: it cannot. */
  readonly refusesPaths?: boolean;
  /** Functions that its drivers can deploy. Absent: no driver offers functions. */
  readonly functions?: readonly string[];
  /** What is deployed of them; absent: nothing is. */
  readonly endpoints?: readonly FunctionEndpoint[];
}

/** Maintenance announced by a provider: a reboot, a retirement, work in a zone. */
export interface MaintenanceEvent {
  readonly id: string;
  /** Hosts that it meets; those of `zones` besides. */
  readonly hosts: readonly string[];
  readonly zones: readonly string[];
  /** Milliseconds since the epoch; `endMs` is later. */
  readonly startMs: number;
  readonly endMs: number;
  readonly reason: string;
}

/** Links that hosts share. */
export interface FleetNetwork {
  /** What the uplink of one rack carries each way. */
  readonly rackBytesPerSecond?: number;
}
