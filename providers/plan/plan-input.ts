/**
 * What planning is given. All of it is plain data, so that a bundle rebuilds the same plan anywhere.
 *
 * Not for: reading any of it; that is discovery (providers/observe) and the journal.
 */
import type { Bundle, Envelope, Fleet, Forecast, HostUpdateSpec, Opening, StageGate } from "../../sdk/model";

/** Input of {@link plan}. */
export interface PlanInput {
  readonly fleet: Fleet;
  readonly forecast: Forecast;
  readonly spec: HostUpdateSpec;
  /** Start of the planning slot, see {@link planningSlot}. */
  readonly slotMs: number;
  /**
   * Wall time, milliseconds since the epoch. Only a run under way is timed by it; a plan before the run depends on
   * the slot alone, so that the same slot gives the same plan.
   */
  readonly nowMs: number;
  /** Durations learned from earlier runs, by kind of step; they replace the defaults. */
  readonly durations: Bundle["durations"];
  /** Stages that go before; a run under way has passed them. Absent: none. */
  readonly stages?: readonly StageGate[];
  /** Fixes of what blocks are searched for by planning again and again; false where nobody reads them. @default true */
  readonly searchesFixes?: boolean;
  /** Present when a run is under way. */
  readonly progress?: PlanProgress;
}

/** How far a run is, so that the rest of it can be planned from any state between two waves. */
export interface PlanProgress {
  /** Standby hosts that the run holds. */
  readonly reservedHosts: readonly string[];
  /** Hosts that the run updated and validated. */
  readonly updatedHosts: readonly string[];
  readonly approvedEnvelope: Envelope;
  /** Index of the last wave that was begun; planned waves count on from it. */
  readonly waveOffset: number;
  /** By workload: hosts of its replicas at the run's start, one entry per replica. */
  readonly origins: Readonly<Record<string, readonly string[]>>;
  readonly opening: Opening;
  /** Run id: its own marks do not count as foreign. Absent: every mark does. */
  readonly owner?: string;
}

/** What a bundle was planned from, before its run. */
export function inputOf({ fleet, forecast, spec, slotMs, durations, stages }: Bundle): PlanInput {
  return { fleet, forecast, spec, slotMs, nowMs: slotMs, durations, ...(stages ? { stages } : {}) };
}

/** Length of a planning slot. */
export const SLOT_MS = 5 * 60_000;

/** Start of the planning slot that a time falls into. */
export function planningSlot(nowMs: number): number {
  return Math.floor(nowMs / SLOT_MS) * SLOT_MS;
}
