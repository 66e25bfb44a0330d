/**
 * A wave in which hosts follow each other: each is emptied onto those that are updated by then, so that most copies
 * move once, straight to where nothing is left to update, and else onto those whose turn comes last.
 *
 * Not for: narrow waves, whose hosts go all at once (waves.ts).
 *
 * Invariants
 * 1. A copy goes to a host that is updated in the wave only behind that host's lane, so that its old copies are gone in
 *    every order; a host that got copies begins behind the lanes that they came from.
 * 2. Lanes wait only for lanes that stand before them: there is no circle.
 */
import type { DurationQuantiles, WaveLanes } from "../../sdk/model";

import { LaneClock, limitsOfHost, meanDuration, placesOf, transferTime } from "./lanes";
import type { Placement } from "./placement";
import type { ScheduleContext } from "./schedule";
import { searchWave, type PlacedMove, type SearchOptions, type Task } from "./wave-search";

/** Waves narrower than this go all at once: few hosts hold each other up little, and planning anew is worth more. */
export const ROLLING_FROM = 4;
/** How long a wave is, rounded to rounds of hosts: after it everything is planned anew from fresh metrics. */
const WAVE_MS = 60 * 60_000;
const FEWEST_ROUNDS = 2;
/** Times of lanes beyond the mean that the end of a wave may take. */
const SPARE = 1.15;
/** After so many hosts in a row that cannot be emptied the wave is as wide as it gets. */
const MOST_FAILURES = 24;

/** A wave of lanes. */
export interface RollingWave {
  readonly sites: readonly number[];
  /** In the order of their lanes. */
  readonly hosts: readonly string[];
  readonly moves: readonly PlacedMove[];
  readonly lanes: WaveLanes;
  /** By host: hosts whose lanes come before. */
  readonly after: ReadonlyMap<string, readonly string[]>;
  readonly transferMs: ReadonlyMap<string, number>;
}

function roundsOf(lane: DurationQuantiles, hosts: number, width: number): number {
  const wanted = Math.max(FEWEST_ROUNDS, Math.floor(WAVE_MS / Math.max(1, meanDuration(lane))));
  return Math.min(wanted, Math.ceil(hosts / width));
}

/** Upper bound of the time of a wave of lanes of which `hosts` are left. */
export function rollingTime(lane: DurationQuantiles, hosts: number, width: number): DurationQuantiles {
  const p50Ms = Math.ceil(roundsOf(lane, hosts, width) * meanDuration(lane) * SPARE);
  return { p50Ms, p95Ms: p50Ms + 2 * (lane.p95Ms - lane.p50Ms) };
}

/** Finds a wave of lanes, or undefined when not even its first hosts can be emptied. */
export function findRollingWave(
  context: ScheduleContext,
  placement: Placement,
  order: readonly number[],
  lane: DurationQuantiles,
  options: SearchOptions,
): RollingWave | undefined {
  const { problem, input } = context;
  const width = input.spec.limits.hostsAtOnce;
  // A host that soaks works again: it holds no place, but what waits for it waits for its soak.
  const { soakMs } = input.spec.limits;
  const laneMs = Math.max(1, meanDuration(lane) - soakMs);
  const untilMs = roundsOf(lane, order.length, width) * laneMs * SPARE;
  const pool = order.slice(0, roundsOf(lane, order.length, width) * width);
  const turns = new Map(order.map((site, turn) => [site, turn / Math.max(1, order.length - 1)]));
  const turnOf = (site: number): number => turns.get(site) ?? 1;
  /** By host that has yet to come: hosts of the wave that have sent copies to it. */
  const sources = new Map<number, Set<number>>();
  const clock = new LaneClock((name) => placesOf(context, name));
  const readyAt = new Map<number, number>();
  const hostOf = (site: number): string => problem.sites[site]?.host.id ?? "";
  const sites: number[] = [];
  const moves: PlacedMove[] = [];
  const uses = new Map<string, readonly string[]>();
  const after = new Map<string, readonly string[]>();
  const transferMs = new Map<string, number>();
  let failures = 0;

  // Who finds no room comes again at the end: by then hosts are updated that it can go to.
  const queue = [...pool];
  for (let at = 0; at < queue.length; at++) {
    if (failures >= MOST_FAILURES && at >= pool.length) break;
    const site = queue[at] as number;
    if (at === pool.length) failures = 0;
    const limits = limitsOfHost(context, site);
    const startMs = clock.earliest(limits);
    if (startMs + laneMs > untilMs) continue;
    placement.setLeaving(new Set([site]));
    const tasks = placement.copiesAt(site).map((copy): Task => ({ copy }));
    const searchBy = (byMs: number): readonly PlacedMove[] | undefined => {
      const isReady = (target: number): boolean => (readyAt.get(target) ?? 0) <= byMs;
      const result = searchWave(problem, placement, tasks, { ...options, isReady, turnOf });
      return "moves" in result ? result.moves : undefined;
    };
    const found =
      searchBy(startMs) ??
      (at < pool.length
        ? undefined
        : (searchBy(startMs + laneMs / 2) ?? searchBy(startMs + laneMs) ?? searchBy(untilMs)));
    if (!found) {
      failures++;
      if (at < pool.length) queue.push(site);
      continue;
    }
    failures = 0;
    const before = [
      ...found.map(({ arrived }) => arrived.site).filter((target) => placement.isVacated(target)),
      ...(sources.get(site) ?? []),
    ];
    for (const { arrived } of found) {
      const from = sources.get(arrived.site);
      if (from) from.add(site);
      else sources.set(arrived.site, new Set([site]));
    }
    const beginsMs = Math.max(startMs, ...before.map((target) => readyAt.get(target) ?? 0));
    const extraMs = transferTime(context, found);
    const endMs = beginsMs + laneMs + extraMs;
    clock.take(limits, endMs);
    placement.commit();
    placement.vacateHost(site);
    readyAt.set(site, endMs + soakMs);
    sites.push(site);
    moves.push(...found);
    uses.set(hostOf(site), limits);
    after.set(hostOf(site), [...new Set(before.map(hostOf))].sort());
    transferMs.set(hostOf(site), extraMs);
  }
  placement.setLeaving(new Set());
  if (sites.length === 0) return undefined;
  const names = new Set([...uses.values()].flat());
  return {
    sites,
    hosts: sites.map(hostOf),
    moves,
    lanes: {
      limits: Object.fromEntries([...names].sort().map((name) => [name, placesOf(context, name)])),
      uses: Object.fromEntries(uses),
    },
    after,
    transferMs,
  };
}
