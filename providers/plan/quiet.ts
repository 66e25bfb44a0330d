/**
 * When it is quiet: how busy each island is over the time of a plan, which hosts should come at a time, and when a run
 * should begin so that the least data is moved while the workloads that it belongs to are busy.
 *
 * Not for: capacity, which is proven whatever the order is.
 */
import { stepCount, pathCount } from "./capacity";
import type { Problem } from "./problem";
import type { ScheduleContext } from "./schedule";

/**
 * How busy islands are: `busy[island][part]` by part of a step of demand, 0 at an island's lowest mean demand of the plan's time, 1 at its highest.
 * Busy hours, in which demand is above the middle between the two, count far more than how far above or below it is.
 */
export type Business = readonly Float64Array[];

/** Steps of business are at most so long: within a longer step of demand it changes steadily. */
const FINEST_MS = 10 * 60_000;

/** Differences smaller than this do not decide: forecasts are not that good. */
const GRAIN = 0.05;

/** Lengths for which a start is judged, relative to the expected one: it has to be good for all of them. */
const LENGTHS = [0.75, 1, 1.5] as const;

/** Part of business that is all or nothing: whether an hour is busy. */
const BUSY_PART = 0.75;

/** Parts of a step of demand that business is told for. */
export function partsOfStep({ demand }: Pick<Problem, "demand">): number {
  return Math.max(1, Math.round(demand.stepMs / FINEST_MS));
}

/** Business of all islands from their demand as a whole. */
export function createBusiness({ problem, totals }: Pick<ScheduleContext, "problem" | "totals">): Business {
  const steps = stepCount(problem.demand);
  const paths = pathCount(problem.demand);
  const parts = partsOfStep(problem);
  return totals.map((total) => {
    const means = new Float64Array(steps);
    for (let path = 0; path < paths; path++) {
      for (let step = 0; step < steps; step++) {
        means[step] = (means[step] as number) + (total[step * paths + path] as number) / paths;
      }
    }
    const low = Math.min(...means);
    const high = Math.max(...means);
    return Float64Array.from({ length: steps * parts }, (_, part) => {
      const mean = between(means, (part + 0.5) / parts - 0.5);
      const level = high > low ? (mean - low) / (high - low) : 0;
      return (1 - BUSY_PART) * level + (level > 0.5 ? BUSY_PART : 0);
    });
  });
}

/** Value at a place between two steps; before the first and after the last one theirs. */
function between(values: Float64Array, at: number): number {
  const last = values.length - 1;
  const before = Math.min(last, Math.max(0, Math.floor(at)));
  const [low, high] = [values[before] as number, values[Math.min(last, before + 1)] as number];
  return low + (high - low) * Math.min(1, Math.max(0, at - before));
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

/** Data of an island that a run moves. */
export interface IslandTransfer {
  readonly bytes: number;
  /** Part of what is moved at a time that can be this island's at most, 0..1. */
  readonly mostAtOnce: number;
}

/**
 * Parts of steps to wait so that a run of `length` parts moves its data at the quietest time: islands take turns, the
 * one with the least regret first. At most `slack` parts; of equal ones the fewest.
 */
export function quietestStart(
  business: Business,
  transfers: readonly IslandTransfer[],
  length: number,
  slack: number,
): number {
  let best = { wait: 0, cost: Number.POSITIVE_INFINITY };
  for (let wait = 0; wait <= slack; wait++) {
    let cost = 0;
    for (const share of LENGTHS)
      cost += costOfStart(business, transfers, wait, Math.max(1, Math.round(share * length)));
    if (cost < best.cost * (1 - GRAIN)) best = { wait, cost };
  }
  return best.wait;
}

/** Bytes times business of a run that begins after `wait` parts of steps. */
function costOfStart(business: Business, transfers: readonly IslandTransfer[], wait: number, length: number): number {
  const left = transfers.map(({ bytes }) => bytes);
  const perStep = left.reduce((sum, bytes) => sum + bytes, 0) / length;
  const busyAt = (island: number, at: number): number => {
    const busy = business[island];
    return busy?.[Math.min(at, busy.length - 1)] ?? 0;
  };
  let cost = 0;
  for (let step = 0; step < length; step++) {
    const at = wait + step;
    const order = [...left.keys()].sort(
      (a, b) => regretAt(business[a], at, wait + length) - regretAt(business[b], at, wait + length) || a - b,
    );
    let room = perStep;
    for (const island of order) {
      const moved = Math.min(room, left[island] as number, perStep * (transfers[island]?.mostAtOnce ?? 1));
      left[island] = (left[island] as number) - moved;
      room -= moved;
      cost += moved * busyAt(island, at);
    }
  }
  // What islands cannot move in time is moved at the end.
  left.forEach((bytes, island) => (cost += bytes * busyAt(island, wait + length)));
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
