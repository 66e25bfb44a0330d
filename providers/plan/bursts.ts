/**
 * Bursts: which workloads a function can stand in for, and how much of their requests it takes.
 *
 * Not for: when one does (wave-search.ts, reserve.ts) and what it costs (cost.ts).
 *
 * Invariants
 * 1. A function never gets more requests than it takes, on no path: it is no host of the fleet, whose paths over
 *    capacity the promise counts.
 * 2. Every burst of a plan comes back in the wave that it is in.
 */
import type { BurstTarget, Fleet, Forecast, StandIn, Workload } from "../../sdk/model";

import { shortDigest } from "./digest";
import type { Placement } from "./placement";
import type { Copy, Problem } from "./problem";

/** A function that can stand in for copies of a workload. */
export interface Burst {
  readonly target: BurstTarget;
  readonly cpuMsPerRequest: number;
}

/** The function that can stand in for a workload, or why a declared one cannot; undefined where none is declared. */
export function resolveBurst(
  { name, burst, service }: Workload,
  { functions, workloads }: Pick<Fleet, "functions" | "workloads">,
  { requestCosts }: Pick<Forecast, "requestCosts">,
): Burst | string | undefined {
  if (!burst) return undefined;
  if (functions === undefined) return "no driver of the fleet offers functions";
  if (!functions.includes(burst.function)) {
    const known = functions.length === 0 ? "it knows none" : `it knows ${functions.join(", ")}`;
    return `the driver of functions does not know it (${known})`;
  }
  const near = workloads.find(({ dependsOn = [] }) => dependsOn.some((one) => one.workload === name && one.within));
  if (near) return `${near.name} needs it near at every moment, and a function is in no zone or rack of the fleet`;
  if (service === undefined) return "it has no service whose requests the switch could send there";
  const measured = requestCosts?.find(({ workload }) => workload === name)?.cpuMsPerRequest;
  const cpuMsPerRequest = burst.cpuMsPerRequest ?? measured;
  if (cpuMsPerRequest === undefined) {
    return "how many calls it would get cannot be told: declare burst.cpuPerRequest, or count its requests beside its CPU";
  }
  return { target: burst, cpuMsPerRequest };
}

/** For each declared function that cannot stand in, why. */
export function burstWarnings(fleet: Fleet, forecast: Forecast): readonly string[] {
  return fleet.workloads.flatMap((workload) => {
    const found = resolveBurst(workload, fleet, forecast);
    const declared = workload.burst?.function ?? "";
    return typeof found === "string" ? [`${workload.name}: function ${declared} cannot stand in for it: ${found}`] : [];
  });
}

/** Why no function stands in for a copy. */
export type NoBurst = "none" | "full";

/**
 * What stands in for a copy in this wave beside those of `taken`, by function: requests per second that it has already.
 * @param index of the wave, part of the endpoint's id
 */
export function findStandIn(
  { works }: Pick<Problem, "works">,
  placement: Placement,
  copy: Copy,
  taken: ReadonlyMap<string, number>,
  index: number,
): { readonly standIn: StandIn; readonly mostPerSecond: number } | NoBurst {
  const work = works[copy.work];
  if (!work?.burst || copy.weight <= 0 || work.weight <= 0) return "none";
  const { target, cpuMsPerRequest } = work.burst;
  const share = copy.weight / work.weight;
  const { peak, high } = placement.demandInWave(copy.work);
  // Of millicores, which are CPU milliseconds in a second.
  const mostPerSecond = (peak / cpuMsPerRequest) * share;
  if ((taken.get(target.function) ?? 0) + mostPerSecond > target.requestsPerSecond) return "full";
  const name = work.workload.name;
  return {
    mostPerSecond,
    standIn: {
      function: target.function,
      endpoint: `${name}-fn-${shortDigest([name, copy.id, target.function, index])}`,
      share: round(share),
      requestsPerSecond: round((high / cpuMsPerRequest) * share),
      cpuMsPerRequest: round(cpuMsPerRequest),
    },
  };
}

/** To a ten-thousandth: shown to people. */
function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
