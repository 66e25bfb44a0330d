/**
 * Samples that somebody exported, put on a regular grid: sorted, doubles averaged, gaps as NaN; what was repaired is
 * told.
 *
 * Not for: reading files (user-file.ts).
 */
import type { Series } from "../../sdk/model";
import { formatDurationShort, resampleSeries, SeriesError, seriesEndMs } from "../../sdk/model";
import { countUp, type CounterChoice } from "./counters";

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

/** How samples are put on a grid. */
export interface GridOptions {
  /** Known step. @default the median distance */
  readonly stepMs?: number;
  /** Whether the values count up. @default "find out" */
  readonly counter?: CounterChoice;
}

/** Steps that monitoring systems use; one near the median distance is taken for it. */
const USUAL_STEPS_S = [1, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400];
const NEAR = 0.1;
/** A year of seconds is 31 million values. */
const MOST_VALUES = 40_000_000;
/** Forecasts look at values only; a series must name a unit. */
const ANY_UNIT = "requestsPerSecond";

/** Share of the samples that a wrong clock may have written, and how often the usual distance they lie away. */
const MOST_STRAYS = 0.01;
const STRAY_DISTANCE = 1000;
/** A step at either end counts when it holds this share of the samples that the others hold. */
const WHOLE_STEP_SHARE = 0.75;
/** Steps of a horizon on a step that nobody chose. */
const USUAL_HORIZON_STEPS = 1500;

/**
 * Puts samples on a grid.
 * @throws SeriesError for fewer than two moments, an infinite value, or a grid beyond reason
 */
export function gridSamples(id: string, samples: readonly Sample[], options: GridOptions = {}): NamedSeries {
  const notes: string[] = [];
  const isSorted = samples.every((sample, i) => i === 0 || sample.timeMs >= (samples[i - 1]?.timeMs ?? 0));
  const inOrder = isSorted ? samples : samples.toSorted((a, b) => a.timeMs - b.timeMs);
  if (!isSorted) notes.push("samples were not in the order of time and were sorted");
  const distance = medianDistance(inOrder);
  const counted = countUp(id, withoutStrays(inOrder, distance, notes), options.counter ?? "find out");
  notes.push(...counted.notes);
  const sorted = counted.samples;
  const step = options.stepMs ?? stepOf(id, distance);
  const startMs = Math.floor((sorted[0]?.timeMs ?? 0) / step) * step;
  const count = Math.floor(((sorted.at(-1)?.timeMs ?? 0) - startMs) / step) + 1;
  if (count > MOST_VALUES) {
    const what = `spans ${String(count)} steps of ${String(step / 1000)} s`;
    throw new SeriesError("grid", id, what, "name a longer --step, or take out the samples whose time is wrong");
  }
  const sums = new Float64Array(count);
  const counts = new Uint32Array(count);
  for (const { timeMs, value } of sorted) {
    if (Number.isNaN(value)) continue;
    if (!Number.isFinite(value)) {
      const at = new Date(timeMs).toISOString();
      throw new SeriesError("not-finite", id, `is infinite at ${at}`, "write nan where nothing was measured");
    }
    const slot = Math.floor((timeMs - startMs) / step);
    sums[slot] = (sums[slot] ?? 0) + value;
    counts[slot] = (counts[slot] ?? 0) + 1;
  }
  const shared = counts.reduce((sum, n) => sum + (n > 1 ? 1 : 0), 0);
  if (shared > 0)
    notes.push(`${String(shared)} step${shared === 1 ? " holds" : "s hold"} several samples: their mean is taken`);
  const values = sums.map((sum, slot) => (counts[slot] === 0 ? Number.NaN : sum / (counts[slot] ?? 1)));
  leaveOutBegun(values, counts, notes);
  return { series: { id, unit: ANY_UNIT, startMs, stepMs: step, values }, notes };
}

/**
 * On the shortest usual step on which a horizon has no more than some steps, where its own is shorter than that.
 * @param mostSteps of the horizon
 */
export function coarsen({ series, notes }: NamedSeries, horizonMs: number, mostSteps: number): NamedSeries {
  if (horizonMs / series.stepMs <= mostSteps) return { series, notes };
  const stepMs = USUAL_STEPS_S.map((seconds) => seconds * 1000).find((ms) => horizonMs / ms <= USUAL_HORIZON_STEPS);
  if (stepMs === undefined || stepMs <= series.stepMs) return { series, notes };
  const coarse = resampleSeries(
    series,
    stepMs,
    { fromMs: series.startMs, toMs: seriesEndMs(series) },
    WHOLE_STEP_SHARE,
  );
  const [from, to] = [formatDurationShort(series.stepMs), formatDurationShort(stepMs)];
  return {
    series: coarse,
    notes: [...notes, `means of ${to} were taken of values every ${from}; --step takes others`],
  };
}

/** Without the few samples at either end that lie far away from all others: a clock that was wrong for a while. */
function withoutStrays(sorted: readonly Sample[], distance: number | undefined, notes: string[]): readonly Sample[] {
  const most = Math.floor(sorted.length * MOST_STRAYS);
  if (distance === undefined || most === 0) return sorted;
  const isFar = (index: number): boolean =>
    (sorted[index]?.timeMs ?? 0) - (sorted[index - 1]?.timeMs ?? 0) > STRAY_DISTANCE * distance;
  let [from, to] = [0, sorted.length];
  for (let index = 1; index <= most; index++) if (isFar(index)) from = index;
  for (let index = sorted.length - 1; index >= sorted.length - most; index--) if (isFar(index)) to = index;
  const strays = from + sorted.length - to;
  if (strays === 0) return sorted;
  const first = from > 0 ? sorted[0] : sorted[to];
  notes.push(
    `${String(strays)} sample${strays === 1 ? "" : "s"} far away from all others (${new Date(first?.timeMs ?? 0).toISOString()}) ` +
      "were left out: a clock was wrong",
  );
  return sorted.slice(from, to);
}

/** A step at the end of which samples are still to come, or at the begin of which none were asked for, is no mean. */
function leaveOutBegun(values: Float64Array, counts: Uint32Array, notes: string[]): void {
  const inner = counts
    .slice(1, -1)
    .filter((count) => count > 0)
    .sort();
  const usual = inner[inner.length >> 1] ?? 1;
  if (usual < 2) return;
  for (const [slot, name] of [
    [0, "first"],
    [values.length - 1, "newest"],
  ] as const) {
    const count = counts[slot] ?? 0;
    if (count === 0 || count >= WHOLE_STEP_SHARE * usual) continue;
    values[slot] = Number.NaN;
    notes.push(`the ${name} step holds ${String(count)} of ${String(usual)} samples and was left out`);
  }
}

/** The median distance of moments; undefined where there are fewer than two. */
function medianDistance(sorted: readonly Sample[]): number | undefined {
  const distances = new Float64Array(sorted.length);
  let count = 0;
  for (let index = 1; index < sorted.length; index++) {
    const distance = (sorted[index]?.timeMs ?? 0) - (sorted[index - 1]?.timeMs ?? 0);
    if (distance > 0) distances[count++] = distance;
  }
  return distances.subarray(0, count).sort()[count >> 1];
}

/** The usual step near the median distance, or that itself. */
function stepOf(id: string, distance: number | undefined): number {
  if (distance === undefined) {
    throw new SeriesError("grid", id, "has fewer than two moments, so its step is unknown", "export more of it");
  }
  const usual = USUAL_STEPS_S.map((seconds) => seconds * 1000).find((ms) => Math.abs(ms - distance) <= NEAR * ms);
  return usual ?? distance;
}
