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

import { peaksAtStart } from "../capacity";
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
  const hosts = new Map<number, ReadonlyMap<number, number>>();
  const hostsOf = (work: number): ReadonlyMap<number, number> => {
    let counts = hosts.get(work);
    if (!counts) hosts.set(work, (counts = countHosts(problem, work)));
    return counts;
  };
  const stays = problem.copies.filter(({ id, site, work }) => {
    const island = problem.works[work]?.workload.island;
    return !moved.has(id) && problem.sites[site]?.host.role === "member" && island !== undefined && islands.has(island);
  });
  const uses = createUses(problem, quantile, new Set(stays.map(({ site }) => site)));
  const staying = stays.map((copy): UnitDecision => {
    const host = problem.sites[copy.site]?.host.id ?? "";
    const scored = scoreStaying(problem, copy, uses[copy.site] as number, hostsOf);
    const { outcome, reason, migration = scored } = judge(copy, host, scored);
    const workload = problem.works[copy.work]?.workload.name ?? "";
    return { unit: copy.id, workload, host, outcome, migration, reason };
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

/** Use of the fullest share of each of these hosts over the whole time, with every copy where it is at the beginning. */
function createUses(problem: Problem, quantile: number, sites: ReadonlySet<number>): Float64Array {
  const uses = new Float64Array(problem.sites.length);
  const peaks = peaksAtStart(problem, quantile, sites);
  problem.cells.forEach(({ site, cpuMillis }, cell) => {
    if (cpuMillis > 0) uses[site] = Math.max(uses[site] as number, (peaks[cell] as number) / cpuMillis);
  });
  return uses;
}

function countHosts(problem: Problem, work: number): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const { site } of problem.copiesOf[work] ?? []) counts.set(site, (counts.get(site) ?? 0) + 1);
  return counts;
}

function round(value: number): number {
  return Math.round(value * 100) / 100 + 0;
}
