/**
 * Endpoints of functions beside copies: whoever asks what serves a workload has to see both.
 *
 * Not for: deploying and removing them (providers/execute/steps/functions.ts).
 */
import type { FunctionEndpoint, Replica } from "./fleet";

/** An endpoint as what it stands in for: a replica that runs on no host. */
export function asReplica({ id, workload, function: name, state, address }: FunctionEndpoint): Replica {
  const running = { deploying: "starting", ready: "healthy", failed: "unhealthy" } as const;
  return { id, workload, host: `functions/${name}`, state: running[state], address, function: name };
}
