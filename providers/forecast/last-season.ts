/**
 * The plainest forecast: what was a season ago comes again, with normal quantiles of how wrong that was before, wider
 * with each season ahead. The yardstick of backtests.
 *
 * Not for: planning (seasonal-naive.ts corrects the level and measures quantiles).
 *
 * Source: seasonal naive with its prediction intervals, Hyndman and Athanasopoulos, "Forecasting: Principles and
 * Practice", 3rd ed., sections 5.2 and 5.5.
 */
import type { Series } from "../../sdk/model";
import { normalQuantile } from "./conformal";
import type { FittedModel, Model } from "./model";
import { prepareSeries } from "./prepare";
import { renderForecast } from "./render-forecast";

/** @param seasonSteps length of the season; 1: the last value */
export function lastSeason(seasonSteps: number): Model {
  const name = seasonSteps > 1 ? "the last season again" : "the last value again";
  return { name, fit: (series) => fit(series, seasonSteps, name) };
}

function fit(series: Series, wanted: number, name: string): FittedModel {
  const prepared = prepareSeries(series, wanted);
  const { values } = prepared;
  const count = values.length;
  const season = count > wanted ? wanted : 1;
  let squares = 0;
  for (let index = season; index < count; index++) {
    squares += ((values[index] ?? 0) - (values[index - season] ?? 0)) ** 2;
  }
  const deviation = count > season ? Math.sqrt(squares / (count - season)) : 0;
  const { notes } = prepared;
  return {
    name,
    notes,
    residualCycles: [],
    predict: (horizon, levels, skip = 0) =>
      renderForecast(series, prepared, { name, notes }, { horizon, levels, skip }, (ahead) => {
        const last = values[count - season + ((ahead - 1) % season)] ?? 0;
        const spread = deviation * Math.sqrt(Math.ceil(ahead / season));
        return levels.map((level) => last + normalQuantile(level) * spread);
      }),
  };
}
