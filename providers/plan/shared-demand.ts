/**
 * Demand in memory that threads share: paths of thousands of workloads would take longer to copy, number by number,
 * than to plan with.
 *
 * Not for: storing; shared memory does not outlive the process.
 *
 * Invariant: every number is the same.
 */
import type { DemandPath, JointDemand } from "../../sdk/model";

/** The same demand with paths that are sent to a thread without being copied. */
export function shareDemand(demand: JointDemand): JointDemand {
  return { ...demand, cpuMillis: demand.cpuMillis.map(sharePath) };
}

function sharePath(path: DemandPath): DemandPath {
  const shared =
    path instanceof Float32Array
      ? new Float32Array(new SharedArrayBuffer(path.byteLength))
      : new Float64Array(new SharedArrayBuffer(path.length * Float64Array.BYTES_PER_ELEMENT));
  shared.set(path);
  return shared;
}
