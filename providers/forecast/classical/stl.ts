/**
 * Seasonal-trend decomposition by loess, for one season (STL) and for several (MSTL).
 *
 * Sources: R. B. Cleveland et al., "STL: A Seasonal-Trend Decomposition Procedure Based on Loess", Journal of Official
 * Statistics 6(1), 1990, without robustness weights; K. Bandara, R. J. Hyndman and C. Bergmeir, "MSTL: A Seasonal-Trend
 * Decomposition Algorithm for Time Series with Multiple Seasonal Patterns", arXiv:2107.13462, 2021.
 */

/** Parts of a series; they add up to it with what remains. */
export interface Decomposition {
  readonly trend: Float64Array;
  /** One for each season, as long as the series. */
  readonly seasonals: readonly Float64Array[];
}

/** Settings of STL. */
export interface StlSetting {
  readonly season: number;
  /** Seasons that the shape of one is smoothed over, odd. */
  readonly window: number;
  /** Between every so many points of a window the smooth is drawn as a line; 1: computed everywhere. */
  readonly jumpPart: number;
}

/** Passes of the inner loop and, with several seasons, over them. */
const INNER_PASSES = 5;
const SEASON_PASSES = 2;
/** Windows of the first season and what each further one has more (Bandara et al., section 2). */
const FIRST_WINDOW = 11;
const MORE_WINDOW = 4;

/** @param seasons ascending, each at most half of the values. @param jumpPart see StlSetting */
export function decomposeSeasons(values: Float64Array, seasons: readonly number[], jumpPart: number): Decomposition {
  const seasonals = seasons.map(() => new Float64Array(values.length));
  const left = Float64Array.from(values);
  let trend = new Float64Array(values.length);
  for (let pass = 0; pass < (seasons.length > 1 ? SEASON_PASSES : 1); pass++) {
    seasons.forEach((season, k) => {
      const seasonal = seasonals[k] ?? new Float64Array(0);
      for (let t = 0; t < left.length; t++) left[t] = (left[t] ?? 0) + (seasonal[t] ?? 0);
      const parts = decomposeSeason(left, { season, window: FIRST_WINDOW + MORE_WINDOW * k, jumpPart });
      trend = parts.trend;
      seasonal.set(parts.seasonal);
      for (let t = 0; t < left.length; t++) left[t] = (left[t] ?? 0) - (seasonal[t] ?? 0);
    });
  }
  return { trend, seasonals };
}

/** STL of one season. */
export function decomposeSeason(
  values: Float64Array,
  { season, window, jumpPart }: StlSetting,
): { readonly trend: Float64Array<ArrayBuffer>; readonly seasonal: Float64Array } {
  const count = values.length;
  const trendWindow = oddAbove((1.5 * season) / (1 - 1.5 / window));
  const lowWindow = oddAbove(season);
  const jump = (width: number): number => (jumpPart > 1 ? Math.ceil(width / jumpPart) : 1);
  const trend = new Float64Array(count);
  const seasonal = new Float64Array(count);
  const detrended = new Float64Array(count);
  const cycles = new Float64Array(count + 2 * season);
  for (let pass = 0; pass < INNER_PASSES; pass++) {
    for (let t = 0; t < count; t++) detrended[t] = (values[t] ?? 0) - (trend[t] ?? 0);
    smoothCycles(detrended, season, window, jump(window), cycles);
    const low = loess(movingMean(movingMean(movingMean(cycles, season), season), 3), lowWindow, jump(lowWindow));
    for (let t = 0; t < count; t++) {
      seasonal[t] = (cycles[t + season] ?? 0) - (low[t] ?? 0);
      detrended[t] = (values[t] ?? 0) - (seasonal[t] ?? 0);
    }
    trend.set(loess(detrended, trendWindow, jump(trendWindow)));
  }
  return { trend, seasonal };
}

/** Smooths the values of each position in the season, one season further at both ends. */
function smoothCycles(values: Float64Array, season: number, window: number, jump: number, cycles: Float64Array): void {
  for (let position = 0; position < season; position++) {
    const size = Math.floor((values.length - position - 1) / season) + 1;
    const sub = new Float64Array(size);
    for (let i = 0; i < size; i++) sub[i] = values[position + i * season] ?? 0;
    const smooth = loess(sub, window, jump);
    const before = fitAt(sub, -1, 0, Math.min(window, size) - 1, window);
    const after = fitAt(sub, size, Math.max(0, size - window), size - 1, window);
    cycles[position] = before ?? smooth[0] ?? 0;
    for (let i = 0; i < size; i++) cycles[position + (i + 1) * season] = smooth[i] ?? 0;
    cycles[position + (size + 1) * season] = after ?? smooth[size - 1] ?? 0;
  }
}

/** Locally weighted lines through the `window` nearest values. */
function loess(values: Float64Array, window: number, jump: number): Float64Array {
  const count = values.length;
  const result = new Float64Array(count);
  const step = Math.max(1, Math.min(jump, count - 1));
  const half = (window + 1) >> 1;
  const at = (index: number): number => {
    const left = window >= count ? 0 : Math.max(0, Math.min(index - half + 1, count - window));
    const right = window >= count ? count - 1 : left + window - 1;
    return fitAt(values, index, left, right, window) ?? values[index] ?? 0;
  };
  let last = 0;
  for (let index = 0; index < count; index += step) {
    result[index] = at(index);
    last = index;
  }
  if (last !== count - 1) result[count - 1] = at(count - 1);
  for (let from = 0; from < count - 1; from += step) {
    const to = Math.min(from + step, count - 1);
    const slope = ((result[to] ?? 0) - (result[from] ?? 0)) / (to - from);
    for (let index = from + 1; index < to; index++) result[index] = (result[from] ?? 0) + slope * (index - from);
  }
  return result;
}

/** Value at `index` of the line through values[left..right], tricube weights. @returns undefined without weight */
function fitAt(values: Float64Array, index: number, left: number, right: number, window: number): number | undefined {
  const count = values.length;
  const reach = Math.max(index - left, right - index) + (window > count ? (window - count) >> 1 : 0);
  const weightAt = (j: number): number => {
    const distance = Math.abs(j - index);
    if (distance > 0.999 * reach) return 0;
    const ratio = distance / reach;
    const cube = 1 - ratio * ratio * ratio;
    return distance <= 0.001 * reach ? 1 : cube * cube * cube;
  };
  let [total, mean, level] = [0, 0, 0];
  for (let j = left; j <= right; j++) {
    const weight = weightAt(j);
    total += weight;
    mean += weight * j;
    level += weight * (values[j] ?? 0);
  }
  if (total <= 0) return undefined;
  mean /= total;
  level /= total;
  let [square, product] = [0, 0];
  for (let j = left; j <= right; j++) {
    const weight = weightAt(j) / total;
    square += weight * (j - mean) * (j - mean);
    product += weight * (j - mean) * (values[j] ?? 0);
  }
  // All weight on one value: no line goes through it.
  return Math.sqrt(square) <= 0.001 * (count - 1) ? level : level + ((index - mean) * product) / square;
}

/** Means of `width` neighbours; shorter by width - 1. */
function movingMean(values: Float64Array, width: number): Float64Array {
  const result = new Float64Array(values.length - width + 1);
  let sum = 0;
  for (let i = 0; i < width; i++) sum += values[i] ?? 0;
  result[0] = sum / width;
  for (let i = 1; i < result.length; i++) {
    sum += (values[i + width - 1] ?? 0) - (values[i - 1] ?? 0);
    result[i] = sum / width;
  }
  return result;
}

/** Least odd whole number above a value. */
function oddAbove(value: number): number {
  const whole = Math.floor(value) + 1;
  return whole % 2 === 0 ? whole + 1 : whole;
}
