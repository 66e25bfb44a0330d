/**
 * How loaded each island's share of each host will be in the hours ahead, and which copies to move where, so that none
 * is over its target and none stands idle beside a full one. The placement itself is searched by providers/plan/search.
 *
 * Not for: when and in which order moves are made (plan-rebalance.ts).
 *
 * Invariants
 * 1. A copy that does not pay for its move stays: hysteresis is in the cost of a move, in `tolerance`, and in the
 *    threshold of its migration score.
 * 2. The same problem, options and seed give the same moves.
 */
import type { BalanceRow, BalanceUse, MigrationScore, RebalanceSpec, ShareChange } from "../../../sdk/model";

import { addDemand, cellOfCopy, createLoads, pathCount, quantileOf, stepCount } from "../capacity";
import { isFixed } from "../place-rules";
import type { Copy, Problem } from "../problem";
import { scoreCopy } from "../scores/score-copy";
import { isWorthMoving } from "../stay";
import { createModel } from "../search/model";
import { searchPlacement } from "../search/search";
import { createPlaceGroups } from "./place-groups";
import { weightOfNew } from "../wave-search";
import { findShareChanges, findUses, type IslandUse, type MeasuredRow } from "./uses";

/** Stretches of the time ahead in which load is looked at by itself: a peak at night and one at noon go together. */
const BUCKETS = 6;
/** Counted work of the search: so often for each copy on each host, within bounds. */
const SEARCHES_PER_PLACE = 150;
const FEWEST_SEARCHES = 4_000;
const MOST_SEARCHES = 300_000;
/** What a move has to win, as a share of a mean cell's CPU in one stretch of time. A hand-over pauses, and has to win more. */
const MOVE_SHARE = 0.1;
const HAND_OVER_FACTOR = 3;

/** A copy with where it should go. */
interface Relocation {
  readonly copy: Copy;
  readonly home: number;
}

/** The same with what speaks for it over the time ahead, and what it costs. */
export interface WantedMove extends Relocation {
  readonly migration: MigrationScore;
}

/** What is wrong with the balance as it stands, and what to do about it. */
export interface Balance {
  /** Undefined when nothing has to be done. */
  readonly cause: string | undefined;
  readonly moves: readonly WantedMove[];
  /** Moves that the search wanted and that are not worth it, or cost too much. */
  readonly dropped: readonly WantedMove[];
  readonly rows: readonly BalanceRow[];
  readonly uses: readonly BalanceUse[];
  readonly shares: readonly ShareChange[];
}

/** Loads by stretch of time: `[index * BUCKETS + bucket]`, millicores at the quantile of the paths. */
type Profile = Float64Array;

/**
 * Judges the balance and searches for moves.
 * @param quantile of the joint paths at which loads are compared
 */
export function findBalance(
  problem: Problem,
  options: RebalanceSpec,
  quantile: number,
  seed: number,
  mostMoves: number,
): Balance {
  const open = problem.cells.flatMap((cell, index) => (isUsable(problem, index) && cell.cpuMillis > 0 ? [index] : []));
  const profiles = problem.works.map((_, work) => profileOfWork(problem, work, quantile));
  const loads = createLoads(problem);
  const before = new Map(open.map((cell) => [cell, profileOf(problem, loads[cell] as Float32Array, quantile)]));
  const shareOf = (cell: number, profile: Profile | undefined): number =>
    Math.max(0, ...(profile ?? [])) / (problem.cells[cell]?.cpuMillis ?? 1);
  const cause = findCause(problem, open, (cell) => shareOf(cell, before.get(cell)), options);
  const wanted =
    cause === undefined || mostMoves <= 0 ? [] : searchMoves(problem, open, profiles, options, seed, before);
  const best = takeBest(problem, wanted, profiles, before, options, mostMoves);
  const { moves, dropped } = dropUnworthy(problem, best, profiles, before);
  const after = applyMoves(problem, moves, profiles, before);
  const critical = new Set(
    problem.copies.filter((copy) => isCritical(problem, copy)).map((copy) => cellOfCopy(problem, copy)),
  );
  const measured = open.map((cell): MeasuredRow => {
    const { site = -1, island = -1, cpuMillis = 0 } = problem.cells[cell] ?? {};
    return {
      cpuMillis,
      hostMillis: problem.sites[site]?.host.capacity.cpuMillis ?? 0,
      isCritical: critical.has(cell),
      host: problem.sites[site]?.host.id ?? "",
      island: problem.islands[island] ?? "",
      before: round(shareOf(cell, before.get(cell))),
      after: round(shareOf(cell, after.get(cell))),
    };
  });
  const islands = problem.islands.flatMap((name, island): IslandUse[] => {
    const own = open.filter((cell) => problem.cells[cell]?.island === island);
    if (own.length === 0) return [];
    return [{ island: name, before: useOfAll(problem, own, before), after: useOfAll(problem, own, after) }];
  });
  const rows = measured.map(({ host, island, before: was, after: is }): BalanceRow => ({
    host,
    island,
    before: was,
    after: is,
  }));
  const uses = findUses(measured, islands, options.target);
  return { cause, moves, dropped, rows, uses, shares: findShareChanges(measured, options.target) };
}

/** Highest load of several cells together as a share of them; quantiles added up, so an upper bound. */
function useOfAll(problem: Problem, cells: readonly number[], profiles: ReadonlyMap<number, Profile>): number {
  const capacity = cells.reduce((sum, cell) => sum + (problem.cells[cell]?.cpuMillis ?? 0), 0);
  const loads = Array.from({ length: BUCKETS }, (_, bucket) =>
    cells.reduce((sum, cell) => sum + (profiles.get(cell)?.[bucket] ?? 0), 0),
  );
  return round(Math.max(...loads) / Math.max(1, capacity));
}

function isCritical(problem: Problem, { work }: Copy): boolean {
  return problem.works[work]?.workload.criticality === "critical";
}

/**
 * Drops moves that are not worth it. Those that are left are scored anew: one may have counted on another that made room
 * for it. No move goes to where it is then fuller than where it came from.
 */
function dropUnworthy(
  problem: Problem,
  wanted: readonly Relocation[],
  profiles: readonly Profile[],
  before: ReadonlyMap<number, Profile>,
): Pick<Balance, "moves" | "dropped"> {
  const dropped: WantedMove[] = [];
  let left = wanted;
  for (;;) {
    const scored = scoreMoves(problem, left, profiles, before);
    const moves = scored.filter(({ migration, isFuller }) => isWorthMoving(migration) && !isFuller);
    if (moves.length === scored.length) return { moves, dropped };
    dropped.push(...scored.filter((move) => !moves.includes(move)));
    left = moves;
  }
}

/** Scores over the time ahead: each move with all others made. */
function scoreMoves(
  problem: Problem,
  moves: readonly Relocation[],
  profiles: readonly Profile[],
  before: ReadonlyMap<number, Profile>,
): readonly (WantedMove & { readonly isFuller: boolean })[] {
  const after = applyMoves(problem, moves, profiles, before);
  const hosts = problem.works.map((_, work) => {
    const counts = new Map<number, number>();
    for (const { site } of problem.copiesOf[work] ?? []) counts.set(site, (counts.get(site) ?? 0) + 1);
    return counts;
  });
  const useOf = (cell: number, loads: ReadonlyMap<number, Profile>): number =>
    Math.max(0, ...(loads.get(cell) ?? [])) / Math.max(1, problem.cells[cell]?.cpuMillis ?? 0);
  return moves.map(({ copy, home }) => {
    const cpuShare = useOf(cellOfCopy(problem, { work: copy.work, site: home }), after);
    const useHere = useOf(cellOfCopy(problem, copy), before);
    const target = { site: home, cpuShare };
    const migration = scoreCopy(problem, copy, useHere, (work) => hosts[work] ?? new Map<number, number>(), target);
    return { copy, home, migration, isFuller: cpuShare > useHere };
  });
}

/** Open cells of member hosts that take copies. */
function isUsable({ cells, sites }: Problem, index: number): boolean {
  const cell = cells[index];
  const site = sites[cell?.site ?? -1];
  return cell?.open === true && site?.host.role === "member" && site.closed === undefined;
}

/** Why something has to be done: a cell over its target, or a full one beside an idle one. */
function findCause(
  problem: Problem,
  open: readonly number[],
  shareOf: (cell: number) => number,
  { target, tolerance }: RebalanceSpec,
): string | undefined {
  const percent = (share: number): string => `${String(Math.round(share * 100))} %`;
  for (let island = 0; island < problem.islands.length; island += 1) {
    const cells = open.filter((cell) => problem.cells[cell]?.island === island);
    const shares = cells.map((cell) => [shareOf(cell), hostOf(problem, cell)] as const).sort(([a], [b]) => b - a);
    const [highest, lowest] = [shares[0], shares.at(-1)];
    if (!highest || !lowest || shares.length < 2) continue;
    const name = problem.islands[island] ?? "";
    if (highest[0] > target) {
      return `${highest[1]} would use ${percent(highest[0])} of what ${name} has there, more than ${percent(target)}`;
    }
    if (highest[0] - lowest[0] > tolerance) {
      return `${highest[1]} would use ${percent(highest[0])} of what ${name} has there, ${lowest[1]} only ${percent(lowest[0])}`;
    }
  }
  return undefined;
}

function hostOf(problem: Problem, cell: number): string {
  return problem.sites[problem.cells[cell]?.site ?? -1]?.host.id ?? "";
}

/** The search: cells as machines, copies as processes, memory and the load of each stretch of time as resources. */
function searchMoves(
  problem: Problem,
  open: readonly number[],
  profiles: readonly Profile[],
  options: RebalanceSpec,
  seed: number,
  before: ReadonlyMap<number, Profile>,
): readonly Relocation[] {
  const machineOf = new Map(open.map((cell, machine) => [cell, machine]));
  const copies = problem.copies.filter((copy) => machineOf.has(cellOfCopy(problem, copy)));
  const kinds = deviceKinds(problem, copies);
  const requests = 1 + BUCKETS + kinds.length;
  const resourceCount = requests + 1;
  const requirement = new Float64Array(copies.length * resourceCount);
  const memoryUse = new Float64Array(open.length);
  const origin = new Int32Array(copies.length);
  copies.forEach((copy, process) => {
    const machine = machineOf.get(cellOfCopy(problem, copy)) ?? 0;
    origin[process] = machine;
    const bytes = problem.works[copy.work]?.memoryBytes ?? 0;
    requirement[process * resourceCount] = bytes;
    memoryUse[machine] = (memoryUse[machine] ?? 0) + bytes;
    const factor = factorOf(problem, copy);
    profiles[copy.work]?.forEach((load, bucket) => {
      requirement[process * resourceCount + 1 + bucket] = factor * load;
    });
    kinds.forEach((kind, index) => {
      const request = problem.works[copy.work]?.workload.devices?.[kind] ?? 0;
      requirement[process * resourceCount + 1 + BUCKETS + index] = request;
    });
    requirement[process * resourceCount + requests] = problem.works[copy.work]?.workload.request.cpuMillis ?? 0;
  });
  const capacity = new Float64Array(open.length * resourceCount);
  const safety = new Float64Array(open.length * resourceCount);
  open.forEach((cell, machine) => {
    const { memoryBytes = 0, cpuMillis = 0 } = problem.cells[cell] ?? {};
    // What is over already must not keep the search from a better place: there it only may not get worse.
    capacity[machine * resourceCount] = Math.max(memoryBytes, memoryUse[machine] ?? 0);
    safety[machine * resourceCount] = capacity[machine * resourceCount] ?? 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      const at = machine * resourceCount + 1 + bucket;
      capacity[at] = Math.max(cpuMillis, sumOn(origin, requirement, resourceCount, machine, 1 + bucket));
      safety[at] = levelOf(problem, cell, bucket, before, options);
    }
    // A part of one card has to lie on one: whether it does is judged move by move (placement.ts).
    kinds.forEach((kind, index) => {
      const resource = 1 + BUCKETS + index;
      const at = machine * resourceCount + resource;
      const count = problem.sites[problem.cells[cell]?.site ?? -1]?.host.devices?.[kind]?.count ?? 0;
      capacity[at] = Math.max(count, sumOn(origin, requirement, resourceCount, machine, resource));
      safety[at] = capacity[at];
    });
    const at = machine * resourceCount + requests;
    const { requestMillis = 0 } = problem.cells[cell] ?? {};
    const requested = sumOn(origin, requirement, resourceCount, machine, requests);
    capacity[at] = Math.max(Math.min(requestMillis, Number.MAX_SAFE_INTEGER), requested);
    safety[at] = capacity[at];
  });
  const places = createPlaceGroups(problem, open, copies);
  const zones = [...new Set(problem.sites.map(({ host }) => host.zone))];
  const moveCost = moveCostOf(problem, open);
  const model = createModel({
    resourceCount,
    capacity,
    safety,
    transient: Uint8Array.from({ length: resourceCount }, (_, resource) => (isLoad(resource) ? 0 : 1)),
    loadWeight: Float64Array.from({ length: resourceCount }, (_, resource) => (isLoad(resource) ? 1 : 0)),
    location: Int32Array.from(open, (cell) => zones.indexOf(zoneOf(problem, cell))),
    machineClass: places.machineClass,
    requirement,
    service: Int32Array.from(copies, ({ work }) => work),
    origin,
    moveCost: Float64Array.from(copies, (copy) => moveCost * (isExclusive(problem, copy) ? HAND_OVER_FACTOR : 1)),
    pinned: Uint8Array.from(copies, (copy) => (isFixed(problem, copy) ? 1 : 0)),
    placementGroup: places.placementGroup,
    placementCost: places.placementCost,
    spreadMin: spreadOf(problem, copies, (copy) => zoneOf(problem, cellOfCopy(problem, copy))),
    perMachine: Int32Array.from(problem.works, ({ copiesPerHost }) => copiesPerHost),
  });
  const pairs = copies.length * open.length;
  const searches = Math.min(MOST_SEARCHES, Math.max(FEWEST_SEARCHES, pairs * SEARCHES_PER_PLACE));
  const { assignment, broken } = searchPlacement(model, { seed, budget: { kind: "moves", moves: searches } });
  if (broken.length > 0) return [];
  return copies.flatMap((copy, process) => {
    const cell = open[assignment[process] ?? -1];
    const home = problem.cells[cell ?? -1]?.site;
    return home === undefined || home === copy.site ? [] : [{ copy, home }];
  });
}

function sumOn(
  origin: Int32Array,
  requirement: Float64Array,
  resourceCount: number,
  machine: number,
  resource: number,
): number {
  let sum = 0;
  origin.forEach((at, process) => {
    if (at === machine) sum += requirement[process * resourceCount + resource] ?? 0;
  });
  return sum;
}

/** True for the load of a stretch of time; the other resources are held by both ends of a move. */
function isLoad(resource: number): boolean {
  return resource >= 1 && resource <= BUCKETS;
}

/** Kinds of devices that copies ask for. */
function deviceKinds(problem: Problem, copies: readonly Copy[]): readonly string[] {
  return [...new Set(copies.flatMap(({ work }) => Object.keys(problem.works[work]?.workload.devices ?? {})))].sort();
}

/** Load above it costs: half the tolerance over the island's mean, at most the target. */
function levelOf(
  problem: Problem,
  cell: number,
  bucket: number,
  before: ReadonlyMap<number, Profile>,
  { target, tolerance }: RebalanceSpec,
): number {
  const { island, cpuMillis } = problem.cells[cell] as Problem["cells"][number];
  let [load, capacity] = [0, 0];
  for (const [other, profile] of before) {
    if (problem.cells[other]?.island !== island) continue;
    load += profile[bucket] ?? 0;
    capacity += problem.cells[other].cpuMillis;
  }
  return cpuMillis * Math.min(target, load / Math.max(1, capacity) + tolerance / 2);
}

function moveCostOf(problem: Problem, open: readonly number[]): number {
  const mean = open.reduce((sum, cell) => sum + (problem.cells[cell]?.cpuMillis ?? 0), 0) / Math.max(1, open.length);
  return MOVE_SHARE * mean;
}

/** As many zones as the copies of a workload are in now. */
function spreadOf(problem: Problem, copies: readonly Copy[], zone: (copy: Copy) => string): Int32Array {
  const zones = problem.works.map(() => new Set<string>());
  for (const copy of copies) zones[copy.work]?.add(zone(copy));
  return Int32Array.from(zones, ({ size }) => size);
}

function zoneOf(problem: Problem, cell: number): string {
  return problem.sites[problem.cells[cell]?.site ?? -1]?.host.zone ?? "";
}

function isExclusive(problem: Problem, { work }: Copy): boolean {
  return problem.works[work]?.workload.exclusive === true;
}

/** Part of its workload's demand that a copy carries. */
function factorOf(problem: Problem, copy: Copy): number {
  const weight = problem.works[copy.work]?.weight ?? 0;
  return weight > 0 ? weightOfNew(problem, copy) / weight : 0;
}

/** The moves that win most, each alone and after those before it, as long as there are no more than allowed. */
function takeBest(
  problem: Problem,
  wanted: readonly Relocation[],
  profiles: readonly Profile[],
  before: ReadonlyMap<number, Profile>,
  options: RebalanceSpec,
  most: number,
): readonly Relocation[] {
  if (wanted.length <= most) return wanted;
  const left = [...wanted];
  const taken: Relocation[] = [];
  const costOf = (moves: readonly Relocation[]): number => {
    let cost = 0;
    for (const [cell, profile] of applyMoves(problem, moves, profiles, before)) {
      profile.forEach((load, bucket) => {
        cost += Math.max(0, load - levelOf(problem, cell, bucket, before, options));
      });
    }
    return cost;
  };
  while (taken.length < most && left.length > 0) {
    const costs = left.map((move) => costOf([...taken, move]));
    const best = costs.indexOf(Math.min(...costs));
    taken.push(...left.splice(best, 1));
  }
  return taken;
}

/** Profiles of the cells after some moves. */
function applyMoves(
  problem: Problem,
  moves: readonly Relocation[],
  profiles: readonly Profile[],
  before: ReadonlyMap<number, Profile>,
): ReadonlyMap<number, Profile> {
  const after = new Map([...before].map(([cell, profile]) => [cell, profile.slice()]));
  for (const { copy, home } of moves) {
    const factor = factorOf(problem, copy);
    const [from, to] = [after.get(cellOfCopy(problem, copy)), after.get(cellOfCopy(problem, { ...copy, site: home }))];
    profiles[copy.work]?.forEach((load, bucket) => {
      if (from) from[bucket] = Math.max(0, (from[bucket] ?? 0) - factor * load);
      if (to) to[bucket] = (to[bucket] ?? 0) + factor * load;
    });
  }
  return after;
}

function profileOfWork(problem: Problem, work: number, quantile: number): Profile {
  const load = new Float32Array(pathCount(problem.demand) * stepCount(problem.demand));
  addDemand(problem, work, 1, load);
  return profileOf(problem, load, quantile);
}

/** Highest load of each stretch of time, at a quantile of the paths. */
function profileOf(problem: Problem, load: Float32Array, quantile: number): Profile {
  const steps = stepCount(problem.demand);
  const peaks = new Float64Array(pathCount(problem.demand));
  return Float64Array.from({ length: BUCKETS }, (_, bucket) => {
    const from = Math.min(steps - 1, Math.floor((bucket * steps) / BUCKETS));
    const to = Math.max(from + 1, Math.floor(((bucket + 1) * steps) / BUCKETS));
    for (let path = 0; path < peaks.length; path += 1) {
      let peak = 0;
      for (let step = from; step < to; step += 1) peak = Math.max(peak, load[step * peaks.length + path] ?? 0);
      peaks[path] = peak;
    }
    return quantileOf(peaks, quantile);
  });
}

function round(share: number): number {
  return Math.round(share * 1000) / 1000;
}
