/**
 * The dynamic providers, loaded by the constant texts in sdk/components/maintenance-run.ts.
 *
 * Light on purpose: platforms, planner and cloud SDKs load when a call needs them.
 */
import type * as pulumi from "@pulumi/pulumi";
import { localFleetProvider } from "./local-fleet-provider";
import { runProvider } from "./run-provider";

/** Provider of MaintenanceRun. */
export function handler(): pulumi.dynamic.ResourceProvider {
  return runProvider;
}

/** Provider of LocalFleet. */
export function localFleetHandler(): pulumi.dynamic.ResourceProvider {
  return localFleetProvider;
}
