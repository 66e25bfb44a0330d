/**
 * Moments at which a cron pattern starts in a time zone.
 *
 * The pattern is matched against local wall-clock time, and local times are then placed on the time line:
 * - a local time that does not exist (the clock goes forward over it) starts at the moment the clock was moved;
 * - a local time that exists twice (the clock goes back) starts the first time only, unless the pattern starts in
 *   every hour: such a pattern follows elapsed time and starts both times.
 *
 * Not for: durations and freezes (openings.ts).
 */
import { Cron } from "croner";
import { offsetSpans } from "./zone";

/** A bound for patterns that match every minute under a freeze of many years: about four months of minutes. */
const MAXIMUM_STARTS = 200_000;
/** Hour fields of patterns that start in every hour. */
const EVERY_HOUR = ["*", "*/1", "?", "0-23"];
/** Where the search for a pattern that never matches begins: any date does. */
const ANY_MS = Date.UTC(2000, 0, 1);

/** A cron pattern over wall-clock time that knows no zone, as milliseconds of a calendar without shifts. */
export class CronPattern {
  /** True when it starts in every hour, and so follows elapsed time over shifts of the clock. */
  readonly isHourly: boolean;
  private readonly cron: Cron;

  /** @throws Error with the reason when the text is no cron pattern of five fields */
  constructor(text: string) {
    const fields = text.trim().split(/\s+/);
    this.isHourly = text.trim().toLowerCase() === "@hourly" || EVERY_HOUR.includes(fields[1] ?? "");
    this.cron = new Cron(text.trim(), { mode: "5-part", utcOffset: 0, paused: true });
  }

  /** First match at or after a wall-clock time, or undefined when there is none. */
  nextLocalMs(fromLocalMs: number): number | undefined {
    const before = new Date(Math.ceil(fromLocalMs / 1000) * 1000 - 1000);
    return this.cron.nextRun(before)?.getTime();
  }

  /** True when some date matches. */
  everMatches(): boolean {
    return this.nextLocalMs(ANY_MS) !== undefined;
  }
}

/** Starts of a pattern from `fromMs` on, ascending, ms since the epoch. Two may be equal after a gap in local time. */
export function* cronStarts(pattern: CronPattern, timezone: string, fromMs: number): Generator<number> {
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
