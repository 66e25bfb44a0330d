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
/** A window is short when the series is so many times as long: sorting it is quicker than reading the whole order. */
const SHORT_WINDOW = 6;

/** Values of a series in ascending order, shared by all kernels. */
export interface SortedValues {
  /** Index into the series of each. */
  readonly order: Int32Array;
  readonly values: Float64Array;
  /** Place in `order` of each index of the series; -1: not taken. */
  readonly places: Int32Array;
}

/** Sorts the measured values. */
export function sortValues({ values, measured }: PreparedSeries): SortedValues {
  const stride = coprimeToSeasons(Math.ceil(values.length / MOST_VALUES));
  const indices = new Int32Array(values.length);
  let count = 0;
  for (let index = values.length - 1; index >= 0; index -= stride) if (measured[index] === 1) indices[count++] = index;
  const seen = new Float64Array(count);
  for (let i = 0; i < count; i++) seen[i] = values[indices[i] ?? 0] ?? 0;
  const ascending = argsort(seen);
  const order = new Int32Array(count);
  const sorted = new Float64Array(count);
  const places = new Int32Array(values.length).fill(-1);
  for (let place = 0; place < count; place++) {
    const index = indices[ascending[place] ?? 0] ?? 0;
    order[place] = index;
    sorted[place] = values[index] ?? 0;
    places[index] = place;
  }
  return { order, values: sorted, places };
}

/** A forecast for each origin and horizon. */
export function empiricalQuantiles(
  sorted: SortedValues,
  { ageSteps, seasonSteps, widthSteps }: EmpiricalKernel,
  levels: readonly number[],
): QuantilesAt {
  const { order, values, places } = sorted;
  const decay = new Float64Array(Math.min(places.length, Math.ceil(ageSteps * OLDEST_AGES) + 1));
  for (let age = 0; age < decay.length; age++) decay[age] = Math.exp(-age / ageSteps);
  const seen = new Float64Array(order.length);
  const weights = new Float64Array(order.length);
  if (seasonSteps <= 1) {
    const candidates = candidatesInWindow(sorted, decay.length);
    // The target's position does not matter, so that all horizons of an origin share one row.
    const rows = new Map<number, Float64Array>();
    return (origin) => {
      const known = rows.get(origin);
      if (known !== undefined) return known;
      const chosen = candidates(origin);
      let count = 0;
      let total = 0;
      for (const place of chosen) {
        const age = origin - (order[place] as number);
        if (age < 0 || age >= decay.length) continue;
        const weight = decay[age] as number;
        seen[count] = values[place] as number;
        weights[count++] = weight;
        total += weight;
      }
      const row = weightedQuantiles(seen, weights, total, levels, count);
      rows.set(origin, row);
      return row;
    };
  }
  const candidates = candidatesByPosition(sorted, seasonSteps, widthSteps);
  const offsets = positionWeights(seasonSteps, widthSteps);
  const positions = order.map((index) => index % seasonSteps);
  const quantiles = new Float64Array(levels.length);
  return (origin, horizon) => {
    const target = origin + horizon;
    const position = target % seasonSteps;
    let count = 0;
    let total = 0;
    const chosen = candidates(target);
    for (const place of chosen) {
      const age = origin - (order[place] as number);
      if (age < 0 || age >= decay.length) continue;
      const apart = position - (positions[place] as number);
      const weight = (decay[age] as number) * (offsets[apart < 0 ? apart + seasonSteps : apart] as number);
      seen[count] = values[place] as number;
      weights[count++] = weight;
      total += weight;
    }
    return weightedQuantiles(seen, weights, total, levels, count, quantiles);
  };
}

/** Places in ascending order among which those of the last `windowSteps` values are: of short windows only those. */
function candidatesInWindow({ order, places }: SortedValues, windowSteps: number): (origin: number) => Int32Array {
  if (windowSteps * SHORT_WINDOW > places.length) {
    const all = order.map((_, place) => place);
    return () => all;
  }
  const window = new Int32Array(windowSteps);
  return (origin) => {
    let count = 0;
    for (let index = Math.max(0, origin - windowSteps + 1); index <= origin; index++) {
      const place = places[index] ?? -1;
      if (place >= 0) window[count++] = place;
    }
    return window.subarray(0, count).sort();
  };
}

/** Only the places around a target's position in the season, kept for the next target at that position. */
function candidatesByPosition(
  { order, places }: SortedValues,
  seasonSteps: number,
  widthSteps: number,
): (target: number) => Int32Array {
  const known = new Map<number, Int32Array>();
  const isAll = 2 * widthSteps + 1 >= seasonSteps;
  const found = new Int32Array(order.length);
  const find = (position: number): Int32Array => {
    if (isAll) return order.map((_, place) => place);
    let count = 0;
    for (let middle = position - seasonSteps; middle - widthSteps < places.length; middle += seasonSteps) {
      const last = Math.min(places.length - 1, middle + widthSteps);
      for (let index = Math.max(0, middle - widthSteps); index <= last; index++) {
        const place = places[index] ?? -1;
        if (place >= 0) found[count++] = place;
      }
    }
    return found.slice(0, count).sort();
  };
  return (target) => {
    const position = target % seasonSteps;
    const made = known.get(position) ?? find(position);
    known.set(position, made);
    return made;
  };
}

/** Quantiles of the first `count` sorted values; each value sits in the middle of its weight. @param result is written */
export function weightedQuantiles(
  sorted: Float64Array,
  weights: Float64Array,
  total: number,
  levels: readonly number[],
  count: number = sorted.length,
  result: Float64Array = new Float64Array(levels.length),
): Float64Array {
  let before = 0;
  let beforeAt = Number.NEGATIVE_INFINITY;
  let cumulative = 0;
  let next = 0;
  for (let i = 0; i < count && next < levels.length; i++) {
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
