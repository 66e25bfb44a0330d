/**
 * What a change of some workloads does to those that they call, and on: each called workload changes by the share that
 * its callers cause, after the lag.
 *
 * Not for: finding out who calls whom (estimate-dependencies.ts).
 *
 * Invariants
 * 1. Without a change nothing changes: factors are 1, and demand stays the same numbers.
 * 2. A dependency that was only declared passes a rise on, never a fall: what is not known must not free capacity.
 * 3. Factors are >= 0.
 */
import type { DependencyEstimate, Forecast, JointDemand, QuantileForecast } from "../../../sdk/model";
import { orderByCalls } from "../../../sdk/model";

/** Factor on a workload's demand at each step, by name; who is not named does not change. */
export type DemandFactors = ReadonlyMap<string, Float64Array>;

/** The grid that factors lie on. */
export type FactorGrid = Pick<JointDemand, "stepMs" | "steps">;

/** The same factor at all steps. */
export function constantFactor({ steps }: FactorGrid, factor: number): Float64Array {
  return new Float64Array(steps).fill(factor);
}

/** Adds to direct changes what they cause at the called. */
export function propagateChanges(
  grid: FactorGrid,
  dependencies: readonly DependencyEstimate[],
  direct: DemandFactors,
): DemandFactors {
  if (direct.size === 0) return direct;
  const factors = new Map(direct);
  for (const name of orderByCalls(dependencies)) {
    const callers = dependencies.filter(({ called, caller }) => called === name && factors.has(caller));
    if (callers.length === 0) continue;
    const own = factors.get(name);
    const total = Float64Array.from({ length: grid.steps }, (_, h) => {
      const caused = callers.reduce((sum, dependency) => sum + causedAt(dependency, factors, grid, h), 0);
      return Math.max(0, (own?.[h] ?? 1) * (1 + caused));
    });
    if (own !== undefined || total.some((factor) => factor !== 1)) factors.set(name, total);
  }
  return factors;
}

function causedAt(
  { caller, share, lagMs, basis }: DependencyEstimate,
  factors: DemandFactors,
  { stepMs }: FactorGrid,
  h: number,
): number {
  const at = h - Math.round(lagMs / stepMs);
  const change = at < 0 ? 0 : (factors.get(caller)?.[at] ?? 1) - 1;
  return basis === "declared" && change < 0 ? 0 : share * change;
}

/** A forecast with its demand and bands scaled. */
export function scaleForecast(forecast: Forecast, factors: DemandFactors): Forecast {
  if (factors.size === 0) return forecast;
  const { demand } = forecast;
  const rows = demand.workloads.map((name) => factors.get(name));
  return {
    ...forecast,
    demand: {
      ...demand,
      cpuMillis: demand.cpuMillis.map((path) =>
        path.map((value, index) => {
          const factor = rows[Math.floor(index / demand.steps)]?.[index % demand.steps] ?? 1;
          return factor === 1 ? value : Math.round(value * factor);
        }),
      ),
    },
    bands: forecast.bands.map((band) => scaleBand(band, demand, factors.get(band.id.replace(/^workload\//, "")))),
  };
}

function scaleBand(band: QuantileForecast, demand: JointDemand, factor: Float64Array | undefined): QuantileForecast {
  if (factor === undefined) return band;
  const at = (h: number): number => Math.floor((band.startMs + h * band.stepMs - demand.startMs) / demand.stepMs);
  return {
    ...band,
    rows: band.rows.map((row) => row.map((value, h) => Math.round(value * (factor[at(h)] ?? 1)))),
  };
}
