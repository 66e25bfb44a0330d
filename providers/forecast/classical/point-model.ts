/**
 * Contract of the classical point models: each is fitted on a series and then foretells the value some steps after any
 * of its origins, so that its errors can be measured and it can be judged beside others.
 *
 * Not for: quantiles (bucket-errors.ts measures the errors that they come from).
 *
 * Invariant: a forecast from an origin reads no value after it. A few parameters (speeds, coefficients) are those of
 * the whole series; what a season looks like is not (seasonal-adjustment.ts).
 */
import type { PointAt } from "../bucket-errors";

/** An unfitted point model. Pure: the same values give the same fit. */
export interface PointModel {
  readonly name: string;
  /** @param values without gaps. @returns undefined when there are too few, or none that it is made for */
  fit(values: Float64Array): FittedPoint | undefined;
}

/** A point model that has seen a series. */
export interface FittedPoint {
  readonly name: string;
  readonly point: PointAt;
}

/** A model of what is left without the season, fitted once and then run over other adjustments of the same series. */
export interface LevelModel<Parameters> {
  readonly name: string;
  /** @returns undefined when there are too few values */
  fit(values: Float64Array): Parameters | undefined;
  /** States after every value, and what they foretell. */
  run(values: Float64Array, parameters: Parameters): PointAt;
}
