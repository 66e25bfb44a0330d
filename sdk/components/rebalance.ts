/** A rebalance: load is evened out over the hosts of some islands in calm times, without an update. */
import * as pulumi from "@pulumi/pulumi";
import {
  balanceFields,
  normalizeRebalance,
  object,
  required,
  runFields,
  validateBalance,
  validateRun,
} from "../arguments";
import type { HostUpdateSpec, Mistake, Phase } from "../model";
import { parseArguments } from "./argument-error";
import type { HostUpdateArgs } from "./host-update";
import { lateText, type Later } from "./later";
import { MaintenanceRun } from "./maintenance-run";
import { MaintenanceWindow } from "./maintenance-window";
import { ResourceIsland } from "./resource-island";
import { instances, passOnInterrupts, showPlan, validateSurroundings } from "./run-surface";

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
  islands: required(instances(ResourceIsland, "ResourceIsland", 1), "name the islands whose load is evened out"),
  windows: required(instances(MaintenanceWindow, "MaintenanceWindow", 1), "name at least one window"),
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
export class Rebalance extends pulumi.ComponentResource {
  /** Where the run stands: `armed` while nothing has to be moved. */
  readonly phase: pulumi.Output<Phase>;
  /** Why it stands there, for people. */
  readonly phaseReason: pulumi.Output<string>;
  /** When a window opens next, ISO 8601; the current opening while one is open; "" when none comes. */
  readonly nextOpening: pulumi.Output<string>;
  /** SHA-256 of the envelope: what a person approves. */
  readonly planDigest: pulumi.Output<string>;
  /** Path of the HTML report of the last run that moved something; "" before one. */
  readonly report: pulumi.Output<string>;

  /** @throws ArgumentError with every mistake in `args` */
  constructor(name: string, args: RebalanceArgs, options?: pulumi.ComponentResourceOptions) {
    super("archipelago:index:Rebalance", name, {}, options);
    const checked = parseArguments(`Rebalance "${name}"`, args, argsRule, validateRebalance);
    const run = new MaintenanceRun(`${name}-run`, specOf(name, checked), { parent: this });
    showPlan(name, run);
    passOnInterrupts(run);
    this.phase = run.phase;
    this.phaseReason = run.phaseReason;
    this.nextOpening = run.nextOpening;
    this.planDigest = run.planDigest;
    this.report = run.report;
    this.registerOutputs({ phase: run.phase, nextOpening: run.nextOpening, planDigest: run.planDigest });
  }
}

function validateRebalance(checked: CheckedRebalance, mistakes: Mistake[]): void {
  validateRun({ ...checked, failback: "never", timing: undefined }, mistakes);
  validateBalance(checked, "", mistakes);
  validateSurroundings(checked, mistakes);
}

function specOf(name: string, checked: CheckedRebalance): Later<HostUpdateSpec> {
  const parts = {
    name,
    islands: checked.islands.map(({ spec }) => spec),
    windows: checked.windows.map(({ spec }) => spec),
  };
  return normalizeRebalance(parts, { ...checked, failback: "never", timing: undefined }, checked);
}
