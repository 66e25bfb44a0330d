/**
 * Forecasts: quantiles of one series, and joint sample paths of the demand of all workloads.
 *
 * Not for: the models themselves (providers/forecast).
 *
 * Invariants: quantile rows never cross, hold no NaN, and are >= 0 for the non-negative units of series.ts.
 */
import type { Criticality } from "./fleet";
import type { AppliedSignal } from "./signals";

/** Quantiles of one series over a horizon. */
export interface QuantileForecast {
  readonly id: string;
  readonly startMs: number;
  readonly stepMs: number;
  /** Levels in (0, 1), ascending. */
  readonly levels: readonly number[];
  /** `rows[l][h]`: quantile `levels[l]` at step h. */
  readonly rows: readonly (readonly number[])[];
  /** Name of the model and what was repaired in the input, for people. */
  readonly model: string;
  readonly notes: readonly string[];
  /** Those of the notes that say why the forecast is weak; plans warn with them. Absent: none. */
  readonly warnings?: readonly string[];
}

/** One joint path of demand, millicores. */
export type DemandPath = readonly number[] | Float32Array | Float64Array;

/**
 * Demand of all workloads as joint sample paths: the dependence between workloads is kept, so any quantile of any
 * sum comes from summing within a path.
 */
export interface JointDemand {
  readonly startMs: number;
  readonly stepMs: number;
  /** Number of steps of each path. */
  readonly steps: number;
  /** Workload names; index is `w` below. */
  readonly workloads: readonly string[];
  /**
   * `cpuMillis[p][w * steps + h]`: demand of all replicas of workload w together on path p at step h. Plain arrays
   * where it is stored; typed arrays (`Float32Array`) where thousands of workloads are planned in memory.
   */
  readonly cpuMillis: readonly DemandPath[];
  /** Memory held by one replica of each workload, P95. */
  readonly memoryBytes: readonly number[];
}

/** What a demand profile is of. */
export type ProfileResource = "cpuMillis" | "memoryBytes" | "diskBytesPerSecond" | "networkBytesPerSecond";

/** What a workload or a whole island needs of one resource, hour by hour; all copies together. */
export interface DemandProfile {
  /** `workload/<name>` or `island/<name>`. */
  readonly subject: string;
  readonly resource: ProfileResource;
  /** The opening that is planned for, or the 24 hours from the planning slot on. */
  readonly span: "window" | "day";
  readonly startMs: number;
  readonly stepMs: number;
  readonly levels: readonly number[];
  /** `rows[l][h]`: quantile `levels[l]` of the mean over hour h. */
  readonly rows: readonly (readonly number[])[];
  /** By level: quantile of the highest hour of the span. */
  readonly peak: readonly number[];
}

/** How the demand of one workload follows that of another which calls it. */
export interface DependencyEstimate {
  readonly caller: string;
  readonly called: string;
  /** Share of the called workload's demand that this caller causes, 0..1. */
  readonly share: number;
  /** Calls for each request that the caller answers, where both are counted or it was stated. */
  readonly callsPerRequest?: number;
  /** Time after which a change of the caller is felt. */
  readonly lagMs: number;
  /** What it rests on: counted calls, loads that move together, or the declaration alone. */
  readonly basis: "calls" | "load" | "declared";
  /** How well the caller explains the called one, 0..1; 0 for `declared`. */
  readonly confidence: number;
  /** The evidence, for people. */
  readonly reason: string;
}

/** What of a host an update keeps busy most. */
export type UpdateLoad = "cpu" | "disk" | "network";

/** What an update installs. */
export interface UpdatePackage {
  readonly bytes?: number;
  /** @default disk */
  readonly load?: UpdateLoad;
}

/** What a command used of its host, as means over steps. */
export interface OperationLoad {
  readonly stepMs: number;
  readonly cpuMillis: readonly number[];
  readonly diskBytesPerSecond: readonly number[];
}

/** Two quantiles of an amount. */
export interface AmountQuantiles {
  readonly p50: number;
  readonly p95: number;
}

/** What an update uses of its host in one part of its course. */
export interface ImpactPart {
  readonly cpuMillis: AmountQuantiles;
  readonly diskBytesPerSecond: AmountQuantiles;
}

/** The update's own load on a host while it is updated. */
export interface UpdateImpact {
  readonly duration: { readonly p50Ms: number; readonly p95Ms: number };
  /** Equal parts of the duration. */
  readonly parts: readonly ImpactPart[];
  /** Hosts of earlier runs that it was measured on; 0: a guess from the package. */
  readonly measuredHosts: number;
}

/** How important a function of a workload is: the requests whose paths begin alike. */
export interface FunctionEstimate {
  readonly workload: string;
  /** Beginning of its paths, such as `/orders`. */
  readonly name: string;
  readonly criticality: Criticality;
  /** 0..1; 1 where it was declared. */
  readonly confidence: number;
  /** Share of the service's requests, 0..1. */
  readonly share: number;
  /** The evidence, for people. */
  readonly reason: string;
}

/** Whether the first minutes of a workload's demand follow what its users do now. */
export interface UserForecast {
  readonly workload: string;
  readonly isOn: boolean;
  /** What the test on the log found, for people. */
  readonly reason: string;
}

/** All that planning knows of the time ahead. */
export interface Forecast {
  readonly demand: JointDemand;
  /** Per workload, for display: CPU quantiles at 0.05, 0.5, 0.95. */
  readonly bands: readonly QuantileForecast[];
  /** Workloads without usable metrics, each with the reason; they make a blocker. */
  readonly missing: readonly { readonly workload: string; readonly reason: string }[];
  /** Demand profiles of workloads and islands, where their resources are measured. Absent: none were made. */
  readonly profiles?: readonly DemandProfile[];
  /** Who causes whose demand; without cycles. Absent: nobody is known to call anybody. */
  readonly dependencies?: readonly DependencyEstimate[];
  /** Signals around the time ahead, with their effects; the demand has them. Absent: none are declared. */
  readonly signals?: readonly AppliedSignal[];
  /** Which functions are critical and which can be shed. Absent: nobody counts calls. */
  readonly functions?: readonly FunctionEstimate[];
  /**
   * CPU time of one request of workloads that a function can serve, ms, as measured. Absent: nobody counts requests beside
   * CPU, or no function can.
   */
  readonly requestCosts?: readonly { readonly workload: string; readonly cpuMsPerRequest: number }[];
  /** What users' sessions foretell. Absent: no access log is named. */
  readonly users?: readonly UserForecast[];
  /** The update's own load, from its package and earlier runs. Absent: nothing is known of it. */
  readonly impact?: UpdateImpact;
}
