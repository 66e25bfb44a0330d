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
/** A window is short when the series is so many times as long: putting it in order is quicker than reading the whole one. */
const SHORT_WINDOW = 2;

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
  kernel: EmpiricalKernel,
  levels: readonly number[],
): QuantilesAt {
  return kernel.seasonSteps <= 1 ? quantilesOfAll(sorted, kernel, levels) : quantilesByTime(sorted, kernel, levels);
}

/** By age alone: the target's position does not matter, so that all horizons of an origin share one row. */
function quantilesOfAll(sorted: SortedValues, { ageSteps }: EmpiricalKernel, levels: readonly number[]): QuantilesAt {
  const { order, values, places } = sorted;
  const decay = decayByAge(ageSteps, places.length);
  const { chosen, choose } = candidatesInWindow(sorted, decay.length);
  const { seen, middles } = columnsFor(sorted);
  const known = new Map<number, Float64Array>();
  return (origin) => {
    const row = known.get(origin);
    if (row !== undefined) return row;
    const candidates = choose(origin);
    let count = 0;
    let total = 0;
    for (let i = 0; i < candidates; i++) {
      const place = chosen[i] as number;
      const age = origin - (order[place] as number);
      if (age < 0 || age >= decay.length) continue;
      const weight = decay[age] as number;
      if (weight === 0) continue;
      seen[count] = values[place] as number;
      middles[count++] = total + weight / 2;
      total += weight;
    }
    const made = quantilesOfMiddles(seen, middles, count, total, levels, new Float64Array(levels.length));
    known.set(origin, made);
    return made;
  };
}

/** By age and by how near the time of day is to the target's. */
function quantilesByTime(
  sorted: SortedValues,
  { ageSteps, seasonSteps, widthSteps }: EmpiricalKernel,
  levels: readonly number[],
): QuantilesAt {
  const decay = decayByAge(ageSteps, sorted.places.length);
  const candidates = candidatesByPosition(sorted, seasonSteps, widthSteps);
  const { seen, middles } = columnsFor(sorted);
  const quantiles = new Float64Array(levels.length);
  return (origin, horizon) => {
    const { indices, values, offsets } = candidates((origin + horizon) % seasonSteps);
    let count = 0;
    let total = 0;
    for (let i = 0; i < indices.length; i++) {
      const age = origin - (indices[i] as number);
      if (age < 0 || age >= decay.length) continue;
      const weight = (decay[age] as number) * (offsets[i] as number);
      if (weight === 0) continue;
      seen[count] = values[i] as number;
      middles[count++] = total + weight / 2;
      total += weight;
    }
    return quantilesOfMiddles(seen, middles, count, total, levels, quantiles);
  };
}

/** Weights by age, as far as they count. */
function decayByAge(ageSteps: number, count: number): Float64Array {
  const decay = new Float64Array(Math.min(count, Math.ceil(ageSteps * OLDEST_AGES) + 1));
  for (let age = 0; age < decay.length; age++) decay[age] = Math.exp(-age / ageSteps);
  return decay;
}

function columnsFor({ order }: SortedValues): { readonly seen: Float64Array; readonly middles: Float64Array } {
  return { seen: new Float64Array(order.length), middles: new Float64Array(order.length) };
}

/** Places that are put in order without comparing them: one bit for each, read from the lowest. */
class PlaceSet {
  private readonly words: Int32Array;

  /** @param count number of places */
  constructor(count: number) {
    this.words = new Int32Array((count + 31) >> 5);
  }

  add(place: number): void {
    this.words[place >> 5] = (this.words[place >> 5] as number) | (1 << (place & 31));
  }

  /** Writes the places ascending and forgets them. @returns how many they were */
  drain(into: Int32Array): number {
    let count = 0;
    for (let at = 0; at < this.words.length; at++) {
      let word = this.words[at] as number;
      this.words[at] = 0;
      while (word !== 0) {
        const lowest = word & -word;
        into[count++] = (at << 5) + 31 - Math.clz32(lowest);
        word ^= lowest;
      }
    }
    return count;
  }
}

/** Places in ascending order among which those of the last `windowSteps` values are, as the first so many of an array. */
function candidatesInWindow(
  { order, places }: SortedValues,
  windowSteps: number,
): { readonly chosen: Int32Array; readonly choose: (origin: number) => number } {
  if (windowSteps * SHORT_WINDOW > places.length) {
    return { chosen: order.map((_, place) => place), choose: () => order.length };
  }
  const chosen = new Int32Array(windowSteps);
  const inWindow = new PlaceSet(order.length);
  const choose = (origin: number): number => {
    for (let index = Math.max(0, origin - windowSteps + 1); index <= origin; index++) {
      const place = places[index] as number;
      if (place >= 0) inWindow.add(place);
    }
    return inWindow.drain(chosen);
  };
  return { chosen, choose };
}

/** Values around one position in the season, ascending. */
interface Candidates {
  /** Index into the series of each. */
  readonly indices: Int32Array;
  readonly values: Float64Array;
  /** Weight by the distance from the position. */
  readonly offsets: Float64Array;
}

/** Those around a target's position in the season, kept for the next target at that position. */
function candidatesByPosition(
  { order, values, places }: SortedValues,
  seasonSteps: number,
  widthSteps: number,
): (position: number) => Candidates {
  const known = new Array<Candidates | undefined>(seasonSteps).fill(undefined);
  const offsets = positionWeights(seasonSteps, widthSteps);
  const isAll = 2 * widthSteps + 1 >= seasonSteps;
  const around = new PlaceSet(order.length);
  const found = new Int32Array(order.length);
  const find = (position: number): Int32Array => {
    if (isAll) return order.map((_, place) => place);
    for (let middle = position - seasonSteps; middle - widthSteps < places.length; middle += seasonSteps) {
      const last = Math.min(places.length - 1, middle + widthSteps);
      for (let index = Math.max(0, middle - widthSteps); index <= last; index++) {
        const place = places[index] as number;
        if (place >= 0) around.add(place);
      }
    }
    return found.slice(0, around.drain(found));
  };
  const collect = (position: number): Candidates => {
    const chosen = find(position);
    const indices = new Int32Array(chosen.length);
    const seen = new Float64Array(chosen.length);
    const weights = new Float64Array(chosen.length);
    for (let i = 0; i < chosen.length; i++) {
      const place = chosen[i] as number;
      const index = order[place] as number;
      const apart = (position - index) % seasonSteps;
      indices[i] = index;
      seen[i] = values[place] as number;
      weights[i] = offsets[apart < 0 ? apart + seasonSteps : apart] as number;
    }
    return { indices, values: seen, offsets: weights };
  };
  return (position) => (known[position] ??= collect(position));
}

/** How surely a middle lies below a level, so that it need not be divided to be compared. */
const SURELY_BELOW = 1 - 1e-12;

/**
 * Quantiles of the first `count` sorted values; each value sits in the middle of its weight.
 * @param middles the weights before each value and half of its own; none has the weight 0
 * @param total of all weights
 * @param levels ascending
 * @param result is written
 */
export function quantilesOfMiddles(
  sorted: Float64Array,
  middles: Float64Array,
  count: number,
  total: number,
  levels: readonly number[],
  result: Float64Array,
): Float64Array {
  let i = 0;
  for (let l = 0; l < levels.length; l++) {
    const level = levels[l] as number;
    const surelyBelow = level * total * SURELY_BELOW;
    while (i < count && ((middles[i] as number) < surelyBelow || (middles[i] as number) / total < level)) i++;
    if (i === count) return result.fill(count === 0 ? 0 : (sorted[count - 1] as number), l);
    const value = sorted[i] as number;
    if (i === 0) {
      result[l] = value;
      continue;
    }
    const before = sorted[i - 1] as number;
    const beforeAt = (middles[i - 1] as number) / total;
    result[l] = before + (value - before) * ((level - beforeAt) / ((middles[i] as number) / total - beforeAt));
  }
  return result;
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
