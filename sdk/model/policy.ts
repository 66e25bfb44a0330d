/**
 * Policy: what a person declared, fully resolved to plain numbers. `HostUpdateSpec` is what travels from the
 * component to the provider; it is JSON.
 *
 * Not for: public argument types with units (sdk/components) and anything observed (fleet.ts).
 */
import type {
  BurstTarget,
  Criticality,
  FunctionPolicy,
  MaintenanceEvent,
  Overcommit,
  ProcessSpec,
  Resources,
  WorkloadDependency,
  WorkloadHooks,
} from "./fleet";
import type { DeviceRequest } from "./devices";
import type { HostRule, MoveReach, SpreadRule } from "./host-rule";
import type { UpdatePackage } from "./forecast";
import type { SignalSpec } from "./signals";
import type { ApprovalSpec, NoticeTarget, SilenceTarget, StageSpec, StopRule } from "./guard";
import type { PricesSpec } from "./prices";

/** Where the hosts of an island come from. One kind per platform. */
export type HostSource =
  | {
      readonly kind: "agents";
      /** Path of the fleet's inventory: addresses, certificates, switch, run store (see drivers/inventory.ts). */
      readonly inventory: string;
    }
  | {
      /** The in-memory fleet; tests only. */
      readonly kind: "memory";
      readonly fleet: string;
    };

/** What is declared about a workload. */
export interface WorkloadPolicy {
  readonly name: string;
  readonly criticality: Criticality;
  /** Desired number of copies; absent: as many as were discovered. */
  readonly copies?: number;
  readonly exclusive: boolean;
  readonly maxPauseMs: number;
  /** See `Workload.devices`. */
  readonly devices?: DeviceRequest;
  /** See `Workload.within`. */
  readonly within?: HostRule;
  /** See `Workload.moves`. */
  readonly moves?: MoveReach;
  /** See `Workload.spread`. */
  readonly spread?: SpreadRule;
  /** See `Workload.apartFrom`. */
  readonly apartFrom?: readonly string[];
  /** See `Workload.boost`. */
  readonly boost?: number;
  /** See `Workload.lifetimeMs`. */
  readonly lifetimeMs?: number;
  /** See `Workload.transferBytes`. */
  readonly transferBytes?: number;
  /** Absent: half of the copies, rounded down, at least 0. */
  readonly maxUnavailable?: number;
  /** Absent: what the platform reports for it. */
  readonly request?: Resources;
  readonly process?: ProcessSpec;
  readonly hooks: WorkloadHooks;
  /** Workloads that it calls; absent: none are declared. */
  readonly dependsOn?: readonly WorkloadDependency[];
  /** How important its functions are; absent: measured. */
  readonly functions?: readonly FunctionPolicy[];
  /** See `Workload.burst`. */
  readonly burst?: BurstTarget;
}

/** Where history and live metrics come from. */
export type MetricsSpec =
  | { readonly kind: "agent" }
  | { readonly kind: "recorded"; /** CSV file; format in providers/observe/recorded.ts. */ readonly file: string }
  | { readonly kind: "cloudWatch"; readonly region: string }
  | {
      readonly kind: "prometheus";
      /** Base URL of its HTTP API. Credentials come from the environment. */
      readonly url: string;
      readonly scrapeIntervalMs: number;
      /** Absent: the defaults of providers/observe/prometheus-queries.ts. */
      readonly queries?: PrometheusQueries;
    };

/** PromQL instead of the defaults; placeholders and labels as in providers/observe/prometheus-queries.ts. */
export interface PrometheusQueries {
  /** CPU of all replicas together, millicores. */
  readonly cpuMillis?: string;
  /** Memory of one replica, bytes. */
  readonly memoryBytes?: string;
  readonly requestsPerSecond?: string;
}

/** A check of the user's own, run after the update and before traffic comes back. */
export type ValidateSpec =
  | { readonly kind: "http"; readonly url: string; readonly timeoutMs: number }
  | { readonly kind: "command"; readonly command: string; readonly timeoutMs: number };

export interface IslandSpec {
  readonly name: string;
  readonly source: HostSource;
  /** Share of each host, 0..1. */
  readonly guarantee: { readonly cpu: number; readonly memory: number };
  /** Hosts of the source that it may have, those of the reserve too. Absent: all. */
  readonly within?: HostRule;
  readonly overcommit?: Overcommit;
  /** See `Island.disruptionBudgets`. */
  readonly disruptionBudgets?: readonly import("./disruption").DisruptionBudget[];
  readonly workloads: readonly WorkloadPolicy[];
  readonly metrics: MetricsSpec;
  readonly validate: readonly ValidateSpec[];
  /** What is known of the time ahead; absent: nothing. */
  readonly signals?: readonly SignalSpec[];
  /** Access log of a workload that users talk to; absent: their sessions are not followed. */
  readonly users?: { readonly accessLog: string; readonly workload: string };
}

/**
 * A calendar. Several of them compose: at any moment those with the highest precedence among the ones that have the
 * moment decide; one that closes wins over those that open, and of several limits the strictest counts.
 */
export interface WindowSpec {
  readonly name: string;
  /** Five-field cron in `timezone`; exactly one of `cron` and `rrule` is there. */
  readonly cron?: string;
  /** RFC 5545 lines, RRULE and where needed DTSTART, EXDATE, RDATE, in local times of `timezone`. */
  readonly rrule?: string;
  readonly durationMs: number;
  /** IANA name. */
  readonly timezone: string;
  /**
   * Ranges of local dates, `YYYY-MM-DD/YYYY-MM-DD`, both days included, in which this calendar says nothing: one that
   * opens does not open then.
   */
  readonly freezes: readonly string[];
  /** What its times are. Absent: `open`. */
  readonly effect?: WindowEffect;
  /** Which calendar decides where several have a moment; the highest. Absent: 0. */
  readonly precedence?: number;
  /** Absent: those of the update. */
  readonly limits?: WindowLimits;
}

/** `closed`: nothing may run in these times, unless a calendar of higher precedence opens them. */
export type WindowEffect = "open" | "closed";

/** Limits of how many hosts go at once, of an update and of windows. */
export const HOST_LIMITS = ["hostsAtOnce", "hostsPerZone", "hostsPerRack", "hostsPerIsland"] as const;

/** How far a run may go in some window; the update's own limits and budgets hold as well. */
export interface WindowLimits {
  readonly hostsAtOnce?: number;
  readonly hostsPerZone?: number;
  readonly hostsPerRack?: number;
  readonly hostsPerIsland?: number;
  /** Copies that may be unavailable, by workload. */
  readonly maxUnavailable?: Readonly<Record<string, number>>;
}

export interface PoolSpec {
  readonly name: string;
  /** Quantile of joint demand that reserve is bought for, 0.5..0.999. */
  readonly quantile: number;
  readonly maximumHosts: number;
  /** Hosts that are kept started during a run beside those that it needs. Absent: none. */
  readonly warmHosts?: number;
  /** Price of one reserved host for an hour, for the cost line; absent: unknown. */
  readonly hostHourPrice?: { readonly amount: number; readonly currency: string };
}

export interface UpdateSpec {
  /** Command whose output tells the version; it must change nothing. */
  readonly probe: string;
  /** Glob (`*`, `?`) that the probe's trimmed output must match. */
  readonly expect: string;
  /** What updates a host in place. Absent: `image` is there. With both, each host has the way that `wayOf` tells. */
  readonly command?: string;
  /** What another machine is made of that takes a host's place, as its driver names it. Absent: `command` is there. */
  readonly image?: string;
  /** Times of a replacement where they are not those of the command. */
  readonly replacement?: Partial<import("./update-way").ReplacementTimes>;
  /** Takes `command` back; of a host that is replaced the old machine is kept instead. */
  readonly undo?: string;
  readonly irreversible: boolean;
  readonly reboot: boolean;
  /** Deadline of `command` and of `undo`, or of a replacement, each. */
  readonly timeoutMs: number;
  /**
   * What of a host it disturbs: nothing that runs (a live patch), copies that have to be restarted to take it, or the
   * host as a whole. Absent: the host.
   */
  readonly disturbs?: "nothing" | "copies" | "host";
  /** What it installs; absent: not told. */
  readonly package?: UpdatePackage;
  /** Expected time of `command` or of a replacement, P95; absent: a quarter of `timeoutMs`. */
  readonly expectedMs?: number;
}

/** Where maintenance events of providers are taken from. */
export interface EventsSpec {
  /** JSON file that is read before every plan; format in providers/observe/provider-events.ts. */
  readonly file?: string;
  readonly listed: readonly MaintenanceEvent[];
}

/** How failback treats placements. */
export type FailbackPolicy = "if-better" | "origin" | "never";

export interface LimitsSpec {
  /** Hosts updated at once. */
  readonly hostsAtOnce: number;
  /** Hosts of one zone updated at once. */
  readonly hostsPerZone: number;
  /** Hosts of one rack updated at once. Absent: as many as of its zone. */
  readonly hostsPerRack?: number;
  /** Hosts of one island updated at once. Absent: as many as at all. */
  readonly hostsPerIsland?: number;
  /** Hosts in the first wave. */
  readonly canaryHosts: number;
  /** Wait after each wave in which validation must stay green. */
  readonly soakMs: number;
  /** How long a drain waits for requests under way before it gives up. */
  readonly drainMs: number;
}

/** When a unit is moved that need not be, in points of its migration score (decisions.ts). */
export interface MigrationPolicy {
  /** A unit moves only with a score above it. */
  readonly threshold: number;
  /** And with costs up to it. */
  readonly maximumCost: number;
}

/** A little more than a flexible unit has for itself, so that it moves for real contention or room alone. */
export const DEFAULT_MIGRATION: MigrationPolicy = { threshold: 12, maximumCost: 25 };

/** How load is evened out without an update. */
export interface RebalanceSpec {
  /** How far ahead load is looked at. */
  readonly horizonMs: number;
  /** Share of what an island has on a host that its load may reach, 0..1. */
  readonly target: number;
  /** Difference between the fullest and the emptiest host that is left alone, 0..1. */
  readonly tolerance: number;
  /** Moves of one run. */
  readonly maximumMoves: number;
  /** Time after a run in which none begins. */
  readonly restMs: number;
}

/**
 * The update of a rebalance: none. Its probe matches everywhere, so that no host has to be changed, and what is shared
 * with updates (probing, validation, journals) needs no second way.
 */
export const NO_UPDATE: UpdateSpec = {
  probe: "true",
  expect: "*",
  command: "true",
  irreversible: true,
  reboot: false,
  timeoutMs: 60_000,
};

/** Everything a HostUpdate declares. */
export interface HostUpdateSpec {
  readonly v: 1;
  readonly name: string;
  readonly islands: readonly IslandSpec[];
  readonly windows: readonly WindowSpec[];
  readonly pool?: PoolSpec;
  /** `NO_UPDATE` where `rebalance` is there. */
  readonly update: UpdateSpec;
  /** Present in a rebalance: its waves only move. */
  readonly rebalance?: RebalanceSpec;
  readonly limits: LimitsSpec;
  /** P(demand <= capacity at every time of the run) must be at least this, 0..1. */
  readonly confidence: number;
  readonly failback: FailbackPolicy;
  /**
   * `soonest`: as soon as a window is open. `quiet`: at the time within the opening at which the least data is moved
   * while the workloads that it belongs to are busy. Absent: soonest.
   */
  readonly timing?: "soonest" | "quiet";
  readonly whenClosed: "arm" | "skip" | "fail";
  readonly whenBlocked: "show" | "fail";
  /** What a host does to a plan whose copies find no room elsewhere: block it, or wait alone. Absent: block. */
  readonly whenStuck?: "block" | "defer";
  readonly startedBy: "up" | "runner";
  /** How long `pulumi up` stays with the run; absent: to its end. */
  readonly attachForMs?: number;
  /** Raise it to try again after `failed` or `cancelled`. */
  readonly attempt: number;
  /** Run store URL; absent: the one of the fleet's inventory. */
  readonly store?: string;
  readonly seed: number;
  /** Absent: none. */
  readonly stopRules?: readonly StopRule[];
  /** Absent: nothing has to be approved. */
  readonly approval?: ApprovalSpec;
  /** Absent: nobody is told. */
  readonly notices?: readonly NoticeTarget[];
  /** Absent: none are known. */
  readonly events?: EventsSpec;
  /** Stages before this one; absent: none. */
  readonly after?: readonly StageSpec[];
  /** Absent: no alerts are silenced. */
  readonly silences?: readonly SilenceTarget[];
  /** Absent: `DEFAULT_MIGRATION`. */
  readonly migration?: MigrationPolicy;
  /** Absent: the example prices of prices.ts. */
  readonly prices?: PricesSpec;
  /** A file that stops all disruption while it exists, besides the store's kill switch. */
  readonly killSwitchFile?: string;
}
