/**
 * Reads history that a user exported, whatever it came from. By what the text looks like:
 * - CSV with a moment in the first column and one value column, or one for each series (named by the header);
 * - CSV as the CloudWatch console exports it: lines of labels and settings above the moments;
 * - CSV of recorded metrics (recorded.ts), and `series_id,start_epoch_s,step_s,n,values`;
 * - JSON of `aws cloudwatch get-metric-data` and `get-metric-statistics`;
 * - JSON of Prometheus' `query_range`.
 *
 * Moments are ISO 8601, `2026-11-21 02:00:00` or `2026/11/21 02:00` (taken as UTC), or seconds or milliseconds since the
 * epoch.
 *
 * Not for: metric sources of islands (metric-source.ts).
 */
import { readFile } from "node:fs/promises";
import type { Mistake } from "../../sdk/model";
import { MistakeError, messageOf } from "../../sdk/model";
import { MOST_LINES, parseCsv, type CsvRow } from "./csv";
import { readMatrixJson } from "./prometheus-range";
import { parseRecordedCsv } from "./recorded";
import { gridSamples, type GridOptions, type NamedSeries, type Sample } from "./samples";

/** A file with a wrong separator has a mistake in every line; more than these help nobody. */
const MOST_MISTAKES = 10;
/** Epoch seconds up to here (the year 5138); larger numbers are milliseconds. */
const LARGEST_SECONDS = 1e11;
/** Numbers below are no moment of our time in seconds (1973). */
const LEAST_SECONDS = 1e8;
const RECORDED = /^(subject,unit,start_ms,step_ms,values|time,subject,unit,value)$/;
const BENCH = /^series_id,start_epoch_s,step_s,n,values$/;

/**
 * Reads a file.
 * @throws MistakeError naming every mistake with its line; SeriesError for a series that cannot be put on a grid
 */
export async function readUserFile(file: string, options: GridOptions = {}): Promise<readonly NamedSeries[]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw MistakeError.of("FILE", file, `must be a file that can be read (${messageOf(error)})`, "correct the path");
  }
  return parseUserText(text, file, options);
}

/** Like {@link readUserFile}, of a text. */
export function parseUserText(text: string, file: string, options: GridOptions = {}): readonly NamedSeries[] {
  if (/^\s*[{[]/.test(text)) return parseJson(text, file, options);
  const rows = parseCsv(text);
  if (rows.length > MOST_LINES) {
    const rule = `must have at most ${MOST_LINES.toLocaleString("en-US")} lines`;
    throw MistakeError.of("FILE", file, rule, "export it on a longer step, or fewer metrics at once");
  }
  const header = rows[0]?.cells.join(",").replaceAll(/\s/g, "").toLowerCase() ?? "";
  if (RECORDED.test(header)) {
    return parseRecordedCsv(text, file).series.map((series) => ({ series, notes: [] }));
  }
  if (BENCH.test(header)) return parseRowsOfValues(rows.slice(1), file);
  return parseColumns(rows, file, options);
}

/** Moments in the first column, one series in each other one. */
function parseColumns(rows: readonly CsvRow[], file: string, options: GridOptions): readonly NamedSeries[] {
  const from = rows.findIndex(({ cells }) => momentOf(cells[0] ?? "") !== undefined);
  if (from < 0) {
    const rule = "must have a row that begins with a moment, such as 2026-11-21T02:00:00Z,17.5";
    throw MistakeError.of(file, rows[0]?.cells.join(",") ?? "", rule, "put the time in the first column");
  }
  const width = Math.max(...rows.slice(from).map(({ cells }) => cells.length));
  const names = nameColumns(rows.slice(0, from), width);
  const columns: Sample[][] = names.map(() => []);
  const mistakes: Mistake[] = [];
  for (const { line, cells } of rows.slice(from)) {
    const timeMs = momentOf(cells[0] ?? "");
    if (timeMs === undefined) {
      mistakes.push({
        field: `${file}:${String(line)}`,
        value: cells[0],
        rule: "must be a moment",
        remedy: 'write it like "2026-11-21T02:00:00Z" or as seconds since the epoch',
      });
      continue;
    }
    columns.forEach((samples, column) => {
      const value = valueOf(cells[column + 1] ?? "");
      if (value === undefined) {
        mistakes.push({
          field: `${file}:${String(line)}`,
          value: cells[column + 1],
          rule: "must be a number, or empty or nan for a gap",
          remedy: "correct or remove it",
        });
      } else samples.push({ timeMs, value });
    });
  }
  if (mistakes.length > 0) throw new MistakeError(file, mistakes.slice(0, MOST_MISTAKES));
  return columns.map((samples, column) => gridSamples(names[column] ?? "", samples, options));
}

/** The header's names: a row of labels wins over the one right above the moments, which may hold ids or units. */
function nameColumns(above: readonly CsvRow[], width: number): readonly string[] {
  const labels = above.find(({ cells }) => /^(full )?label$/i.test(cells[0] ?? "")) ?? above.at(-1);
  return Array.from({ length: Math.max(1, width - 1) }, (_, column) => {
    const name = labels?.cells[column + 1] ?? "";
    return name === "" ? `column ${String(column + 2)}` : name;
  });
}

/** One series a row, values separated by spaces. */
function parseRowsOfValues(rows: readonly CsvRow[], file: string): readonly NamedSeries[] {
  return rows.map(({ line, cells }) => {
    const [id = "", start = "", step = "", , text = ""] = cells;
    const [startMs, stepMs] = [Number(start) * 1000, Number(step) * 1000];
    const values = Float64Array.from(text.split(/\s+/), (cell) => valueOf(cell) ?? Number.POSITIVE_INFINITY);
    if (
      !(Number.isFinite(startMs) && stepMs > 0) ||
      values.some((value) => !Number.isFinite(value) && !Number.isNaN(value))
    ) {
      const rule = "must hold a start and a step in seconds and numbers separated by spaces";
      throw MistakeError.of(`${file}:${String(line)}`, id, rule, "write nan for a gap");
    }
    return { series: { id, unit: "requestsPerSecond", startMs, stepMs, values }, notes: [] };
  });
}

function parseJson(text: string, file: string, options: GridOptions): readonly NamedSeries[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw MistakeError.of("FILE", file, `must be JSON that can be parsed (${messageOf(error)})`, "export it again");
  }
  const { MetricDataResults: results, Datapoints: points, Label: label } = document as CloudWatchDocument;
  if (results !== undefined) {
    const found = joinPages(results);
    return [...found].map(([name, samples]) => gridSamples(name, samples, options));
  }
  if (points !== undefined) {
    const samples = points.map((point) => ({
      timeMs: momentOf(String(point["Timestamp"])) ?? Number.NaN,
      value: statisticOf(point),
    }));
    return [gridSamples(label ?? "metric", usable(samples, file), options)];
  }
  const matrix = readMatrixJson(document);
  if (matrix) return matrix.map(({ name, samples }) => gridSamples(name, samples, options));
  throw MistakeError.of(
    "FILE",
    file,
    "must be the JSON of get-metric-data, of get-metric-statistics or of Prometheus' query_range",
    "export one of these, or CSV with time,value",
  );
}

interface CloudWatchDocument {
  readonly MetricDataResults?: readonly {
    readonly Id?: string;
    readonly Label?: string;
    readonly Timestamps?: readonly (string | number)[];
    readonly Values?: readonly number[];
  }[];
  readonly Label?: string;
  readonly Datapoints?: readonly Readonly<Record<string, unknown>>[];
}

/** A metric may come in several results, one a page. */
function joinPages(
  results: NonNullable<CloudWatchDocument["MetricDataResults"]>,
): ReadonlyMap<string, readonly Sample[]> {
  const labels = new Map<string, Set<string>>();
  for (const { Id = "", Label = Id } of results) labels.set(Label, (labels.get(Label) ?? new Set()).add(Id));
  const found = new Map<string, Sample[]>();
  for (const { Id = "", Label = Id, Timestamps = [], Values = [] } of results) {
    // Two metrics of one label are told apart by their id.
    const name = (labels.get(Label)?.size ?? 0) > 1 ? `${Label} (${Id})` : Label;
    const samples = found.get(name) ?? [];
    Timestamps.forEach((time, index) => {
      const timeMs = momentOf(String(time));
      if (timeMs !== undefined) samples.push({ timeMs, value: Values[index] ?? Number.NaN });
    });
    if (samples.length > 0) found.set(name, samples);
  }
  return found;
}

function statisticOf(point: Readonly<Record<string, unknown>>): number {
  for (const name of ["Average", "Sum", "Maximum", "Minimum", "SampleCount"]) {
    if (typeof point[name] === "number") return point[name];
  }
  const extended = point["ExtendedStatistics"];
  const [first] = typeof extended === "object" && extended !== null ? (Object.values(extended) as unknown[]) : [];
  return typeof first === "number" ? first : Number.NaN;
}

function usable(samples: readonly Sample[], file: string): readonly Sample[] {
  if (samples.length > 0 && samples.every(({ timeMs }) => Number.isFinite(timeMs))) return samples;
  throw MistakeError.of("FILE", file, "must hold Datapoints with a Timestamp each", "export it again");
}

/** Milliseconds since the epoch, or undefined where the text is no moment. */
export function momentOf(text: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) {
    const number = Number(text);
    if (number < LEAST_SECONDS) return undefined;
    return number <= LARGEST_SECONDS ? number * 1000 : number;
  }
  const parts =
    /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T ](\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)\s*(Z|UTC|[+-]\d{2}:?\d{2})?)?$/i.exec(
      text.trim(),
    );
  if (!parts) return undefined;
  const [, year = "", month = "", day = "", time = "00:00", zone = "Z"] = parts;
  const two = (digits: string): string => digits.padStart(2, "0");
  const clock = time.length < 5 || time.charAt(1) === ":" ? `0${time}` : time;
  const offset = /^(z|utc)$/i.test(zone) ? "Z" : zone.replace(/^([+-]\d{2}):?(\d{2})$/, "$1:$2");
  const at = Date.parse(`${year}-${two(month)}-${two(day)}T${clock}${offset}`);
  return Number.isNaN(at) ? undefined : at;
}

/** NaN for a gap; undefined where the text is no number. Thousands are not separated. */
function valueOf(text: string): number | undefined {
  if (text === "" || /^(nan|null|none|n\/a|-)$/i.test(text)) return Number.NaN;
  const value = Number(text);
  return Number.isNaN(value) ? undefined : value;
}
