/** What machines cost where what they have free of two resources is out of balance. */
import { real, setReal } from "./memory";
import { balanceShare, balances, balanceWeight } from "./tables";

/** `f64[m * B + b]` target times what is free of the first resource, less what is free of the second. */
export let lack: usize = 0;

/** What a machine costs now. */
export function balanceCostOf(machine: i32): f64 {
  let cost: f64 = 0;
  for (let b = 0; b < balances; b += 1) {
    cost += max<f64>(real(lack, machine * balances + b), 0) * real(balanceWeight, b);
  }
  return cost;
}

/** What its cost changes by when a process that is there leaves (1), or one that is elsewhere comes (-1). */
export function balanceChangeBy(machine: i32, process: i32, sign: f64): f64 {
  const at = machine * balances;
  const shareAt = process * balances;
  let change: f64 = 0;
  for (let b = 0; b < balances; b += 1) {
    const before = real(lack, at + b);
    const after = before + sign * real(balanceShare, shareAt + b);
    change += (max<f64>(after, 0) - max<f64>(before, 0)) * real(balanceWeight, b);
  }
  return change;
}

/** What its cost changes by when a process takes the place of `leaving`. */
export function balanceChangeByReplacing(machine: i32, leaving: i32, process: i32): f64 {
  const at = machine * balances;
  let change: f64 = 0;
  for (let b = 0; b < balances; b += 1) {
    const before = real(lack, at + b);
    const after = before + real(balanceShare, leaving * balances + b) - real(balanceShare, process * balances + b);
    change += (max<f64>(after, 0) - max<f64>(before, 0)) * real(balanceWeight, b);
  }
  return change;
}

/** A process has left a machine (1) or come to it (-1). */
export function changeBalance(machine: i32, process: i32, sign: f64): void {
  for (let b = 0; b < balances; b += 1) {
    const at = machine * balances + b;
    setReal(lack, at, real(lack, at) + sign * real(balanceShare, process * balances + b));
  }
}
