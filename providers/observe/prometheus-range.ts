/**
 * Any range query of Prometheus as series, one for each set of labels.
 *
 * Not for: metric sources of islands, which ask for workloads by name (prometheus.ts).
 */
import { DriverError } from "../../sdk/model";
import type { HttpJsonClient } from "../http-json";
import type { TimeRange } from "./metric-source";
import { POINTS_PER_CALL } from "./prometheus";
import type { CounterChoice } from "./counters";
import { gridSamples, type NamedSeries, type Sample } from "./samples";

/** Samples of one set of labels. */
export interface MatrixSeries {
  /** `name{label="value"}`, labels in the order of their names. */
  readonly name: string;
  readonly samples: readonly Sample[];
}

/**
 * Asks a query over a range.
 * @throws DriverError `unauthorized`, `unreachable`, `timeout`, or `failed` when the answer is no range of values
 */
export async function readPrometheusRange(
  client: HttpJsonClient,
  query: string,
  { fromMs, toMs }: TimeRange,
  stepMs: number,
  signal: AbortSignal,
  counter?: CounterChoice,
): Promise<readonly NamedSeries[]> {
  const found = new Map<string, Sample[]>();
  const first = Math.ceil(fromMs / stepMs) * stepMs;
  for (let from = first; from <= toMs; from += POINTS_PER_CALL * stepMs) {
    const to = Math.min(toMs, from + (POINTS_PER_CALL - 1) * stepMs);
    // Thanos: half an answer would look like a calm day.
    const form = { query, start: seconds(from), end: seconds(to), step: seconds(stepMs), partial_response: "false" };
    const answer = await client.call({ method: "POST", path: "/api/v1/query_range", form }, signal);
    const matrix = readMatrixJson(answer);
    if (!matrix) {
      throw new DriverError("failed", client.subject, "did not answer with a range of values", {
        remedy: "check that the URL is that of a Prometheus and the query gives series, not one value",
      });
    }
    for (const { name, samples } of matrix) found.set(name, [...(found.get(name) ?? []), ...samples]);
  }
  return [...found].map(([name, samples]) =>
    gridSamples(name, samples, { stepMs, ...(counter === undefined ? {} : { counter }) }),
  );
}

/** Series of an answer of `query_range`; undefined when it is none. */
export function readMatrixJson(answer: unknown): readonly MatrixSeries[] | undefined {
  const { data } = answer as { readonly data?: { readonly resultType?: unknown; readonly result?: unknown } };
  if (data?.resultType !== "matrix" || !Array.isArray(data.result)) return undefined;
  return (data.result as readonly RawSeries[]).map(({ metric, values }) => ({
    name: nameOf(metric),
    // NaN and infinities of Prometheus say that there was nothing to divide by.
    samples: values.map(([time, text]) => ({
      timeMs: time * 1000,
      value: Number.isFinite(Number(text)) ? Number(text) : Number.NaN,
    })),
  }));
}

interface RawSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
}

function nameOf({ __name__: name = "", ...labels }: Readonly<Record<string, string>>): string {
  const parts = Object.keys(labels)
    .sort()
    .map((label) => `${label}="${labels[label] ?? ""}"`);
  return parts.length === 0 ? name || "value" : `${name}{${parts.join(",")}}`;
}

function seconds(ms: number): string {
  return String(ms / 1000);
}
