/** Rules of a rebalance's arguments but its islands and windows, and their resolved form. */
import { NO_UPDATE, type HostUpdateSpec, type Mistake, type RebalanceSpec } from "../model";
import { duration, object, optional, percentage, wholeNumber, type Resolved, type SpecOf } from "./rules";
import { normalizeRun, type CheckedRun, type UpdateParts } from "./update";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Fields that say how load is evened out. */
export const balanceFields = {
  horizon: optional(duration(10 * MINUTE_MS), 6 * HOUR_MS),
  target: optional(percentage, 0.8),
  tolerance: optional(percentage, 0.3),
  maximumMoves: optional(wholeNumber(1, 10_000), 10),
  rest: optional(duration(), 30 * MINUTE_MS),
};
/** Rule of those fields as one object. */
export const balanceRule = object(balanceFields);
/** The fields once each has been checked. */
export type CheckedBalance = Resolved<typeof balanceFields>;

/**
 * Checks that need a look at the value itself.
 * @param prefix of the fields' names, such as `rebalance.`
 */
export function validateBalance({ target, tolerance }: CheckedBalance, prefix: string, mistakes: Mistake[]): void {
  for (const [name, share] of Object.entries({ target, tolerance })) {
    if (share > 0) continue;
    const remedy = "raise it; copies would be moved all the time";
    mistakes.push({ field: `${prefix}${name}`, value: "0%", rule: "must be above 0%", remedy });
  }
}

/** Checked arguments to the spec that plans and runs are made of. */
export function normalizeRebalance<T>(
  parts: UpdateParts<T>,
  checked: CheckedRun<T>,
  { horizon, target, tolerance, maximumMoves, rest }: CheckedBalance,
): SpecOf<HostUpdateSpec, T> {
  const rebalance: RebalanceSpec = { horizonMs: horizon, target, tolerance, maximumMoves, restMs: rest };
  return { ...normalizeRun(parts, checked), update: NO_UPDATE, rebalance };
}
