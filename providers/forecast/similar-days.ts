/**
 * Forecasts that are what came after the past days most like the last one, scaled to the present level and weighted
 * by how alike they are: holidays, batch days and quiet days find their own kind, and days of the same weekday count more.
 * Scaling keeps the quiet hours above 0, which moving does not.
 *
 * Invariant: a forecast from an origin reads no value after it.
 *
 * Source: nearest-neighbour (analogue) forecasts, E. N. Lorenz, "Atmospheric Predictability as Revealed by Naturally
 * Occurring Analogues", J. Atmos. Sci. 26, 1969; for seasonal load, F. Martinez et al., "A methodology for applying
 * k-nearest neighbor to time series forecasting", Artificial Intelligence Review 52, 2019.
 */
import { argsort } from "./argsort";
import { weightedQuantiles } from "./empirical";
import { cumulativeSums, meanBetween } from "./running";
import type { QuantilesAt } from "./shape-model";

/** Seasons looked back at most. */
const MOST_SEASONS = 35;
/** Parts of a season by which two of them are compared. */
const PARTS = 12;
/** The newest parts count double: what is going on now matters more than what was yesterday. */
const NEWEST_PARTS = 3;
const NEWEST_WEIGHT = 2;
/** A different level counts like this share of as different a shape. */
const LEVEL_WEIGHT = 0.5;
/** A day with the median distance weighs e^-SHARPNESS of one that is the same. */
const SHARPNESS = 3;
/** Age in seasons at which a day counts e times less. */
const AGE_SEASONS = 20;
/** A season at the same place in the longer one, as the same day of the week, counts so many times as much. */
const SAME_PLACE_WEIGHT = 6;
/** How far around the same time values are taken from, as a part of the season. */
const REACH_PART = 96;
const LARGEST_GROWTH = 3;
const SMALLEST_DISTANCE = 1e-300;

/** One past season, as seen from an origin. */
interface Analogue {
  readonly stepsBack: number;
  readonly weight: number;
  /** Factor on the values then. */
  readonly lift: number;
}

/** How the past seasons are found and used. */
export interface SimilarDaysSetting {
  /** Steps of a season. */
  readonly seasonSteps: number;
  /** Steps of a longer season that is made of whole ones, as a week of days; 0: none is known. */
  readonly longSteps: number;
  /** Share of the change from the level then to the level at the origin by which past values grow. */
  readonly lifted: number;
}

/** @param values at least two seasons */
export function similarDays(
  values: Float64Array,
  { seasonSteps, longSteps, lifted }: SimilarDaysSetting,
): (levels: readonly number[]) => QuantilesAt {
  const sums = cumulativeSums(values);
  const edges = Array.from({ length: PARTS + 1 }, (_, i) => Math.round((i * seasonSteps) / PARTS));
  const found = new Map<number, readonly Analogue[]>();
  const analoguesAt = (origin: number): readonly Analogue[] => {
    const known = found.get(origin) ?? findAnalogues(sums, edges, origin, { seasonSteps, longSteps, lifted });
    found.set(origin, known);
    return known;
  };
  const reach = Math.max(1, Math.round(seasonSteps / REACH_PART));
  const most = MOST_SEASONS * (2 * reach + 1);
  const [seen, weights] = [new Float64Array(most), new Float64Array(most)];
  const [ascending, ordered] = [new Float64Array(most), new Float64Array(most)];
  return (levels) => (origin, horizon) => {
    let count = 0;
    let total = 0;
    for (const { stepsBack, weight, lift } of analoguesAt(origin)) {
      const middle = origin - stepsBack + horizon;
      if (middle > origin) continue;
      const last = Math.min(origin, middle + reach);
      for (let index = Math.max(0, middle - reach); index <= last; index++) {
        seen[count] = (values[index] ?? 0) * lift;
        const near = weight / (1 + Math.abs(index - middle));
        weights[count++] = near;
        total += near;
      }
    }
    if (count === 0) return new Float64Array(levels.length).fill(values[origin] ?? 0);
    const order = argsort(seen.subarray(0, count));
    for (let i = 0; i < count; i++) {
      ascending[i] = seen[order[i] ?? 0] ?? 0;
      ordered[i] = weights[order[i] ?? 0] ?? 0;
    }
    return weightedQuantiles(ascending, ordered, total, levels, count);
  };
}

/** @param edges where the parts of a season begin and end, in steps before its end */
function findAnalogues(
  sums: Float64Array,
  edges: readonly number[],
  origin: number,
  { seasonSteps, longSteps, lifted }: SimilarDaysSetting,
): readonly Analogue[] {
  const candidates: { stepsBack: number; distance: number; lift: number }[] = [];
  const level = levelBefore(sums, origin, seasonSteps);
  const parts = new Float64Array(PARTS);
  for (let i = 0; i < PARTS; i++) parts[i] = partOf(sums, edges, origin, i) - level;
  for (let season = 1; season <= MOST_SEASONS && origin - season * seasonSteps >= seasonSteps; season++) {
    const end = origin - season * seasonSteps;
    const then = levelBefore(sums, end, seasonSteps);
    let distance = Math.abs(level - then) * PARTS * LEVEL_WEIGHT;
    for (let i = 0; i < PARTS; i++) {
      const apart = Math.abs((parts[i] ?? 0) - (partOf(sums, edges, end, i) - then));
      distance += i < NEWEST_PARTS ? apart * NEWEST_WEIGHT : apart;
    }
    candidates.push({ stepsBack: season * seasonSteps, distance, lift: 1 + lifted * (growth(then, level) - 1) });
  }
  const distances = Float64Array.from(candidates, ({ distance }) => distance).sort();
  const typical = (distances[distances.length >> 1] ?? 0) + SMALLEST_DISTANCE;
  return candidates.map(({ stepsBack, distance, lift }) => ({
    stepsBack,
    lift,
    weight:
      Math.exp((-SHARPNESS * distance) / typical - stepsBack / seasonSteps / AGE_SEASONS) *
      (longSteps > 0 && stepsBack % longSteps === 0 ? SAME_PLACE_WEIGHT : 1),
  }));
}

/** From one level to another, within bounds: a day out of an idle week is no measure of a busy one. */
function growth(from: number, to: number): number {
  return from > 0 ? Math.max(1 / LARGEST_GROWTH, Math.min(LARGEST_GROWTH, to / from)) : 1;
}

/** Mean of the season that ends at `end`. */
function levelBefore(sums: Float64Array, end: number, seasonSteps: number): number {
  return meanBetween(sums, end - seasonSteps + 1, end);
}

/** Mean of a part of the season that ends at `end`; the newest is the first. */
function partOf(sums: Float64Array, edges: readonly number[], end: number, part: number): number {
  return meanBetween(sums, end - (edges[part + 1] ?? 0) + 1, end - (edges[part] ?? 0));
}
