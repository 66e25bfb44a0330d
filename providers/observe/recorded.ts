/**
 * Metric source over a recorded CSV file: history that was exported from a monitoring system, or generated.
 *
 * Two forms, told apart by their header:
 * - wide: `subject,unit,start_ms,step_ms,values`, one series a row, the values separated by spaces, `nan` for a gap;
 * - long: `time,subject,unit,value`, one sample a row, time in ms since the epoch or as ISO 8601, in any order. The
 *   step is the smallest distance between two samples of the subject.
 * Lines beginning with `#` are comments; `# disclosure: <text>` says how the file was made and goes to every report.
 *
 * Not for: quoting. Subjects hold no comma.
 */
import { readFile, stat } from "node:fs/promises";
import type { MetricUnit, Mistake, Series } from "../../sdk/model";
import { MistakeError, didYouMean, messageOf, resampleSeries } from "../../sdk/model";
import type { MetricSelector, MetricSource } from "./metric-source";

/** A parsed file. */
export interface RecordedMetrics {
  readonly series: readonly Series[];
  readonly disclosure?: string;
}

const WIDE_HEADER = "subject,unit,start_ms,step_ms,values";
const LONG_HEADER = "time,subject,unit,value";
const UNITS: readonly MetricUnit[] = [
  "cpuMillis",
  "memoryBytes",
  "requestsPerSecond",
  "diskBytesPerSecond",
  "networkBytesPerSecond",
];
/** Names of units in files of earlier versions. */
const FORMER_UNITS: Readonly<Record<string, MetricUnit>> = { bytesPerSecond: "networkBytesPerSecond" };
const DISCLOSURE = /^#\s*disclosure:\s*(.+)$/i;
/** A file with a wrong separator has a mistake in every line; more than these help nobody. */
const MOST_MISTAKES = 10;

/**
 * How long a file that was read serves whoever opens it again unchanged: the islands of one plan, and its disclosures. Weeks
 * of thousands of workloads are not to stay in a runner's memory between its plans.
 */
const KEPT_MS = 60_000;
/** By file. */
const kept = new Map<string, { readonly stamp: string; readonly source: Promise<MetricSource> }>();

/**
 * Opens a recorded file; it is read and checked at once, and once for all islands that name it.
 * @throws MistakeError when the file cannot be read, or with every mistake in it, each with its line number
 */
export async function createRecordedSource(file: string): Promise<MetricSource> {
  const stamp = await stampOf(file);
  const known = kept.get(file);
  if (known?.stamp === stamp) return known.source;
  const entry = { stamp, source: readSource(file) };
  kept.set(file, entry);
  const forget = (): void => {
    if (kept.get(file) === entry) kept.delete(file);
  };
  setTimeout(forget, KEPT_MS).unref();
  entry.source.catch(forget);
  return entry.source;
}

/** What tells that a file has changed. @throws MistakeError when it cannot be read */
export async function stampOf(file: string): Promise<string> {
  try {
    const { size, mtimeMs, ino } = await stat(file);
    return `${String(ino)} ${String(size)} ${String(mtimeMs)}`;
  } catch (error) {
    throw unreadable(file, error);
  }
}

async function readSource(file: string): Promise<MetricSource> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw unreadable(file, error);
  }
  return createSourceOfSeries(`recorded ${file}`, parseRecordedCsv(text, file));
}

function unreadable(file: string, error: unknown): MistakeError {
  const rule = `must be a file that can be read (${messageOf(error)})`;
  return MistakeError.of("metrics.file", file, rule, "correct the path, or record the history first");
}

/** A source that answers from series at hand. */
function createSourceOfSeries(name: string, { series, disclosure }: RecordedMetrics): MetricSource {
  const bySelector = new Map(series.map((one) => [selectorKey({ subject: one.id, unit: one.unit }), one]));
  return {
    name,
    ...(disclosure === undefined ? {} : { disclosure }),
    query: (selectors, range, stepMs) =>
      Promise.resolve(
        selectors.map((selector) => {
          const found = bySelector.get(selectorKey(selector));
          return found === undefined ? undefined : resampleSeries(found, stepMs, range);
        }),
      ),
  };
}

function selectorKey({ subject, unit }: MetricSelector): string {
  return `${unit} ${subject}`;
}

/**
 * Parses a recorded file.
 * @param file name used in messages
 * @throws MistakeError with all mistakes, the line number in each field
 */
export function parseRecordedCsv(text: string, file: string): RecordedMetrics {
  const mistakes: Mistake[] = [];
  const lines = text.split(/\r?\n/).map((content, index) => ({ content: content.trim(), number: index + 1 }));
  const disclosure = lines.map(({ content }) => DISCLOSURE.exec(content)?.[1]).find((found) => found !== undefined);
  const [header, ...rows] = lines.filter(({ content }) => content !== "" && !content.startsWith("#"));
  if (header === undefined) {
    throw MistakeError.of(file, "", "must hold a header and at least one row", `begin it with ${WIDE_HEADER}`);
  }
  const names = header.content.replaceAll(/\s/g, "").toLowerCase();
  const report: Report = (line, value, rule, remedy) => {
    mistakes.push({ field: `${file}:${String(line)}`, value, rule, remedy });
  };
  let series: readonly Series[] = [];
  if (names === WIDE_HEADER) series = parseWide(rows, report);
  else if (names === LONG_HEADER) series = parseLong(rows, report);
  else
    report(header.number, header.content, `must be the header ${WIDE_HEADER} or ${LONG_HEADER}`, "correct the header");
  if (mistakes.length === 0 && series.length === 0)
    report(header.number, header.content, "must be followed by rows", "record something");
  if (mistakes.length > 0) throw new MistakeError(`metrics file ${file}`, mistakes.slice(0, MOST_MISTAKES));
  return disclosure === undefined ? { series } : { series, disclosure };
}

interface Line {
  readonly content: string;
  readonly number: number;
}

type Report = (line: number, value: unknown, rule: string, remedy: string) => void;

function parseWide(rows: readonly Line[], report: Report): readonly Series[] {
  const firstLines = new Map<string, number>();
  return rows.flatMap(({ content, number }) => {
    const cells = content.split(",").map((cell) => cell.trim());
    if (cells.length !== 5) {
      report(
        number,
        content,
        "must have 5 cells: subject, unit, start_ms, step_ms, values",
        "separate values by spaces",
      );
      return [];
    }
    const [subject = "", unit = "", start = "", step = "", text = ""] = cells;
    const startMs = Number(start === "" ? Number.NaN : start);
    const stepMs = Number(step);
    const badGrid = !Number.isSafeInteger(startMs) || !Number.isSafeInteger(stepMs) || stepMs <= 0;
    if (badGrid)
      report(number, `${start},${step}`, "must be a whole start_ms and step_ms > 0", "write both in milliseconds");
    const knownUnit = parseUnit(unit, number, report);
    const values = text === "" ? [] : text.split(/\s+/).map((value) => parseValue(value, number, report));
    if (values.length === 0)
      report(number, content, "must have at least one value", "remove the row, or write nan for a gap");
    const key = selectorKey({ subject, unit: knownUnit ?? "cpuMillis" });
    const earlier = firstLines.get(key);
    if (earlier !== undefined) {
      report(
        number,
        `${subject},${unit}`,
        `must be there once, and line ${String(earlier)} has it`,
        "join the two rows",
      );
    }
    firstLines.set(key, number);
    if (knownUnit === undefined || badGrid) return [];
    return [{ id: subject, unit: knownUnit, startMs, stepMs, values: Float64Array.from(values) }];
  });
}

interface Sample {
  readonly timeMs: number;
  readonly value: number;
  readonly line: number;
}

function parseLong(rows: readonly Line[], report: Report): readonly Series[] {
  const groups = new Map<string, { subject: string; unit: MetricUnit; samples: Sample[] }>();
  for (const { content, number } of rows) {
    const cells = content.split(",").map((cell) => cell.trim());
    if (cells.length !== 4) {
      report(number, content, "must have 4 cells: time, subject, unit, value", "write one sample a row");
      continue;
    }
    const [time = "", subject = "", unitName = "", text = ""] = cells;
    const timeMs = /^-?\d+$/.test(time) ? Number(time) : Date.parse(time);
    if (!Number.isFinite(timeMs)) {
      report(
        number,
        time,
        "must be a time in ms since the epoch or in ISO 8601",
        'write it like "2026-11-21T02:00:00Z"',
      );
    }
    const unit = parseUnit(unitName, number, report);
    const value = parseValue(text, number, report);
    if (unit === undefined || !Number.isFinite(timeMs)) continue;
    const key = selectorKey({ subject, unit });
    const group = groups.get(key) ?? { subject, unit, samples: [] };
    group.samples.push({ timeMs, value, line: number });
    groups.set(key, group);
  }
  return [...groups.values()].flatMap(({ subject, unit, samples }) => gridOfSamples(subject, unit, samples, report));
}

/** Puts samples on a grid of their smallest distance; several samples in one interval are averaged. */
function gridOfSamples(
  subject: string,
  unit: MetricUnit,
  samples: readonly Sample[],
  report: Report,
): readonly Series[] {
  const sorted = [...samples].sort((a, b) => a.timeMs - b.timeMs);
  const [first] = sorted;
  const last = sorted.at(-1);
  if (first === undefined || last === undefined) return [];
  let stepMs = Number.POSITIVE_INFINITY;
  sorted.forEach((sample, index) => {
    const distance = sample.timeMs - (sorted[index - 1]?.timeMs ?? Number.NEGATIVE_INFINITY);
    if (distance > 0) stepMs = Math.min(stepMs, distance);
    else report(sample.line, sample.timeMs, `must be there once for ${subject} (${unit})`, "remove one of the two");
  });
  if (!Number.isFinite(stepMs)) {
    report(first.line, subject, "must have at least two samples, for its step is their distance", "record more of it");
    return [];
  }
  const count = Math.round((last.timeMs - first.timeMs) / stepMs) + 1;
  if (count > MOST_VALUES) {
    const rule = `must be regular: a step of ${String(stepMs)} ms makes ${String(count)} intervals`;
    report(first.line, subject, rule, "export it on a regular step");
    return [];
  }
  const values = new Float64Array(count).fill(Number.NaN);
  for (const sample of sorted) values[Math.round((sample.timeMs - first.timeMs) / stepMs)] = sample.value;
  return [{ id: subject, unit, startMs: first.timeMs, stepMs, values }];
}

/** A year of seconds is 31 million values; beyond that two samples stand too close by accident. */
const MOST_VALUES = 40_000_000;

function parseUnit(name: string, line: number, report: Report): MetricUnit | undefined {
  const unit = FORMER_UNITS[name] ?? UNITS.find((known) => known.toLowerCase() === name.toLowerCase());
  if (unit !== undefined) return unit;
  const suggestion = didYouMean(name, UNITS);
  const remedy = suggestion === undefined ? `write one of ${UNITS.join(", ")}` : `did you mean "${suggestion}"?`;
  report(line, name, "must be a known unit", remedy);
  return undefined;
}

/** `nan` and an empty cell are gaps; anything else must be a number >= 0, for that is what these units are. */
function parseValue(text: string, line: number, report: Report): number {
  if (text === "" || text.toLowerCase() === "nan") return Number.NaN;
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  report(line, text, "must be a number >= 0, or nan for a gap", "correct or remove it");
  return Number.NaN;
}
