/**
 * What the text and the page of a forecast share: its rows for people, and numbers as they are written.
 *
 * Not for: colours and HTML.
 */
import type { QuantileForecast, Series } from "../../sdk/model";

/** A series with its forecast. */
export interface SeriesForecast {
  readonly series: Series;
  readonly forecast: QuantileForecast;
  /** Repairs that reading made; the forecast's own notes are in it. */
  readonly notes: readonly string[];
}

/** How a forecast is shown. */
export interface ForecastLook {
  /** IANA name. */
  readonly timezone: string;
  /** What values are measured in; empty: not said. */
  readonly unit: string;
}

/** One line of the table: some steps, with the highest of each quantile in them. */
export interface ForecastRow {
  readonly fromMs: number;
  /** By level. */
  readonly values: readonly number[];
}

/** Groups steps so that at most `most` rows are left; a group shows its highest quantiles, for those are reserved. */
export function groupRows({ startMs, stepMs, rows }: QuantileForecast, most: number): readonly ForecastRow[] {
  const steps = rows[0]?.length ?? 0;
  const size = Math.max(1, Math.ceil(steps / most));
  return Array.from({ length: Math.ceil(steps / size) }, (_, group) => ({
    fromMs: startMs + group * size * stepMs,
    values: rows.map((row) => Math.max(...row.slice(group * size, (group + 1) * size))),
  }));
}

/** "P95", "P97.5". */
export function levelName(level: number): string {
  return `P${String(Number((level * 100).toFixed(3)))}`;
}

/** Four digits, thousands separated. */
export function formatValue(value: number): string {
  if (Number.isNaN(value)) return "";
  return Number(value.toPrecision(4)).toLocaleString("en-US", { maximumSignificantDigits: 4 });
}

/** A share as percent, with a digit where it is small. */
export function formatShare(share: number): string {
  const percent = share * 100;
  return `${percent !== 0 && Math.abs(percent) < 10 ? percent.toFixed(1) : String(Math.round(percent))} %`;
}

/** "Sat 21 Nov 02:00". */
export function formatMoment(atMs: number, timezone: string): string {
  return new Intl.DateTimeFormat("en-GB", {
    timeZone: timezone,
    weekday: "short",
    day: "2-digit",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  })
    .format(atMs)
    .replaceAll(",", "");
}
