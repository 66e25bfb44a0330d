/**
 * Seasonal naive with level correction and conformal quantiles: the shape of the last seasons, moved to the recent
 * level as far as such deviations have lasted before, with error quantiles measured on rolling origins.
 *
 * Not for: choosing among model families; this is one model, and the yardstick for those to come.
 *
 * Invariants
 * 1. Quantile rows never cross, hold no NaN and are >= 0.
 * 2. Pure: the same series and options give the same numbers.
 * 3. `residualCycles` ends at the series' last value, so the cycles of series that end together are of the same days.
 */
import type { Series } from "../../sdk/model";
import { backtestLoss, createBuckets, ORIGINS_PER_HORIZON } from "./horizon-errors";
import type { FittedModel, Model } from "./model";
import type { PreparedSeries } from "./prepare";
import { prepareSeries } from "./prepare";
import { renderForecast } from "./render-forecast";
import type { Shape } from "./seasonal-shape";
import { createProfile } from "./seasonal-shape";
import type { ShapeModel } from "./shape-model";
import { candidateShapes, cycleSteps, describeShape, fitShape, wholeSteps } from "./shape-model";

/** Options of {@link seasonalNaive}. */
export interface SeasonalNaiveOptions {
  /**
   * Season's length in ms. @default a day or a week, whichever forecasts the series' second half better; none when
   * there are less than two days of data
   */
  readonly seasonMs?: number;
  /** Longest horizon for which errors are measured, in seasons; beyond it they grow. @default 4 */
  readonly testedSeasons?: number;
}

const DAY_MS = 86_400_000;
/** See {@link SeasonalNaiveOptions.testedSeasons}. */
const TESTED_SEASONS = 4;
/**
 * A season must beat a plain mean by this factor: among many shapes judged on a few days one fits noise by luck, and
 * a copied season costs more where there is none than a mean costs where there is one.
 */
const SEASON_PENALTY = 1.08;

/**
 * Creates the model.
 *
 * The forecast for h steps ahead of origin t is `shape(t + h) + persistence(h) * level(t)`: `shape` is the mean of the
 * last K seasons at that position, `level` the exponentially smoothed deviation from it, `persistence` a ridge
 * regression over past origins. Its quantiles add the conformal quantiles of the errors at such horizons (sources in
 * conformal.ts). The median error is part of them, so the 0.5 row is the median, not the mean.
 */
export function seasonalNaive(options: SeasonalNaiveOptions = {}): Model {
  return { name: "seasonal-naive", fit: (series) => fit(series, options) };
}

function fit(series: Series, options: SeasonalNaiveOptions): FittedModel {
  const daySteps = wholeSteps(options.seasonMs ?? DAY_MS, series.stepMs);
  const prepared = prepareSeries(series, daySteps);
  const { length } = prepared.values;
  const shape = selectShape(prepared, candidateShapes(length, series.stepMs, options.seasonMs));
  const model = fitShape(prepared, shape, options.testedSeasons ?? TESTED_SEASONS, ORIGINS_PER_HORIZON);
  const notes = [...prepared.notes, describe(model, series.stepMs)];
  return {
    name: "seasonal-naive",
    notes,
    warnings: prepared.warnings,
    predict: (horizon, levels, skip = 0) => {
      const quantilesAt = model.at(levels);
      return renderForecast(series, prepared, { name: "seasonal-naive", notes }, { horizon, levels, skip }, (ahead) =>
        quantilesAt(length - 1, ahead),
      );
    },
    residualCycles: model.residualCycles(cycleSteps(length, daySteps)),
  };
}

/** The shape with the least loss over the same targets, averaged over the buckets of one day. */
function selectShape(prepared: PreparedSeries, shapes: readonly Shape[]): Shape {
  const { values } = prepared;
  const firstTarget = Math.max(...shapes.map((shape) => shape.seasonSteps * shape.seasons)) + 1;
  const longest = Math.max(1, Math.min(Math.floor(values.length / 4), Math.max(...shapes.map((s) => s.seasonSteps))));
  const buckets = createBuckets(longest, longest);
  let best: { shape: Shape; loss: number } | undefined;
  for (const shape of shapes) {
    const mean = backtestLoss({ ...prepared, profile: createProfile(values, shape), firstTarget }, buckets);
    const loss = shape.seasonSteps > 1 ? mean * SEASON_PENALTY : mean;
    if (best === undefined || loss < best.loss) best = { shape, loss };
  }
  return best?.shape ?? { seasonSteps: 1, seasons: 1 };
}

function describe({ isMeasured, shape }: ShapeModel, stepMs: number): string {
  if (!isMeasured) return "too few values to measure errors: the spread is assumed, not measured";
  const text = describeShape(shape, stepMs);
  return shape.seasonSteps === 1 ? `no season was found: ${text}` : `season: ${text}`;
}
