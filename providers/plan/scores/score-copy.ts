/**
 * Migration scores of copies in a placement: gathers what the formula needs of a copy, its host, and where it may go.
 *
 * Not for: the formula (migration-score.ts).
 */
import type { MigrationScore } from "../../../sdk/model";

import { cellOfCopy } from "../capacity";
import type { Copy, Problem } from "../problem";
import { disturbanceOn } from "./disturbance";
import { distanceOf, nearnessOf, scoreMigration } from "./migration-score";

/** Where a copy may go, and how full its share there would be. */
export interface CopyTarget {
  readonly site: number;
  readonly cpuShare: number;
}

/** Hosts of a workload's copies with how many there are: of a placement under way, or of the beginning. */
export type HostsOf = (work: number) => ReadonlyMap<number, number>;

/**
 * The score of a copy.
 * @param useHere share of the fullest cell of its host at the plan's quantile
 * @param target absent: it stays, or no host was looked for
 * @param disturbance what is done to its host, where that is not the spec's update
 */
export function scoreCopy(
  problem: Problem,
  copy: Copy,
  useHere: number,
  hostsOf: HostsOf,
  target?: CopyTarget,
  disturbance = disturbanceOn(problem, copy.site),
): MigrationScore {
  const { sites, cells, works, scoring } = problem;
  const [from, to] = [sites[copy.site]?.host, sites[target?.site ?? copy.site]?.host];
  const { workload, memoryBytes = 0 } = works[copy.work] ?? {};
  const exclusive = workload?.exclusive === true;
  const carried = workload?.transferBytes ?? 0;
  const cell = cells[cellOfCopy(problem, { work: copy.work, site: target?.site ?? copy.site })];
  return scoreMigration(
    { ...scoring, disturbance },
    {
      useHere,
      ...(target ? { useThere: target.cpuShare } : {}),
      capacityMillis: from?.capacity.cpuMillis ?? 0,
      exclusive,
      maxPauseMs: workload?.maxPauseMs ?? 0,
      mayRestart: !exclusive && (workload?.maxUnavailable ?? 0) > 0,
      // A hand-over carries what the copy holds in memory; a surge copy starts with what is declared to go along.
      transferBytes: exclusive ? Math.max(carried, memoryBytes) : carried,
      memoryBytes,
      cellMemoryBytes: cell?.memoryBytes ?? 0,
      distance: from && to ? distanceOf(from, to) : "host",
      nearHere: target ? nearness(problem, copy, copy.site, hostsOf) : 0,
      nearThere: target ? nearness(problem, copy, target.site, hostsOf) : 0,
    },
  );
}

/**
 * The score of a copy that need not go anywhere, with what going to the nearest host would cost at the least: the costs
 * are bounds from below, and there is no benefit.
 */
export function scoreStaying(problem: Problem, copy: Copy, useHere: number, hostsOf: HostsOf): MigrationScore {
  const nearest = nearestSite(problem, copy);
  return scoreCopy(problem, copy, useHere, hostsOf, nearest < 0 ? undefined : { site: nearest, cpuShare: useHere });
}

/** Another host of the copy's island: of its rack, else of its zone, else any; -1 where there is none. */
function nearestSite({ sites, works, rackMates, sitesOfIsland }: Problem, { site, work }: Copy): number {
  const ofIsland = sitesOfIsland[works[work]?.island ?? -1] ?? new Int32Array();
  const isOther = (other: number): boolean => other !== site && sites[other]?.closed === undefined;
  const mate = rackMates[site]?.find((other) => isOther(other) && ofIsland.includes(other));
  if (mate !== undefined) return mate;
  const zone = sites[site]?.host.zone;
  return ofIsland.find((other) => isOther(other) && sites[other]?.host.zone === zone) ?? ofIsland.find(isOther) ?? -1;
}

/** How near a copy on a host is to the copies that it talks to, weighted by traffic, 0..1. */
function nearness(problem: Problem, copy: Copy, site: number, hostsOf: HostsOf): number {
  const links = problem.scoring.links[copy.work] ?? [];
  const here = problem.sites[site]?.host;
  if (links.length === 0 || !here) return 0;
  let [sum, weights] = [0, 0];
  for (const { work, weight } of links) {
    let [near, count] = [0, 0];
    for (const [other, copies] of hostsOf(work)) {
      const host = problem.sites[other]?.host;
      if (!host) continue;
      near += copies * nearnessOf(distanceOf(here, host));
      count += copies;
    }
    if (count > 0) sum += (weight * near) / count;
    weights += weight;
  }
  return sum / Math.max(1, weights);
}
