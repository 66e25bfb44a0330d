/**
 * Reading and writing of arrays in linear memory, by the address where they begin.
 *
 * Not for: bounds; the callers' indexes come from tables whose content was checked when the model was made.
 */

export function real(array: usize, index: i32): f64 {
  return load<f64>(array + ((index as usize) << 3));
}

export function setReal(array: usize, index: i32, value: f64): void {
  store<f64>(array + ((index as usize) << 3), value);
}

export function whole(array: usize, index: i32): i32 {
  return load<i32>(array + ((index as usize) << 2));
}

export function setWhole(array: usize, index: i32, value: i32): void {
  store<i32>(array + ((index as usize) << 2), value);
}

export function addWhole(array: usize, index: i32, value: i32): void {
  setWhole(array, index, whole(array, index) + value);
}
