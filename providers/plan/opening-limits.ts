/**
 * Limits and budgets in effect in an opening: those of the update, and those of the calendars that open it where they
 * are stricter.
 *
 * Not for: which calendars those are (providers/calendar).
 */
import type { Fleet, HostUpdateSpec, LimitsSpec, Opening, Workload } from "../../sdk/model";

import type { PlanInput } from "./plan-input";

/** What planning is given, as it counts in an opening. */
export function inputIn(opening: Opening | undefined, input: PlanInput): PlanInput {
  if (opening?.limits === undefined) return input;
  return { ...input, spec: specIn(opening, input.spec), fleet: fleetIn(opening, input.fleet) };
}

/** The fleet with the budgets that its workloads have in an opening. */
export function fleetIn(opening: Opening | undefined, fleet: Fleet): Fleet {
  const budgets = opening?.limits?.maxUnavailable;
  if (budgets === undefined) return fleet;
  return { ...fleet, workloads: fleet.workloads.map((workload) => withBudget(workload, budgets[workload.name])) };
}

/** A workload with the budget that it has in an opening. */
export function workloadIn(opening: Opening | undefined, workload: Workload): Workload {
  return withBudget(workload, opening?.limits?.maxUnavailable?.[workload.name]);
}

function specIn({ limits }: Opening, spec: HostUpdateSpec): HostUpdateSpec {
  const hostsAtOnce = Math.min(spec.limits.hostsAtOnce, limits?.hostsAtOnce ?? Infinity);
  const stricter: LimitsSpec = {
    ...spec.limits,
    hostsAtOnce,
    hostsPerZone: Math.min(spec.limits.hostsPerZone, limits?.hostsPerZone ?? Infinity),
    canaryHosts: Math.min(spec.limits.canaryHosts, hostsAtOnce),
  };
  return { ...spec, limits: stricter };
}

function withBudget(workload: Workload, maxUnavailable: number | undefined): Workload {
  if (maxUnavailable === undefined || maxUnavailable >= workload.maxUnavailable) return workload;
  return { ...workload, maxUnavailable };
}
