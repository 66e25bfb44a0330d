/** Quantiles of the total demand of all workloads over time, for charts. */
import { sumQuantiles, wholeShares, type DemandShares, type JointDemand } from "../../sdk/model";

/** One step of the total demand. */
export interface DemandPoint {
  readonly atMs: number;
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

/** Demand of all workloads together, or of some: P5, median and P95 in millicores at each step. */
export function totalDemand(
  demand: JointDemand,
  shares: DemandShares = wholeShares(demand.workloads),
): readonly DemandPoint[] {
  const [low, median, high] = sumQuantiles(demand, shares, [0.05, 0.5, 0.95]);
  return Array.from({ length: demand.steps }, (_, step) => ({
    atMs: demand.startMs + step * demand.stepMs,
    low: low?.[step] ?? 0,
    median: median?.[step] ?? 0,
    high: high?.[step] ?? 0,
  }));
}
