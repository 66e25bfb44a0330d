/**
 * The custom resources behind HostUpdate and LocalFleet: thin, with their provider named by a constant text.
 *
 * Invariant: the provider texts and type tokens never change; they lie in users' states. What a version needs to
 * say goes into the input `v`.
 */
import * as pulumi from "@pulumi/pulumi";
import { isKnown, type Later } from "./later";
import { packSpec, type HostUpdateSpec, type LocalFleetSpec, type Packed, type Phase } from "../model";
import type { PlanView, Unplanned } from "../model";

/**
 * Evaluated by the SDK's dynamic-provider process, in the program's folder: loads the installed package, so that
 * the state stays tiny and the code is never stale. A bare require would fail where the package is the project.
 */
export const RUN_PROVIDER =
  'exports.handler = () => require("node:module").createRequire(process.cwd() + "/index.js")("pulumi-archipelago/provider").handler()';
/** Likewise for local fleets. */
export const LOCAL_FLEET_PROVIDER =
  'exports.handler = () => require("node:module").createRequire(process.cwd() + "/index.js")("pulumi-archipelago/provider").localFleetHandler()';

const RUN_TYPE = "pulumi-nodejs:dynamic/archipelago:MaintenanceRun";
const LOCAL_FLEET_TYPE = "pulumi-nodejs:dynamic/archipelago:LocalFleet";
/** Version of the inputs' format. */
const INPUTS_VERSION = "1";

/** The run of a HostUpdate. Its inputs are the spec and what the provider's check adds: the plan. */
export class MaintenanceRun extends pulumi.CustomResource {
  declare readonly plan: pulumi.Output<PlanView>;
  declare readonly planDigest: pulumi.Output<string>;
  declare readonly phase: pulumi.Output<Phase>;
  declare readonly phaseReason: pulumi.Output<string>;
  declare readonly nextOpening: pulumi.Output<string>;
  declare readonly runId: pulumi.Output<string>;
  declare readonly report: pulumi.Output<string>;
  declare readonly hostVersions: pulumi.Output<Readonly<Record<string, string>>>;
  /** Set instead of a plan, in a preview, while inputs are not known. */
  declare readonly unplanned: pulumi.Output<Unplanned>;

  /** The URN as the provider is given it: known from the start, unlike `urn`. */
  readonly urnInput: pulumi.Output<string>;
  /** Workloads that are declared. */
  readonly workloads: number;
  /** What is planned for. */
  readonly specInput: pulumi.Output<pulumi.Unwrap<Packed<Later<HostUpdateSpec>>>>;

  constructor(name: string, declared: Later<HostUpdateSpec>, options: pulumi.CustomResourceOptions) {
    const spec = packSpec(declared, isKnown);
    const urnInput = pulumi.createUrn(name, RUN_TYPE, options.parent);
    super(
      RUN_TYPE,
      name,
      {
        __provider: RUN_PROVIDER,
        v: INPUTS_VERSION,
        urn_: urnInput,
        spec,
        plan: undefined,
        planDigest: undefined,
        unplanned: undefined,
        phase: undefined,
        phaseReason: undefined,
        nextOpening: undefined,
        runId: undefined,
        report: undefined,
        hostVersions: undefined,
      },
      options,
    );
    this.urnInput = urnInput;
    this.workloads = declared.islands.reduce((sum, { workloads }) => sum + workloads.length, 0);
    this.specInput = pulumi.output(spec);
  }
}

/** The processes of a LocalFleet. */
export class LocalFleetProcesses extends pulumi.CustomResource {
  declare readonly inventory: pulumi.Output<string>;
  declare readonly hosts: pulumi.Output<readonly string[]>;
  declare readonly endpoints: pulumi.Output<Readonly<Record<string, string>>>;

  constructor(name: string, spec: pulumi.Input<LocalFleetSpec>, options: pulumi.CustomResourceOptions) {
    super(
      LOCAL_FLEET_TYPE,
      name,
      {
        __provider: LOCAL_FLEET_PROVIDER,
        v: INPUTS_VERSION,
        urn_: pulumi.createUrn(name, LOCAL_FLEET_TYPE, options.parent),
        spec,
        inventory: undefined,
        hosts: undefined,
        endpoints: undefined,
      },
      options,
    );
  }
}
