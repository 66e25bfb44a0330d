/**
 * Forecasts that are past values: the values seen lately, or seen lately at that time of day, weighted by their age.
 * For bursty and skewed loads, which no point forecast with symmetric errors describes.
 *
 * Not for: trends and level shifts, which it follows only as fast as old values lose weight.
 *
 * Source: the non-parametric time series forecaster (NPTS) with exponential and seasonal kernels, Alexandrov et al.,
 * "GluonTS: Probabilistic and Neural Time Series Modeling in Python", JMLR 21(116), 2020, section 4; Gasthaus 2016.
 *
 * Invariant: a forecast from an origin reads no value after it.
 */
import { argsort } from "./argsort";
import type { PreparedSeries } from "./prepare";
import type { QuantilesAt } from "./shape-model";

/** Which past values count, and how much. */
export interface EmpiricalKernel {
  /** Age at which a value counts e times less, in steps. */
  readonly ageSteps: number;
  /** Only values around the same position in a season of this length; 1: all. */
  readonly seasonSteps: number;
  /** How far from that position values still count. */
  readonly widthSteps: number;
}

/** Values older than this many times `ageSteps` are left out: they would weigh less than 1 %. */
const OLDEST_AGES = 5;
/** Values looked at; of longer series every n-th. */
const MOST_VALUES = 1200;

/** Values of a series in ascending order, shared by all kernels. */
export interface SortedValues {
  /** Index into the series of each. */
  readonly order: Int32Array;
  readonly values: Float64Array;
}

/** Sorts the measured values. */
export function sortValues({ values, measured }: PreparedSeries): SortedValues {
  const stride = coprimeToSeasons(Math.ceil(values.length / MOST_VALUES));
  const indices: number[] = [];
  for (let index = values.length - 1; index >= 0; index -= stride) if (measured[index] === 1) indices.push(index);
  const seen = Float64Array.from(indices, (index) => values[index] ?? 0);
  const order = Int32Array.from(argsort(seen), (position) => indices[position] ?? 0);
  return { order, values: Float64Array.from(order, (index) => values[index] ?? 0) };
}

/** A forecast for each origin and horizon. */
export function empiricalQuantiles(
  sorted: SortedValues,
  { ageSteps, seasonSteps, widthSteps }: EmpiricalKernel,
  levels: readonly number[],
): QuantilesAt {
  const longest = sorted.order.reduce((most, index) => Math.max(most, index), 0);
  const ages = new Float64Array(Math.min(longest, Math.ceil(ageSteps * OLDEST_AGES)) + 1);
  for (let age = 0; age < ages.length; age++) ages[age] = Math.exp(-age / ageSteps);
  const candidatesFor = seasonSteps > 1 ? byPosition(sorted, seasonSteps, widthSteps) : () => sorted;
  const positions = positionWeights(seasonSteps, widthSteps);
  const weights = new Float64Array(sorted.order.length);
  return (origin, horizon) => {
    const target = origin + horizon;
    const { order, values } = candidatesFor(target);
    let total = 0;
    for (let i = 0; i < order.length; i++) {
      const index = order[i] ?? 0;
      const age = origin - index;
      weights[i] = 0;
      if (age < 0 || age >= ages.length) continue;
      const position = seasonSteps > 1 ? (positions[(target - index) % seasonSteps] ?? 0) : 1;
      const weight = (ages[age] ?? 0) * position;
      weights[i] = weight;
      total += weight;
    }
    return weightedQuantiles(values, weights, total, levels);
  };
}

/** Only the values around a target's position in the season, kept for the next target at that position. */
function byPosition(
  { order, values }: SortedValues,
  seasonSteps: number,
  widthSteps: number,
): (target: number) => SortedValues {
  const known = new Map<number, SortedValues>();
  return (target) => {
    const position = target % seasonSteps;
    const found = known.get(position);
    if (found) return found;
    const places = order
      .map((_, place) => place)
      .filter((place) => {
        const apart = Math.abs(((order[place] ?? 0) % seasonSteps) - position);
        return Math.min(apart, seasonSteps - apart) <= widthSteps;
      });
    const made = {
      order: Int32Array.from(places, (place) => order[place] ?? 0),
      values: Float64Array.from(places, (place) => values[place] ?? 0),
    };
    known.set(position, made);
    return made;
  };
}

/** Quantiles of sorted values; each value sits in the middle of its weight. */
export function weightedQuantiles(
  sorted: Float64Array,
  weights: Float64Array,
  total: number,
  levels: readonly number[],
): Float64Array {
  const result = new Float64Array(levels.length);
  let before = 0;
  let beforeAt = Number.NEGATIVE_INFINITY;
  let cumulative = 0;
  let next = 0;
  for (let i = 0; i < sorted.length && next < levels.length; i++) {
    const weight = weights[i] ?? 0;
    if (weight === 0) continue;
    const value = sorted[i] ?? 0;
    const at = (cumulative + weight / 2) / total;
    for (; next < levels.length && (levels[next] ?? 1) <= at; next++) {
      const share = ((levels[next] ?? 0) - beforeAt) / (at - beforeAt);
      result[next] = beforeAt === Number.NEGATIVE_INFINITY ? value : before + (value - before) * share;
    }
    cumulative += weight;
    before = value;
    beforeAt = at;
  }
  return result.fill(before, next);
}

/** Weight by distance from the same position in the season, around both ways. */
function positionWeights(seasonSteps: number, widthSteps: number): Float64Array {
  return Float64Array.from({ length: seasonSteps }, (_, offset) => {
    const distance = Math.min(offset, seasonSteps - offset);
    return distance > widthSteps ? 0 : Math.exp(-distance / (widthSteps + 1));
  });
}

/** A stride that divides no day: otherwise only some times of day would be seen. */
function coprimeToSeasons(wanted: number): number {
  let stride = Math.max(1, wanted);
  while (stride > 1 && [2, 3, 5, 7].some((factor) => stride % factor === 0)) stride++;
  return stride;
}
