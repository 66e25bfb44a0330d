/** Rules of a capacity pool's arguments, and their resolved form. */
import type { PoolSpec } from "../model";
import { numberBetween, object, optional, required, text, wholeNumber, type Rule } from "./rules";

const price: Rule<number> = (value, field, mistakes) => {
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
  mistakes.push({ field, value, rule: "must be a number >= 0", remedy: "give the price of one host for one hour" });
  return undefined;
};

/** Fields of a pool. */
export const poolFields = {
  size: optional(object({ quantile: required(numberBetween(0.5, 1), "give a quantile, like 0.95") }), {
    quantile: 0.95,
  }),
  maximum: required(
    object({ hosts: required(wholeNumber(0, 1000), "give a number of hosts") }),
    "say what may be reserved at most, like { hosts: 2 }",
  ),
  warm: optional(object({ hosts: required(wholeNumber(0, 1000), "give a number of hosts") }), undefined),
  price: optional(
    object({ hostHour: required(price, "give a price"), currency: required(text, 'give a currency, like "EUR"') }),
    undefined,
  ),
};
/** Rule of a pool's arguments. */
export const poolRule = object(poolFields);
/** The arguments once each field has been checked. */
export type CheckedPool = NonNullable<ReturnType<typeof poolRule>>;

/** Checked arguments to policy. */
export function normalizePool(name: string, { size, maximum, warm, price: rate }: CheckedPool): PoolSpec {
  return {
    name,
    quantile: size.quantile,
    maximumHosts: maximum.hosts,
    ...(warm && warm.hosts > 0 ? { warmHosts: warm.hosts } : {}),
    ...(rate ? { hostHourPrice: { amount: rate.hostHour, currency: rate.currency } } : {}),
  };
}
