/**
 * Options that say which history a forecast is made of: a file, or a query of Prometheus; shared by `forecast` and
 * `backtest`.
 */
import { messageOf, parseDuration } from "../../sdk/model";
import { describeUnknown, UsageError, type OptionTable } from "./command";
import type { Terminal } from "./terminal";
import { CANDIDATE_NAMES, type CandidateName } from "../forecast/classical/candidate-names";
import type { Model } from "../forecast/model";
import type { CounterChoice } from "../observe/counters";
import type { GridOptions, NamedSeries } from "../observe/samples";

export const HISTORY_OPTIONS = {
  series: { value: "NAME", about: "only this series; all without it" },
  prometheus: {
    value: "URL",
    about: "ask a Prometheus instead of reading a file; credentials come from $ARCHIPELAGO_PROMETHEUS_*",
  },
  query: { value: "PROMQL", about: "what Prometheus is asked for; each set of labels is a series" },
  since: { value: "DURATION", about: 'how far back Prometheus is asked; "28 days" without it' },
  step: { value: "DURATION", about: "step of the series; that of the samples without it, 5 minutes for Prometheus" },
  counter: { value: "yes|no", about: "whether values count up until a restart; found out without it" },
  unit: { value: "TEXT", about: "what values are measured in, for people" },
  timezone: { value: "ZONE", about: "IANA time zone of the times shown; UTC without it" },
  also: {
    value: "NAMES",
    about: `classical models that are tried too, with commas between them, or "all": ${CANDIDATE_NAMES.join(", ")}`,
  },
  work: {
    value: "NUMBER",
    about: "how many times the blend's own work the models of --also may take, counted; all are tried without it",
  },
  lstm: { about: "also train an LSTM on each series; it speaks where it beats the blend. Takes seconds a series" },
} as const satisfies OptionTable;

/** What was given of them. */
export interface HistoryChoice {
  readonly file: string | undefined;
  readonly series: string | undefined;
  readonly prometheus: string | undefined;
  readonly query: string | undefined;
  readonly since: string | undefined;
  readonly step: string | undefined;
  readonly counter: string | undefined;
  readonly timezone: string | undefined;
}

/** More series than this make no page that anybody reads. */
const MOST_SERIES = 200;
const DEFAULT_SINCE = "28 days";
const DEFAULT_PROMETHEUS_STEP = "5 minutes";

/** What was read. */
export interface History {
  /** For titles. */
  readonly name: string;
  readonly series: readonly NamedSeries[];
  readonly timezone: string;
}

/** Reads the history. @throws UsageError, MistakeError, SeriesError or DriverError */
export async function readHistory(choice: HistoryChoice, terminal: Terminal): Promise<History> {
  const mistakes: string[] = [];
  const { file, prometheus, query, since } = choice;
  if (file === undefined && prometheus === undefined)
    mistakes.push("name a FILE, or --prometheus URL with --query PROMQL");
  if (file !== undefined && prometheus !== undefined) mistakes.push("name one of FILE and --prometheus");
  if (prometheus !== undefined && query === undefined) mistakes.push("--prometheus needs --query PROMQL");
  if (prometheus === undefined && query !== undefined) mistakes.push("--query needs --prometheus URL");
  if (prometheus === undefined && since !== undefined) mistakes.push("--since needs --prometheus URL");
  const stepMs = readMs("--step", choice.step, mistakes);
  const sinceMs = readMs("--since", since ?? DEFAULT_SINCE, mistakes) ?? 0;
  const counter = readCounter(choice.counter, mistakes);
  const timezone = readZone(choice.timezone, mistakes);
  if (mistakes.length > 0) throw new UsageError(mistakes.join("\n  "));
  terminal.progress.status("reading the history ...");
  const found =
    file !== undefined
      ? await readFile(file, { counter, ...(stepMs === undefined ? {} : { stepMs }) })
      : await askPrometheus(prometheus ?? "", query ?? "", sinceMs, stepMs, counter);
  terminal.progress.status("");
  const name = file ?? query ?? "";
  return { name, series: chooseSeries(found, choice.series, name), timezone };
}

/** The model with which both commands work. */
export async function createModel(
  hasLstm: boolean,
  also: readonly CandidateName[],
  work: number | undefined,
): Promise<Model> {
  const { ensemble } = await import("../forecast/ensemble.js");
  const blend = ensemble({ also, ...(work === undefined ? {} : { work }) });
  if (!hasLstm) return blend;
  const { withLstm } = await import("../forecast/lstm/with-lstm.js");
  return withLstm(blend);
}

/** Names of `--also`. */
export function readAlso(text: string | undefined, mistakes: string[]): readonly CandidateName[] {
  if (text === undefined) return [];
  if (text === "all") return CANDIDATE_NAMES;
  const names = text.split(",").map((name) => name.trim());
  const known = names.filter((name): name is CandidateName => CANDIDATE_NAMES.some((candidate) => candidate === name));
  for (const name of names.filter((other) => !known.some((candidate) => candidate === other))) {
    mistakes.push(`--also: ${describeUnknown("model", name, CANDIDATE_NAMES)}`);
  }
  return known;
}

/** Number of `--work`; undefined where it was not given. */
export function readWork(text: string | undefined, mistakes: string[]): number | undefined {
  if (text === undefined) return undefined;
  const work = Number(text);
  if (text.trim() !== "" && work >= 0) return work;
  mistakes.push(`--work ("${text}") must be a number of at least 0, as 1.5 times the blend's own work`);
  return undefined;
}

/** Milliseconds of an option of a second or more, or undefined where it was not given. */
export function readMs(name: string, text: string | undefined, mistakes: string[]): number | undefined {
  if (text === undefined) return undefined;
  try {
    const value = parseDuration(text, name);
    if (value >= 1000) return value;
    mistakes.push(`${name} ("${text}") must be at least 1 second`);
  } catch (error) {
    mistakes.push(messageOf(error));
  }
  return undefined;
}

function readZone(zone: string | undefined, mistakes: string[]): string {
  if (zone === undefined) return "UTC";
  try {
    return new Intl.DateTimeFormat("en-GB", { timeZone: zone }).resolvedOptions().timeZone;
  } catch {
    mistakes.push(`--timezone ("${zone}") must be an IANA time zone, like Europe/Berlin`);
    return "UTC";
  }
}

function readCounter(text: string | undefined, mistakes: string[]): CounterChoice {
  if (text === undefined) return "find out";
  if (text === "yes" || text === "no") return text;
  mistakes.push(`--counter ("${text}") must be yes or no`);
  return "find out";
}

async function readFile(file: string, options: GridOptions): Promise<readonly NamedSeries[]> {
  const { readUserFile } = await import("../observe/user-file.js");
  return readUserFile(file, options);
}

async function askPrometheus(
  url: string,
  query: string,
  sinceMs: number,
  stepMs: number | undefined,
  counter: CounterChoice,
): Promise<readonly NamedSeries[]> {
  const { createPrometheusClient } = await import("../observe/prometheus.js");
  const { readPrometheusRange } = await import("../observe/prometheus-range.js");
  const { systemClock } = await import("../clock.js");
  const toMs = systemClock.now();
  const range = { fromMs: toMs - sinceMs, toMs };
  const step = stepMs ?? readMs("--step", DEFAULT_PROMETHEUS_STEP, []) ?? 0;
  return readPrometheusRange(
    createPrometheusClient({ url }),
    query,
    range,
    step,
    new AbortController().signal,
    counter,
  );
}

function chooseSeries(
  found: readonly NamedSeries[],
  wanted: string | undefined,
  source: string,
): readonly NamedSeries[] {
  if (found.length === 0) throw new UsageError(`${source} holds no series; check the file or the query`);
  if (wanted === undefined) {
    if (found.length <= MOST_SERIES) return found;
    throw new UsageError(`${source} holds ${String(found.length)} series; choose one with --series NAME`);
  }
  const chosen = found.filter(({ series }) => series.id === wanted);
  if (chosen.length > 0) return chosen;
  throw new UsageError(describeUnknown("series", wanted, found.map(({ series }) => series.id).slice(0, MOST_SERIES)));
}
