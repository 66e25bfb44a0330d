/**
 * From a model's quantiles at one horizon to the rows of a forecast.
 *
 * Invariant: rows never cross and are >= 0, whatever the model gives.
 */
import type { QuantileForecast, Series } from "../../sdk/model";
import type { PreparedSeries } from "./prepare";

/** What is asked of a model; see FittedModel.predict. */
export interface ForecastRequest {
  readonly horizon: number;
  /** Ascending. */
  readonly levels: readonly number[];
  readonly skip: number;
}

/** @param quantilesAt one value for each level, `horizon` steps after the last measured value */
export function renderForecast(
  series: Series,
  { missingAtEnd }: PreparedSeries,
  { name: model, notes }: { readonly name: string; readonly notes: readonly string[] },
  { horizon, levels, skip }: ForecastRequest,
  quantilesAt: (horizon: number) => ArrayLike<number>,
): QuantileForecast {
  const rows = levels.map(() => new Array<number>(horizon - skip).fill(0));
  for (let step = skip; step < horizon; step++) {
    const quantiles = quantilesAt(step + 1 + missingAtEnd);
    let lower = 0;
    rows.forEach((row, l) => {
      lower = Math.max(lower, quantiles[l] ?? 0);
      row[step - skip] = lower;
    });
  }
  const startMs = series.startMs + (series.values.length + skip) * series.stepMs;
  return { id: series.id, startMs, stepMs: series.stepMs, levels, rows, model, notes };
}
