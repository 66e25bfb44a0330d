/**
 * What carrying out a run needs from outside; all of it is a parameter, so that a test can stand in for each.
 */
import type { AlarmSource, AlarmSpec, Fleet, Forecast, MigrationPlan } from "../../sdk/model";
import type { Clock, Progress } from "../clock";
import type { Platform } from "../drivers/contracts";
import type { JournalFollower } from "../journal/follower";
import type { RunStore } from "../journal/run-store";
import type { PlanInput } from "../plan/plan-input";

export interface RunDependencies {
  readonly platform: Platform;
  readonly store: RunStore;
  readonly clock: Clock;
  readonly progress: Progress;
  /** Unique per process; the owner of leases. */
  readonly owner: string;
  /** The fleet as it is now, the update's probe included. */
  observe(signal: AbortSignal): Promise<Fleet>;
  /**
   * A fresh forecast.
   * @param slotMs start of the planning slot
   * @param options `isRepeated`: the slot that was approved has passed, so that this is one of several in a row
   */
  forecast(
    fleet: Fleet,
    slotMs: number,
    signal: AbortSignal,
    options?: { readonly isRepeated?: boolean },
  ): Promise<Forecast>;
  plan(input: PlanInput): Promise<MigrationPlan>;
  /** Told to stop: the run ends at the next step border and can be carried on. */
  readonly signal: AbortSignal;
  /** Reason of a stop request in the store, or undefined; asked before every step. */
  stopRequested?(): Promise<string | undefined>;
  /** Length of the run's leases. @default LEASE_TTL_MS of leases.ts */
  readonly leaseTtlMs?: number;
  /** Version of the package that does it. @default this package's */
  readonly packageVersion?: string;
  /** Environment variables. @default the process's own */
  readonly variables?: Readonly<Record<string, string | undefined>>;
  /** Opens the alarms of stop rules. @default rules on alarms are told to be unwatched */
  openAlarms?(alarms: readonly AlarmSpec[]): AlarmSource;
  /** Follows what is stored: audit log, notices, traces. @default nobody does */
  follow?(owner: string): JournalFollower;
}
