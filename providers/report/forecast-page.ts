/** The HTML page of forecasts: the answer, then for each series its past and what comes, as a chart and as numbers. */
import { formatDurationShort, seriesEndMs } from "../../sdk/model";
import { nearestLevel } from "./forecast-text";
import {
  formatMoment,
  formatValue,
  groupRows,
  levelName,
  type ForecastLook,
  type SeriesForecast,
} from "./forecast-view";
import { lineChart } from "./html/line-chart";
import { markup, type Markup } from "./html/markup";
import { plainList, renderPage, section, table, type Section } from "./html/page";
import { countOf } from "./html/words";
import { highest } from "./sparkline";

const MOST_ROWS = 24;
/** The past is drawn over so many horizons, and at least so many steps. */
const PAST_HORIZONS = 3;
const LEAST_PAST = 48;

/** Renders the page. Equal arguments give equal pages. */
export function renderForecastPage(forecasts: readonly SeriesForecast[], source: string, look: ForecastLook): string {
  const [first] = forecasts;
  const horizonMs = first ? (first.forecast.rows[0]?.length ?? 0) * first.forecast.stepMs : 0;
  const weak = forecasts.filter(({ forecast }) => (forecast.warnings?.length ?? 0) > 0).length;
  return renderPage({
    title: `Forecast of ${source}`,
    state: weak > 0 ? { word: countOf(weak, "weak forecast"), tone: "warn" } : { word: "forecast", tone: "good" },
    answer:
      forecasts.length === 1 && first
        ? peakInWords(first, look)
        : `${String(forecasts.length)} series over the next ${formatDurationShort(horizonMs)}.`,
    meta: `Times in ${look.timezone}.${look.unit === "" ? "" : ` Values in ${look.unit}.`}`,
    tiles: forecasts.slice(0, 8).map(({ series, forecast }) => {
      const upper = forecast.rows[nearestLevel(forecast.levels, 0.95)] ?? [];
      const name = levelName(forecast.levels[nearestLevel(forecast.levels, 0.95)] ?? 0.95);
      return { label: series.id, value: formatValue(highest(upper)), detail: `highest ${name} of ${forecast.model}` };
    }),
    sections: forecasts.map((one, index) => ({ ...renderSeries(one, look), id: `series-${String(index + 1)}` })),
    footer:
      "Made by archipelago forecast. Quantiles are of each step by itself: a peak over many steps passes them more often.",
  });
}

function peakInWords({ forecast }: SeriesForecast, { timezone, unit }: ForecastLook): string {
  const index = nearestLevel(forecast.levels, 0.95);
  const upper = forecast.rows[index] ?? [];
  const peak = highest(upper);
  const at = forecast.startMs + upper.indexOf(peak) * forecast.stepMs;
  const name = levelName(forecast.levels[index] ?? 0.95);
  return `${name} peaks at ${formatValue(peak)}${unit === "" ? "" : ` ${unit}`} on ${formatMoment(at, timezone)}.`;
}

function renderSeries({ series, forecast, notes }: SeriesForecast, look: ForecastLook): Section {
  const { levels, rows, startMs, stepMs } = forecast;
  const horizon = rows[0]?.length ?? 0;
  const shown = Math.min(series.values.length, Math.max(LEAST_PAST, PAST_HORIZONS * horizon));
  const firstShown = series.values.length - shown;
  const [low, middle, high] = [0, nearestLevel(levels, 0.5), levels.length - 1];
  const at = (step: number): number => startMs + step * stepMs;
  const span = { startMs: series.startMs + firstShown * series.stepMs, endMs: at(Math.max(1, horizon) - 1) };
  const line = (index: number): { x: number; y: number }[] =>
    (rows[index] ?? []).map((y, step) => ({ x: at(step), y }));
  const chart = lineChart({
    caption: series.id,
    unit: look.unit === "" ? "value" : look.unit,
    summary: `The dotted upright line is where the forecast begins, ${formatMoment(seriesEndMs(series), look.timezone)}.`,
    span,
    timezone: look.timezone,
    bands: [
      {
        name: `${levelName(levels[low] ?? 0)} to ${levelName(levels[high] ?? 1)}`,
        points: (rows[low] ?? []).map((value, step) => ({
          x: at(step),
          low: value,
          high: rows[high]?.[step] ?? value,
        })),
      },
    ],
    lines: [
      {
        name: "measured",
        color: "var(--c5)",
        points: Array.from({ length: shown }, (_, index) => ({
          x: series.startMs + (firstShown + index) * series.stepMs,
          y: series.values[firstShown + index] ?? Number.NaN,
        })),
      },
      { name: `forecast, ${levelName(levels[middle] ?? 0.5)}`, color: "var(--c1)", points: line(middle) },
    ],
    marks: [startMs],
  });
  return section(series.id, [chart, quantileTable({ series, forecast, notes }, look), plainList(notes)]);
}

function quantileTable({ series, forecast }: SeriesForecast, { timezone }: ForecastLook): Markup {
  const grouped = groupRows(forecast, MOST_ROWS);
  const size = Math.ceil((forecast.rows[0]?.length ?? 0) / Math.max(1, grouped.length));
  const names = forecast.levels.map(levelName);
  return markup`<h3>Quantiles${size > 1 && `, the highest in each ${formatDurationShort(size * forecast.stepMs)}`}</h3>
${table({
  caption: `Quantiles of ${series.id}`,
  columns: ["From", ...names],
  rows: grouped.map(({ fromMs, values }) => [formatMoment(fromMs, timezone), ...values.map(formatValue)]),
  numeric: names,
})}`;
}
