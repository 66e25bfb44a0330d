/**
 * Where the copies of a host could go when none of the hosts has room for all of them as things are: the placement search
 * looks for places together with copies of other hosts that move away first, as few and as cheap ones as will do.
 *
 * The wave's problem on flat arrays: cells are machines, without those of the host that is emptied; copies in them are
 * processes, and those that have to leave are on a machine of their own, on which nobody may stay: there each costs more
 * than all that could be done about it. So the search begins with something feasible and looks for what is cheaper. Each
 * resource counts twice. Once as it is in the end, when what moved away has gone and what leaves its host has come. Once,
 * as a transient resource that only what moves away needs, for the wave before, in which it is at both ends. Demand is a
 * column for each of the hardest joint paths that count, and each part of the time.
 *
 * Not for: proving that what was found keeps the promise. Some paths stand for all of them, so every move is judged again
 * on all of them (placement.ts) before it is planned (room-wave.ts).
 *
 * Invariant: the same placement and seed give the same answer; work is bounded by counts, whatever the size of the fleet.
 */
import { demandAt, pathCount, type StepRange } from "./capacity";
import { createPlaceGroups, type PlaceGroups } from "./rebalance/place-groups";
import { isFixed } from "./place-rules";
import type { Placement } from "./placement";
import type { Copy, Problem } from "./problem";
import { createModel, type PlacementModel } from "./search/model";
import { searchPlacement } from "./search/search";
import { weightOfNew } from "./wave-search";

/** Cells that are looked at: those that have the most room for what is to come. */
const MOST_CELLS = 48;
/** Paths and parts of the time that stand for all. */
const PATHS = 4;
const PARTS = 2;
/** Counted work: so often for each copy in each cell, within bounds. */
const SEARCHES_PER_PLACE = 20;
const FEWEST_SEARCHES = 10_000;
const MOST_SEARCHES = 24_000;
const DRAWS = 2;
/** A hand-over pauses: better two other copies move. */
const HAND_OVER_COST = 3;
/** What a copy's memory adds to the cost of its move, that of the largest one. */
const MEMORY_COST = 0.5;
/** What a copy of mean size weighs, in moves: how hot the search begins. Load within capacity costs nothing. */
const LOAD_COST = 10;
/** More than moving all others costs. */
const NOWHERE_COST = 1e3;

/** Sums have to be exact, so needs are whole numbers: this many to a mean cell. Rounded ones may be over by some. */
const GRAIN = 1e6;
const SLACK = 64;
/** Room of a cell where nobody counts. */
const MOST_ROOM = 2 ** 40;

/** Which copies move away, and where everything goes. */
export interface Room {
  readonly displaced: readonly { readonly copy: Copy; readonly site: number }[];
  /** By id of a copy that has to leave. */
  readonly targets: ReadonlyMap<string, number>;
}

/** What has to leave, and until when there must be room. */
export interface RoomQuery {
  readonly site: number;
  /** Copies of the site that need another host. */
  readonly copies: readonly Copy[];
  readonly range: StepRange;
  /** Share of the paths that may be over capacity, 0..1. */
  readonly allowedShare: number;
  readonly seed: number;
}

/** Looks for room; undefined where the search finds none. */
export function findRoom(problem: Problem, placement: Placement, query: RoomQuery): Room | undefined {
  const found = createRoomModel(problem, placement, query);
  if (!found) return undefined;
  const { model, cells, copies } = found;
  const assignment = searchRoom(model, query.seed);
  if (!assignment) return undefined;
  const siteOf = (process: number): number => problem.cells[cells[assignment[process] as number] as number]?.site ?? -1;
  const targets = new Map<string, number>();
  const displaced: { readonly copy: Copy; readonly site: number }[] = [];
  copies.forEach((copy, process) => {
    const site = siteOf(process);
    if (model.origin[process] === cells.length) targets.set(copy.id, site);
    else if (site !== copy.site) displaced.push({ copy, site });
  });
  return { displaced, targets };
}

/** Places for all, by searches from different draws, each bounded. */
function searchRoom(model: PlacementModel, seed: number): Int32Array | undefined {
  const pairs = model.processCount * model.machineCount;
  const moves = Math.min(MOST_SEARCHES, Math.max(FEWEST_SEARCHES, SEARCHES_PER_PLACE * pairs));
  for (let draw = 0; draw < DRAWS; draw++) {
    const { assignment } = searchPlacement(model, { seed: seed + draw, budget: { kind: "moves", moves } });
    if (!assignment.includes(model.machineCount - 1)) return assignment;
  }
  return undefined;
}

/** The wave's problem with what its rows stand for; undefined where all the room there is would not be enough. */
export function createRoomModel(
  problem: Problem,
  placement: Placement,
  query: RoomQuery,
): { readonly model: PlacementModel; readonly cells: readonly number[]; readonly copies: readonly Copy[] } | undefined {
  const leaving = query.copies;
  const columns = columnsOf(problem, query, leaving);
  const cells = cellsWithRoom(problem, placement, query, columns);
  const machineOf = new Map(cells.map((cell, machine) => [cell, machine]));
  const standing = cells.flatMap((cell) => {
    const { site = -1, island = -1 } = problem.cells[cell] ?? {};
    return placement.copiesAt(site).filter(({ work }) => problem.works[work]?.island === island);
  });
  const copies = [...standing, ...leaving];
  const origin = Int32Array.from(copies, ({ work, site }, process) => {
    const island = problem.works[work]?.island ?? -1;
    const cell = problem.cellAt[site * problem.islands.length + island] ?? -1;
    return process < standing.length ? (machineOf.get(cell) ?? cells.length) : cells.length;
  });
  const half = columns.length;
  const count = 2 * half;
  const requirement = new Float64Array(copies.length * count);
  const held = new Float64Array((cells.length + 1) * count);
  copies.forEach((copy, process) => {
    const machine = origin[process] as number;
    columns.forEach(({ needOf, unit }, column) => {
      const need = Math.round((GRAIN * needOf(copy)) / unit);
      requirement[process * count + column] = need;
      // What has to leave comes when the wave before is over.
      if (process >= standing.length) return;
      requirement[process * count + half + column] = need;
      for (const at of [machine * count + column, machine * count + half + column]) held[at] = (held[at] ?? 0) + need;
    });
  });
  const capacity = new Float64Array((cells.length + 1) * count).fill(MOST_ROOM);
  cells.forEach((cell, machine) => {
    columns.forEach(({ roomOf, unit }, column) => {
      for (const at of [machine * count + column, machine * count + half + column]) {
        // Where more is in use already, no more may come.
        capacity[at] = Math.max(Math.min(SLACK + Math.floor((GRAIN * roomOf(cell)) / unit), MOST_ROOM), held[at] ?? 0);
      }
    });
  });
  if (isTooLittle(capacity.subarray(0, cells.length * count), requirement, count, half)) return undefined;
  if (hasTooFewHosts(problem, cells, copies, leaving)) return undefined;
  const most = Math.max(1, ...copies.map(({ work }) => problem.works[work]?.memoryBytes ?? 0));
  const model = createModel({
    resourceCount: count,
    capacity,
    transient: Uint8Array.from({ length: count }, (_, resource) => (resource < half ? 0 : 1)),
    loadWeight: Float64Array.from({ length: count }, (_, resource) =>
      resource < half ? LOAD_COST / (half * GRAIN) : 0,
    ),
    requirement,
    service: Int32Array.from(copies, ({ work }) => work),
    origin,
    moveCost: Float64Array.from(copies, ({ work }, process) => {
      if (process >= standing.length) return 0;
      const { workload, memoryBytes = 0 } = problem.works[work] ?? {};
      return (workload?.exclusive === true ? HAND_OVER_COST : 1) + (MEMORY_COST * memoryBytes) / most;
    }),
    pinned: Uint8Array.from(copies, (copy, process) => (process < standing.length && isFixed(problem, copy) ? 1 : 0)),
    perMachine: Int32Array.from(problem.works, ({ copiesPerHost }) => copiesPerHost),
    ...withNowhere(createPlaceGroups(problem, cells, copies), standing.length),
  });
  return { model, cells, copies };
}

/** One more machine, which takes what has to leave, at a price, and nothing else. */
function withNowhere({ machineClass, placementGroup, placementCost }: PlaceGroups, standing: number): PlaceGroups {
  const groups = Math.max(0, ...placementGroup) + 1;
  const classes = placementCost.length / groups;
  const costs = new Float64Array(2 * groups * (classes + 1));
  for (let group = 0; group < 2 * groups; group++) {
    const row = (group % groups) * classes;
    costs.set(placementCost.subarray(row, row + classes), group * (classes + 1));
    costs[group * (classes + 1) + classes] = group < groups ? Infinity : NOWHERE_COST;
  }
  return {
    machineClass: Int32Array.from([...machineClass, classes]),
    placementGroup: placementGroup.map((group, process) => (process < standing ? group : groups + group)),
    placementCost: costs,
  };
}

/** A resource, or the demand on one path in one part of the time. */
interface Column {
  readonly unit: number;
  readonly needOf: (copy: Copy) => number;
  readonly roomOf: (cell: number) => number;
}

function columnsOf(problem: Problem, { range, allowedShare }: RoomQuery, leaving: readonly Copy[]): readonly Column[] {
  const { works, cells, sites, columns } = problem;
  const mean = (values: Float64Array): number =>
    Math.max(1, values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length));
  const kinds = new Set(leaving.flatMap(({ work }) => Object.keys(works[work]?.workload.devices ?? {})));
  const isBounded = columns.requestMillis.some(Number.isFinite);
  const cpuUnit = mean(columns.cpuMillis);
  const ofDemand = hardestPaths(problem, range, allowedShare).flatMap((path) =>
    partsOf(range).map((part): Column => {
      const peaks = new Map<number, number>();
      const peakOf = (work: number): number => {
        const known = peaks.get(work) ?? peakIn(problem, work, path, part);
        peaks.set(work, known);
        return known;
      };
      return {
        unit: cpuUnit,
        needOf: (copy) => partOfDemand(problem, copy) * peakOf(copy.work),
        roomOf: (cell) => columns.cpuMillis[cell] ?? 0,
      };
    }),
  );
  return [
    {
      unit: mean(columns.memoryBytes),
      needOf: ({ work }) => works[work]?.memoryBytes ?? 0,
      roomOf: (cell) => columns.memoryBytes[cell] ?? 0,
    },
    ...(isBounded
      ? [
          {
            unit: cpuUnit,
            needOf: ({ work }: Copy) => works[work]?.workload.request.cpuMillis ?? 0,
            roomOf: (cell: number) => columns.requestMillis[cell] ?? 0,
          },
        ]
      : []),
    ...[...kinds].sort().map((kind): Column => ({
      unit: 1,
      needOf: ({ work }) => works[work]?.workload.devices?.[kind] ?? 0,
      roomOf: (cell) => sites[cells[cell]?.site ?? -1]?.host.devices?.[kind]?.count ?? 0,
    })),
    ...ofDemand,
  ];
}

/** Of the paths that have to be kept those on which most is wanted: the worst ones of all may be over. */
function hardestPaths(problem: Problem, range: StepRange, allowedShare: number): readonly number[] {
  const paths = pathCount(problem.demand);
  const totals = Array.from({ length: paths }, (_, path) => {
    let most = 0;
    for (let step = range.from; step < range.to; step++) {
      let total = 0;
      for (let work = 0; work < problem.works.length; work++) total += demandAt(problem, work, path, step);
      most = Math.max(most, total);
    }
    return { path, most };
  });
  return totals
    .sort((a, b) => b.most - a.most || a.path - b.path)
    .slice(Math.floor(allowedShare * paths + 1e-9))
    .slice(0, PATHS)
    .map(({ path }) => path);
}

function partsOf({ from, to }: StepRange): readonly StepRange[] {
  const count = Math.min(PARTS, to - from);
  return Array.from({ length: count }, (_, part) => ({
    from: from + Math.floor((part * (to - from)) / count),
    to: from + Math.floor(((part + 1) * (to - from)) / count),
  }));
}

function peakIn(problem: Problem, work: number, path: number, { from, to }: StepRange): number {
  let peak = 0;
  for (let step = from; step < to; step++) peak = Math.max(peak, demandAt(problem, work, path, step));
  return peak;
}

/** Part of its workload's demand that a copy carries. */
function partOfDemand(problem: Problem, copy: Copy): number {
  const weight = problem.works[copy.work]?.weight ?? 0;
  return weight > 0 && copy.weight > 0 ? weightOfNew(problem, copy) / weight : 0;
}

/** Cells that take copies, those with the most room first, in the order of their numbers. */
function cellsWithRoom(
  problem: Problem,
  placement: Placement,
  { site: left, copies }: RoomQuery,
  columns: readonly Column[],
): readonly number[] {
  const islands = new Set(copies.map(({ work }) => problem.works[work]?.island ?? -1));
  const usable = problem.cells.flatMap(({ site, island, open, cpuMillis }, cell) => {
    const isUsable = open && cpuMillis > 0 && site !== left && placement.isUsable(site);
    return isUsable && problem.columns.isClosed[site] !== 1 && islands.has(island) ? [cell] : [];
  });
  if (usable.length <= MOST_CELLS) return usable;
  const free = new Map(usable.map((cell) => [cell, leastFree(problem, placement, cell, columns)]));
  return usable
    .sort((a, b) => (free.get(b) ?? 0) - (free.get(a) ?? 0) || a - b)
    .slice(0, MOST_CELLS)
    .sort((a, b) => a - b);
}

/** True where a workload that leaves has more copies than there are hosts that may run one. */
function hasTooFewHosts(
  { cells: all, works, rules }: Problem,
  cells: readonly number[],
  copies: readonly Copy[],
  leaving: readonly Copy[],
): boolean {
  return [...new Set(leaving.map(({ work }) => work))].some((work) => {
    const { island = -1, copiesPerHost = 1 } = works[work] ?? {};
    const allowed = rules.allowed[work];
    const hosts = cells.filter((cell) => all[cell]?.island === island && allowed?.[all[cell].site] !== 0).length;
    return copies.filter((copy) => copy.work === work).length > hosts * copiesPerHost;
  });
}

/** Free share of a cell, of the memory that is there and the CPU at the quantile. */
function leastFree(problem: Problem, placement: Placement, cell: number, [memory]: readonly Column[]): number {
  const { site = -1, island = -1 } = problem.cells[cell] ?? {};
  const own = placement.copiesAt(site).filter(({ work }) => problem.works[work]?.island === island);
  const held = own.reduce((sum, copy) => sum + (memory?.needOf(copy) ?? 0), 0);
  return Math.min(1 - held / Math.max(1, memory?.roomOf(cell) ?? 0), 1 - placement.shareOfCell(cell));
}

/** True where some resource is not there for all, wherever they were. */
function isTooLittle(capacity: Float64Array, requirement: Float64Array, count: number, half: number): boolean {
  const sums = new Float64Array(half);
  capacity.forEach((room, at) => {
    if (at % count < half) sums[at % count] = (sums[at % count] ?? 0) + room;
  });
  requirement.forEach((need, at) => {
    if (at % count < half) sums[at % count] = (sums[at % count] ?? 0) - need;
  });
  return sums.some((left) => left < 0);
}
