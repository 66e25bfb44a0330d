/**
 * Moving series between grids of time: other steps, other ranges, one series on top of another.
 *
 * Not for: filling gaps, which is a guess and so a model's business.
 *
 * Invariants
 * 1. A grid's intervals begin at whole multiples of its step since the epoch, so two series of one step always align.
 * 2. Nothing is invented: an interval without a measured value stays NaN.
 */
import type { Series } from "./series";
import { seriesEndMs } from "./series";

/** A half-open range of time, milliseconds since the epoch. */
export interface GridRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Rounds down to the beginning of the grid's interval that holds `timeMs`. */
export function floorToGrid(timeMs: number, stepMs: number): number {
  return Math.floor(timeMs / stepMs) * stepMs;
}

/** Rounds up to the next beginning of an interval of the grid. */
export function ceilToGrid(timeMs: number, stepMs: number): number {
  return Math.ceil(timeMs / stepMs) * stepMs;
}

/**
 * Puts a series on the grid of `stepMs` over `range` (widened to whole intervals): each value is the mean of what was
 * measured within its interval, weighted by overlap.
 * @param minimumCover share of an interval, 0..1, that must have been measured; below it the interval is a gap
 */
export function resampleSeries(series: Series, stepMs: number, range: GridRange, minimumCover = 0.2): Series {
  const startMs = floorToGrid(range.fromMs, stepMs);
  const count = Math.max(0, Math.round((ceilToGrid(range.toMs, stepMs) - startMs) / stepMs));
  if (series.stepMs === stepMs && Number.isInteger((series.startMs - startMs) / stepMs)) {
    return { ...series, startMs, values: sliceAligned(series, startMs, count) };
  }
  const sums = new Float64Array(count);
  const covered = new Float64Array(count);
  series.values.forEach((value, index) => {
    if (Number.isNaN(value)) return;
    const fromMs = series.startMs + index * series.stepMs;
    const toMs = fromMs + series.stepMs;
    const first = Math.max(0, Math.floor((fromMs - startMs) / stepMs));
    for (let cell = first; cell < count && startMs + cell * stepMs < toMs; cell++) {
      const cellStart = startMs + cell * stepMs;
      const overlapMs = Math.min(toMs, cellStart + stepMs) - Math.max(fromMs, cellStart);
      if (overlapMs <= 0) continue;
      sums[cell] = (sums[cell] ?? 0) + value * overlapMs;
      covered[cell] = (covered[cell] ?? 0) + overlapMs;
    }
  });
  const values = sums.map((sum, cell) => {
    const cover = covered[cell] ?? 0;
    return cover > 0 && cover >= minimumCover * stepMs ? sum / cover : Number.NaN;
  });
  return { id: series.id, unit: series.unit, startMs, stepMs, values };
}

/** Values of a series that is on the grid already: nothing is averaged, so nothing is rounded. */
function sliceAligned(series: Series, startMs: number, count: number): Float64Array {
  const shift = (startMs - series.startMs) / series.stepMs;
  const values = new Float64Array(count).fill(Number.NaN);
  const taken = series.values.subarray(Math.max(0, shift), Math.max(0, shift + count));
  if (taken.length > 0) values.set(taken, Math.max(0, -shift));
  return values;
}

/**
 * Lays `top` over `base` on the base's step: where `top` has a value it wins, elsewhere the base stays. The result
 * reaches from the earlier start to the later end.
 */
export function overlaySeries(base: Series, top: Series): Series {
  const range = {
    fromMs: Math.min(base.startMs, top.startMs),
    toMs: Math.max(seriesEndMs(base), seriesEndMs(top)),
  };
  const below = resampleSeries(base, base.stepMs, range);
  const above = resampleSeries(top, base.stepMs, range);
  const values = below.values.map((value, index) => {
    const over = above.values[index] ?? Number.NaN;
    return Number.isNaN(over) ? value : over;
  });
  return { ...below, values };
}

/** Cuts the gaps off both ends; an all-NaN series becomes empty. */
export function trimSeries(series: Series): Series {
  let first = 0;
  let last = series.values.length;
  while (first < last && Number.isNaN(series.values[first])) first++;
  while (last > first && Number.isNaN(series.values[last - 1])) last--;
  return { ...series, startMs: series.startMs + first * series.stepMs, values: series.values.slice(first, last) };
}
