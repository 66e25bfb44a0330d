/**
 * The forecast of each workload: its band over time, and which models spoke and why, for plan pages and reports.
 *
 * Not for: the demand of all together beside capacity (plan-charts.ts), and forecast beside actual
 * (report-measurements.ts).
 */
import type { QuantileForecast } from "../../sdk/model";
import { lineChart } from "./html/line-chart";
import { markup, type Markup } from "./html/markup";
import { badge, MOST_ROWS, plainList, section, table, type Section } from "./html/page";
import { countOf } from "./html/words";

/** More charts than this are not looked at; the table names all workloads. */
const MOST_CHARTS = 12;

/** Bands and models of a plan; nothing where nothing is forecast. */
export function forecastSections(bands: readonly QuantileForecast[], timezone: string): readonly Section[] {
  if (bands.length === 0) return [];
  const largest = [...bands].sort((a, b) => peakOf(b) - peakOf(a));
  const isDrawn = new Set(largest.slice(0, MOST_CHARTS));
  const drawn = bands.filter((band) => isDrawn.has(band));
  const left = bands.length - drawn.length;
  return [
    section(
      "Forecast by workload",
      // On paper the band of all workloads together is enough.
      [
        markup`<div class="pair screen">${drawn.map((band) => bandChart(band, timezone))}</div>`,
        // Of many, those that matter most are in the table.
        modelTable(bands.length > MOST_ROWS ? largest : bands),
      ],
      `CPU of all copies of each workload; 9 of 10 steps lie in the band.${left > 0 ? ` Drawn are those with the highest peak; ${countOf(left, "other")} in the table.` : ""}`,
    ),
  ];
}

/** Which models spoke for each workload, why, and what is weak about it. */
export function modelTable(bands: readonly QuantileForecast[]): Markup {
  return table({
    caption: "Forecast models",
    columns: ["Workload", "Model", "Who spoke, and why"],
    rows: bands.map(({ id, model, notes, warnings = [] }) => [
      nameOf(id),
      warnings.length > 0 ? markup`${model} ${badge("weak", "warn")}` : model,
      plainList(notes),
    ]),
  });
}

function bandChart({ id, levels, rows, startMs, stepMs, warnings = [] }: QuantileForecast, timezone: string): Markup {
  const row = (level: number): readonly number[] => rows[levels.indexOf(level)] ?? [];
  const [low, middle, high] = [row(0.05), row(0.5), row(0.95)];
  const at = (index: number): number => startMs + index * stepMs;
  const peak = Math.max(0, ...high);
  return lineChart({
    caption: `Forecast of ${nameOf(id)}`,
    unit: "cores",
    summary: `P95 peaks at ${(peak / 1000).toFixed(2)} cores${warnings.length > 0 ? "; the forecast is weak" : ""}.`,
    span: { startMs, endMs: at(Math.max(1, middle.length - 1)) },
    timezone,
    bands: [
      {
        name: "P5 to P95",
        points: middle.map((_, index) => ({
          x: at(index),
          low: (low[index] ?? 0) / 1000,
          high: (high[index] ?? 0) / 1000,
        })),
      },
    ],
    lines: [
      {
        name: "median",
        color: "var(--c1)",
        points: middle.map((value, index) => ({ x: at(index), y: value / 1000 })),
      },
    ],
  });
}

function peakOf({ levels, rows }: QuantileForecast): number {
  return (rows[levels.indexOf(0.95)] ?? []).reduce((high, value) => Math.max(high, value), 0);
}

function nameOf(id: string): string {
  return id.replace(/^workload\//, "");
}
