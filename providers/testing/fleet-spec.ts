/**
 * What an in-memory fleet is made of: hosts, workloads with their load, and what commands do on a host.
 *
 * Not for: policy. A fleet knows nothing of updates, budgets or plans.
 */
import type { HealthCheck, HostDevices, HostOffer, HostShare, Resources } from "../../sdk/model";

/** A simulated machine. */
export interface MemoryHostSpec {
  readonly id: string;
  readonly zone: string;
  /** @default the zone */
  readonly rack?: string;
  readonly capacity: Resources;
  /** `standby` hosts begin stopped. @default "member" */
  readonly role?: "member" | "standby";
  /** What the `version` probe prints. @default "v1" */
  readonly version?: string;
  /** Time of a boot, by a reboot or a reservation. @default 20 seconds */
  readonly bootMs?: number;
  /** What its driver offers. @default nothing */
  readonly offers?: readonly HostOffer[];
  /** Why commands may not change it; null: they may. @default null */
  readonly immutable?: string | null;
  /** @default none */
  readonly labels?: Readonly<Record<string, string>>;
  /** @default none */
  readonly devices?: Readonly<Record<string, HostDevices>>;
  /** What groups of workloads may use of it while no run says otherwise. @default all of it, each */
  readonly shares?: readonly HostShare[];
}

/** A simulated workload with its placement and load. */
export interface MemoryWorkloadSpec {
  readonly name: string;
  /** Hosts that run a copy at the beginning, one copy per mention; copy i is called `<name>-<i>`. */
  readonly hosts: readonly string[];
  /** A single writer whose state is the log of its acknowledged writes. @default false */
  readonly exclusive?: boolean;
  /** Name of its service at the switch; null for a job without traffic. @default the workload's name */
  readonly service?: string | null;
  readonly request: Resources;
  /** Time from start to healthy. @default 3 seconds */
  readonly startMs?: number;
  /** CPU of all copies together at a time. @default no load */
  readonly demandCpuMillis?: (atMs: number) => number;
  /** Requests of the service; for an exclusive one each is a write. @default 0 */
  readonly requestsPerSecond?: number;
  /** Parts of its requests and of its demand by the beginnings of their paths; refused ones cost nothing. @default none */
  readonly functions?: Readonly<Record<string, number>>;
  /** Duration of a request. @default 20 ms */
  readonly requestMs?: number;
  /** Share of requests that take `slowRequestMs`, 0..1. @default 0 */
  readonly slowShare?: number;
  /** @default 2 seconds */
  readonly slowRequestMs?: number;
  /** Time in which a quiesced copy writes its state out, and a standby copy reads it, each. @default 100 ms */
  readonly transferMs?: number;
  /** How long a live migration stops a copy; null: it cannot be migrated so. @default 100 ms */
  readonly blackoutMs?: number | null;
  /** Time after the fleet's beginning at which its first copies end by themselves; null: they do not. @default null */
  readonly endsAfterMs?: number | null;
  /** Answers of hooks by path: `notNow` this many times, then `ok`. @default always ok */
  readonly notNow?: Readonly<Record<string, number>>;
  /** @default `/healthz` each 500 ms within 250 ms */
  readonly health?: HealthCheck;
}

/** A function that can be deployed. */
export interface MemoryFunctionSpec {
  readonly name: string;
  /** Time from its deployment until it is ready, and then until it answers as it should, each. @default 1 second */
  readonly coldStartMs?: number;
  /** Requests per second that it takes; more are counted as overload. @default any number */
  readonly requestsPerSecond?: number;
}

/** What a command does on a host. */
export type CommandBehaviour =
  /** Changes what the `version` probe prints, at its end or, with `atReboot`, at the next boot. */
  | {
      readonly kind: "set-version";
      readonly version: string;
      readonly afterMs: number;
      readonly output?: string;
      readonly atReboot?: boolean;
    }
  /** Ends with an exit code that is not 0. `version` is left behind, as a half-done installation does. */
  | {
      readonly kind: "fail";
      readonly afterMs: number;
      readonly exitCode: number;
      readonly output: string;
      readonly version?: string;
    }
  /** Prints and succeeds, changing nothing. */
  | { readonly kind: "print"; readonly output: string; readonly afterMs?: number }
  /** Never ends; the deadline kills it. */
  | { readonly kind: "hang"; readonly output?: string };

/** A whole simulated platform. */
export interface MemoryFleetSpec {
  readonly name: string;
  readonly hosts: readonly MemoryHostSpec[];
  readonly workloads: readonly MemoryWorkloadSpec[];
  /** Functions that its driver can deploy. @default none, and no driver for them */
  readonly functions?: readonly MemoryFunctionSpec[];
  /** What the `version` probe prints on machines made of an image, by its name. @default none */
  readonly images?: Readonly<Record<string, string | ((replaced: CommandHost) => string)>>;
  /**
   * Commands by their exact text, besides the built-in ones: `version` prints the version, `true` succeeds, `false`
   * fails. A function sees the host's id and version. Anything else is "command not found".
   */
  readonly commands?: Readonly<Record<string, CommandBehaviour | ((host: CommandHost) => CommandBehaviour)>>;
  /** Time of every call there and back, without jitter. @default 2 ms */
  readonly latencyMs?: number;
  /** Jitter added to each call, uniform in [0, this). @default 1 ms */
  readonly jitterMs?: number;
  /** How long a caller waits before an unreachable party counts as such. @default 2 seconds */
  readonly callTimeoutMs?: number;
  /** Share of each host's CPU that the simulated workloads may use before it counts as overload. @default 1 */
  readonly share?: number;
  /** Requests that one service parks at most; more fail. @default 1,000 */
  readonly maxParked?: number;
}

/** What a command sees of its host. */
export interface CommandHost {
  readonly id: string;
  readonly version: string;
}

/** Spec of a host with every default filled in. */
export type ResolvedHostSpec = Required<MemoryHostSpec>;
/** Spec of a workload with every default filled in. */
export type ResolvedWorkloadSpec = Required<MemoryWorkloadSpec>;

/** Spec of a function with every default filled in. */
export type ResolvedFunctionSpec = Required<MemoryFunctionSpec>;

/** Fills a function's defaults in. */
export function normalizeFunctionSpec(spec: MemoryFunctionSpec): ResolvedFunctionSpec {
  return { coldStartMs: 1000, requestsPerSecond: Number.POSITIVE_INFINITY, ...spec };
}

/** Fills a host's defaults in. */
export function normalizeHostSpec(spec: MemoryHostSpec): ResolvedHostSpec {
  return {
    rack: spec.zone,
    role: "member",
    version: "v1",
    bootMs: 20_000,
    offers: [],
    immutable: null,
    labels: {},
    devices: {},
    shares: [],
    ...spec,
  };
}

/** Fills a workload's defaults in. */
export function normalizeWorkloadSpec(spec: MemoryWorkloadSpec): ResolvedWorkloadSpec {
  return {
    exclusive: false,
    service: spec.name,
    startMs: 3000,
    demandCpuMillis: () => 0,
    requestsPerSecond: 0,
    functions: {},
    requestMs: 20,
    slowShare: 0,
    slowRequestMs: 2000,
    transferMs: 100,
    blackoutMs: 100,
    endsAfterMs: null,
    notNow: {},
    health: { path: "/healthz", intervalMs: 500, timeoutMs: 250 },
    ...spec,
  };
}
