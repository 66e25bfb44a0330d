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
import { quantilesOfMiddles } from "./empirical";
import { cumulativeSums, meanBetween } from "./running";
import type { QuantilesAt } from "./shape-model";
import { pairColumns, sortPairs } from "./sort-pairs";

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
/** Origins that there is room for at first: a fit looks back from some hundreds. */
const FIRST_ORIGINS = 128;

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
  const analogues = new FoundAnalogues(createMeans(values, setting.seasonSteps), values.length, setting);
  return (lifted) => valuesAfter(values, setting, analogues, lifted);
}

/** What came after the analogues of an origin, lifted. */
function valuesAfter(
  values: Float64Array,
  { seasonSteps }: SimilarDaysSetting,
  analogues: FoundAnalogues,
  lifted: number,
): (levels: readonly number[]) => QuantilesAt {
  const reach = Math.max(1, Math.round(seasonSteps / REACH_PART));
  const most = MOST_SEASONS * (2 * reach + 1);
  const [seen, scratch] = [pairColumns(most), pairColumns(most)];
  const { keys, weights } = seen;
  return (levels) => {
    const quantiles = new Float64Array(levels.length);
    return (origin, horizon) => {
      const place = analogues.placeOf(origin);
      const known = analogues.countOf(origin);
      let count = 0;
      let total = 0;
      for (let season = 0; season < known; season++) {
        const middle = origin - (season + 1) * seasonSteps + horizon;
        if (middle > origin) continue;
        const weight = analogues.weights[place + season] as number;
        const lift = 1 + lifted * ((analogues.growth[place + season] as number) - 1);
        const last = Math.min(origin, middle + reach);
        for (let index = Math.max(0, middle - reach); index <= last; index++) {
          const near = weight / (1 + Math.abs(index - middle));
          if (near === 0) continue;
          keys[count] = (values[index] as number) * lift;
          weights[count++] = near;
          total += near;
        }
      }
      if (count === 0) return quantiles.fill(values[origin] ?? 0);
      sortPairs(seen, count, scratch);
      let before = 0;
      for (let i = 0; i < count; i++) {
        const weight = weights[i] as number;
        weights[i] = before + weight / 2;
        before += weight;
      }
      return quantilesOfMiddles(keys, weights, count, total, levels, quantiles);
    };
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
  const meansOver = (steps: number): Float64Array => {
    const means = new Float64Array(values.length);
    for (let end = 0; end < means.length; end++) means[end] = meanBetween(sums, end - steps + 1, end);
    return means;
  };
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

/** Looks them up once for each origin; the columns of all origins grow in one piece, for small arrays cost much. */
class FoundAnalogues {
  weights: Float64Array = new Float64Array(FIRST_ORIGINS * MOST_SEASONS);
  /** Level at the origin beside the level then. */
  growth: Float64Array = new Float64Array(FIRST_ORIGINS * MOST_SEASONS);
  private readonly places: Int32Array;
  private used = 0;
  private readonly now = new Float64Array(PARTS);
  private readonly distances = new Float64Array(MOST_SEASONS);

  constructor(
    private readonly means: SeasonMeans,
    count: number,
    private readonly setting: SimilarDaysSetting,
  ) {
    this.places = new Int32Array(count).fill(-1);
  }

  /** Number of seasons that are known at an origin. */
  countOf(origin: number): number {
    return Math.max(0, Math.min(MOST_SEASONS, Math.floor(origin / this.setting.seasonSteps) - 1));
  }

  /** Where an origin's seasons begin in the columns, the newest first. */
  placeOf(origin: number): number {
    const known = this.places[origin] ?? -1;
    if (known >= 0) return known;
    const place = this.used;
    this.used += this.countOf(origin);
    if (this.used > this.weights.length) {
      this.weights = twiceAsLong(this.weights);
      this.growth = twiceAsLong(this.growth);
    }
    this.find(origin, place);
    this.places[origin] = place;
    return place;
  }

  private find(origin: number, place: number): void {
    const { now, distances, weights, growth } = this;
    const { whole, parts } = this.means;
    const { seasonSteps, longSteps } = this.setting;
    const level = whole[origin] ?? 0;
    const known = this.countOf(origin);
    for (let i = 0; i < PARTS; i++) {
      const part = parts[i];
      if (part !== undefined) now[i] = (part.means[origin - part.stepsBack] ?? 0) - level;
    }
    for (let season = 0; season < known; season++) {
      const end = origin - (season + 1) * seasonSteps;
      const then = whole[end] as number;
      let distance = Math.abs(level - then) * PARTS * LEVEL_WEIGHT;
      for (let i = 0; i < PARTS; i++) {
        const part = parts[i];
        if (part === undefined) continue;
        const apart = Math.abs((now[i] as number) - ((part.means[end - part.stepsBack] as number) - then));
        distance += i < NEWEST_PARTS ? apart * NEWEST_WEIGHT : apart;
      }
      distances[season] = distance;
    }
    const typical = (distances.slice(0, known).sort()[known >> 1] ?? 0) + SMALLEST_DISTANCE;
    for (let season = 0; season < known; season++) {
      const stepsBack = (season + 1) * seasonSteps;
      const isSamePlace = longSteps > 0 && stepsBack % longSteps === 0;
      growth[place + season] = growthBetween(whole[origin - stepsBack] ?? 0, level);
      weights[place + season] =
        Math.exp((-SHARPNESS * (distances[season] ?? 0)) / typical - (season + 1) / AGE_SEASONS) *
        (isSamePlace ? SAME_PLACE_WEIGHT : 1);
    }
  }
}

function twiceAsLong(column: Float64Array): Float64Array {
  const longer = new Float64Array(2 * column.length);
  longer.set(column);
  return longer;
}

/** From one level to another, within bounds: a day out of an idle week is no measure of a busy one. */
function growthBetween(from: number, to: number): number {
  return from > 0 ? Math.max(1 / LARGEST_GROWTH, Math.min(LARGEST_GROWTH, to / from)) : 1;
}
