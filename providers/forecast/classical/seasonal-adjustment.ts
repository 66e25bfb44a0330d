/**
 * Models without a season for series that have one: the season is taken out, a level model forecasts what is left, and
 * the last season is put back.
 *
 * Invariant: what a season looks like comes from values before the checkpoint that an origin lies behind, so that no
 * forecast knows the future's season.
 */
import type { PointAt } from "../bucket-errors";
import type { FittedPoint, LevelModel } from "./point-model";
import { decomposeSeasons } from "./stl";

/** One state of knowledge about the seasons. */
export interface AdjustedSeries {
  /** Number of values known. */
  readonly known: number;
  /** The last season of each length; position p is that of all t with t mod length = p. */
  readonly figures: readonly Float64Array[];
  /** The whole series without them. */
  readonly adjusted: Float64Array;
}

/** Shares of the series known at the checkpoints; the last is the whole. */
const CHECKPOINTS = [0.35, 0.5, 0.65, 0.8, 1] as const;
/** A season is told from so many of them. */
const FEWEST_SEASONS = 2;
/** See StlSetting: R's stl draws lines over a tenth of each window as well. */
const JUMP_PART = 10;

/** What is known about the seasons at each checkpoint. @param seasons ascending; empty: nothing is taken out */
export function adjustSeasons(values: Float64Array, seasons: readonly number[]): readonly AdjustedSeries[] {
  if (seasons.length === 0) return [{ known: values.length, figures: [], adjusted: values }];
  return CHECKPOINTS.map((share) => {
    const known = Math.max(
      Math.min(values.length, FEWEST_SEASONS * (seasons[0] ?? 1)),
      Math.floor(values.length * share),
    );
    const past = values.subarray(0, known);
    const usable = seasons.filter((season) => season * FEWEST_SEASONS <= known);
    const { seasonals } = decomposeSeasons(past, usable, JUMP_PART);
    const figures = usable.map((season, k) => lastSeason(seasonals[k] ?? past, season));
    const adjusted = new Float64Array(values.length);
    for (let t = 0; t < values.length; t++) adjusted[t] = (values[t] ?? 0) - seasonAt(figures, t);
    return { known, figures, adjusted };
  });
}

/** A level model on adjusted series. @param states of the same series, from {@link adjustSeasons} */
export function fitAdjusted<Parameters>(
  states: readonly AdjustedSeries[],
  model: LevelModel<Parameters>,
): FittedPoint | undefined {
  const parameters = model.fit(states.at(-1)?.adjusted ?? new Float64Array(0));
  if (parameters === undefined) return undefined;
  const runs: readonly PointAt[] = states.map(({ adjusted }) => model.run(adjusted, parameters));
  return {
    name: model.name,
    point: (origin, horizon) => {
      let index = 0;
      while (index + 1 < states.length && (states[index + 1]?.known ?? 0) <= origin + 1) index++;
      return (runs[index]?.(origin, horizon) ?? 0) + seasonAt(states[index]?.figures ?? [], origin + horizon);
    },
  };
}

function seasonAt(figures: readonly Float64Array[], t: number): number {
  let sum = 0;
  for (const figure of figures) sum += figure[t % figure.length] ?? 0;
  return sum;
}

function lastSeason(seasonal: Float64Array, season: number): Float64Array {
  const figure = new Float64Array(season);
  for (let t = seasonal.length - season; t < seasonal.length; t++) figure[t % season] = seasonal[t] ?? 0;
  return figure;
}
