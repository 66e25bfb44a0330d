/** Forecasts as text: the past and the future as sparklines, quantiles as a table, and what the model says of itself. */
import { formatDurationShort, seriesEndMs } from "../../sdk/model";
import {
  formatMoment,
  formatValue,
  groupRows,
  levelName,
  type ForecastLook,
  type SeriesForecast,
} from "./forecast-view";
import { highest, sparkline } from "./sparkline";

const LINE_WIDTH = 72;
const MOST_ROWS = 12;
/** The past is shown over so many horizons. */
const PAST_HORIZONS = 3;

/** Renders one series. */
export function renderForecastText(
  { series, forecast, notes }: SeriesForecast,
  { timezone, unit }: ForecastLook,
): string {
  const { values, stepMs } = series;
  const { rows, levels } = forecast;
  const horizon = rows[0]?.length ?? 0;
  const past = values.subarray(Math.max(0, values.length - PAST_HORIZONS * horizon));
  const median = rows[nearestLevel(levels, 0.5)] ?? [];
  const upper = rows[nearestLevel(levels, 0.95)] ?? [];
  const top = Math.max(highest(past) || 0, highest(upper) || 0);
  const label = (text: string): string => text.padEnd(10);
  const span = (steps: number): string => formatDurationShort(steps * stepMs);
  const from = formatMoment(series.startMs, timezone);
  const until = formatMoment(seriesEndMs(series), timezone);
  const lines = [
    `${series.id}${unit === "" ? "" : `, ${unit}`}`,
    `  ${label("known")}${String(values.length)} values, one every ${formatDurationShort(stepMs)}, ${from} to ${until} (${timezone})`,
    `  ${label("past")}${sparkline(past, LINE_WIDTH, top)}  the last ${span(past.length)}, highest ${formatValue(highest(past))}`,
    `  ${label(levelName(levels[nearestLevel(levels, 0.5)] ?? 0.5))}${sparkline(median, LINE_WIDTH, top)}  the next ${span(horizon)}, highest ${formatValue(highest(median))}`,
    `  ${label(levelName(levels[nearestLevel(levels, 0.95)] ?? 0.95))}${sparkline(upper, LINE_WIDTH, top)}  highest ${formatValue(highest(upper))}`,
    "",
    ...renderRows({ series, forecast, notes }, timezone),
    "",
    ...notes.map((note) => `  ${note}`),
  ];
  return lines.join("\n");
}

function renderRows({ forecast }: SeriesForecast, timezone: string): readonly string[] {
  const grouped = groupRows(forecast, MOST_ROWS);
  const cells = grouped.map(({ fromMs, values }) => [formatMoment(fromMs, timezone), ...values.map(formatValue)]);
  const head = ["from", ...forecast.levels.map(levelName)];
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]): string =>
    `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join("  ")}`;
  const size = Math.ceil((forecast.rows[0]?.length ?? 0) / Math.max(1, grouped.length));
  const about = size > 1 ? [`  highest in each ${formatDurationShort(size * forecast.stepMs)}:`] : [];
  return [...about, line(head), ...cells.map(line)];
}

/** Index of the level that is nearest to a wanted one. */
export function nearestLevel(levels: readonly number[], wanted: number): number {
  const distances = levels.map((level) => Math.abs(level - wanted));
  return distances.indexOf(Math.min(...distances));
}
