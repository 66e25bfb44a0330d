/**
 * Metric source over Prometheus and what speaks its HTTP API (Thanos, Mimir, VictoriaMetrics): range queries, one for
 * all subjects of a kind and unit.
 *
 * Not for: what is asked (prometheus-queries.ts) and alarms (alarms.ts).
 *
 * Invariants
 * 1. A value at time t of Prometheus looks back over a window, so it belongs to the interval that ends at t; nothing is
 *    asked for a time after the range's end.
 * 2. What was not measured is a gap. Restarts of a counter are the business of `rate`, in Prometheus.
 */
import type { MetricUnit, PrometheusQueries, Series } from "../../sdk/model";
import { DriverError, floorToGrid } from "../../sdk/model";
import type { HttpJsonClient, HttpJsonOptions } from "../http-json";
import { createHttpJsonClient } from "../http-json";
import type { MetricSelector, MetricSource, TimeRange } from "./metric-source";
import { queryFor, renderQuery, type SubjectKind } from "./prometheus-queries";

/** Options of {@link createPrometheusSource}. */
export interface PrometheusOptions extends Pick<HttpJsonOptions, "url" | "environment" | "clock" | "timeoutMs"> {
  /** Instead of the defaults. */
  readonly queries?: PrometheusQueries;
  /** How often Prometheus looks; a rate needs several looks. @default 60 s */
  readonly scrapeIntervalMs?: number;
}

/** Begin of the names of the variables with its credentials. */
const PROMETHEUS_ENVIRONMENT = "ARCHIPELAGO_PROMETHEUS";
/** Prometheus refuses ranges of more than 11,000 points a series. */
export const POINTS_PER_CALL = 10_000;
/** Names in one regular expression; more make a slow query. */
const NAMES_PER_CALL = 100;
/** With four looks in a window, one may be missing and a restart in between does no harm. */
const LOOKS_PER_WINDOW = 4;
const DEFAULT_SCRAPE_MS = 60_000;

/** A client of the HTTP API, with credentials from the environment. */
export function createPrometheusClient(
  options: Pick<PrometheusOptions, "url" | "environment" | "clock" | "timeoutMs">,
): HttpJsonClient {
  return createHttpJsonClient({ ...options, name: "Prometheus", environmentPrefix: PROMETHEUS_ENVIRONMENT });
}

/**
 * Creates the source; nothing is asked yet.
 * @throws never; queries throw DriverError `unauthorized`, `unreachable`, `timeout` or `failed`
 */
export function createPrometheusSource(options: PrometheusOptions): MetricSource {
  const client = createPrometheusClient(options);
  const scrapeMs = options.scrapeIntervalMs ?? DEFAULT_SCRAPE_MS;
  return {
    name: client.subject,
    query: async (selectors, range, stepMs, signal) => {
      const grid = createGrid(range, stepMs, Math.max(stepMs, LOOKS_PER_WINDOW * scrapeMs));
      const found = new Map<string, Float64Array>();
      for (const { kind, unit, names } of groupSelectors(selectors)) {
        const query = queryFor(kind, unit, options.queries);
        if (query === undefined) continue;
        for (let from = 0; from < names.length; from += NAMES_PER_CALL) {
          const asked = names.slice(from, from + NAMES_PER_CALL);
          const values = await readRange(client, renderQuery(query, asked, grid.intervalMs), kind, asked, grid, signal);
          for (const [name, one] of values) found.set(`${unit} ${kind}/${name}`, one);
        }
      }
      return selectors.map(({ subject, unit }): Series | undefined => {
        const values = found.get(`${unit} ${subject}`);
        return values && { id: subject, unit, startMs: grid.startMs, stepMs, values };
      });
    },
  };
}

/** Intervals of the answer, and those of them that end within the range. */
interface Grid {
  readonly startMs: number;
  readonly stepMs: number;
  readonly count: number;
  readonly ended: number;
  readonly intervalMs: number;
}

function createGrid({ fromMs, toMs }: TimeRange, stepMs: number, intervalMs: number): Grid {
  const startMs = floorToGrid(fromMs, stepMs);
  const count = Math.max(0, Math.ceil((toMs - startMs) / stepMs));
  return { startMs, stepMs, count, ended: Math.max(0, Math.floor((toMs - startMs) / stepMs)), intervalMs };
}

interface SelectorGroup {
  readonly kind: SubjectKind;
  readonly unit: MetricUnit;
  readonly names: readonly string[];
}

function groupSelectors(selectors: readonly MetricSelector[]): readonly SelectorGroup[] {
  const groups = new Map<string, { kind: SubjectKind; unit: MetricUnit; names: Set<string> }>();
  for (const { subject, unit } of selectors) {
    const slash = subject.indexOf("/");
    const kind = subject.slice(0, slash);
    const name = subject.slice(slash + 1);
    if ((kind !== "workload" && kind !== "host") || name === "") continue;
    const group = groups.get(`${kind} ${unit}`) ?? { kind, unit, names: new Set<string>() };
    group.names.add(name);
    groups.set(`${kind} ${unit}`, group);
  }
  return [...groups.values()].map(({ names, ...group }) => ({ ...group, names: [...names].sort() }));
}

/** One query over the whole range, in parts that Prometheus takes. Names without a value have no entry. */
async function readRange(
  client: HttpJsonClient,
  query: string,
  kind: SubjectKind,
  names: readonly string[],
  grid: Grid,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Float64Array>> {
  const found = new Map<string, Float64Array>();
  for (let from = 0; from < grid.ended; from += POINTS_PER_CALL) {
    const to = Math.min(grid.ended, from + POINTS_PER_CALL);
    const form = {
      query,
      start: seconds(grid.startMs + (from + 1) * grid.stepMs),
      end: seconds(grid.startMs + to * grid.stepMs),
      step: seconds(grid.stepMs),
      // Thanos: half an answer would look like a calm day.
      partial_response: "false",
    };
    const results = readMatrix(
      await client.call({ method: "POST", path: "/api/v1/query_range", form }, signal),
      client,
    );
    const seen = new Set<string>();
    for (const { metric, values } of results) {
      const name = metric[kind];
      if (name === undefined || !names.includes(name)) continue;
      if (seen.has(name)) {
        throw new DriverError(
          "failed",
          client.subject,
          `gave several series for ${kind} ${name} by the query ${query}`,
          {
            remedy: `aggregate them, like sum by (${kind}) (...)`,
          },
        );
      }
      seen.add(name);
      const series = found.get(name) ?? new Float64Array(grid.count).fill(Number.NaN);
      for (const [time, text] of values) {
        const slot = Math.round((time * 1000 - grid.startMs) / grid.stepMs) - 1;
        const value = Number(text);
        if (slot >= 0 && slot < grid.count && Number.isFinite(value) && value >= 0) series[slot] = value;
      }
      found.set(name, series);
    }
    if (results.length > 0 && results.every(({ metric }) => metric[kind] === undefined)) {
      throw new DriverError("failed", client.subject, `gave no label ${kind} by the query ${query}`, {
        remedy: `carry the name in it: aggregate by (${kind}), or make it with label_replace(...)`,
      });
    }
  }
  return found;
}

interface MatrixSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
}

function readMatrix(answer: unknown, { subject }: HttpJsonClient): readonly MatrixSeries[] {
  const data = (answer as { readonly data?: { readonly resultType?: unknown; readonly result?: unknown } } | undefined)
    ?.data;
  if (data?.resultType === "matrix" && Array.isArray(data.result)) return data.result as readonly MatrixSeries[];
  throw new DriverError("failed", subject, "did not answer with a range of values", {
    remedy: "check that the URL is that of a Prometheus and the query gives series",
  });
}

function seconds(ms: number): string {
  return String(ms / 1000);
}
