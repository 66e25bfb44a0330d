/**
 * Moments at which a calendar's pattern starts in a time zone.
 *
 * A pattern is matched against local wall-clock time, and local times are then placed on the time line, for cron and
 * RRULE alike:
 * - a local time that does not exist (the clock goes forward over it) starts at the moment the clock was moved;
 * - a local time that exists twice (the clock goes back) starts the first time only, unless the pattern starts in
 *   every hour: such a pattern follows elapsed time and starts both times.
 *
 * Not for: durations and freezes (openings.ts).
 */
import type { WindowSpec } from "../../sdk/model";
import { CronPattern } from "./cron-pattern";
import { RrulePattern } from "./rrule-pattern";
import { offsetSpans } from "./zone";

/** A pattern over wall-clock time that knows no zone, as milliseconds of a calendar without shifts. */
export interface StartPattern {
  /** True when it starts in every hour, and so follows elapsed time over shifts of the clock. */
  readonly isHourly: boolean;
  /** First match at or after a wall-clock time, or undefined when there is none. */
  nextLocalMs(fromLocalMs: number): number | undefined;
  /** True when some date matches. */
  everMatches(): boolean;
}

/** A bound for patterns that match every minute under a freeze of many years: about four months of minutes. */
const MAXIMUM_STARTS = 200_000;

/** The pattern of a calendar. @throws Error with the reason for one that validateWindow finds a mistake in */
export function startPatternOf({ cron, rrule, timezone }: WindowSpec): StartPattern {
  return rrule === undefined ? new CronPattern(cron ?? "") : new RrulePattern(rrule, timezone);
}

/** Starts of a pattern from `fromMs` on, ascending, ms since the epoch. Two may be equal after a gap in local time. */
export function* patternStarts(pattern: StartPattern, timezone: string, fromMs: number): Generator<number> {
  let left = MAXIMUM_STARTS;
  for (const span of offsetSpans(timezone, fromMs)) {
    const firstLocalMs = span.startMs + span.offsetMs;
    const previousEndLocalMs = span.startMs + span.previousOffsetMs;
    if (span.startMs >= fromMs && previousEndLocalMs < firstLocalMs) {
      const skipped = pattern.nextLocalMs(previousEndLocalMs);
      if (skipped !== undefined && skipped < firstLocalMs) yield span.startMs;
    }
    const isRepeated = previousEndLocalMs > firstLocalMs && !pattern.isHourly;
    const unseenLocalMs = isRepeated ? previousEndLocalMs : firstLocalMs;
    let local = pattern.nextLocalMs(Math.max(unseenLocalMs, fromMs + span.offsetMs));
    while (local !== undefined && local - span.offsetMs < span.endMs) {
      if ((left -= 1) < 0) return;
      yield local - span.offsetMs;
      local = pattern.nextLocalMs(local + 1000);
    }
    if (local === undefined) return;
  }
}
