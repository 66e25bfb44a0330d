/**
 * Documents in a run store by which people and processes speak to runs from outside, and their names. All are JSON.
 *
 * Not for: acting on them (providers/runner, providers/guard).
 */

/** What a person asks of the runs of one HostUpdate. The run reads it at each step border. */
export interface RunRequest {
  readonly v: 1;
  /** Id of the run that is meant: the newest one of the HostUpdate when it was asked. */
  readonly run: string;
  /** `pause` holds at the next step border; `cancel` undoes the wave under way and ends; `resume` takes a pause back. */
  readonly wish: "pause" | "resume" | "cancel";
  readonly by: string;
  readonly why: string;
  /** Store time, ms since the epoch. */
  readonly at: number;
}

/** Sign of life of a runner; one that is older than three times `everyMs` counts as gone. */
export interface RunnerHeartbeat {
  readonly v: 1;
  /** Unique per runner process. */
  readonly runner: string;
  readonly host: string;
  readonly pid: number;
  readonly packageVersion: string;
  readonly startedAt: number;
  /** Store time, ms since the epoch. */
  readonly at: number;
  readonly everyMs: number;
  /** Ids of the runs that it works on. */
  readonly runs: readonly string[];
}

/** While it lies in the store, no run of that store begins a disruptive step. */
export interface KillSwitch {
  readonly v: 1;
  readonly by: string;
  readonly why: string;
  readonly at: number;
}

/** Name of the one kill switch of a store. */
export const KILL_SWITCH_NAME = "kill-switch";
/** Prefix of the heartbeats of all runners. */
export const HEARTBEAT_PREFIX = "runners/";

/** Name of the request to the runs of a HostUpdate. @param family see providers/runner/run-family.ts */
export function runRequestName(family: string): string {
  return `requests/${family}`;
}

/** Name of what keeps when a HostUpdate had nothing to do and made no run. @param family see run-family.ts */
export function nothingToDoName(family: string): string {
  return `nothing-to-do/${family}`;
}

/** Name of a runner's heartbeat. */
export function heartbeatName(runner: string): string {
  return `${HEARTBEAT_PREFIX}${runner}`;
}
