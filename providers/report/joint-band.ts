/** Quantiles of the total demand of some workloads over time, summed within each joint path. */
import type { JointDemand } from "../../sdk/model";

/** One step of the total demand. */
export interface DemandPoint {
  readonly atMs: number;
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

/** Demand of all workloads together: P5, median and P95 in millicores at each step. */
export function totalDemand(demand: JointDemand): readonly DemandPoint[] {
  const sums = demand.cpuMillis.map((path) =>
    Array.from({ length: demand.steps }, (_, step) =>
      demand.workloads.reduce((sum, _name, workload) => sum + (path[workload * demand.steps + step] ?? 0), 0),
    ),
  );
  return Array.from({ length: demand.steps }, (_, step) => {
    const values = sums.map((path) => path[step] ?? 0).sort((a, b) => a - b);
    const at = (level: number): number => values[Math.min(values.length - 1, Math.floor(level * values.length))] ?? 0;
    return { atMs: demand.startMs + step * demand.stepMs, low: at(0.05), median: at(0.5), high: at(0.95) };
  });
}
