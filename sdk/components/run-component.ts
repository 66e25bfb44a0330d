/**
 * What every component around a maintenance run is: the run as its child, its outputs, the plan on its row, Ctrl-C; and
 * the parts of its spec that come from other components.
 *
 * Not for: what the run does (host-update.ts, rebalance.ts).
 */
import * as pulumi from "@pulumi/pulumi";
import { required } from "../arguments";
import type { HostUpdateSpec, Phase } from "../model";
import type { Later } from "./later";
import { MaintenanceRun } from "./maintenance-run";
import { MaintenanceWindow } from "./maintenance-window";
import { ResourceIsland } from "./resource-island";
import { instances, passOnInterrupts, showPlan } from "./run-surface";

/** A run to make. */
export interface RunDeclaration {
  readonly spec: Later<HostUpdateSpec>;
  /** Runs that go first. @default none */
  readonly after?: readonly MaintenanceRun[];
}

/** Rules of the arguments that are other components. */
export const surroundings = {
  islands: (remedy: string) => required(instances(ResourceIsland, "ResourceIsland", 1), remedy),
  windows: required(instances(MaintenanceWindow, "MaintenanceWindow", 1), "name at least one window"),
};

/** The parts of a spec that they give. */
export function partsOf(
  name: string,
  { islands, windows }: { readonly islands: readonly ResourceIsland[]; readonly windows: readonly MaintenanceWindow[] },
) {
  return { name, islands: islands.map(({ spec }) => spec), windows: windows.map(({ spec }) => spec) };
}

/** A component with one run. */
export abstract class RunComponent extends pulumi.ComponentResource {
  /** Where the run stands; of a rebalance, `armed` while nothing has to be moved. */
  readonly phase: pulumi.Output<Phase>;
  /** Why it stands there, for people. */
  readonly phaseReason: pulumi.Output<string>;
  /** When a window opens next, ISO 8601; the current opening while one is open; "" when none comes. */
  readonly nextOpening: pulumi.Output<string>;
  /** SHA-256 of the envelope: what a person approves. */
  readonly planDigest: pulumi.Output<string>;
  /** Path of the HTML report of the last run that did something; "" before one. */
  readonly report: pulumi.Output<string>;
  /** The run, for components that come after it. */
  protected readonly run: MaintenanceRun;

  /** @param declare checks the arguments; called once the component is registered */
  protected constructor(
    type: string,
    name: string,
    options: pulumi.ComponentResourceOptions | undefined,
    declare: () => RunDeclaration,
  ) {
    super(type, name, {}, options);
    const { spec, after = [] } = declare();
    const run = new MaintenanceRun(`${name}-run`, spec, { parent: this, dependsOn: [...after] });
    this.run = run;
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
