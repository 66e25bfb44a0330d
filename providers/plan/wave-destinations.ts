/**
 * Better destinations for the copies of a wave: the placement search goes on from where each has found its best host one
 * after the other, and looks at all of them together.
 *
 * What a wave's destinations cost is what its moves lose of the highest score that a host can have (targets.ts), in
 * points: a host that has yet to be updated itself, a zone that is shared, another rack, paths over capacity, and the load
 * of CPU and memory. Load is the part in which copies meet: the n-th copy of mean size on a host finds it fuller by those
 * before it, so load costs its square, in steps of a mean copy. Where copies are of one size this is the sum of the scores
 * in whatever order they come.
 *
 * Not for: proving that what was found keeps the promise: every move is judged again on all joint paths (wave-search.ts).
 *
 * Invariants
 * 1. Copies are only put where each of them alone may go, at the same time and by the same rules as without the search.
 * 2. The result costs no more than the start. The same state, start and seed give the same result; work is counted.
 */
import { cellOfCopy } from "./capacity";
import type { Placement } from "./placement";
import type { Copy, Problem } from "./problem";
import { evaluateCost } from "./search/evaluate";
import { createModel, type PlacementModel } from "./search/model";
import { searchPlacement } from "./search/search";
import { findAllTargets, HIGHEST_SCORE, SCORE_WEIGHTS, type TargetQuery } from "./targets";

/** Steps in which load costs more and more: so many mean copies on a host of mean size; more are rare. */
const LOAD_STEPS = 4;
/** Counted work of a search: few copies need as much as many, where all of them have to change at once. */
const SEARCHES = 4_000;
/** Waves with more places for copies than these are left as they are. */
const MOST_PLACES = 40_000;
/** What a search has to win at least, as a share of the cost; with less to be won none is made. */
const LEAST_GAIN = 0.002;
/** Room where nothing is bounded, and what sums of fractions may be over. */
const MOST_ROOM = 2 ** 40;
const ROUNDING = 1e-9;

/** Where each copy of a wave alone could go, before any of them does, and what that costs. */
export interface Destinations {
  readonly copies: readonly Copy[];
  /** Cells in which some of them may be. */
  readonly cells: readonly number[];
  /** `[copy * cells + cell]` points without load; infinite where the copy may not be. */
  readonly fixed: Float64Array;
  /** By copy: demand that it brings at the quantile, millicores, and memory, bytes. */
  readonly needs: Readonly<Record<"cpu" | "memory", Float64Array>>;
  /** By cell: what is in use before. */
  readonly used: Readonly<Record<"cpu" | "memory", Float64Array>>;
}

/** Looks at all hosts for each copy; undefined where these are too many for a search, or there is nothing to choose. */
export function findDestinations(
  problem: Problem,
  placement: Placement,
  queries: readonly TargetQuery[],
): Destinations | undefined {
  const chosen = queries.filter(({ copy }) => problem.works[copy.work]?.workload.devices === undefined);
  if (chosen.length < 2 || chosen.length * problem.sites.length > MOST_PLACES) return undefined;
  const copies = chosen.map(({ copy }) => copy);
  const lists = chosen.map((query) => findAllTargets(problem, placement, query));
  const cellOf = ({ work }: Copy, site: number): number => cellOfCopy(problem, { work, site });
  const cells = [
    ...new Set(lists.flatMap(({ targets }, at) => targets.map(({ site }) => cellOf(copies[at] as Copy, site)))),
  ].sort((a, b) => a - b);
  const machineOf = new Map(cells.map((cell, machine) => [cell, machine]));
  const fixed = new Float64Array(copies.length * cells.length).fill(Infinity);
  const needs = { cpu: new Float64Array(copies.length), memory: new Float64Array(copies.length) };
  const used = { cpu: new Float64Array(cells.length), memory: new Float64Array(cells.length) };
  const { columns, works } = problem;
  lists.forEach(({ targets, partsOf }, at) => {
    const copy = copies[at] as Copy;
    const bytes = works[copy.work]?.memoryBytes ?? 0;
    needs.memory[at] = bytes;
    for (const target of targets) {
      const cell = cellOf(copy, target.site);
      const machine = machineOf.get(cell) ?? 0;
      const { cpu, memory } = partsOf(target);
      const withoutLoad = target.score - cpu - memory;
      fixed[at * cells.length + machine] = HIGHEST_SCORE - SCORE_WEIGHTS.cpu - SCORE_WEIGHTS.memory - withoutLoad;
      const cpuMillis = columns.cpuMillis[cell] ?? 0;
      used.cpu[machine] = placement.shareOfCell(cell) * cpuMillis;
      used.memory[machine] = target.assessment.memoryShare * (columns.memoryBytes[cell] ?? 0) - bytes;
      needs.cpu[at] = Math.max(0, target.assessment.cpuShare * cpuMillis - (used.cpu[machine] ?? 0));
    }
  });
  return { copies, cells, fixed, needs, used };
}

/** The same of those copies alone that are in `moved`, by id: the others pause, or stay. */
export function selectCopies(
  destinations: Destinations,
  moved: { readonly has: (id: string) => boolean },
): Destinations {
  const { copies, cells, fixed, needs, used } = destinations;
  const kept = [...copies.keys()].filter((copy) => moved.has(copies[copy]?.id ?? ""));
  if (kept.length === copies.length) return destinations;
  const width = cells.length;
  return {
    copies: kept.flatMap((copy) => copies[copy] ?? []),
    cells,
    fixed: Float64Array.from({ length: kept.length * width }, (_, at) => {
      return fixed[(kept[Math.floor(at / width)] ?? 0) * width + (at % width)] ?? Infinity;
    }),
    needs: {
      cpu: Float64Array.from(kept, (copy) => needs.cpu[copy] ?? 0),
      memory: Float64Array.from(kept, (copy) => needs.memory[copy] ?? 0),
    },
    used,
  };
}

/**
 * The same with only those hosts on which some of the copies are at the start, and those that may be used beside them.
 * @param start `[copy]` index of a cell
 */
export function restrictDestinations(
  problem: Problem,
  destinations: Destinations,
  start: Int32Array,
  within: (site: number) => boolean,
): Destinations {
  const { cells, copies } = destinations;
  const used = new Set(start);
  const fixed = destinations.fixed.slice();
  cells.forEach((cell, machine) => {
    if (used.has(machine) || within(problem.cells[cell]?.site ?? -1)) return;
    for (let copy = 0; copy < copies.length; copy++) fixed[copy * cells.length + machine] = Infinity;
  });
  return { ...destinations, fixed };
}

/**
 * The destinations in the terms of the placement search: cells are machines, copies are processes that are nowhere yet.
 * @param start `[copy]` index of a cell
 */
export function createDestinationModel(
  problem: Problem,
  { copies, cells, fixed, needs, used }: Destinations,
  start: Int32Array,
): PlacementModel {
  const { columns, works } = problem;
  const loads = [
    { weight: SCORE_WEIGHTS.cpu, room: columns.cpuMillis, need: needs.cpu, before: used.cpu },
    { weight: SCORE_WEIGHTS.memory, room: columns.memoryBytes, need: needs.memory, before: used.memory },
  ].map(({ weight, room, need, before }) => {
    const roomOf = Float64Array.from(cells, (cell) => room[cell] ?? 0);
    return { weight, need, before, roomOf, unit: meanOf(need) || 1, meanRoom: meanOf(roomOf) || 1 };
  });
  const resourceCount = loads.length * LOAD_STEPS;
  const requirement = new Float64Array(copies.length * resourceCount);
  const capacity = new Float64Array(cells.length * resourceCount).fill(MOST_ROOM);
  const safety = new Float64Array(cells.length * resourceCount);
  const loadWeight = new Float64Array(resourceCount);
  const placementCost = fixed.slice();
  loads.forEach(({ weight, need, before, roomOf, unit, meanRoom }, load) => {
    for (let step = 0; step < LOAD_STEPS; step++) {
      const resource = load * LOAD_STEPS + step;
      loadWeight[resource] = (weight * unit) / meanRoom;
      need.forEach((amount, at) => (requirement[at * resourceCount + resource] = amount / unit));
      // On a larger host a copy weighs less: as much as of copies that are smaller by that.
      roomOf.forEach((room, at) => (safety[at * resourceCount + resource] = ((step + 1) * room) / meanRoom));
    }
    roomOf.forEach((room, at) => {
      const started = start.reduce((sum, cell, copy) => (cell === at ? sum + (need[copy] ?? 0) : sum), 0);
      // Quantiles added up are an upper bound: where the paths allow more already, as much is kept.
      const free = Math.max(room - (before[at] ?? 0), started);
      capacity[at * resourceCount + load * LOAD_STEPS] = free / unit + ROUNDING;
      need.forEach((amount, copy) => {
        const ofMean = amount / unit;
        const alone =
          (weight * ofMean * ((before[at] ?? 0) + unit / 2)) / (room || 1) + (weight * amount) / 2 / meanRoom;
        const index = copy * cells.length + at;
        placementCost[index] = (placementCost[index] ?? 0) + alone;
      });
    });
  });
  const zones = cells.map((cell) => columns.zoneOf[problem.cells[cell]?.site ?? -1] ?? 0);
  return createModel({
    resourceCount,
    capacity,
    safety,
    loadWeight,
    requirement,
    location: Int32Array.from(zones),
    service: Int32Array.from(copies, ({ work }) => work),
    origin: new Int32Array(copies.length).fill(-1),
    machineClass: Int32Array.from(cells.keys()),
    placementGroup: Int32Array.from(copies.keys()),
    placementCost,
    perMachine: Int32Array.from(works, ({ copiesPerHost }) => copiesPerHost),
    // Copies of one workload stay in as many zones as they were put.
    spreadMin: spreadOf(works.length, copies, (at) => zones[start[at] ?? -1] ?? 0),
  });
}

/** Cheaper destinations than `start`; undefined where the search finds none that are worth a change. */
export function improveDestinations(model: PlacementModel, start: Int32Array, seed: number): Int32Array | undefined {
  const before = evaluateCost(model, start).total;
  if (before - leastCost(model) < LEAST_GAIN * before) return undefined;
  const { assignment, cost } = searchPlacement(model, { seed, start, budget: { kind: "moves", moves: SEARCHES } });
  return cost.total <= (1 - LEAST_GAIN) * before ? assignment : undefined;
}

/** What the copies cost where each is alone: they cannot cost less together. */
function leastCost({ placementCost, processCount, machineCount }: PlacementModel): number {
  let sum = 0;
  for (let process = 0; process < processCount; process++) {
    let least = Infinity;
    for (let machine = 0; machine < machineCount; machine++) {
      least = Math.min(least, placementCost[process * machineCount + machine] as number);
    }
    sum += least;
  }
  return sum;
}

function spreadOf(works: number, copies: readonly Copy[], zoneOf: (copy: number) => number): Int32Array {
  const spread = new Int32Array(works);
  const seen = new Set<string>();
  copies.forEach(({ work }, at) => {
    const key = `${String(work)}/${String(zoneOf(at))}`;
    if (seen.has(key)) return;
    seen.add(key);
    spread[work] = (spread[work] ?? 0) + 1;
  });
  return spread;
}

function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
