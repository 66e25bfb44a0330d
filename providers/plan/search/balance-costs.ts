/**
 * What machines cost where what they have free of two resources is out of balance, kept while processes move.
 *
 * Not for: load and capacity (search-state.ts).
 *
 * Invariant: no method allocates; all run millions of times a second.
 */
import type { PlacementModel } from "./model";

export class BalanceCosts {
  /** Balances of the model. */
  readonly count: number;
  /** `[m * B + b]` target times what is free of the first resource, less what is free of the second. */
  private readonly lack: Float64Array;
  /** `[p * B + b]` what a process that comes takes off that. */
  private readonly share: Float64Array;
  private readonly weight: Float64Array;

  /** Of machines without a process. */
  constructor({ balances, capacity, requirement, resourceCount, machineCount, processCount }: PlacementModel) {
    const count = balances.length;
    this.count = count;
    this.lack = new Float64Array(machineCount * count);
    this.share = new Float64Array(processCount * count);
    this.weight = Float64Array.from(balances, ({ weight }) => weight);
    balances.forEach(({ first, second, target }, b) => {
      const fill = (into: Float64Array, from: ArrayLike<number>): void => {
        for (let row = 0; row * count < into.length; row += 1) {
          const at = row * resourceCount;
          into[row * count + b] = target * (from[at + first] as number) - (from[at + second] as number);
        }
      };
      fill(this.lack, capacity);
      fill(this.share, requirement);
    });
  }

  /** What a machine costs now. */
  costOf(machine: number): number {
    let cost = 0;
    for (let b = 0; b < this.count; b += 1) {
      const lack = this.lack[machine * this.count + b] as number;
      if (lack > 0) cost += lack * (this.weight[b] as number);
    }
    return cost;
  }

  /** What its cost changes by when a process that is there leaves (1), or one that is elsewhere comes (-1). */
  changeBy(machine: number, process: number, sign: 1 | -1): number {
    const { count, lack, share, weight } = this;
    const at = machine * count;
    const shareAt = process * count;
    let change = 0;
    for (let b = 0; b < count; b += 1) {
      const before = lack[at + b] as number;
      const after = before + sign * (share[shareAt + b] as number);
      change += ((after > 0 ? after : 0) - (before > 0 ? before : 0)) * (weight[b] as number);
    }
    return change;
  }

  /** What its cost changes by when a process comes after `leaving` has left. */
  changeByReplacing(machine: number, leaving: number, process: number): number {
    const { count, lack, share, weight } = this;
    const at = machine * count;
    let change = 0;
    for (let b = 0; b < count; b += 1) {
      const before = (lack[at + b] as number) + (share[leaving * count + b] as number);
      const after = before - (share[process * count + b] as number);
      change += ((after > 0 ? after : 0) - (before > 0 ? before : 0)) * (weight[b] as number);
    }
    return change;
  }

  /** A process has left a machine (1) or come to it (-1). */
  change(process: number, machine: number, sign: number): void {
    const { count, lack, share } = this;
    for (let b = 0; b < count; b += 1) {
      const at = machine * count + b;
      lack[at] = (lack[at] as number) + sign * (share[process * count + b] as number);
    }
  }
}
