/**
 * iCalendar lines of a recurrence (RFC 5545, sections 3.3.10 and 3.8.5) read to local wall-clock times, with every
 * mistake found.
 *
 * A rule without DTSTART is taken as one that has been there for ever; then everything that RFC 5545 takes from DTSTART
 * has to stand in the rule.
 *
 * Not for: which dates match (rrule-pattern.ts).
 */
import { Temporal } from "temporal-polyfill";
import { didYouMean } from "../../sdk/model";

/** A recurrence in local wall-clock time, each date and time as milliseconds of a calendar without shifts. */
export interface RecurrenceText {
  /** Parts of the RRULE by name, as they were written but UNTIL, which is in `untilLocalMs`. */
  readonly parts: ReadonlyMap<string, string>;
  readonly untilLocalMs?: number;
  /** Absent: the rule has been there for ever. */
  readonly startLocalMs?: number;
  readonly extraLocalMs: readonly number[];
  readonly exceptLocalMs: readonly number[];
}

/** What was read, or the first rule that the text breaks. */
export type ParsedRecurrence =
  | { readonly kind: "ok"; readonly recurrence: RecurrenceText }
  | { readonly kind: "mistake"; readonly rule: string; readonly remedy: string };

const LINES = ["DTSTART", "RRULE", "EXDATE", "RDATE"];
/** Bounds of the numbers in each part; those `signed` count from the end as well. */
const NUMBERS: Readonly<Record<string, { readonly low: number; readonly high: number; readonly signed?: true }>> = {
  INTERVAL: { low: 1, high: 10_000 },
  COUNT: { low: 1, high: 10_000 },
  BYMONTH: { low: 1, high: 12 },
  BYWEEKNO: { low: 1, high: 53, signed: true },
  BYYEARDAY: { low: 1, high: 366, signed: true },
  BYMONTHDAY: { low: 1, high: 31, signed: true },
  BYHOUR: { low: 0, high: 23 },
  BYMINUTE: { low: 0, high: 59 },
  BYSETPOS: { low: 1, high: 366, signed: true },
};
const WEEKDAY = /^([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)$/;
const PARTS = ["FREQ", "UNTIL", "BYDAY", "WKST", ...Object.keys(NUMBERS)];
const FREQUENCIES = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"];
/** Parts of which one has to stand in a rule without DTSTART, by frequency: they say on which day it starts. */
const DAY_PARTS: Readonly<Record<string, readonly string[]>> = {
  YEARLY: ["BYDAY", "BYMONTHDAY", "BYYEARDAY"],
  MONTHLY: ["BYDAY", "BYMONTHDAY"],
  WEEKLY: ["BYDAY"],
};
const EXAMPLE = 'write it like "FREQ=MONTHLY;BYDAY=2SA;BYHOUR=2" for the second Saturday of a month at 02:00';

/** A rule that the text breaks; never leaves this file. */
class Broken extends Error {
  constructor(
    readonly rule: string,
    readonly remedy: string,
  ) {
    super(rule);
  }
}

/** Reads a recurrence. Never throws; the time zone must be a known one. */
export function parseRecurrence(text: string, timezone: string): ParsedRecurrence {
  try {
    return { kind: "ok", recurrence: read(text, timezone) };
  } catch (error) {
    if (error instanceof Broken) return { kind: "mistake", rule: error.rule, remedy: error.remedy };
    throw error;
  }
}

function read(text: string, timezone: string): RecurrenceText {
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => readLine(line, timezone));
  const of = (name: string): string[] => lines.filter((line) => line.name === name).map(({ value }) => value);
  const [rule, second] = of("RRULE");
  if (rule === undefined) throw new Broken("must have an RRULE", EXAMPLE);
  if (second !== undefined) throw new Broken("must have one RRULE", "declare a window for each rule");
  const times = (name: string): number[] =>
    of(name).flatMap((value) => value.split(",").map((one) => localMs(name, one, timezone)));
  const [startLocalMs] = times("DTSTART");
  const parts = readParts(rule);
  const until = parts.get("UNTIL");
  parts.delete("UNTIL");
  if (startLocalMs === undefined) requireWholeRule(parts);
  return {
    parts,
    ...(until === undefined ? {} : { untilLocalMs: endOf(until, timezone) }),
    ...(startLocalMs === undefined ? {} : { startLocalMs }),
    extraLocalMs: times("RDATE"),
    exceptLocalMs: times("EXDATE"),
  };
}

function readLine(line: string, timezone: string): { readonly name: string; readonly value: string } {
  if (/^FREQ=/i.test(line)) return { name: "RRULE", value: line };
  const match = /^([A-Za-z-]+)((?:;[^:]*)?):(.*)$/.exec(line);
  const name = match?.[1]?.toUpperCase() ?? "";
  if (!match || !LINES.includes(name)) {
    const near = didYouMean(name, LINES);
    const remedy = near !== undefined && near !== name ? `did you mean "${near}"?` : EXAMPLE;
    throw new Broken(`must be lines of ${LINES.join(", ")}, but has "${line}"`, remedy);
  }
  const zone = /;TZID=([^;:]+)/i.exec(match[2] ?? "")?.[1];
  if (zone !== undefined && zone !== timezone) {
    throw new Broken(`must be in the window's time zone, but ${name} names ${zone}`, `set timezone to "${zone}"`);
  }
  return { name, value: match[3] ?? "" };
}

function readParts(rule: string): Map<string, string> {
  const parts = new Map<string, string>();
  for (const part of rule.split(";").filter((one) => one !== "")) {
    const [name = "", value = ""] = part.split("=").map((one) => one.trim().toUpperCase());
    if (!PARTS.includes(name)) {
      const near = didYouMean(name, PARTS);
      throw new Broken(
        `has the unknown part "${part}"`,
        near === undefined ? `known parts: ${PARTS.join(", ")}` : `did you mean "${near}"?`,
      );
    }
    if (value === "") throw new Broken(`has no value in "${part}"`, `write it like ${name}=...`);
    if (parts.has(name)) throw new Broken(`has ${name} twice`, "leave one out");
    requireBounds(name, value);
    parts.set(name, value);
  }
  const frequency = parts.get("FREQ") ?? "";
  if (!FREQUENCIES.includes(frequency)) {
    throw new Broken(`must have a FREQ of ${FREQUENCIES.join(", ")}`, EXAMPLE);
  }
  if (parts.has("COUNT") && parts.has("UNTIL")) {
    throw new Broken("must not have COUNT and UNTIL (RFC 5545, 3.3.10)", "leave one out");
  }
  return parts;
}

/** The library passes over values that are out of bounds; a window would open at another time than its user thinks. */
function requireBounds(name: string, value: string): void {
  const bounds = NUMBERS[name];
  const wrong = value.split(",").find((one) => {
    if (name === "BYDAY") return !WEEKDAY.test(one);
    if (!bounds) return false;
    const number = bounds.signed ? Math.abs(Number(one)) : Number(one);
    return !/^[+-]?\d+$/.test(one) || number < bounds.low || number > bounds.high;
  });
  if (wrong === undefined) return;
  const remedy = bounds
    ? `write ${bounds.signed ? "a number, from the end with a minus," : "a number"} from ${String(bounds.low)} to ${String(bounds.high)}`
    : "write MO, TU, WE, TH, FR, SA or SU, with a number before it for the one of the month: 2SA, -1FR";
  throw new Broken(`has a ${name} that is out of bounds, "${wrong}"`, remedy);
}

/** What RFC 5545 takes from DTSTART has to stand in a rule that has none. */
function requireWholeRule(parts: ReadonlyMap<string, string>): void {
  const frequency = parts.get("FREQ") ?? "";
  const counted = ["COUNT", "INTERVAL"].find((name) => parts.has(name) && parts.get(name) !== "1");
  const remedy = "add a line like DTSTART:20260110T020000";
  if (counted !== undefined) throw new Broken(`must have a DTSTART for ${counted} to count from`, remedy);
  const days = DAY_PARTS[frequency] ?? [];
  if (days.length > 0 && !days.some((name) => parts.has(name))) {
    throw new Broken(`must have a DTSTART or one of ${days.join(", ")} to say on which day`, remedy);
  }
  if (frequency !== "HOURLY" && frequency !== "MINUTELY" && !parts.has("BYHOUR")) {
    throw new Broken("must have a DTSTART or BYHOUR to say at which time", remedy);
  }
}

/** `20260110T020000` or `20260110` in local time, `20260110T010000Z` in UTC; as local wall-clock milliseconds. */
function localMs(name: string, text: string, timezone: string): number {
  const match = /^(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})(Z?))?$/.exec(text.trim().toUpperCase());
  const remedy = "write it like 20260110T020000, in local time";
  if (!match) throw new Broken(`has a ${name} that is no date and time, "${text.trim()}"`, remedy);
  const [, year, month, day, hour = "00", minute = "00", second = "00", utc = ""] = match;
  const iso = `${String(year)}-${String(month)}-${String(day)}T${hour}:${minute}:${second}`;
  let local: Temporal.PlainDateTime;
  try {
    local = Temporal.PlainDateTime.from(iso, { overflow: "reject" });
  } catch {
    throw new Broken(`has a ${name} that is no day of the calendar, "${text.trim()}"`, remedy);
  }
  if (utc === "Z") local = local.toZonedDateTime("UTC").withTimeZone(timezone).toPlainDateTime();
  return local.toZonedDateTime("UTC").epochMilliseconds;
}

const LAST_SECOND_MS = 86_399_000;

/** An UNTIL that names a day holds to its end. */
function endOf(until: string, timezone: string): number {
  return localMs("UNTIL", until, timezone) + (until.includes("T") ? 0 : LAST_SECOND_MS);
}
