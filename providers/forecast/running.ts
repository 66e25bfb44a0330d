/**
 * Running sums and means of a series, each made in one pass, which features and members look values up in.
 *
 * Invariant: what stands at index t reads values up to t only, unless the name says otherwise.
 */

/** `sums[i]`: sum of the first i values. */
export function cumulativeSums(values: ArrayLike<number>): Float64Array {
  const sums = new Float64Array(values.length + 1);
  for (let i = 0; i < values.length; i++) sums[i + 1] = (sums[i] ?? 0) + (values[i] ?? 0);
  return sums;
}

/** Mean of values[from..to], both included and cut at the beginning; one value at least. @param sums see above */
export function meanBetween(sums: Float64Array, from: number, to: number): number {
  const start = Math.max(0, from);
  const end = Math.max(start, to);
  return ((sums[end + 1] ?? 0) - (sums[start] ?? 0)) / (end - start + 1);
}

/** `sums[i]` = values[i] + values[i - stride] + ...: makes the mean over any number of seasons two look-ups. */
export function stridedSums(values: Float64Array, stride: number): Float64Array {
  const sums = Float64Array.from(values);
  for (let i = stride; i < sums.length; i++) sums[i] = (sums[i] ?? 0) + (sums[i - stride] ?? 0);
  return sums;
}

/** Exponentially weighted mean that begins at the first value. @param span steps after which a value counts e times less */
export function exponentialMean(values: Float64Array, span: number): Float64Array {
  const alpha = 1 - Math.exp(-1 / span);
  const means = new Float64Array(values.length);
  let last = values[0] ?? 0;
  for (let i = 0; i < values.length; i++) {
    last += alpha * ((values[i] ?? 0) - last);
    means[i] = last;
  }
  return means;
}

/** `weights[t]` of the value at t, seen from the end of a series of `count` values: half of it `halfLife` steps before the end. */
export function halvingWeights(count: number, halfLife: number): Float64Array {
  const weights = new Float64Array(count);
  for (let t = 0; t < count; t++) weights[t] = 2 ** ((t - count) / halfLife);
  return weights;
}

/** A stride of at least `wanted` that divides no hour, day or week: otherwise only some times of day would be seen. */
export function strideOffCalendar(wanted: number): number {
  let stride = Math.max(1, Math.ceil(wanted));
  while (stride > 1 && CALENDAR_FACTORS.some((factor) => stride % factor === 0)) stride++;
  return stride;
}

/** Prime factors of the number of minutes in a week. */
const CALENDAR_FACTORS = [2, 3, 5, 7] as const;
