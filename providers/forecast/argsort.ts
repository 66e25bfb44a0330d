/**
 * The order of numbers without a comparing function: typed arrays sort with one by way of boxed values, which costs ten
 * times as much and leaves garbage.
 */

/** Below this length insertion is quicker than merging. */
const RUN_LENGTH = 16;

/** Indices of finite values in ascending order of the values; equal ones in the order of their indices (merge sort). */
export function argsort(values: ArrayLike<number>): Uint32Array {
  const { length } = values;
  const keys = values instanceof Float64Array ? values : Float64Array.from(values);
  let from = new Uint32Array(length);
  for (let index = 0; index < length; index++) from[index] = index;
  for (let start = 0; start < length; start += RUN_LENGTH)
    insertionSort(from, keys, start, Math.min(length, start + RUN_LENGTH));
  if (length <= RUN_LENGTH) return from;
  let to = new Uint32Array(length);
  for (let width = RUN_LENGTH; width < length; width *= 2) {
    for (let start = 0; start < length; start += 2 * width) merge(from, to, keys, start, width);
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

function merge(from: Uint32Array, to: Uint32Array, keys: Float64Array, start: number, width: number): void {
  const middle = Math.min(from.length, start + width);
  const end = Math.min(from.length, start + 2 * width);
  let left = start;
  let right = middle;
  for (let place = start; place < end; place++) {
    const isLeft = left < middle && (right >= end || (keys[from[left] ?? 0] ?? 0) <= (keys[from[right] ?? 0] ?? 0));
    to[place] = (isLeft ? from[left++] : from[right++]) ?? 0;
  }
}
