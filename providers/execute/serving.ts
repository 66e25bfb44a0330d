/**
 * What can serve now, as the drivers list it: copies on hosts, and endpoints of functions.
 *
 * Not for: who does serve (budget-gate.ts).
 */
import type { FunctionEndpoint, Replica } from "../../sdk/model";
import { asReplica } from "../../sdk/model";
import type { Platform } from "../drivers/contracts";

/** All endpoints; none where the platform has no functions. */
export async function listEndpoints(
  { functions }: Pick<Platform, "functions">,
  signal: AbortSignal,
): Promise<readonly FunctionEndpoint[]> {
  return functions ? functions.list(signal) : [];
}

/** Copies on the hosts that answer, and endpoints. */
export async function listServing(platform: Platform, signal: AbortSignal): Promise<readonly Replica[]> {
  const [copies, endpoints] = await Promise.all([platform.workloads.list(signal), listEndpoints(platform, signal)]);
  return [...copies, ...endpoints.map(asReplica)];
}
