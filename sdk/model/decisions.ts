/**
 * What a plan decided about each unit and each host, with the numbers: why a copy moves or stays, and which way of
 * updating a host was taken over which others.
 *
 * Not for: the steps that follow from it (plan.ts).
 */
import type { MigrationPlan } from "./plan";
import type { Wave } from "./waves";
import type { UpdateWay } from "./update-way";

/** How a unit ends in a plan. A copy that is shed or restarted in place is skipped: it does not migrate. */
export type UnitOutcome = "moved" | "too-costly" | "skipped" | "blocked";

/**
 * What speaks for moving a unit and what it costs, in points. The score is the sum of all parts: a unit moves where it
 * is above the threshold and its costs are within the acceptable maximum. What each part means and how it is scaled:
 * providers/plan/scores/migration-score.ts.
 */
export interface MigrationScore {
  readonly score: number;
  readonly threshold: number;
  /** Sum of the costs, and the most that is accepted. */
  readonly cost: number;
  readonly maximumCost: number;
  readonly parts: MigrationParts;
}

/** Parts of a score; costs are negative. */
export interface MigrationParts {
  /** Predicted contention where the unit is, the update's own load among it. */
  readonly contention: number;
  /** What the update does to a unit that stays. */
  readonly impact: number;
  /** How freely it can be moved. */
  readonly flexibility: number;
  /** How much more room it has where it goes. */
  readonly benefit: number;
  /** State carried, by distance: least within a rack. */
  readonly transfer: number;
  /** What is warm where it is, and cold where it goes. */
  readonly cache: number;
  /** Farther from what it talks to; above 0 where nearer. */
  readonly communication: number;
}

/** A part of a score by name, in the order in which they are shown. */
export const MIGRATION_PARTS = [
  "contention",
  "impact",
  "flexibility",
  "benefit",
  "transfer",
  "cache",
  "communication",
] as const satisfies readonly (keyof MigrationParts)[];

/** What is decided about one unit: a copy, or a thread of it where its host reports threads. */
export interface UnitDecision {
  /** Replica id; `replica/thread` for a thread, which goes where its copy goes. */
  readonly unit: string;
  readonly workload: string;
  readonly host: string;
  readonly outcome: UnitOutcome;
  /** Where it goes, and in which wave. */
  readonly to?: string;
  readonly wave?: number;
  readonly migration: MigrationScore;
  readonly reason: string;
}

/** Ways of bringing a host to what is wanted, the least disruptive first. */
export const HOST_ACTIONS = [
  /** It is as wanted already. */
  "leave",
  /** What runs on it ends soon by itself, and is waited for. */
  "leave-to-end",
  /** The update disturbs nothing that runs: every copy stays. */
  "live-patch",
  /** Copies stay and are restarted one by one, as far as budgets allow. */
  "restart",
  /** Copies run on in memory and cores of their own while the rest of the host is updated. */
  "detached",
  /** Copies move with their memory while they run. */
  "live-migration",
  /** Copies are started elsewhere, or handed over, before they leave. */
  "move",
  /** A new host takes its place for good. */
  "replacement",
  /** Functions elsewhere stand in for copies. */
  "burst",
  /** Sheddable copies pause for the time of the update. */
  "degrade",
  /** It is left for another opening. */
  "defer",
] as const;

/** A way of bringing a host to what is wanted. */
export type HostAction = (typeof HOST_ACTIONS)[number];

/** What was decided about a host. */
export interface HostDecision {
  readonly host: string;
  /** Absent: blocked, nothing is possible. */
  readonly action?: HostAction;
  readonly reason: string;
  /** How it is updated, where the update gives two ways. Absent: it gives one, or the host is not updated. */
  readonly way?: UpdateWay;
  /** Less disruptive ways that were not taken, the least disruptive first; and of two ways that the update gives the other one. */
  readonly rejected: readonly { readonly action: HostAction; readonly reason: string }[];
}

/** All decisions about units of a plan: those of its moves in their order, then those of the units that stay. */
export function unitDecisions(plan: Pick<MigrationPlan, "waves" | "units">): readonly UnitDecision[] {
  return [...plan.waves.flatMap(decisionsOfWave), ...(plan.units ?? [])];
}

function decisionsOfWave({ index, moves }: Wave): UnitDecision[] {
  return moves.flatMap((move): UnitDecision[] => {
    const { migration, workload, replica: unit, from: host, to, reason } = move;
    if (!migration) return [];
    const outcome = to === undefined ? "skipped" : "moved";
    return [{ unit, workload, host, outcome, ...(to === undefined ? {} : { to }), wave: index, migration, reason }];
  });
}

/** How many units end in each way. */
export function countOutcomes(decisions: readonly UnitDecision[]): Readonly<Record<UnitOutcome, number>> {
  const counts = { moved: 0, "too-costly": 0, skipped: 0, blocked: 0 };
  for (const { outcome } of decisions) counts[outcome]++;
  return counts;
}

/** A score as `54.2 (above 12): contention 6.1, impact 40.0, ...; cost 2.1 of 25`, without parts that are 0. */
export function renderMigration({ score, threshold, cost, maximumCost, parts }: MigrationScore): string {
  const shown = MIGRATION_PARTS.flatMap((name) => (parts[name] === 0 ? [] : [`${name} ${parts[name].toFixed(1)}`]));
  const side = score > threshold ? "above" : "not above";
  const sum = shown.length === 0 ? "" : `: ${shown.join(", ")}`;
  return `score ${score.toFixed(1)} (${side} ${String(threshold)})${sum}; cost ${cost.toFixed(1)} of ${String(maximumCost)}`;
}
