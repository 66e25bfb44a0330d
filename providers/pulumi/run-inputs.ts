/** Inputs and outputs of the MaintenanceRun resource. */
import { unpackSpec } from "../../sdk/model";
import type { HostUpdateSpec, PackedSpec, Phase, PlanView, Unplanned } from "../../sdk/model";

/** What the program gives, and what check adds. */
export interface RunInputs {
  readonly v: string;
  /** The resource's URN, given by the program: the engine does not tell it to check. */
  readonly urn_: string;
  readonly spec: HostUpdateSpec;
  readonly plan?: PlanView;
  readonly planDigest?: string;
  readonly unplanned?: Unplanned;
}

/** The state: inputs and what the run came to. */
export interface RunOutputs extends RunInputs {
  readonly phase: Phase;
  readonly phaseReason: string;
  /** ISO 8601, "" when no opening comes. */
  readonly nextOpening: string;
  /** "" while no run has been made. */
  readonly runId: string;
  /** Path of the last run's HTML report, or "". */
  readonly report: string;
  /** Probe output by host. */
  readonly hostVersions: Readonly<Record<string, string>>;
}

/** Inputs or outputs as the engine holds them. */
export type Sent<T extends Pick<RunInputs, "spec">> = Omit<T, "spec"> & { readonly spec: PackedSpec };

/** What was sent. */
export function received<T extends Pick<RunInputs, "spec">>(sent: Sent<T>): T {
  return { ...sent, spec: unpackSpec(sent.spec) } as unknown as T;
}
