/**
 * Recurrence rules of RFC 5545 over wall-clock time. The rule is given to the library as if its times were UTC, so
 * that shifts of the clock are treated in one place for all patterns (start-pattern.ts).
 *
 * Not for: reading the text (rrule-text.ts).
 */
import { RRuleTemporal } from "rrule-temporal";
import { parseRecurrence, type RecurrenceText } from "./rrule-text";
import type { StartPattern } from "./start-pattern";

const DAY_MS = 86_400_000;
/**
 * Matches are looked up for this long at once: one search for a month costs little more than one for a day. Rules
 * that may match every minute are looked up for less, so that MAXIMUM_PERIODS is not met by minutes that match.
 */
const BATCH_MS = 32 * DAY_MS;
const FINE_BATCH_MS = 2 * DAY_MS;
/** Periods that are searched for a match, such as days of half a century; a rule beyond them never starts. */
const MAXIMUM_PERIODS = 20_000;
/** Where the search for a rule that never matches begins: any date does. */
const ANY_MS = Date.UTC(2000, 0, 1);

/** A recurrence rule with the dates added to it and taken from it. */
export class RrulePattern implements StartPattern {
  readonly isHourly: boolean;
  private readonly recurrence: RecurrenceText;
  private readonly batchMs: number;
  /** Rules by the time they start at: one with a DTSTART, one for each year asked for otherwise. */
  private readonly rules = new Map<number, RRuleTemporal>();
  private batch: Batch = { fromMs: 0, toMs: 0, starts: [] };

  /** @throws Error with the reason for a text that parseRecurrence finds a mistake in, or values out of bounds */
  constructor(text: string, timezone: string) {
    const parsed = parseRecurrence(text, timezone);
    if (parsed.kind === "mistake") throw new Error(parsed.rule);
    this.recurrence = parsed.recurrence;
    const { parts } = this.recurrence;
    const isFine = ["HOURLY", "MINUTELY"].includes(parts.get("FREQ") ?? "");
    this.isHourly = isFine && !parts.has("BYHOUR");
    this.batchMs = isFine ? FINE_BATCH_MS : BATCH_MS;
    this.ruleAt(ANY_MS);
  }

  nextLocalMs(fromLocalMs: number): number | undefined {
    const { batch } = this;
    const isCached = fromLocalMs >= batch.fromMs && fromLocalMs < batch.toMs;
    const { starts, toMs } = isCached ? batch : this.load(fromLocalMs);
    return starts[firstAtOrAfter(starts, fromLocalMs)] ?? this.search(toMs);
  }

  everMatches(): boolean {
    return this.nextLocalMs(this.recurrence.startLocalMs ?? ANY_MS) !== undefined;
  }

  private load(fromMs: number): Batch {
    const toMs = fromMs + this.batchMs;
    const found = this.ruleAt(fromMs).between(new Date(fromMs), new Date(toMs - 1), true);
    this.batch = { fromMs, toMs, starts: found.map(({ epochMilliseconds }) => epochMilliseconds) };
    return this.batch;
  }

  private search(fromMs: number): number | undefined {
    try {
      return this.ruleAt(fromMs).next(new Date(fromMs), true)?.epochMilliseconds;
    } catch (error) {
      // It throws where it has looked through all periods that it may; then there is no match.
      if (error instanceof Error && /^maximum iterations/i.test(error.message)) return undefined;
      throw error;
    }
  }

  private ruleAt(timeMs: number): RRuleTemporal {
    // Without DTSTART the rule has always been there: a start a year before is as good as any and close to the search.
    const startMs = this.recurrence.startLocalMs ?? Date.UTC(new Date(timeMs).getUTCFullYear() - 1, 0, 1);
    const known = this.rules.get(startMs);
    if (known) return known;
    const rule = new RRuleTemporal({
      rruleString: renderLines(this.recurrence, startMs),
      maxIterations: MAXIMUM_PERIODS,
    });
    this.rules.set(startMs, rule);
    return rule;
  }
}

interface Batch {
  readonly fromMs: number;
  readonly toMs: number;
  readonly starts: readonly number[];
}

function renderLines({ parts, untilLocalMs, extraLocalMs, exceptLocalMs }: RecurrenceText, startMs: number): string {
  const until = untilLocalMs === undefined ? [] : [`UNTIL=${renderTime(untilLocalMs)}`];
  const rule = [...[...parts].map(([name, value]) => `${name}=${value}`), ...until].join(";");
  const dates = (name: string, times: readonly number[]): string[] =>
    times.length === 0 ? [] : [`${name}:${times.map(renderTime).join(",")}`];
  return [
    `DTSTART:${renderTime(startMs)}`,
    `RRULE:${rule}`,
    ...dates("RDATE", extraLocalMs),
    ...dates("EXDATE", exceptLocalMs),
  ].join("\n");
}

function renderTime(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d+/g, "");
}

function firstAtOrAfter(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
