/**
 * A lower bound on the cost of any placement: as if load could be divided at will among the machines.
 *
 * Not for: proofs of optimality on tight models; whole processes may have to cost far more.
 */
import type { PlacementModel } from "./model";

/** Load and balance costs that no placement can avoid. */
export function lowerBound(model: PlacementModel): number {
  const { resourceCount, loadWeight } = model;
  const required = totals(model.requirement, resourceCount);
  const safe = totals(model.safety, resourceCount);
  const capacity = totals(model.capacity, resourceCount);
  let bound = 0;
  for (let r = 0; r < resourceCount; r += 1) {
    bound += (loadWeight[r] as number) * Math.max(0, (required[r] as number) - (safe[r] as number));
  }
  for (const { first, second, target, weight } of model.balances) {
    const free = (r: number): number => (capacity[r] as number) - (required[r] as number);
    bound += weight * Math.max(0, target * free(first) - free(second));
  }
  return bound;
}

function totals(values: Float64Array, resourceCount: number): Float64Array {
  const sums = new Float64Array(resourceCount);
  for (let index = 0; index < values.length; index += 1) {
    const r = index % resourceCount;
    sums[r] = (sums[r] as number) + (values[index] as number);
  }
  return sums;
}
