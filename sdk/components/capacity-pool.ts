/** A capacity pool: reserve that is paid from the start of a run to its end. */
import * as pulumi from "@pulumi/pulumi";
import { normalizePool, poolRule } from "../arguments";
import type { PoolSpec } from "../model";
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
    this.spec = normalizePool(name, parseArguments(`CapacityPool "${name}"`, args, poolRule));
    this.registerOutputs({});
  }
}
