/**
 * How each unit ends that no move of the plan is of, with its score: skipped, too costly or blocked, and why; and the
 * threads of units, where their hosts report them.
 *
 * Not for: units that move; their scores are made where their targets are chosen (wave-search.ts).
 *
 * Invariant: every copy on a member host of the spec's islands is in a move or here, once.
 */
import type {
  Fleet,
  HostUpdateSpec,
  MigrationParts,
  MigrationScore,
  UnitDecision,
  UnitOutcome,
  Wave,
} from "../../../sdk/model";
import { MIGRATION_PARTS } from "../../../sdk/model";

import { addDemand, cellOfCopy, pathCount, peakQuantile, stepCount, type CellLoad } from "../capacity";
import type { Copy, Problem } from "../problem";
import { scoreStaying } from "./score-copy";

/** Why a unit stays. */
export interface Stay {
  readonly outcome: Exclude<UnitOutcome, "moved">;
  readonly reason: string;
  /** Absent: as scored where it is, with the nearest host. */
  readonly migration?: MigrationScore;
}

/** Judges a unit that no move is of. */
export type JudgeStay = (copy: Copy, host: string, migration: MigrationScore) => Stay;

/** Decisions about all units that stay, and about threads. */
export function decideUnits(
  problem: Problem,
  input: { readonly fleet: Fleet; readonly spec: HostUpdateSpec },
  waves: readonly Wave[],
  quantile: number,
  judge: JudgeStay,
): readonly UnitDecision[] {
  const { fleet, spec } = input;
  const moved = new Set(waves.flatMap(({ moves }) => moves.map(({ replica }) => replica)));
  const islands = new Set(spec.islands.map(({ name }) => name));
  const useOf = createUses(problem, quantile);
  const hosts = problem.works.map((_, work) => countHosts(problem, work));
  const staying = problem.copies.flatMap((copy): UnitDecision[] => {
    const workload = problem.works[copy.work]?.workload;
    const host = problem.sites[copy.site]?.host;
    if (moved.has(copy.id) || host?.role !== "member" || !workload || !islands.has(workload.island)) return [];
    const scored = scoreStaying(problem, copy, useOf(copy.site), (work) => hosts[work] ?? new Map<number, number>());
    const { outcome, reason, migration = scored } = judge(copy, host.id, scored);
    return [{ unit: copy.id, workload: workload.name, host: host.id, outcome, migration, reason }];
  });
  return [...staying, ...decideThreads(fleet, waves, staying)];
}

/** Threads go where their copies go; each has its part of what depends on CPU. */
function decideThreads(fleet: Fleet, waves: readonly Wave[], staying: readonly UnitDecision[]): UnitDecision[] {
  const threads = new Map(fleet.replicas.flatMap(({ id, threads: list }) => (list ? [[id, list] as const] : [])));
  if (threads.size === 0) return [];
  const moving = waves.flatMap(({ index, moves }) =>
    moves.flatMap(({ migration, replica, workload, from, to }): UnitDecision[] =>
      migration === undefined || to === undefined
        ? []
        : [{ unit: replica, workload, host: from, outcome: "moved", to, wave: index, migration, reason: "" }],
    ),
  );
  return [...moving, ...staying].flatMap((copy) =>
    (threads.get(copy.unit) ?? []).map(({ id, share }) => ({
      ...copy,
      unit: `${copy.unit}/${id}`,
      migration: scaleScore(copy.migration, share),
      reason: `goes with ${copy.unit}, of whose CPU it used ${String(Math.round(100 * share))} %`,
    })),
  );
}

/** The part of a copy's score that a thread with this share of its CPU has: what is contended, won and warm is shared. */
function scaleScore(migration: MigrationScore, share: number): MigrationScore {
  const { parts } = migration;
  const scaled: MigrationParts = {
    ...parts,
    contention: round(parts.contention * share),
    benefit: round(parts.benefit * share),
    transfer: round(parts.transfer * share),
    cache: round(parts.cache * share),
    communication: round(parts.communication * share),
  };
  const sum = MIGRATION_PARTS.reduce((total, name) => total + scaled[name], 0);
  const costs = -(scaled.transfer + scaled.cache + scaled.communication);
  return { ...migration, score: round(sum), cost: round(Math.max(0, costs)), parts: scaled };
}

/** Use of the fullest share of a host over the whole time, with every copy where it is at the beginning. */
function createUses(problem: Problem, quantile: number): (site: number) => number {
  const bySite: Copy[][] = problem.sites.map(() => []);
  for (const copy of problem.copies) bySite[copy.site]?.push(copy);
  const uses = new Map<number, number>();
  const range = { from: 0, to: stepCount(problem.demand) };
  return (site) => {
    let use = uses.get(site);
    if (use !== undefined) return use;
    const loads = new Map<number, CellLoad>();
    for (const copy of bySite[site] ?? []) {
      const cell = cellOfCopy(problem, copy);
      const weight = problem.works[copy.work]?.weight ?? 0;
      if (cell < 0 || weight <= 0 || copy.weight <= 0) continue;
      const load = loads.get(cell) ?? new Float32Array(pathCount(problem.demand) * stepCount(problem.demand));
      addDemand(problem, copy.work, copy.weight / weight, load);
      loads.set(cell, load);
    }
    use = 0;
    for (const [cell, load] of loads) {
      const capacity = problem.cells[cell]?.cpuMillis ?? 0;
      if (capacity > 0) use = Math.max(use, peakQuantile(problem, load, range, quantile) / capacity);
    }
    uses.set(site, use);
    return use;
  };
}

function countHosts(problem: Problem, work: number): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const { site } of problem.copiesOf[work] ?? []) counts.set(site, (counts.get(site) ?? 0) + 1);
  return counts;
}

function round(value: number): number {
  return Math.round(value * 100) / 100 + 0;
}
