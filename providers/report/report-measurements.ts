/**
 * What was measured in a run, each beside what was promised or forecast: traffic, pauses, budgets, demand.
 *
 * Not for: the rest of the page (report-page.ts).
 */
import type { BudgetLine, ForecastReport, RunReport, ServiceReport } from "../../sdk/model";
import { lineChart } from "./html/line-chart";
import { markup, type Markup } from "./html/markup";
import { badge, plainList, section, table, type Section } from "./html/page";
import { countOf } from "./html/words";
import { runSpan, waveMarks } from "./report-timeline";
import { modelTable } from "./workload-forecasts";

/** How much of the forecast is shown after the end of a run: a short run alone would be a flat line. */
const SHOWN_AFTER_MS = 15 * 60_000;

/** A section for each service: latency steady and in the run, requests and failures over time. */
export function traffic(report: RunReport, timezone: string): Section[] {
  return report.services.map((service) =>
    section(
      `Traffic of ${service.service}`,
      [latencyTable(service), trafficCharts(service, report, timezone)],
      `${countOf(service.requests, "request")}, ${service.failed === 0 ? "none" : service.failed.toLocaleString("en-US")} failed. Dotted upright lines: waves.`,
    ),
  );
}

function latencyTable({ service, steady, window }: ServiceReport): Markup {
  const rows = [
    ["steady", steady],
    ["in the run", window],
  ] as const;
  return table({
    caption: `Latency of ${service}, steady and in the run`,
    columns: ["When", "Requests", "P50", "P95", "P99", "Highest"],
    rows: rows.map(([label, summary]) => [
      label,
      summary.requests.toLocaleString("en-US"),
      `${summary.p50Ms.toFixed(1)} ms`,
      `${summary.p95Ms.toFixed(1)} ms`,
      `${summary.p99Ms.toFixed(1)} ms`,
      `${summary.maxMs.toFixed(0)} ms`,
    ]),
    numeric: ["Requests", "P50", "P95", "P99", "Highest"],
  });
}

function trafficCharts(service: ServiceReport, report: RunReport, timezone: string): Markup {
  const points = (read: (bucket: ServiceReport["buckets"][number]) => number): { x: number; y: number }[] =>
    service.buckets.map((bucket) => ({ x: bucket.atMs, y: read(bucket) }));
  const frame = { span: runSpan(report), timezone, marks: waveMarks(report) };
  return markup`<div class="pair">${lineChart({
    ...frame,
    caption: `Requests of ${service.service}`,
    unit: "a second",
    lines: [
      { name: "requests", color: "var(--c1)", points: points(({ requests }) => requests) },
      { name: "failed", color: "var(--bad)", points: points(({ failed }) => failed) },
    ],
  })}${lineChart({
    ...frame,
    caption: `Latency of ${service.service}`,
    unit: "milliseconds",
    lines: [
      { name: "P99", color: "var(--c4)", points: points(({ p99Ms }) => p99Ms) },
      { name: "P50", color: "var(--c2)", points: points(({ p50Ms }) => p50Ms) },
    ],
  })}</div>`;
}

/** Hand-overs with how long requests waited. */
export function pauses(report: RunReport): Section[] {
  if (report.pauses.length === 0) return [];
  const content = table({
    caption: "Pauses of exclusive workloads",
    columns: ["Workload", "Pause", "Allowed", "Requests parked", "Promise"],
    rows: report.pauses.map(({ workload, pauseMs, maxPauseMs, parkedRequests }) => [
      workload,
      `${pauseMs.toFixed(0)} ms`,
      `${String(maxPauseMs)} ms`,
      String(parkedRequests),
      kept(pauseMs <= maxPauseMs),
    ]),
    numeric: ["Pause", "Allowed", "Requests parked"],
  });
  return [section("Pauses", content, "Hand-overs of exclusive workloads: requests wait, none is refused.")];
}

/** Available copies beside those that each budget asks for. */
export function budgets(report: RunReport, timezone: string): Section[] {
  if (report.budgets.length === 0) return [];
  const summary = table({
    caption: "Budgets and their lowest headroom",
    columns: ["Workload", "Copies asked for", "Fewest available", "Headroom", "Promise"],
    rows: report.budgets.map(({ workload, required, lowestHeadroom }) => [
      workload,
      String(required),
      String(required + lowestHeadroom),
      String(lowestHeadroom),
      kept(lowestHeadroom >= 0),
    ]),
    numeric: ["Copies asked for", "Fewest available", "Headroom"],
  });
  const charts = report.budgets.map((budget) => budgetChart(budget, report, timezone));
  return [
    section(
      "Budget headroom",
      [summary, markup`<div class="pair">${charts}</div>`],
      "Copies available above what each budget asks for; below 0 a promise is broken.",
    ),
  ];
}

function budgetChart({ workload, required, points }: BudgetLine, report: RunReport, timezone: string): Markup {
  const span = runSpan(report);
  const first = points[0];
  // The first observation stands for the moments before it, the last one for those after it.
  const available = [
    ...(first ? [{ x: span.startMs, y: first.available }] : []),
    ...points.map((point) => ({ x: point.atMs, y: point.available })),
    ...points.slice(-1).map((point) => ({ x: span.endMs, y: point.available })),
  ];
  return lineChart({
    caption: `Copies of ${workload}`,
    unit: "copies",
    span,
    timezone,
    marks: waveMarks(report),
    lines: [
      { name: "available", color: "var(--c1)", stepped: true, points: available },
      {
        name: "asked for by the budget",
        color: "var(--bad)",
        points: [span.startMs, span.endMs].map((x) => ({ x, y: required })),
      },
    ],
  });
}

/** Forecast bands with what was measured. */
export function forecasts(report: RunReport, timezone: string): Section[] {
  if (report.forecasts.length === 0) return [];
  const charts = report.forecasts.map((entry) => forecastChart(entry, report, timezone));
  const misses = report.forecasts.flatMap(({ workload, misses: lines = [] }) =>
    lines.map((line) => `${workload}, ${line}.`),
  );
  return [
    section(
      "Forecast and actual",
      markup`<div class="pair">${charts}</div>${misses.length > 0 && plainList(misses)}
<h3>Which models spoke</h3>${modelTable(report.forecasts.map(({ forecast }) => forecast))}`,
      "The band holds 9 of 10 means of a step of the forecast; single measurements swing wider.",
    ),
  ];
}

function forecastChart(
  { workload, forecast, actual, insideBand }: ForecastReport,
  report: RunReport,
  timezone: string,
): Markup {
  const row = (level: number): readonly number[] => forecast.rows[forecast.levels.indexOf(level)] ?? [];
  const [low, middle, high] = [row(0.05), row(0.5), row(0.95)];
  const at = (index: number): number => forecast.startMs + index * forecast.stepMs;
  const shown = middle.map((_, index) => index).filter((index) => at(index) <= report.endMs + SHOWN_AFTER_MS);
  return lineChart({
    caption: `CPU of ${workload}`,
    unit: "cores",
    summary: `${forecast.model}${insideBand === undefined ? "" : `; ${(insideBand * 100).toFixed(0)} % of the measured means within P5 to P95`}.`,
    span: {
      startMs: Math.min(forecast.startMs, report.startMs),
      endMs: Math.max(report.endMs, at(shown.length)),
    },
    timezone,
    bands: [
      {
        name: "forecast P5 to P95",
        points: shown.map((index) => ({
          x: at(index),
          low: (low[index] ?? 0) / 1000,
          high: (high[index] ?? 0) / 1000,
        })),
      },
    ],
    lines: [
      {
        name: "actual",
        color: "var(--c4)",
        points: actual.map(({ atMs, cpuMillis }) => ({ x: atMs, y: cpuMillis / 1000 })),
      },
      {
        name: "forecast median",
        color: "var(--c1)",
        points: shown.map((index) => ({ x: at(index), y: (middle[index] ?? 0) / 1000 })),
      },
    ],
  });
}

function kept(isKept: boolean): Markup {
  return isKept ? badge("kept", "good") : badge("broken", "bad");
}
