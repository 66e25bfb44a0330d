/**
 * The last moment at which a series went to another level and stayed there: a version that needs more, a customer who
 * left.
 *
 * Not for: trends and seasons. Blocks of a day (or of a part of the series) are compared, so what comes and goes within
 * a day changes nothing.
 *
 * Invariants
 * 1. Single blocks, however far out, are no shift: medians are compared.
 * 2. Scale changes nothing.
 *
 * Source: a change of the median with the cost of absolute deviations, Fearnhead and Rigaill, "Changepoint Detection in
 * the Presence of Outliers", JASA 114, 2019; accepted by its size in robust deviations (Hampel, JASA 69, 1974) and its
 * steepness, so that a trend is none.
 */
import { quantileOfSorted } from "../../../sdk/model";

/** A shift of the level. */
export interface LevelShift {
  /** First index of the new level. */
  readonly at: number;
  /** Medians of the blocks on both sides. */
  readonly before: number;
  readonly after: number;
}

/** Blocks on each side of a shift; fewer are no level. */
const FEWEST_BEFORE = 4;
const FEWEST_AFTER = 2;
/** Blocks of a series without a season. */
const BLOCKS_WITHOUT_SEASON = 24;
/** Size of a shift: in deviations of the blocks from their level, and as a share of the higher level. */
const LEAST_DEVIATIONS = 5;
const LEAST_SHARE = 0.3;
/** Share of the shift that happens between two blocks on each side of it; a trend takes longer. */
const LEAST_STEEPNESS = 0.6;

/** Finds the last one. @param values without gaps @param seasonSteps 0: none */
export function findLevelShift(values: Float64Array, seasonSteps: number): LevelShift | undefined {
  const count = values.length;
  const size =
    seasonSteps > 0 && count >= (FEWEST_BEFORE + FEWEST_AFTER) * seasonSteps
      ? seasonSteps
      : Math.floor(count / BLOCKS_WITHOUT_SEASON);
  if (size < 2) return undefined;
  // Blocks end with the series: the newest one is whole.
  const blocks = Math.floor(count / size);
  const first = count - blocks * size;
  const levels = Float64Array.from({ length: blocks }, (_, block) =>
    mean(values, first + block * size, first + (block + 1) * size),
  );
  let from = 0;
  let found: { readonly block: number; readonly before: number; readonly after: number } | undefined;
  // Behind a shift there may be another one.
  for (;;) {
    const next = splitOf(levels.subarray(from));
    if (!next) break;
    found = { ...next, block: from + next.block };
    from = found.block;
  }
  if (!found) return undefined;
  const { block, before, after } = found;
  return { at: borderOf(values, first + block * size, size, after - before), before, after };
}

/** The best split of blocks in two levels, where it is a shift. */
function splitOf(
  levels: Float64Array,
): { readonly block: number; readonly before: number; readonly after: number } | undefined {
  let best:
    { readonly block: number; readonly before: number; readonly after: number; readonly cost: number } | undefined;
  for (let block = FEWEST_BEFORE; block <= levels.length - FEWEST_AFTER; block++) {
    const [before, after] = [median(levels.subarray(0, block)), median(levels.subarray(block))];
    const cost = levels.reduce((sum, level, at) => sum + Math.abs(level - (at < block ? before : after)), 0);
    if (best === undefined || cost < best.cost) best = { block, before, after, cost };
  }
  if (!best) return undefined;
  const { block, before, after } = best;
  const change = Math.abs(after - before);
  const deviations = levels.map((level, at) => Math.abs(level - (at < block ? before : after)));
  const deviation = 1.4826 * median(deviations);
  // Levels that lie apart altogether: not one block of one side reaches half way to the other.
  const isApart = deviations.reduce((count, own) => count + (own > change / 2 ? 1 : 0), 0) <= levels.length / 10;
  const steep = Math.abs(median(levels.subarray(block, block + 2)) - median(levels.subarray(block - 2, block)));
  const isShift =
    change >= LEAST_DEVIATIONS * deviation &&
    change >= LEAST_SHARE * Math.max(Math.abs(before), Math.abs(after)) &&
    steep >= LEAST_STEEPNESS * change &&
    isApart;
  return isShift ? best : undefined;
}

/**
 * The step within the two blocks around the border: from there on values are nearer to those of two blocks before plus
 * the change than to those themselves.
 */
function borderOf(values: Float64Array, middle: number, size: number, change: number): number {
  let [best, most, sum] = [middle, 0, 0];
  for (let index = middle + size - 1; index >= middle - size; index--) {
    const moved = (values[index] ?? 0) - (values[index - 2 * size - (index >= middle ? size : 0)] ?? 0);
    sum += Math.sign(change) * (moved - change / 2);
    if (sum > most) [best, most] = [index, sum];
  }
  return best;
}

function mean(values: Float64Array, from: number, to: number): number {
  let sum = 0;
  for (let index = from; index < to; index++) sum += values[index] ?? 0;
  return sum / (to - from);
}

function median(values: Float64Array): number {
  return quantileOfSorted(values.slice().sort(), 0.5);
}
