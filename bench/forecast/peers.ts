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
/** It takes no fewer values with these orders. */
const FEWEST_FOR_ARIMA = 20;
/** The newest values are enough for orders this low: many thousands leave its memory, and a search takes minutes. */
const MOST_FOR_ARIMA = 1000;
/** Any error, any trend, no season. */
const NO_SEASON = "ZZN";
/** A weekly season is only told from three of them. */
const FEWEST_WEEKS = 3;

/** Loads both. */
export async function loadPeers(): Promise<readonly Forecaster[]> {
  const { MSTL, initSync } = await import("@bsull/augurs/mstl");
  const { AutoETS, initSync: initEts } = await import("@bsull/augurs/ets");
  const folder = dirname(require.resolve("@bsull/augurs/mstl"));
  initSync({ module: readFileSync(join(folder, "mstl_bg.wasm")) });
  initEts({ module: readFileSync(join(folder, "ets_bg.wasm")) });
  const mstl: Forecaster = {
    name: "augurs MSTL+ETS",
    start:
      (_, { season, stepS, horizon, levels }) =>
      (context) => {
        const isWeekly = stepS === HOUR_S && context.length >= FEWEST_WEEKS * WEEK_HOURS;
        // There is nothing to decompose without a season.
        const model =
          season > 1
            ? MSTL.ets([season, ...(isWeekly ? [WEEK_HOURS] : [])], { impute: true })
            : new AutoETS(1, NO_SEASON);
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
      if (context.length < FEWEST_FOR_ARIMA) return lastValue(context, horizon, levels);
      const options = { auto: true, p: 3, d: 1, q: 3, P: 0, D: 0, Q: 0, s: 0, verbose: false };
      const newest = Array.from(context.subarray(-MOST_FOR_ARIMA));
      const [means, squaredErrors] = new ARIMA(options).train(newest).predict(horizon);
      return normalRows(means, squaredErrors.map(Math.sqrt), levels);
    },
};

/** A random walk, for what a peer refuses. */
function lastValue(context: Float64Array, horizon: number, levels: readonly number[]): Rows {
  const steps = context.slice(1).map((value, index) => value - (context[index] ?? 0));
  const variance = steps.reduce((sum, step) => sum + step * step, 0) / Math.max(1, steps.length);
  const last = context.at(-1) ?? 0;
  const ahead = Array.from({ length: horizon }, (_, h) => h + 1);
  return normalRows(
    ahead.map(() => last),
    ahead.map((h) => Math.sqrt(variance * h)),
    levels,
  );
}

function normalRows(means: readonly number[], deviations: readonly number[], levels: readonly number[]): Rows {
  return levels.map((level) => {
    const z = normalQuantile(level);
    return means.map((mean, h) => Math.max(0, mean + z * (deviations[h] ?? 0)));
  });
}
