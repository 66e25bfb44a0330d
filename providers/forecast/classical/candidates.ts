/**
 * The classical models as candidates of the blend, by name: those that pay on most loads are always among its members,
 * the others where they are asked for.
 *
 * Not for: the members of its own (members.ts).
 */
import type { Member } from "../blend";
import { measureErrors, quantilesAround } from "../bucket-errors";
import type { Bucket } from "../horizon-errors";
import { arimaModel } from "./arima-search";
import { CANDIDATE_NAMES, type CandidateName } from "./candidate-names";
import { decayingHistogram } from "./decaying-histogram";
import { smoothingModel } from "./exponential-smoothing";
import { fourierModel } from "./fourier-regression";
import { intermittentModel } from "./intermittent";
import type { FittedPoint, LevelModel } from "./point-model";
import type { AdjustedSeries } from "./seasonal-adjustment";
import { adjustSeasons, fitAdjusted } from "./seasonal-adjustment";
import { thetaModel } from "./theta";

/** What candidates are made from. */
export interface CandidatesInput {
  /** Without gaps, none below 0. */
  readonly values: Float64Array;
  /** 1 where measured. */
  readonly measured: Uint8Array;
  /** Lengths of seasons in steps, ascending; empty: none. */
  readonly seasons: readonly number[];
  /** Present spread at an origin. */
  readonly spread: (origin: number) => number;
  readonly buckets: readonly Bucket[];
  /** First origin that is judged. */
  readonly firstOrigin: number;
  /** Steps that count as "now". */
  readonly unitSteps: number;
}

/** A sample of the last day, or of a quarter of the series, counts half as much as a new one. */
const HISTOGRAM_PARTS = 4;

/** Those of the wanted candidates that can be fitted to the series, in the order of their names above. */
export function createCandidates(input: CandidatesInput, wanted: readonly CandidateName[]): readonly Member[] {
  let states: readonly AdjustedSeries[] | undefined;
  const adjusted = <Parameters>(model: LevelModel<Parameters>): FittedPoint | undefined => {
    states ??= adjustSeasons(input.values, input.seasons);
    return fitAdjusted(states, model);
  };
  const { values, unitSteps, seasons } = input;
  const fits: Readonly<Record<CandidateName, () => Member | undefined>> = {
    theta: () => around(input, adjusted(thetaModel(false))),
    "optimised-theta": () => around(input, adjusted(thetaModel(true))),
    "damped-trend": () => around(input, adjusted(smoothingModel("damped trend", ["damped"]))),
    "mstl-ets": () => around(input, adjusted(smoothingModel("MSTL and smoothing", ["level", "trend", "damped"]))),
    fourier: () => around(input, fourierModel(seasons).fit(values)),
    arima: () => around(input, arimaModel(seasons[0] ?? 0).fit(values)),
    croston: () => around(input, intermittentModel("Croston").fit(values)),
    sba: () => around(input, intermittentModel("SBA").fit(values)),
    tsb: () => around(input, intermittentModel("TSB").fit(values)),
    histogram: () => ({
      name: "decaying histogram",
      key: "decaying histogram",
      at: decayingHistogram(values, Math.max(1, Math.min(unitSteps, values.length / HISTOGRAM_PARTS))),
    }),
  };
  return CANDIDATE_NAMES.filter((name) => wanted.includes(name)).flatMap((name) => fits[name]() ?? []);
}

/** A point model with the errors that it made. */
function around(input: CandidatesInput, fitted: FittedPoint | undefined): Member | undefined {
  if (fitted === undefined) return undefined;
  const { point, name } = fitted;
  const errors = measureErrors(input.values, input.measured, { ...input, point });
  if (errors.length === 0) return undefined;
  return {
    name,
    key: name.replace(/^ARIMA.*/, "ARIMA"),
    at: (levels) => quantilesAround(point, input.spread, errors, levels),
  };
}
