/**
 * What was seen from outside while a run was under way: the other half of what the checker reads. Samples are taken
 * by observer.ts beside every real run; in tests the in-memory fleet adds what it knows exactly.
 *
 * Not for: what the run believes; that is its journal.
 */
import type { FunctionEndpoint, Host, Replica, Service } from "../../sdk/model";

/** A copy that served at a moment. */
export interface ServingCopy {
  readonly replica: string;
  readonly host: string;
}

/**
 * Copies of a workload that served at a moment. Between two samples that are equal nothing changed; between two that
 * differ the change happened at an unknown time.
 */
export interface AvailabilitySample {
  readonly atMs: number;
  readonly workload: string;
  readonly serving: readonly ServingCopy[];
}

/** Use of a host at a moment. */
export interface LoadSample {
  readonly atMs: number;
  readonly host: string;
  readonly cpuMillis: number;
  /** What the host has for the islands of the run. */
  readonly capacityCpuMillis: number;
}

/** How long requests of an exclusive workload were held. */
export interface PauseObservation {
  readonly atMs: number;
  readonly workload: string;
  readonly pauseMs: number;
}

/** A mutating call that took effect, where the platform tells. */
export interface EffectObservation {
  readonly atMs: number;
  /** Such as `hosts.cordon`. */
  readonly call: string;
  readonly subject: string;
  /** Whose lease fences it: `host/<id>`, `switch`, `pool`. */
  readonly scope: string;
  readonly key: string;
  readonly epoch: number;
  readonly owner: string;
}

/** Who held a lease at a moment. */
export interface LeaseSample {
  readonly atMs: number;
  readonly resource: string;
  readonly owner: string;
  readonly epoch: number;
}

/** The platform at one moment. */
export interface PlatformState {
  readonly atMs: number;
  readonly hosts: readonly Host[];
  readonly replicas: readonly Replica[];
  readonly services: readonly Service[];
  /** Absent: the platform has no functions. */
  readonly endpoints?: readonly FunctionEndpoint[];
  /** Output of the update's probe by host, where it was asked. */
  readonly probes?: Readonly<Record<string, string>>;
}

/** Everything observed, each list in order of time. */
export interface Observations {
  readonly availability: readonly AvailabilitySample[];
  readonly loads: readonly LoadSample[];
  readonly pauses: readonly PauseObservation[];
  readonly effects: readonly EffectObservation[];
  readonly leases: readonly LeaseSample[];
  /** As it was before the run's first effect. */
  readonly first?: PlatformState;
  /** As it was left. */
  readonly last?: PlatformState;
}

/** Nothing seen. */
export const NO_OBSERVATIONS: Observations = {
  availability: [],
  loads: [],
  pauses: [],
  effects: [],
  leases: [],
};
