/**
 * Hosts that several islands share: where more is promised than there is, and where one island would need more than its
 * share in the time of the plan while another leaves some, with the shares that would do for both.
 *
 * Not for: hosts of one island (placement.ts judges those) and changing shares; a person or program declares them.
 *
 * Invariants of the proposed shares of a host
 * 1. Together they are no more than before, or than the whole host where less was promised.
 * 2. No island that gives falls below what it needs, and none gets more than it needs.
 * 3. Islands with critical workloads there get theirs first.
 */
import { cellOfCopy, peaksAtStart } from "./capacity";
import { percent } from "./explain";
import type { Problem } from "./problem";

/** Free beside the quantile of demand, as a share of it. */
const HEADROOM = 0.1;
/** Shares differ by rounding alone below this. */
const LEAST = 0.005;

/** One island on a host, all as shares of the host's CPU. */
export interface IslandShare {
  readonly island: string;
  readonly promised: number;
  /** At the plan's quantile, with headroom. */
  readonly needed: number;
  readonly isCritical: boolean;
}

/** Shares by island that cover needs as far as what others leave, and what was promised to nobody, goes. */
export function proposeShares(islands: readonly IslandShare[]): readonly number[] {
  const proposed = islands.map(({ promised }) => promised);
  let spare = Math.max(0, 1 - proposed.reduce((sum, share) => sum + share, 0));
  const order = islands
    .map(({ isCritical, promised, needed }, index) => ({ index, isCritical, missing: needed - promised }))
    .filter(({ missing }) => missing > 0)
    .sort((a, b) => Number(b.isCritical) - Number(a.isCritical) || a.index - b.index);
  for (const { index, missing } of order) {
    let left = missing;
    const free = Math.min(spare, left);
    spare -= free;
    left -= free;
    const surplus = islands.map(({ needed }, donor) => Math.max(0, (proposed[donor] ?? 0) - needed));
    const total = surplus.reduce((sum, share) => sum + share, 0);
    const taken = Math.min(total, left);
    left -= taken;
    surplus.forEach((share, donor) => {
      if (total > 0) proposed[donor] = (proposed[donor] ?? 0) - (taken * share) / total;
    });
    proposed[index] = (proposed[index] ?? 0) + missing - left;
  }
  return proposed;
}

/** One line for each host on which shares are wrong. */
export function shareWarnings(problem: Problem, quantile: number): readonly string[] {
  const cellsOf = problem.sites.map(({ host }, site): readonly number[] => {
    const cells = problem.islands.flatMap((_, island) => {
      const cell = problem.cellAt[site * problem.islands.length + island] ?? -1;
      return cell >= 0 && problem.cells[cell]?.open === true ? [cell] : [];
    });
    return cells.length < 2 || host.role !== "member" || host.capacity.cpuMillis <= 0 ? [] : cells;
  });
  if (cellsOf.every((cells) => cells.length === 0)) return [];
  const peaks = peaksAtStart(problem, quantile);
  const critical = new Set<number>();
  for (const copy of problem.copies) {
    const isCritical = problem.works[copy.work]?.workload.criticality === "critical";
    if (isCritical && copy.weight > 0) critical.add(cellOfCopy(problem, copy));
  }
  return problem.sites.flatMap(({ host }, site) => {
    const islands = (cellsOf[site] ?? []).map((cell): IslandShare => {
      const { island = -1, cpuMillis = 0 } = problem.cells[cell] ?? {};
      return {
        island: problem.islands[island] ?? "",
        promised: cpuMillis / host.capacity.cpuMillis,
        needed: ((peaks[cell] as number) * (1 + HEADROOM)) / host.capacity.cpuMillis,
        isCritical: critical.has(cell),
      };
    });
    return islands.length === 0 ? [] : [...overcommitted(host.id, islands), ...lacking(host.id, islands)];
  });
}

function overcommitted(host: string, islands: readonly IslandShare[]): string[] {
  const promised = islands.reduce((sum, share) => sum + share.promised, 0);
  if (promised <= 1 + LEAST) return [];
  const names = islands.map(({ island, promised: share }) => `${island} ${percent(share)}`).join(", ");
  return [`${host}: ${percent(promised)} of its CPU is promised (${names}); lower guarantee.cpu of one of them`];
}

function lacking(host: string, islands: readonly IslandShare[]): string[] {
  if (!islands.some(({ promised, needed }) => needed > promised + LEAST)) return [];
  const proposed = proposeShares(islands);
  const isHelped = islands.some(({ promised }, index) => (proposed[index] ?? 0) > promised + LEAST);
  const needs = islands.map(
    ({ island, promised, needed }) => `${island} needs ${percent(needed)} of ${percent(promised)}`,
  );
  const fix = isHelped
    ? `guarantee.cpu of ${islands.map(({ island }, index) => `${island} ${percent(proposed[index] ?? 0)}`).join(", ")} would do more`
    : "no island leaves anything";
  return [`${host}: in the time of the plan ${needs.join(", ")} of its CPU, with a tenth free; ${fix}`];
}
