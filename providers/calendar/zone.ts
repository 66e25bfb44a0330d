/**
 * Time zones: the stretches of time in which a zone keeps one offset from UTC, and dates as moments.
 *
 * Not for: openings (openings.ts).
 */
import { Temporal } from "temporal-polyfill";
import { didYouMean } from "../../sdk/model";

/** A stretch of time with one offset: local time is UTC plus `offsetMs`. */
export interface OffsetSpan {
  /** Milliseconds since the epoch; -Infinity when the zone had this offset always. */
  readonly startMs: number;
  /** Infinity when it keeps it for ever. */
  readonly endMs: number;
  readonly offsetMs: number;
  /** Offset right before `startMs`; the same when nothing is known before it. */
  readonly previousOffsetMs: number;
}

/** The stretches of a zone in order, the first one holding `fromMs`. Without end where the zone's rules have none. */
export function* offsetSpans(timezone: string, fromMs: number): Generator<OffsetSpan> {
  let moment = Temporal.Instant.fromEpochMilliseconds(fromMs).toZonedDateTimeISO(timezone);
  const first = startOfSpan(moment);
  let startMs = first ? first.epochMilliseconds : -Infinity;
  let previousOffsetMs = first ? offsetOf(first.subtract({ milliseconds: 1 })) : offsetOf(moment);
  for (;;) {
    const offsetMs = offsetOf(moment);
    const next = moment.getTimeZoneTransition("next");
    yield { startMs, endMs: next?.epochMilliseconds ?? Infinity, offsetMs, previousOffsetMs };
    if (!next) return;
    startMs = next.epochMilliseconds;
    previousOffsetMs = offsetMs;
    moment = next;
  }
}

/** The first moment of a local date, ms since the epoch; also where the day begins later than midnight. */
export function startOfDateMs(date: Temporal.PlainDate, timezone: string): number {
  return date.toZonedDateTime(timezone).epochMilliseconds;
}

/** True for an IANA name that this platform knows, aliases included. Offsets such as "+02:00" are none. */
export function isKnownZone(timezone: string): boolean {
  if (!/^[A-Za-z]/.test(timezone)) return false;
  // A run asks for the same few zones before every wave, and making a formatter costs more than a look at a calendar.
  if (knownZones.has(timezone)) return true;
  try {
    new Intl.DateTimeFormat("en", { timeZone: timezone });
    knownZones.add(timezone);
    return true;
  } catch {
    return false;
  }
}

/** Zones that were found to be known; what is known stays so as long as the process lives. */
const knownZones = new Set<string>();

/** The known zone that was probably meant: by its city, or by likeness. */
export function suggestZone(timezone: string): string | undefined {
  const known = Intl.supportedValuesOf("timeZone");
  const city = timezone.split("/").at(-1)?.trim().replaceAll(" ", "_").toLowerCase() ?? "";
  const sameCity = known.find((zone) => zone.split("/").at(-1)?.toLowerCase() === city);
  return sameCity ?? didYouMean(timezone, known);
}

function startOfSpan(moment: Temporal.ZonedDateTime): Temporal.ZonedDateTime | null {
  // "previous" looks strictly before, so a moment on the transition itself needs a step forward first.
  return moment.add({ milliseconds: 1 }).getTimeZoneTransition("previous");
}

function offsetOf(moment: Temporal.ZonedDateTime): number {
  return Math.round(moment.offsetNanoseconds / 1e6);
}
