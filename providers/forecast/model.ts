/**
 * Contract of forecasting models. Unfitted and fitted models are different types, so that nothing predicts before
 * it has seen data.
 */
import type { QuantileForecast, Series } from "../../sdk/model";

/** An unfitted model. Pure: the same series gives the same fitted model. */
export interface Model {
  readonly name: string;
  /** @throws SeriesError when the series is too short or empty for this model */
  fit(series: Series): FittedModel;
}

/** A model that has seen data. */
export interface FittedModel {
  readonly name: string;
  /** What was repaired or assumed, for people. */
  readonly notes: readonly string[];
  /** Those of the notes that say why what it predicts is weak. Absent: none. */
  readonly warnings?: readonly string[];
  /**
   * @param horizon number of steps after the series' end, >= 1
   * @param levels quantile levels in (0, 1), ascending
   * @param skip steps at the beginning that are left out, < horizon: a window may open in a year. @default 0
   */
  predict(horizon: number, levels: readonly number[], skip?: number): QuantileForecast;
  /**
   * In-sample or backtest residuals as whole cycles: `cycles[c][i]` is the error at position i of a season, oldest
   * first; they carry the dependence from which joint paths are drawn.
   */
  readonly residualCycles: readonly (readonly number[])[];
  /** What it is blended from, where it is a blend; those left out among them. */
  readonly members?: readonly FittedMember[];
}

/** One of the models that a blend chose from. */
export interface FittedMember {
  /** In words; may tell how many values it looks at. */
  readonly name: string;
  /** The same for the same member of a longer series. */
  readonly key: string;
  /** Its share of the blend in the middle of a season, 0 to 1; 0: left out there. */
  readonly weight: number;
  /** See {@link FittedModel.predict}. */
  predict(horizon: number, levels: readonly number[], skip?: number): QuantileForecast;
}
