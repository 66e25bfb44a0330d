/** Five-field cron patterns over wall-clock time. */
import { Cron } from "croner";
import type { StartPattern } from "./start-pattern";

/** Hour fields of patterns that start in every hour. */
const EVERY_HOUR = ["*", "*/1", "?", "0-23"];
/** Where the search for a pattern that never matches begins: any date does. */
const ANY_MS = Date.UTC(2000, 0, 1);

/** Matches that are remembered of a pattern: some weeks of one that matches every minute. */
const MOST_MATCHES = 50_000;
const MOST_PATTERNS = 100;

/** What was found, by pattern and second asked for: plans ask for the same weeks again and again, at a high price. */
const remembered = new Map<string, Map<number, number | undefined>>();

/**
 * A cron pattern.
 *
 * Invariant: what is remembered is what would be found; patterns know neither zone nor present time.
 */
export class CronPattern implements StartPattern {
  readonly isHourly: boolean;
  private readonly cron: Cron;
  private readonly matches: Map<number, number | undefined>;

  /** @throws Error with the reason when the text is no cron pattern of five fields */
  constructor(text: string) {
    const fields = text.trim().split(/\s+/);
    this.isHourly = text.trim().toLowerCase() === "@hourly" || EVERY_HOUR.includes(fields[1] ?? "");
    this.cron = new Cron(text.trim(), { mode: "5-part", utcOffset: 0, paused: true });
    this.matches = matchesOf(text.trim());
  }

  nextLocalMs(fromLocalMs: number): number | undefined {
    const second = Math.ceil(fromLocalMs / 1000);
    const known = this.matches.get(second);
    if (known !== undefined || this.matches.has(second)) return known;
    const found = this.cron.nextRun(new Date((second - 1) * 1000))?.getTime();
    if (this.matches.size >= MOST_MATCHES) this.matches.clear();
    this.matches.set(second, found);
    return found;
  }

  everMatches(): boolean {
    return this.nextLocalMs(ANY_MS) !== undefined;
  }
}

function matchesOf(text: string): Map<number, number | undefined> {
  const known = remembered.get(text);
  if (known) return known;
  if (remembered.size >= MOST_PATTERNS) remembered.clear();
  const matches = new Map<number, number | undefined>();
  remembered.set(text, matches);
  return matches;
}
