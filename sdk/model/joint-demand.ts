/**
 * What comes out of joint sample paths: quantiles of the demand of any workloads together, whole or in part, at each
 * step or at the peak. Summed within each path, so that what rises together counts together: the quantile of a sum is
 * not the sum of quantiles.
 *
 * Not for: drawing paths (providers/forecast) and what is enough (providers/plan).
 *
 * Invariants
 * 1. Quantiles rise with their level.
 * 2. With one workload at the whole of it, the quantile at (i + 0.5) / paths is that workload's i-th value: n paths
 *    are read as the quantiles at these levels (Hazen's plotting positions), as they were drawn.
 */
import type { Fleet } from "./fleet";
import type { JointDemand } from "./forecast";

/** How much of each workload's demand counts, by name: 1 is all of it; what is not named does not count. */
export type DemandShares = ReadonlyMap<string, number>;

/** `sums[p][h]`: demand of these shares together on path p at step h, millicores. */
export function sumPaths(demand: JointDemand, shares: DemandShares): readonly Float64Array[] {
  const { steps, workloads, cpuMillis } = demand;
  const rows = workloads.flatMap((name, row) => {
    const share = shares.get(name) ?? 0;
    return share === 0 ? [] : [{ row, share }];
  });
  return cpuMillis.map((path) => {
    const sum = new Float64Array(steps);
    for (const { row, share } of rows) {
      for (let h = 0; h < steps; h++) sum[h] = (sum[h] ?? 0) + share * (path[row * steps + h] ?? 0);
    }
    return sum;
  });
}

/** Demand of these shares together at one step, by path. */
export function sumAtStep(
  { steps, workloads, cpuMillis }: JointDemand,
  shares: DemandShares,
  step: number,
): Float64Array {
  const rows = workloads.flatMap((name, row) => (shares.has(name) ? [[row, shares.get(name) ?? 0] as const] : []));
  return Float64Array.from(cpuMillis, (path) =>
    rows.reduce((sum, [row, share]) => sum + share * (path[row * steps + step] ?? 0), 0),
  );
}

/** `rows[l][h]`: quantile `levels[l]` of these shares together at step h; rows of NaN without paths. */
export function sumQuantiles(demand: JointDemand, shares: DemandShares, levels: readonly number[]): Float64Array[] {
  return quantileRows(sumPaths(demand, shares), demand.steps, levels);
}

/** Quantiles over paths at each step. @param paths `paths[p][h]` */
export function quantileRows(
  paths: readonly ArrayLike<number>[],
  steps: number,
  levels: readonly number[],
): Float64Array[] {
  const rows = levels.map(() => new Float64Array(steps));
  const values = new Float64Array(paths.length);
  for (let h = 0; h < steps; h++) {
    paths.forEach((path, p) => (values[p] = path[h] ?? 0));
    values.sort();
    levels.forEach((level, l) => {
      const row = rows[l];
      if (row) row[h] = quantileOfSorted(values, level);
    });
  }
  return rows;
}

/** Quantiles of each path's highest step. */
export function peakQuantiles(paths: readonly ArrayLike<number>[], levels: readonly number[]): number[] {
  const peaks = Float64Array.from(paths, (path) => Array.from(path).reduce((max, value) => Math.max(max, value), 0));
  peaks.sort();
  return levels.map((level) => quantileOfSorted(peaks, level));
}

/** All of these workloads. */
export function wholeShares(workloads: readonly string[]): DemandShares {
  return new Map(workloads.map((name) => [name, 1]));
}

/** All workloads of an island. */
export function islandShares(fleet: Pick<Fleet, "workloads">, island: string): DemandShares {
  return wholeShares(fleet.workloads.filter((workload) => workload.island === island).map(({ name }) => name));
}

/** The part of each workload that its healthy copies on a host carry, with traffic spread evenly over healthy copies. */
export function hostShares(fleet: Pick<Fleet, "replicas">, host: string): DemandShares {
  const healthy = fleet.replicas.filter(({ state }) => state === "healthy");
  const count = (replicas: typeof healthy): ReadonlyMap<string, number> => {
    const counts = new Map<string, number>();
    for (const { workload } of replicas) counts.set(workload, (counts.get(workload) ?? 0) + 1);
    return counts;
  };
  const all = count(healthy);
  const here = count(healthy.filter((replica) => replica.host === host));
  return new Map(Array.from(here, ([workload, copies]) => [workload, copies / (all.get(workload) ?? copies)]));
}

/**
 * Quantile of ascending values that stand for the quantiles at (i + 0.5) / n; linear between them, the outermost ones
 * beyond. NaN without values.
 */
export function quantileOfSorted(ascending: ArrayLike<number>, level: number): number {
  const { length } = ascending;
  if (length === 0) return Number.NaN;
  const position = Math.min(length - 1, Math.max(0, level * length - 0.5));
  const below = Math.floor(position);
  const low = ascending[below] ?? 0;
  const high = ascending[Math.min(length - 1, below + 1)] ?? low;
  return low + (high - low) * (position - below);
}
