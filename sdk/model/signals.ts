/**
 * Signals: what is known of the time ahead that no load history tells, such as a campaign or a holiday.
 *
 * Not for: reading calendars (providers/observe/signals.ts) and effects on demand (providers/forecast/signals).
 */

/** Kinds of signals. What they are called is for people; where the times come from differs. */
export const SIGNAL_TYPES = ["event", "marketing", "deployment", "season", "cron", "calendar", "holidays"] as const;
export type SignalType = (typeof SIGNAL_TYPES)[number];

/** When a signal is on. */
export type SignalTimes =
  /** Once, or at each of some moments. */
  | { readonly kind: "at"; readonly atMs: readonly number[]; readonly durationMs: number }
  /** Again and again. */
  | {
      readonly kind: "pattern";
      /** Five-field cron; or `rrule`. */
      readonly cron?: string;
      /** RFC 5545. */
      readonly rrule?: string;
      /** IANA name. */
      readonly timezone: string;
      readonly durationMs: number;
    }
  /** The events of an iCalendar file. */
  | { readonly kind: "file"; /** Path of the file. */ readonly file: string }
  /** Public holidays. */
  | { readonly kind: "holidays"; readonly country: string; readonly region?: string };

/** A declared signal. */
export interface SignalSpec {
  readonly name: string;
  readonly type: SignalType;
  readonly times: SignalTimes;
  /** Factor on demand while it is on; absent: learned from earlier times. */
  readonly factor?: number;
  /** Whom it concerns first; absent: all workloads of the island. */
  readonly workloads?: readonly string[];
}

/** A stretch of time, milliseconds since the epoch; half-open. */
export interface SignalSpan {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A signal with its times around now. */
export interface SignalTimeline {
  readonly name: string;
  readonly type: SignalType;
  readonly factor?: number;
  readonly workloads: readonly string[];
  /** True when it concerns all workloads of its island: what they call is among them. */
  readonly isOfAll: boolean;
  /** Ascending; of the history and of the time ahead. */
  readonly spans: readonly SignalSpan[];
}

/** A job that a host starts by the clock, as its crontab or timer says. */
export interface HostSchedule {
  readonly host: string;
  /** File that it stands in. */
  readonly source: string;
  /** Name of the program; never its arguments. */
  readonly program: string;
  /** Five fields. */
  readonly cron: string;
  /** IANA name. */
  readonly timezone: string;
}

/** What a signal does to the forecast. */
export interface AppliedSignal {
  readonly name: string;
  readonly type: SignalType;
  /** By workload: factor on its demand while the signal is on. */
  readonly factors: Readonly<Record<string, number>>;
  readonly basis: "stated" | "learned" | "in the daily shape" | "not known";
  /** Times in the history. */
  readonly seen: number;
  /** Times within the forecast. */
  readonly ahead: readonly SignalSpan[];
  /** For people. */
  readonly reason: string;
}
