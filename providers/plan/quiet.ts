/**
 * When it is quiet: how busy each island is over the time of a plan, which hosts should come at a time, and when a run
 * should begin so that the least data is moved while the workloads that it belongs to are busy.
 *
 * Not for: capacity, which is proven whatever the order is.
 */
import { stepCount, pathCount } from "./capacity";
import type { Problem } from "./problem";
import type { ScheduleContext } from "./schedule";

/** How busy islands are: `busy[island][step]`, 0 at an island's lowest mean demand of the plan's time, 1 at its highest. */
export type Business = readonly Float64Array[];

/** Differences smaller than this do not decide: forecasts are not that good. */
const GRAIN = 0.05;

/** Business of all islands from their demand as a whole. */
export function createBusiness({ problem, totals }: Pick<ScheduleContext, "problem" | "totals">): Business {
  const steps = stepCount(problem.demand);
  const paths = pathCount(problem.demand);
  return totals.map((total) => {
    const means = new Float64Array(steps);
    for (let path = 0; path < paths; path++) {
      for (let step = 0; step < steps; step++) {
        means[step] = (means[step] as number) + (total[path * steps + step] as number) / paths;
      }
    }
    const low = Math.min(...means);
    const high = Math.max(...means);
    return means.map((mean) => (high > low ? (mean - low) / (high - low) : 0));
  });
}

/** What the copies of each host would carry over the network when they move, by island; undefined: nothing anywhere. */
export function createTransfers({ works, copies, sites, islands }: Problem): Float64Array | undefined {
  const bytes = new Float64Array(sites.length * islands.length);
  let isAny = false;
  for (const { work, site } of copies) {
    const found = works[work];
    const carried = found?.workload.transferBytes ?? 0;
    if (!found || found.island < 0 || carried <= 0) continue;
    isAny = true;
    const at = site * islands.length + found.island;
    bytes[at] = (bytes[at] as number) + carried;
  }
  return isAny ? bytes : undefined;
}

/**
 * By how much busier the owners of a host's data are in a step than in the quietest one until `toStep`, 0..1, in
 * whole grains: hosts with less of it come first.
 */
export function regretOf(
  business: Business,
  transfers: Float64Array,
  site: number,
  fromStep: number,
  toStep: number,
): number {
  const islands = business.length;
  let regret = 0;
  let total = 0;
  for (let island = 0; island < islands; island++) {
    const bytes = transfers[site * islands + island] as number;
    if (bytes === 0) continue;
    const busy = business[island] as Float64Array;
    const now = busy[Math.min(fromStep, busy.length - 1)] as number;
    let least = now;
    let most = now;
    for (let step = fromStep; step < Math.min(busy.length, toStep); step++) {
      least = Math.min(least, busy[step] as number);
      most = Math.max(most, busy[step] as number);
    }
    // What is at its quietest now and grows busier is more urgent than what stays as it is.
    regret += bytes * (now - least - (most - now) / 2);
    total += bytes;
  }
  return total === 0 ? 0 : Math.round(regret / total / GRAIN) * GRAIN;
}

/**
 * Steps to wait so that a run of `length` steps moves its data at the quietest time: islands take turns, the one with
 * the least regret first. At most `slack` steps; of equal ones the fewest.
 */
export function quietestStart(business: Business, transfers: Float64Array, length: number, slack: number): number {
  const islands = business.length;
  const totals = new Float64Array(islands);
  transfers.forEach((bytes, index) => {
    totals[index % islands] = (totals[index % islands] as number) + bytes;
  });
  let best = { wait: 0, cost: Number.POSITIVE_INFINITY };
  for (let wait = 0; wait <= slack; wait++) {
    const cost = costOfStart(business, totals, wait, Math.max(1, length));
    if (cost < best.cost * (1 - GRAIN)) best = { wait, cost };
  }
  return best.wait;
}

/** Bytes times business of a run that begins after `wait` steps. */
function costOfStart(business: Business, totals: Float64Array, wait: number, length: number): number {
  const left = Float64Array.from(totals);
  const perStep = totals.reduce((sum, bytes) => sum + bytes, 0) / length;
  let cost = 0;
  for (let step = 0; step < length; step++) {
    const at = wait + step;
    const order = Array.from(left.keys()).sort(
      (a, b) => regretAt(business[a], at, wait + length) - regretAt(business[b], at, wait + length) || a - b,
    );
    let room = perStep;
    for (const island of order) {
      const moved = Math.min(room, left[island] as number);
      left[island] = (left[island] as number) - moved;
      room -= moved;
      const busy = business[island];
      cost += moved * (busy?.[Math.min(at, busy.length - 1)] ?? 0);
    }
  }
  return cost;
}

function regretAt(busy: Float64Array | undefined, from: number, to: number): number {
  if (!busy) return 0;
  const now = busy[Math.min(from, busy.length - 1)] as number;
  let least = now;
  let most = now;
  for (let step = from; step < Math.min(busy.length, to); step++) {
    least = Math.min(least, busy[step] as number);
    most = Math.max(most, busy[step] as number);
  }
  return now - least - (most - now) / 2;
}
