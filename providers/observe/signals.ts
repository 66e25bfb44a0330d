/**
 * When the signals of islands are on: patterns, iCalendar files and public holidays, laid out over a range of time.
 *
 * Not for: what they do to demand (providers/forecast/signals).
 *
 * Libraries load lazily, where a signal needs them: ical.js for files, date-holidays, which a project installs itself.
 */
import { readFile } from "node:fs/promises";
import type { HostUpdateSpec, IslandSpec, SignalSpan, SignalSpec, SignalTimeline } from "../../sdk/model";
import { MistakeError, messageOf } from "../../sdk/model";
import { openingsOf } from "../calendar";
import type { TimeRange } from "./metric-source";

/** Of one signal within a range; more is a mistake in its pattern. */
const MOST_SPANS = 5_000;

/** What ical.js tells of one of a recurring event's times; its own declaration names a type that it does not export. */
interface Occurrence {
  readonly startDate: { toJSDate(): Date };
  readonly endDate: { toJSDate(): Date };
}

/** All signals of all islands. @throws MistakeError for files, countries and regions that are none */
export async function observeSignals(spec: HostUpdateSpec, range: TimeRange): Promise<readonly SignalTimeline[]> {
  const timelines = await Promise.all(
    spec.islands.flatMap((island) =>
      (island.signals ?? []).map(async (signal, index): Promise<SignalTimeline> => {
        const spans = await spansOf(signal, `${island.name}.signals[${String(index)}]`, range);
        return {
          name: signal.name,
          type: signal.type,
          ...(signal.factor === undefined ? {} : { factor: signal.factor }),
          workloads: signal.workloads ?? namesOf(island),
          isOfAll: signal.workloads === undefined,
          spans: spans
            .filter(({ fromMs, toMs }) => toMs > range.fromMs && fromMs < range.toMs)
            .sort((a, b) => a.fromMs - b.fromMs)
            .slice(0, MOST_SPANS),
        };
      }),
    ),
  );
  return timelines;
}

function namesOf({ workloads }: IslandSpec): readonly string[] {
  return workloads.map(({ name }) => name);
}

function spansOf({ name, times }: SignalSpec, field: string, range: TimeRange): Promise<SignalSpan[]> | SignalSpan[] {
  switch (times.kind) {
    case "at":
      return times.atMs.map((fromMs) => ({ fromMs, toMs: fromMs + times.durationMs }));
    case "pattern": {
      const { kind: _, ...pattern } = times;
      const window = { name, ...pattern, freezes: [] };
      const fromMs = range.fromMs - times.durationMs;
      return openingsOf([window], fromMs, MOST_SPANS, range.toMs - fromMs).map(({ startMs, endMs }) => ({
        fromMs: startMs,
        toMs: endMs,
      }));
    }
    case "file":
      return readCalendar(times.file, `${field}.file`, range);
    case "holidays":
      return listHolidays(times, `${field}.country`, range);
  }
}

async function readCalendar(file: string, field: string, range: TimeRange): Promise<SignalSpan[]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw MistakeError.of(field, file, `must be a file that can be read (${messageOf(error)})`, "correct the path");
  }
  try {
    return await parseCalendar(text, range);
  } catch (error) {
    const rule = `must be an iCalendar file (${messageOf(error)})`;
    throw MistakeError.of(field, file, rule, "export it again from the calendar, as .ics");
  }
}

/** Events of an iCalendar text, recurring ones laid out; cancelled ones left out. */
async function parseCalendar(text: string, range: TimeRange): Promise<SignalSpan[]> {
  const { default: ical } = await import("ical.js");
  const root = new ical.Component(ical.parse(text) as ConstructorParameters<typeof ical.Component>[0]);
  for (const zone of root.getAllSubcomponents("vtimezone")) ical.TimezoneService.register(zone);
  const spans: SignalSpan[] = [];
  for (const component of root.getAllSubcomponents("vevent")) {
    const event = new ical.Event(component);
    if (event.isRecurrenceException() || component.getFirstPropertyValue("status") === "CANCELLED") continue;
    const durationMs = event.duration.toSeconds() * 1000;
    if (!event.isRecurring()) {
      const fromMs = event.startDate.toJSDate().getTime();
      spans.push({ fromMs, toMs: fromMs + durationMs });
      continue;
    }
    const iterator = event.iterator();
    for (let count = 0; count < MOST_SPANS; count++) {
      const next = iterator.next() as ReturnType<typeof iterator.next> | undefined;
      if (!next) break;
      const { startDate, endDate } = event.getOccurrenceDetails(next) as Occurrence;
      const fromMs = startDate.toJSDate().getTime();
      if (fromMs >= range.toMs) break;
      spans.push({ fromMs, toMs: endDate.toJSDate().getTime() });
    }
  }
  return spans;
}

async function listHolidays(
  { country, region }: { readonly country: string; readonly region?: string },
  field: string,
  range: TimeRange,
): Promise<SignalSpan[]> {
  const { default: Holidays } = await import("date-holidays").catch((error: unknown) => {
    const rule = `needs the package date-holidays (${messageOf(error)})`;
    throw MistakeError.of(field, country, rule, "npm install date-holidays");
  });
  const known = new Holidays();
  if (!(country in known.getCountries())) {
    const remedy = "give its two letters of ISO 3166, like DE";
    throw MistakeError.of(field, country, "must be a country that is known", remedy);
  }
  const regions = Object.keys({ ...known.getStates(country) });
  if (region !== undefined && !regions.includes(region)) {
    const remedy = regions.length === 0 ? `${country} has none: leave it out` : `known regions: ${regions.join(", ")}`;
    throw MistakeError.of(field.replace(/country$/, "region"), region, `must be a region of ${country}`, remedy);
  }
  const holidays = region === undefined ? new Holidays(country) : new Holidays(country, region);
  const first = new Date(range.fromMs).getUTCFullYear();
  const last = new Date(range.toMs).getUTCFullYear();
  return Array.from({ length: last - first + 1 }, (_, i) => holidays.getHolidays(first + i))
    .flat()
    .filter(({ type }) => type === "public")
    .map(({ start, end }) => ({ fromMs: start.getTime(), toMs: end.getTime() }));
}
