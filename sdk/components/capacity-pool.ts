/** A capacity pool: reserve that is paid from the start of a run to its end. */
import * as pulumi from "@pulumi/pulumi";
import type { PoolSpec } from "../model";
import { numberBetween, object, optional, required, text, wholeNumber, type Rule } from "./argument-rules";
import { parseArguments } from "./argument-error";

/** Arguments of {@link CapacityPool}. */
export interface CapacityPoolArgs {
  /** How much to reserve: enough for this quantile of the joint demand. @default { quantile: 0.95 } */
  size?: { quantile: number };
  /** What may be reserved at most. */
  maximum: { hosts: number };
  /** Price of one reserved host for an hour, for the cost line of the plan. @default not priced */
  price?: { hostHour: number; currency: string };
}

const price: Rule<number> = (value, field, mistakes) => {
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
  mistakes.push({ field, value, rule: "must be a number >= 0", remedy: "give the price of one host for one hour" });
  return undefined;
};

const argsRule = object({
  size: optional(object({ quantile: required(numberBetween(0.5, 1), "give a quantile, like 0.95") }), {
    quantile: 0.95,
  }),
  maximum: required(
    object({ hosts: required(wholeNumber(0, 1000), "give a number of hosts") }),
    "say what may be reserved at most, like { hosts: 2 }",
  ),
  price: optional(
    object({ hostHour: required(price, "give a price"), currency: required(text, 'give a currency, like "EUR"') }),
    undefined,
  ),
});

/**
 * Reserve for the time of a run: standby hosts of the fleet, started before the first host is cordoned.
 *
 * @example
 * const reserve = new archipelago.CapacityPool("reserve", { size: { quantile: 0.95 }, maximum: { hosts: 2 } });
 */
export class CapacityPool extends pulumi.ComponentResource {
  /** The pool, resolved. */
  readonly spec: PoolSpec;

  /** @throws ArgumentError with every mistake in `args` */
  constructor(name: string, args: CapacityPoolArgs, options?: pulumi.ComponentResourceOptions) {
    super("archipelago:index:CapacityPool", name, {}, options);
    const checked = parseArguments(`CapacityPool "${name}"`, args, argsRule);
    this.spec = {
      name,
      quantile: checked.size.quantile,
      maximumHosts: checked.maximum.hosts,
      ...(checked.price ? { hostHourPrice: { amount: checked.price.hostHour, currency: checked.price.currency } } : {}),
    };
    this.registerOutputs({});
  }
}
