/**
 * The best assignment that a search has seen. Taking it over from the state costs as much as has changed since the last
 * time, so that a search may do so after every step.
 *
 * Not for: judging what is better; the walk does.
 */
import { assignment, cost, isFeasible, move } from "./machines";
import { setWhole, whole } from "./memory";
import { processes } from "./tables";

/** `i32[p]`. */
export let best: usize = 0;
export let bestCost: f64 = Infinity;
/** `i32[p]` processes that may have moved since, the first `changedCount`; `u8[p]` marks them. */
export let changed: usize = 0;
export let isChanged: usize = 0;
let changedCount: i32 = 0;
let isBehind: bool = false;

/** Takes the present assignment for the best; its cost is Infinity where that is not feasible. */
export function takePresent(): void {
  memory.copy(best, assignment, (processes as usize) << 2);
  bestCost = isFeasible() ? cost() : Infinity;
  memory.fill(isChanged, 0, processes as usize);
  changedCount = 0;
  isBehind = false;
}

/** To be called for each process that is moved. */
export function note(process: i32): void {
  const mark = isChanged + (process as usize);
  if (load<u8>(mark) !== 0) return;
  store<u8>(mark, 1);
  setWhole(changed, changedCount, process);
  changedCount += 1;
}

/** Where the state is better than all before, it is taken over when `keep` is called, before it changes for the worse. */
export function noticeBest(): void {
  if (!isFeasible()) return;
  const present = cost();
  if (present >= bestCost) return;
  bestCost = present;
  isBehind = true;
}

/** Takes over what `noticeBest` found. */
export function keep(): void {
  if (!isBehind) return;
  isBehind = false;
  for (let index = 0; index < changedCount; index += 1) {
    const process = whole(changed, index);
    store<u8>(isChanged + (process as usize), 0);
    setWhole(best, process, whole(assignment, process));
  }
  changedCount = 0;
}

/** Brings the state back to the best assignment; where none was feasible yet, the state is taken as it is. */
export function restore(): void {
  if (bestCost === Infinity) isBehind = true;
  keep();
  for (let index = 0; index < changedCount; index += 1) {
    const process = whole(changed, index);
    store<u8>(isChanged + (process as usize), 0);
    move(process, whole(best, process));
  }
  changedCount = 0;
}
