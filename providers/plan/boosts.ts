/**
 * Room that is kept for boosts: a workload with one is planned as if it needed that much more at any time, so that what
 * it usually leaves unused is there when it wants it, wherever its copies go and at every moment of the run.
 *
 * Not for: giving it to a copy; that is the agent's controller on the host.
 */
import type { Forecast, Workload } from "../../sdk/model";
import { formatPercentage } from "../../sdk/model";

import type { PlanInput } from "./plan-input";

/** Boosted forecasts by the forecast and the boosts they were made from: a plan asks for the same one many times. */
const boosted = new WeakMap<Forecast, { readonly boosts: string; readonly forecast: Forecast }>();

/** The input with the demand that is planned for: the forecast and the room for boosts. */
export function withBoosts(input: PlanInput): PlanInput {
  const boosts = describeBoosts(input.fleet.workloads);
  if (boosts === undefined) return input;
  const known = boosted.get(input.forecast);
  if (known?.boosts === boosts) return { ...input, forecast: known.forecast };
  const forecast = boostForecast(input.forecast, input.fleet.workloads);
  boosted.set(input.forecast, { boosts, forecast });
  return { ...input, forecast };
}

/** Boosts in words, as `checkout 20%, front 10%`; undefined where no workload has one. */
export function describeBoosts(workloads: readonly Workload[]): string | undefined {
  const parts = workloads.flatMap(({ name, boost = 0 }) => (boost > 0 ? [`${name} ${formatPercentage(boost)}`] : []));
  return parts.length === 0 ? undefined : parts.sort().join(", ");
}

function boostForecast(forecast: Forecast, workloads: readonly Workload[]): Forecast {
  const { demand } = forecast;
  const factors = new Map(workloads.map(({ name, boost = 0 }) => [name, 1 + boost]));
  const cpuMillis = demand.cpuMillis.map((path) => {
    const copy = Float64Array.from(path);
    demand.workloads.forEach((name, row) => {
      const factor = factors.get(name) ?? 1;
      if (factor === 1) return;
      for (let at = row * demand.steps; at < (row + 1) * demand.steps; at++) copy[at] = (copy[at] as number) * factor;
    });
    return copy;
  });
  return { ...forecast, demand: { ...demand, cpuMillis } };
}
