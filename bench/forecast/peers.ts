/**
 * Forecasting libraries that anybody could install instead, as forecasters of the benchmark: MSTL with AutoETS of
 * `@bsull/augurs` (Rust in WebAssembly) and ARIMA of `arima` (C in WebAssembly). Both give means and deviations;
 * their quantiles are normal, never below 0, as loads are.
 *
 * Not for: the product, which uses neither.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ARIMA from "arima";
import { normalQuantile } from "../../providers/forecast/conformal";
import type { Forecaster, Rows } from "./forecasters";

/** Level of the interval that the deviation is taken from. */
const INTERVAL = 0.95;
const HOUR_S = 3600;
const WEEK_HOURS = 168;
/** A weekly season is only told from three of them. */
const FEWEST_WEEKS = 3;

/** Loads both. */
export async function loadPeers(): Promise<readonly Forecaster[]> {
  const { MSTL, initSync } = await import("@bsull/augurs/mstl");
  const folder = dirname(require.resolve("@bsull/augurs/mstl"));
  initSync({ module: readFileSync(join(folder, "mstl_bg.wasm")) });
  const mstl: Forecaster = {
    name: "augurs MSTL+ETS",
    start:
      (_, { season, stepS, horizon, levels }) =>
      (context) => {
        const isWeekly = stepS === HOUR_S && context.length >= FEWEST_WEEKS * WEEK_HOURS;
        const periods = season > 1 ? [season, ...(isWeekly ? [WEEK_HOURS] : [])] : [];
        const model = MSTL.ets(periods, { impute: true });
        model.fit(context);
        const { point, intervals } = model.predict(horizon, INTERVAL);
        model.free();
        const width = 2 * normalQuantile((1 + INTERVAL) / 2);
        const deviation = point.map((_point, h) => ((intervals?.upper[h] ?? 0) - (intervals?.lower[h] ?? 0)) / width);
        return normalRows(point, deviation, levels);
      },
  };
  return [mstl, arima];
}

/** Orders searched without a season: with one, a fit takes seconds and some of them explode. */
const arima: Forecaster = {
  name: "arima (auto)",
  start:
    (_, { horizon, levels }) =>
    (context) => {
      const options = { auto: true, p: 3, d: 1, q: 3, P: 0, D: 0, Q: 0, s: 0, verbose: false };
      const [means, squaredErrors] = new ARIMA(options).train(Array.from(context)).predict(horizon);
      return normalRows(means, squaredErrors.map(Math.sqrt), levels);
    },
};

function normalRows(means: readonly number[], deviations: readonly number[], levels: readonly number[]): Rows {
  return levels.map((level) => {
    const z = normalQuantile(level);
    return means.map((mean, h) => Math.max(0, mean + z * (deviations[h] ?? 0)));
  });
}
