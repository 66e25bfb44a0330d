/**
 * Where each copy may go in a rebalance, in the terms of the placement search: groups of copies that may go to the same
 * cells, classes of cells that take the same groups. A cell of another island, or one that the workload's rules forbid,
 * has an infinite cost.
 *
 * Not for: room, and workloads that must not be on one host (placement.ts judges each move).
 */
import { cellOfCopy } from "../capacity";
import { mayReach } from "../place-rules";
import type { Copy, Problem } from "../problem";

/** Columns of a `PlacementModel`. */
export interface PlaceGroups {
  readonly machineClass: Int32Array;
  readonly placementGroup: Int32Array;
  /** `[group * classes + class]`: 0, or infinite where it is forbidden. */
  readonly placementCost: Float64Array;
}

/** Groups of `copies` over the cells `open`. A cell that a copy is in is open to it whatever the rules say. */
export function createPlaceGroups(problem: Problem, open: readonly number[], copies: readonly Copy[]): PlaceGroups {
  const groups = new Map<string, { readonly number: number; readonly copy: Copy }>();
  const placementGroup = Int32Array.from(copies, (copy) => {
    const key = keyOf(problem, copy);
    const known = groups.get(key) ?? { number: groups.size, copy };
    groups.set(key, known);
    return known.number;
  });
  const classes = new Map<string, { readonly number: number; readonly takes: readonly boolean[] }>();
  const machineClass = Int32Array.from(open, (cell) => {
    const takes = [...groups.values()].map(({ copy }) => mayBeIn(problem, copy, cell));
    const key = takes.map(Number).join("");
    const known = classes.get(key) ?? { number: classes.size, takes };
    classes.set(key, known);
    return known.number;
  });
  const placementCost = new Float64Array(groups.size * classes.size);
  for (const { number, takes } of classes.values()) {
    takes.forEach((isTaken, group) => {
      if (!isTaken) placementCost[group * classes.size + number] = Infinity;
    });
  }
  return { machineClass, placementGroup, placementCost };
}

function mayBeIn(problem: Problem, copy: Copy, cell: number): boolean {
  const { island = -1, site = -1 } = problem.cells[cell] ?? {};
  if (problem.works[copy.work]?.island !== island) return false;
  if (cellOfCopy(problem, copy) === cell) return true;
  return problem.rules.allowed[copy.work]?.[site] !== 0 && mayReach(problem.rules, copy, site);
}

/** Copies of one key may go to the same cells: those of one island without rules, else those of one workload and region. */
function keyOf({ works, rules }: Problem, { work, site }: Copy): string {
  const regions = rules.regions[work] ?? [];
  const allowed = rules.allowed[work];
  const island = String(works[work]?.island ?? -1);
  if (regions.length === 0 && allowed === undefined) return island;
  const isOutside = allowed?.[site] === 0 ? `/at ${String(site)}` : "";
  return `${island}/${String(work)}/${regions.map((region) => String(region[site])).join(",")}${isOutside}`;
}
