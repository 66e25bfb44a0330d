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
import { createArgsort } from "./argsort";
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
  /** Level at the origin beside the level then. */
  readonly growth: number;
}

/** How the past seasons are found. */
export interface SimilarDaysSetting {
  /** Steps of a season. */
  readonly seasonSteps: number;
  /** Steps of a longer season that is made of whole ones, as a week of days; 0: none is known. */
  readonly longSteps: number;
}

/**
 * Finds them once for all forecasts that are made of them.
 * @param values at least two seasons
 * @returns forecasts by `lifted`, the share of the change from the level then to the level at the origin by which past
 * values grow
 */
export function similarDays(
  values: Float64Array,
  setting: SimilarDaysSetting,
): (lifted: number) => (levels: readonly number[]) => QuantilesAt {
  const seasons = createMeans(values, setting.seasonSteps);
  const found = new Map<number, readonly Analogue[]>();
  const analoguesAt = (origin: number): readonly Analogue[] => {
    const known = found.get(origin) ?? findAnalogues(seasons, origin, setting);
    found.set(origin, known);
    return known;
  };
  return (lifted) => valuesAfter(values, setting, analoguesAt, lifted);
}

/** What came after the analogues of an origin, lifted. */
function valuesAfter(
  values: Float64Array,
  { seasonSteps }: SimilarDaysSetting,
  analoguesAt: (origin: number) => readonly Analogue[],
  lifted: number,
): (levels: readonly number[]) => QuantilesAt {
  const reach = Math.max(1, Math.round(seasonSteps / REACH_PART));
  const most = MOST_SEASONS * (2 * reach + 1);
  const [seen, weights] = [new Float64Array(most), new Float64Array(most)];
  const [ascending, ordered] = [new Float64Array(most), new Float64Array(most)];
  const sort = createArgsort(most);
  return (levels) => (origin, horizon) => {
    let count = 0;
    let total = 0;
    for (const { stepsBack, weight, growth } of analoguesAt(origin)) {
      const lift = 1 + lifted * (growth - 1);
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
    const order = sort(seen, count);
    for (let i = 0; i < count; i++) {
      ascending[i] = seen[order[i] ?? 0] ?? 0;
      ordered[i] = weights[order[i] ?? 0] ?? 0;
    }
    return weightedQuantiles(ascending, ordered, total, levels, count);
  };
}

/** Means of the season, and of each of its parts, that end at any index. */
interface SeasonMeans {
  readonly whole: Float64Array;
  /** The newest part first. */
  readonly parts: readonly { readonly means: Float64Array; readonly stepsBack: number }[];
}

function createMeans(values: Float64Array, seasonSteps: number): SeasonMeans {
  const sums = cumulativeSums(values);
  const meansOver = (steps: number): Float64Array =>
    Float64Array.from(values, (_, end) => meanBetween(sums, end - steps + 1, end));
  const byLength = new Map<number, Float64Array>();
  const parts = Array.from({ length: PARTS }, (_, part) => {
    const [newest, oldest] = [part, part + 1].map((edge) => Math.round((edge * seasonSteps) / PARTS));
    const [stepsBack, steps] = [newest ?? 0, (oldest ?? 0) - (newest ?? 0)];
    const means = byLength.get(steps) ?? meansOver(steps);
    byLength.set(steps, means);
    return { means, stepsBack };
  });
  return { whole: meansOver(seasonSteps), parts };
}

function findAnalogues(
  { whole, parts }: SeasonMeans,
  origin: number,
  { seasonSteps, longSteps }: SimilarDaysSetting,
): readonly Analogue[] {
  const level = whole[origin] ?? 0;
  const now = new Float64Array(PARTS);
  parts.forEach(({ means, stepsBack }, i) => (now[i] = (means[origin - stepsBack] ?? 0) - level));
  const known = Math.max(0, Math.min(MOST_SEASONS, Math.floor(origin / seasonSteps) - 1));
  const distances = new Float64Array(known);
  for (let season = 0; season < known; season++) {
    const end = origin - (season + 1) * seasonSteps;
    const then = whole[end] ?? 0;
    let distance = Math.abs(level - then) * PARTS * LEVEL_WEIGHT;
    for (let i = 0; i < PARTS; i++) {
      const part = parts[i];
      if (part === undefined) continue;
      const apart = Math.abs((now[i] ?? 0) - ((part.means[end - part.stepsBack] ?? 0) - then));
      distance += i < NEWEST_PARTS ? apart * NEWEST_WEIGHT : apart;
    }
    distances[season] = distance;
  }
  const typical = (distances.slice().sort()[known >> 1] ?? 0) + SMALLEST_DISTANCE;
  return Array.from(distances, (distance, season) => {
    const stepsBack = (season + 1) * seasonSteps;
    const isSamePlace = longSteps > 0 && stepsBack % longSteps === 0;
    return {
      stepsBack,
      growth: growthBetween(whole[origin - stepsBack] ?? 0, level),
      weight:
        Math.exp((-SHARPNESS * distance) / typical - (season + 1) / AGE_SEASONS) *
        (isSamePlace ? SAME_PLACE_WEIGHT : 1),
    };
  });
}

/** From one level to another, within bounds: a day out of an idle week is no measure of a busy one. */
function growthBetween(from: number, to: number): number {
  return from > 0 ? Math.max(1 / LARGEST_GROWTH, Math.min(LARGEST_GROWTH, to / from)) : 1;
}
