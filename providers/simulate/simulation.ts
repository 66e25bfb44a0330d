/**
 * What a simulation is asked and what it answers: plain data.
 *
 * Not for: how a run is played (simulate-run.ts) and how results are added up (summarize.ts).
 */
import type { Bundle, Phase } from "../../sdk/model";

/** What is played. */
export interface SimulationInput {
  readonly bundle: Bundle;
  /** Number of runs. */
  readonly runs: number;
  readonly seed: number;
  readonly assumptions: SimulationAssumptions;
}

/** What nobody can read from a plan and has to be assumed. */
export interface SimulationAssumptions {
  /** Times that a host dies by itself in 30 days, on average. */
  readonly hostFailuresPerMonth: number;
  /** Share of update commands that fail, 0..1. */
  readonly updateFailureShare: number;
}

/** Taken where nothing else is said: a host that dies every 5 years, and one update of a hundred that fails. */
export const DEFAULT_ASSUMPTIONS: SimulationAssumptions = { hostFailuresPerMonth: 1 / 60, updateFailureShare: 0.01 };

/** What one simulated run came to. */
export interface RunSample {
  readonly phase: Phase;
  /** Why it ended like this, where it is not `done`. */
  readonly reason?: string;
  /** From the opening, or the plan's slot where that is later, to the run's end. */
  readonly durationMs: number;
  /** Rules of the checker that were broken, once for each time. */
  readonly violations: readonly string[];
  /** True when some host's load was above the islands' share of it at some time. */
  readonly isOverCapacity: boolean;
  /** Length of each hand-over's pause. */
  readonly pausesMs: readonly number[];
}

/** A distribution: quantiles, and counts in bins of equal width. */
export interface Distribution {
  readonly count: number;
  readonly minimum: number;
  readonly p50: number;
  readonly p95: number;
  readonly maximum: number;
  readonly bins: readonly { readonly from: number; readonly to: number; readonly count: number }[];
}

/** What all runs came to. */
export interface SimulationResult {
  readonly v: 1;
  readonly name: string;
  readonly runs: number;
  readonly seed: number;
  readonly assumptions: SimulationAssumptions;
  /** When simulated time begins, ms since the epoch. */
  readonly startMs: number;
  /** Latest time at which the plan may work, ms since the epoch. */
  readonly closesMs: number;
  readonly timezone: string;
  /** Number of runs by the phase they ended in. */
  readonly phases: Readonly<Partial<Record<Phase, number>>>;
  /** Duration of the runs that are done, in ms; absent when none is. */
  readonly duration?: Distribution;
  /** Pauses of hand-overs of all runs, in ms; absent when there are none. */
  readonly pauses?: Distribution;
  /** Number of runs that broke a rule of the checker, by rule. */
  readonly violations: Readonly<Record<string, number>>;
  /** Number of runs in which some host was above the islands' share of it. */
  readonly overCapacity: number;
  /** What the plan says of that, as a share: the worst of its waves. */
  readonly plannedOverCapacityShare: number;
  /** Why runs were not done, the most frequent reason first. */
  readonly reasons: readonly { readonly reason: string; readonly runs: number }[];
}
