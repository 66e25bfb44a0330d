/**
 * Limits and budgets in effect in an opening: those of the update, and those of the calendars that open it where they
 * are stricter.
 *
 * Not for: which calendars those are (providers/calendar).
 */
import {
  HOST_LIMITS,
  type Fleet,
  type HostUpdateSpec,
  type LimitsSpec,
  type Opening,
  type Workload,
} from "../../sdk/model";

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
  const stricter = HOST_LIMITS.flatMap((name) => {
    const declared = [spec.limits[name], limits?.[name]].filter((value) => value !== undefined);
    return declared.length === 0 ? [] : [[name, Math.min(...declared)] as const];
  });
  const all: LimitsSpec = { ...spec.limits, ...Object.fromEntries(stricter) };
  return { ...spec, limits: { ...all, canaryHosts: Math.min(all.canaryHosts, all.hostsAtOnce) } };
}

function withBudget(workload: Workload, maxUnavailable: number | undefined): Workload {
  if (maxUnavailable === undefined || maxUnavailable >= workload.maxUnavailable) return workload;
  return { ...workload, maxUnavailable };
}
