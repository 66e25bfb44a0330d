/**
 * The order of numbers without a comparing function: typed arrays sort with one by way of boxed values, which costs ten
 * times as much and leaves garbage.
 */

/** Below this length insertion is quicker than merging. */
const RUN_LENGTH = 16;

/** Indices of finite values in ascending order of the values; equal ones in the order of their indices (merge sort). */
export function argsort(values: ArrayLike<number>): Uint32Array {
  const { length } = values;
  const at = (index: number): number => values[index] ?? 0;
  let from = Uint32Array.from({ length }, (_, index) => index);
  for (let start = 0; start < length; start += RUN_LENGTH)
    insertionSort(from, at, start, Math.min(length, start + RUN_LENGTH));
  let to = new Uint32Array(length);
  for (let width = RUN_LENGTH; width < length; width *= 2) {
    for (let start = 0; start < length; start += 2 * width) merge(from, to, at, start, width);
    [from, to] = [to, from];
  }
  return from;
}

function insertionSort(order: Uint32Array, at: (index: number) => number, start: number, end: number): void {
  for (let i = start + 1; i < end; i++) {
    const index = order[i] ?? 0;
    let place = i;
    for (; place > start && at(order[place - 1] ?? 0) > at(index); place--) order[place] = order[place - 1] ?? 0;
    order[place] = index;
  }
}

function merge(from: Uint32Array, to: Uint32Array, at: (index: number) => number, start: number, width: number): void {
  const middle = Math.min(from.length, start + width);
  const end = Math.min(from.length, start + 2 * width);
  let left = start;
  let right = middle;
  for (let place = start; place < end; place++) {
    const isLeft = left < middle && (right >= end || at(from[left] ?? 0) <= at(from[right] ?? 0));
    to[place] = (isLeft ? from[left++] : from[right++]) ?? 0;
  }
}
