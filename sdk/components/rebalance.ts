/** A rebalance: load is evened out over the hosts of some islands in calm times, without an update. */
import type * as pulumi from "@pulumi/pulumi";
import { balanceFields, normalizeRebalance, object, runFields, validateBalance, validateRun } from "../arguments";
import type { Mistake } from "../model";
import { parseArguments } from "./argument-error";
import type { HostUpdateArgs } from "./host-update";
import { lateText } from "./later";
import { partsOf, RunComponent, surroundings } from "./run-component";
import { validateSurroundings } from "./run-surface";

/** Arguments of {@link Rebalance}; those that a HostUpdate has too mean the same. */
export interface RebalanceArgs extends Omit<HostUpdateArgs, "update" | "pool" | "failback"> {
  /** How far ahead load is looked at, at most as far as the forecast reaches. @default "6 hours" */
  horizon?: string;
  /** Share of what an island has on a host that its load may reach. @default "80%" */
  target?: string;
  /** Difference between the fullest and the emptiest host that is left alone. @default "30%" */
  tolerance?: string;
  /** Moves of one run at most. @default 10 */
  maximumMoves?: number;
  /** Time after a run in which none begins. @default "30 minutes" */
  rest?: string;
}

const { failback: _, timing: __, ...fields } = runFields(lateText);
const argsRule = object({
  islands: surroundings.islands("name the islands whose load is evened out"),
  windows: surroundings.windows,
  ...balanceFields,
  ...fields,
});
type CheckedRebalance = NonNullable<ReturnType<typeof argsRule>>;

/**
 * Where the load of the next hours would be over its target on a host, or hosts stand idle beside full ones, copies
 * are moved in calm times: the source is cordoned, the new copy is started and checked before the old one is drained
 * and stopped, then both hosts are validated. A runner looks again and again while a window is open; `pulumi up` arms it.
 *
 * @example
 * const evenly = new archipelago.Rebalance("evenly", {
 *   islands: [shop], windows: [nights], target: "75%", maximumMoves: 4, startedBy: "runner",
 * });
 * export const { phase, nextOpening } = evenly;
 */
export class Rebalance extends RunComponent {
  /** @throws ArgumentError with every mistake in `args` */
  constructor(name: string, args: RebalanceArgs, options?: pulumi.ComponentResourceOptions) {
    super("archipelago:index:Rebalance", name, options, () => {
      const checked = parseArguments(`Rebalance "${name}"`, args, argsRule, validateRebalance);
      return {
        spec: normalizeRebalance(partsOf(name, checked), { ...checked, failback: "never", timing: undefined }, checked),
      };
    });
  }
}

function validateRebalance(checked: CheckedRebalance, mistakes: Mistake[]): void {
  validateRun({ ...checked, failback: "never", timing: undefined }, mistakes);
  validateBalance(checked, "", mistakes);
  validateSurroundings(checked, mistakes);
}
