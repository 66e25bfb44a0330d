/**
 * Samples that somebody exported, put on a regular grid: sorted, doubles averaged, gaps as NaN; what was repaired is
 * told.
 *
 * Not for: reading files (user-file.ts).
 */
import type { Series } from "../../sdk/model";
import { SeriesError } from "../../sdk/model";

/** One measured value. */
export interface Sample {
  readonly timeMs: number;
  /** NaN: known to be missing. */
  readonly value: number;
}

/** A series of a user's own: any unit, as long as it is not negative. */
export interface NamedSeries {
  readonly series: Series;
  /** What was repaired, for people. */
  readonly notes: readonly string[];
}

/** Steps that monitoring systems use; one near the median distance is taken for it. */
const USUAL_STEPS_S = [1, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400];
const NEAR = 0.1;
/** A year of seconds is 31 million values. */
const MOST_VALUES = 40_000_000;
/** Forecasts look at values only; a series must name a unit. */
const ANY_UNIT = "requestsPerSecond";

/**
 * Puts samples on a grid.
 * @param stepMs known step; absent: the median distance
 * @throws SeriesError for fewer than two moments, an infinite value, or a grid beyond reason
 */
export function gridSamples(id: string, samples: readonly Sample[], stepMs?: number): NamedSeries {
  const notes: string[] = [];
  const isSorted = samples.every((sample, i) => i === 0 || sample.timeMs >= (samples[i - 1]?.timeMs ?? 0));
  const sorted = isSorted ? samples : samples.toSorted((a, b) => a.timeMs - b.timeMs);
  if (!isSorted) notes.push("samples were not in the order of time and were sorted");
  const step = stepMs ?? stepOf(id, sorted);
  const startMs = Math.floor((sorted[0]?.timeMs ?? 0) / step) * step;
  const count = Math.floor(((sorted.at(-1)?.timeMs ?? 0) - startMs) / step) + 1;
  if (count > MOST_VALUES) {
    const what = `spans ${String(count)} steps of ${String(step / 1000)} s`;
    throw new SeriesError("grid", id, what, "name a longer --step, or take out the samples whose time is wrong");
  }
  const sums = new Float64Array(count);
  const counts = new Uint32Array(count);
  let negative = 0;
  for (const { timeMs, value } of sorted) {
    if (Number.isNaN(value)) continue;
    if (!Number.isFinite(value)) {
      const at = new Date(timeMs).toISOString();
      throw new SeriesError("not-finite", id, `is infinite at ${at}`, "write nan where nothing was measured");
    }
    if (value < 0) negative++;
    const slot = Math.floor((timeMs - startMs) / step);
    sums[slot] = (sums[slot] ?? 0) + value;
    counts[slot] = (counts[slot] ?? 0) + 1;
  }
  const shared = counts.reduce((sum, n) => sum + (n > 1 ? 1 : 0), 0);
  if (shared > 0) notes.push(`${String(shared)} steps hold several samples: their mean is taken`);
  if (negative > 0) notes.push(`${String(negative)} values are negative`);
  const values = sums.map((sum, slot) => (counts[slot] === 0 ? Number.NaN : sum / (counts[slot] ?? 1)));
  return { series: { id, unit: ANY_UNIT, startMs, stepMs: step, values }, notes };
}

/** The median distance of moments, or the usual step near it. */
function stepOf(id: string, sorted: readonly Sample[]): number {
  const distances: number[] = [];
  sorted.forEach(({ timeMs }, index) => {
    const distance = timeMs - (sorted[index - 1]?.timeMs ?? timeMs);
    if (distance > 0) distances.push(distance);
  });
  const median = distances.sort((a, b) => a - b)[distances.length >> 1];
  if (median === undefined) {
    throw new SeriesError("grid", id, "has fewer than two moments, so its step is unknown", "export more of it");
  }
  const usual = USUAL_STEPS_S.map((seconds) => seconds * 1000).find((ms) => Math.abs(ms - median) <= NEAR * ms);
  return usual ?? median;
}
