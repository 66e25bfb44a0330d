/**
 * Sorting numbers with the weights that belong to them, in place and without an order to look them up by: error quantiles
 * and past values are sorted ten thousand times a fit.
 *
 * Not for: the order itself (argsort.ts).
 *
 * Invariant: stable. Equal keys keep their order, so that the weight that stands first among them is the same whatever
 * the way they are sorted.
 */

/** Below this length insertion is quicker than merging. */
const RUN_LENGTH = 12;

/** Keys with their weights, as columns. */
export interface PairColumns {
  readonly keys: Float64Array;
  readonly weights: Float64Array;
}

/** Sorts the first `count` keys ascending, without NaN, and moves the weights along. @param scratch as long, is overwritten */
export function sortPairs({ keys, weights }: PairColumns, count: number, scratch: PairColumns): void {
  for (let start = 0; start < count; start += RUN_LENGTH) {
    insertionSort(keys, weights, start, Math.min(count, start + RUN_LENGTH));
  }
  let isInScratch = false;
  for (let width = RUN_LENGTH; width < count; width *= 2) {
    if (isInScratch) mergeRuns(scratch.keys, scratch.weights, keys, weights, width, count);
    else mergeRuns(keys, weights, scratch.keys, scratch.weights, width, count);
    isInScratch = !isInScratch;
  }
  if (!isInScratch) return;
  for (let i = 0; i < count; i++) {
    keys[i] = scratch.keys[i] as number;
    weights[i] = scratch.weights[i] as number;
  }
}

/** Columns for so many pairs. */
export function pairColumns(most: number): PairColumns {
  return { keys: new Float64Array(most), weights: new Float64Array(most) };
}

function insertionSort(keys: Float64Array, weights: Float64Array, start: number, end: number): void {
  for (let i = start + 1; i < end; i++) {
    const key = keys[i] as number;
    const weight = weights[i] as number;
    let place = i;
    for (; place > start && (keys[place - 1] as number) > key; place--) {
      keys[place] = keys[place - 1] as number;
      weights[place] = weights[place - 1] as number;
    }
    keys[place] = key;
    weights[place] = weight;
  }
}

/** Merges neighbouring runs of `width` pairs of the first columns into the second ones. */
function mergeRuns(
  keys: Float64Array,
  weights: Float64Array,
  toKeys: Float64Array,
  toWeights: Float64Array,
  width: number,
  count: number,
): void {
  for (let start = 0; start < count; start += 2 * width) {
    const middle = Math.min(count, start + width);
    const end = Math.min(count, start + 2 * width);
    let left = start;
    let right = middle;
    let place = start;
    while (left < middle && right < end) {
      const isLeft = (keys[left] as number) <= (keys[right] as number);
      const from = isLeft ? left++ : right++;
      toKeys[place] = keys[from] as number;
      toWeights[place++] = weights[from] as number;
    }
    for (; left < middle; left++) {
      toKeys[place] = keys[left] as number;
      toWeights[place++] = weights[left] as number;
    }
    for (; right < end; right++) {
      toKeys[place] = keys[right] as number;
      toWeights[place++] = weights[right] as number;
    }
  }
}
