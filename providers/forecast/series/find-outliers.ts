/**
 * Values that are no load but a mistake of measuring: one far above everything else that was ever seen, or nothing at
 * all for a moment in a series that is always busy. A fit must not learn them.
 *
 * Not for: bursts. What comes again is load, however high, and capacity is bought for it.
 *
 * Invariants
 * 1. Few values are outliers or none is: where many stand out, that is how the load behaves.
 * 2. Level and scale change nothing.
 *
 * Source: a gap among the ordered values instead of a number of deviations, as in Dixon, "Processing Data for Outliers",
 * Biometrics 9(1), 1953: loads have heavy tails, in which any number of deviations is passed now and then.
 */
import { quantileOfSorted } from "../../../sdk/model";

/** An outlier's place, and what kind it is. */
export interface Outlier {
  readonly index: number;
  readonly kind: "spike" | "dropout";
}

/** Fewer values than this do not tell what is usual. */
const FEWEST_VALUES = 24;
/** Share of the values that may be outliers of one kind. */
const MOST_SHARE = 0.01;
/** So many times the highest of the other values, and their distance from the middle, is beyond doubt. */
const SPIKE_FACTOR = 3;
/** Steps that one outlier lasts at most. */
const LONGEST_STEPS = 2;
/** A series is always busy when its quiet hours (P2) have this share of its median. */
const BUSY_SHARE = 0.25;
const QUIET_LEVEL = 0.02;
/** Below this share of the least that is usual, nothing was measured. */
const DROPOUT_SHARE = 0.05;

/** Finds them, ascending. @param values NaN where nothing was measured */
export function findOutliers(values: Float64Array): readonly Outlier[] {
  const measured = values.filter((value) => !Number.isNaN(value)).sort();
  const count = measured.length;
  if (count < FEWEST_VALUES) return [];
  const most = Math.max(1, Math.floor(count * MOST_SHARE));
  return [...findSpikes(values, measured, most), ...findDropouts(values, measured, most)].sort(
    (a, b) => a.index - b.index,
  );
}

/** The largest gap among the highest values divides those that are out of all proportion from the rest. */
function findSpikes(values: Float64Array, ascending: Float64Array, most: number): readonly Outlier[] {
  const count = ascending.length;
  const middle = quantileOfSorted(ascending, 0.5);
  let limit = Number.POSITIVE_INFINITY;
  for (let above = 1; above <= most; above++) {
    const [own, below] = [ascending[count - above] ?? 0, ascending[count - above - 1] ?? 0];
    const isApart = own > SPIKE_FACTOR * below && own - middle > SPIKE_FACTOR * (below - middle);
    // Where almost everything is 0, whatever is not is the load.
    if (isApart && below > 0 && middle > 0) limit = own;
  }
  return runsOf(values, (value) => value >= limit, "spike");
}

function findDropouts(values: Float64Array, ascending: Float64Array, most: number): readonly Outlier[] {
  const middle = quantileOfSorted(ascending, 0.5);
  const limit = DROPOUT_SHARE * BUSY_SHARE * middle;
  let low = 0;
  while (low < ascending.length && (ascending[low] ?? 0) <= limit) low++;
  if (low === 0 || low > most) return [];
  const quiet = quantileOfSorted(ascending.subarray(low), QUIET_LEVEL);
  if (quiet < BUSY_SHARE * middle) return [];
  return runsOf(values, (value) => value <= limit, "dropout");
}

/** Places of short runs; a longer one is something that happened. */
function runsOf(values: Float64Array, isOut: (value: number) => boolean, kind: Outlier["kind"]): readonly Outlier[] {
  const found: Outlier[] = [];
  for (let index = 0; index < values.length; index++) {
    if (!isOut(values[index] ?? Number.NaN)) continue;
    let end = index;
    while (end < values.length && isOut(values[end] ?? Number.NaN)) end++;
    // What stands at the end may be the begin of something: it is neither believed nor taken away.
    if (end - index <= LONGEST_STEPS && end < values.length) {
      for (; index < end; index++) found.push({ index, kind });
    }
    index = end;
  }
  return found;
}
