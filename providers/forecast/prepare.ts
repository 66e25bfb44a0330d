/**
 * Makes a measured series fit for a model: refuses what no model can use, fills gaps, and says what it did.
 *
 * Not for: choosing a model; a prepared series is still only data.
 */
import { SeriesError, trimSeries } from "../../sdk/model";
import type { Series } from "../../sdk/model";
import { levelOut } from "./series/level-out";
import { findOutliers, type Outlier } from "./series/find-outliers";

/** A series without gaps. */
export interface PreparedSeries {
  readonly values: Float64Array;
  /** 1 where the value was measured, 0 where a gap was filled: filled values are never used to judge a forecast. */
  readonly measured: Uint8Array;
  /** Steps between the last measured value and the end of the series as it was given. */
  readonly missingAtEnd: number;
  readonly notes: readonly string[];
  /** Those of the notes that say why a forecast of it is weak. */
  readonly warnings: readonly string[];
}

/** Options of {@link prepareSeries}. */
export interface PrepareOptions {
  /**
   * Whether mistakes of measuring are taken out and what came before a shift is moved to the level after it. Yardsticks
   * leave both as they are.
   */
  readonly isRepaired: boolean;
}

/** Up to this share of values above 0, of so many values, a series is almost always 0. */
const ALMOST_NEVER = 0.02;
const FEWEST_TO_TELL = 50;
/** More values than this say nothing new and cost as much as the first ones: the newest are looked at. */
const MOST_VALUES = 60_000;
/** A gap up to this many steps is bridged by a straight line; a longer one takes the shape of the day before. */
const LONGEST_LINE_STEPS = 6;
/** Above this share of gaps people are told that the forecast is weak. */
const MANY_GAPS = 0.1;

/**
 * Prepares a series.
 * @param seasonSteps length of the season whose shape fills long gaps; 0: none
 * @throws SeriesError for an empty series, one with gaps only, an infinite value, or a broken grid
 */
export function prepareSeries(series: Series, seasonSteps: number, options?: PrepareOptions): PreparedSeries {
  checkSeries(series);
  const notes: string[] = [];
  const warnings: string[] = [];
  const trimmed = takeNewest(trimSeries(series), notes);
  const values = trimmed.values;
  const measured = Uint8Array.from(values, (value) => (Number.isNaN(value) ? 0 : 1));

  const negative = values.reduce((count, value) => count + (value < 0 ? 1 : 0), 0);
  if (negative > 0) {
    warnings.push(`${String(negative)} negative value${negative === 1 ? " was" : "s were"} taken as 0`);
    values.forEach((value, index) => {
      if (value < 0) values[index] = 0;
    });
  }
  const gaps = measured.reduce((count, seen) => count + (seen === 0 ? 1 : 0), 0);
  const outliers = options?.isRepaired === true ? findOutliers(values) : [];
  if (outliers.length > 0) notes.push(...describeOutliers(outliers, trimmed));
  for (const { index } of outliers) {
    values[index] = Number.NaN;
    measured[index] = 0;
  }
  if (gaps > 0 || outliers.length > 0) fillGaps(values, seasonSteps);
  if (gaps > 0) {
    const text = `${String(gaps)} of ${String(values.length)} values were missing and filled`;
    if (gaps / values.length > MANY_GAPS) warnings.push(`${text}, so the forecast is weak`);
    else notes.push(text);
  }
  const flat = describeFlatness(values);
  if (flat !== undefined) warnings.push(flat);
  else {
    const idle = describeIdleness(values);
    if (idle !== undefined) warnings.push(idle);
  }
  if (flat === undefined && options?.isRepaired === true) {
    const shift = levelOut(values, seasonSteps);
    if (shift) notes.push(shift.describe(trimmed));
  }
  const endSteps = series.values.length - values.length - (trimmed.startMs - series.startMs) / series.stepMs;
  return { values, measured, missingAtEnd: Math.round(endSteps), notes: [...notes, ...warnings], warnings };
}

function takeNewest(series: Series, notes: string[]): Series {
  const left = series.values.length - MOST_VALUES;
  if (left <= 0) return series;
  notes.push(`only the newest ${String(MOST_VALUES)} of ${String(series.values.length)} values were looked at`);
  // The first of them may be a gap.
  return trimSeries({ ...series, startMs: series.startMs + left * series.stepMs, values: series.values.slice(left) });
}

const OUTLIER_TEXT = {
  spike: "far above all others, so not learned from",
  dropout: "0 in a series that is always busy, so taken as not measured",
} as const satisfies Record<Outlier["kind"], string>;

function describeOutliers(outliers: readonly Outlier[], { startMs, stepMs, values }: Series): readonly string[] {
  return (["spike", "dropout"] as const).flatMap((kind) => {
    const own = outliers.filter((outlier) => outlier.kind === kind);
    const [first] = own;
    if (first === undefined) return [];
    const at = `${new Date(startMs + first.index * stepMs).toISOString().slice(0, 16)}Z`;
    const value = String(Number((values[first.index] ?? 0).toPrecision(4)));
    const which =
      own.length === 1
        ? `the value at ${at} (${value}) was`
        : `${String(own.length)} values, the first at ${at} (${value}), were`;
    return [`${which} ${OUTLIER_TEXT[kind]}`];
  });
}

function checkSeries(series: Series): void {
  if (!(Number.isFinite(series.stepMs) && series.stepMs > 0 && Number.isFinite(series.startMs))) {
    const step = `start ${String(series.startMs)} and step ${String(series.stepMs)}`;
    throw new SeriesError("grid", series.id, `${step} are no grid of time`, "give a start in ms and a step above 0 ms");
  }
  if (series.values.length === 0) {
    throw new SeriesError("empty", series.id, "has no value", "check its name in the metric source, or let it record");
  }
  const infinite = series.values.findIndex((value) => Math.abs(value) === Number.POSITIVE_INFINITY);
  if (infinite >= 0) {
    const at = new Date(series.startMs + infinite * series.stepMs).toISOString();
    throw new SeriesError("not-finite", series.id, `is infinite at ${at}`, "write nan where nothing was measured");
  }
  if (series.values.every((value) => Number.isNaN(value))) {
    const count = String(series.values.length);
    const remedy = "check that its metric is still being recorded under this name";
    throw new SeriesError("all-gaps", series.id, `has ${count} intervals and no measured value in any`, remedy);
  }
}

/** Fills in place, from left to right; both ends are measured. */
function fillGaps(values: Float64Array, seasonSteps: number): void {
  let index = 0;
  while (index < values.length) {
    if (!Number.isNaN(values[index])) {
      index++;
      continue;
    }
    let end = index;
    while (Number.isNaN(values[end])) end++;
    fillGap(values, index, end, seasonSteps);
    index = end;
  }
}

/** Fills [start, end). The seasonal shape is shifted so that it meets the measured values on both sides. */
function fillGap(values: Float64Array, start: number, end: number, seasonSteps: number): void {
  const from = values[start - 1] ?? 0;
  const to = values[end] ?? from;
  const hasShape = seasonSteps > 0 && start - 1 >= seasonSteps && end - start > LONGEST_LINE_STEPS;
  const shape = (index: number): number => (hasShape ? (values[index - seasonSteps] ?? 0) : 0);
  // A gap longer than a season ends in its own filling: the values there exist, for it is filled from the left.
  const fromOffset = from - shape(start - 1);
  const toOffset = hasShape && end - seasonSteps >= start ? fromOffset : to - shape(end);
  for (let index = start; index < end; index++) {
    const progress = (index - start + 1) / (end - start + 1);
    values[index] = Math.max(0, shape(index) + fromOffset + (toOffset - fromOffset) * progress);
  }
}

/** Says of a series that is almost always 0 what no forecast of it can tell; undefined of any other. */
function describeIdleness(values: Float64Array): string | undefined {
  const busy = values.reduce((count, value) => count + (value > 0 ? 1 : 0), 0);
  if (busy > values.length * ALMOST_NEVER || values.length < FEWEST_TO_TELL) return undefined;
  const times = `${String(values.length - busy)} of ${String(values.length)} values are 0`;
  return `${times}: when it will be busy cannot be told, only how seldom`;
}

/** What is wrong with values of which none differs from the others, gaps aside; undefined when they vary. */
export function describeFlatness(values: Float64Array): string | undefined {
  const measured = values.filter((value) => !Number.isNaN(value));
  const first = measured[0] ?? 0;
  if (measured.length < 2 || measured.some((value) => value !== first)) return undefined;
  return first === 0
    ? "every value is 0: either it does nothing, or its metric is not connected"
    : `every value is the same (${String(Number(first.toPrecision(6)))}): no variation is known`;
}
