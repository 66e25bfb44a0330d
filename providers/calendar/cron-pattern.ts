/** Five-field cron patterns over wall-clock time. */
import { Cron } from "croner";
import type { StartPattern } from "./start-pattern";

/** Hour fields of patterns that start in every hour. */
const EVERY_HOUR = ["*", "*/1", "?", "0-23"];
/** Where the search for a pattern that never matches begins: any date does. */
const ANY_MS = Date.UTC(2000, 0, 1);

/** A cron pattern. */
export class CronPattern implements StartPattern {
  readonly isHourly: boolean;
  private readonly cron: Cron;

  /** @throws Error with the reason when the text is no cron pattern of five fields */
  constructor(text: string) {
    const fields = text.trim().split(/\s+/);
    this.isHourly = text.trim().toLowerCase() === "@hourly" || EVERY_HOUR.includes(fields[1] ?? "");
    this.cron = new Cron(text.trim(), { mode: "5-part", utcOffset: 0, paused: true });
  }

  nextLocalMs(fromLocalMs: number): number | undefined {
    const before = new Date(Math.ceil(fromLocalMs / 1000) * 1000 - 1000);
    return this.cron.nextRun(before)?.getTime();
  }

  everMatches(): boolean {
    return this.nextLocalMs(ANY_MS) !== undefined;
  }
}
