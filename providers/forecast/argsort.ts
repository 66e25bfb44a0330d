/**
 * The order of numbers without a comparing function: typed arrays sort with one by way of boxed values, which costs ten
 * times as much and leaves garbage.
 *
 * Not for: sorting the numbers themselves with what belongs to them (sort-pairs.ts).
 */

/** Below this length insertion is quicker than merging. */
const RUN_LENGTH = 16;

/** Indices of finite values in ascending order of the values; equal ones in the order of their indices (merge sort). */
export function argsort(values: ArrayLike<number>): Uint32Array {
  const keys = values instanceof Float64Array ? values : Float64Array.from(values);
  const count = keys.length;
  let [from, to] = [new Uint32Array(count), new Uint32Array(count > RUN_LENGTH ? count : 0)];
  for (let index = 0; index < count; index++) from[index] = index;
  for (let start = 0; start < count; start += RUN_LENGTH)
    insertionSort(from, keys, start, Math.min(count, start + RUN_LENGTH));
  for (let width = RUN_LENGTH; width < count; width *= 2) {
    for (let start = 0; start < count; start += 2 * width) merge(from, to, keys, start, width, count);
    [from, to] = [to, from];
  }
  return from;
}

function insertionSort(order: Uint32Array, keys: Float64Array, start: number, end: number): void {
  for (let i = start + 1; i < end; i++) {
    const index = order[i] ?? 0;
    const key = keys[index] ?? 0;
    let place = i;
    for (; place > start && (keys[order[place - 1] ?? 0] ?? 0) > key; place--) order[place] = order[place - 1] ?? 0;
    order[place] = index;
  }
}

function merge(
  from: Uint32Array,
  to: Uint32Array,
  keys: Float64Array,
  start: number,
  width: number,
  count: number,
): void {
  const middle = Math.min(count, start + width);
  const end = Math.min(count, start + 2 * width);
  let left = start;
  let right = middle;
  for (let place = start; place < end; place++) {
    const isLeft = left < middle && (right >= end || (keys[from[left] ?? 0] ?? 0) <= (keys[from[right] ?? 0] ?? 0));
    to[place] = (isLeft ? from[left++] : from[right++]) ?? 0;
  }
}
