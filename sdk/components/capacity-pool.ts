/** A capacity pool: reserve that is paid while a run needs it. */
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
  /**
   * Hosts that are kept started beside those in use, within the maximum: what is needed sooner than forecast need not
   * be waited for. They are paid from the first cordon to the end of the run.
   * @default none
   */
  warm?: { hosts: number };
  /** Price of one reserved host for an hour, for the cost line of the plan. @default not priced */
  price?: { hostHour: number; currency: string };
}

/**
 * Reserve for the time of a run: standby hosts of the fleet, each started before the first host of the wave that needs
 * it is cordoned, and given back as soon as the rest of the run does without.
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
