/**
 * The migration score of a unit: what speaks for moving it and what it costs, in points.
 *
 * Not for: which host it goes to (targets.ts) and what follows from a score (unit-decisions.ts).
 *
 * Invariants
 * 1. The score is the sum of its parts, rounded as they are shown; more contention, more impact, more benefit never
 *    lower it, and a longer way or more state never raises it.
 * 2. Only what was observed or forecast counts: what is not known is 0.
 */
import type {
  Fleet,
  Forecast,
  HostUpdateSpec,
  MigrationParts,
  MigrationPolicy,
  MigrationScore,
} from "../../../sdk/model";
import { DEFAULT_MIGRATION } from "../../../sdk/model";

/** Most that each part can count, points. Costs can outweigh benefit and flexibility, never an update that stops it. */
export const MIGRATION_POINTS = {
  contention: 30,
  impact: 40,
  flexibility: 5,
  benefit: 25,
  transfer: 20,
  cache: 10,
  communication: 10,
} as const;

/** Contention begins here: at half of what is there, response times have doubled (M/M/1: 1 / (1 - use)). */
const CONTENTION_FROM = 0.5;
/** Transfer: GiB at which within one rack it counts 1 - 1/e of its most; zones and what lies between cost so many racks. */
const TRANSFER_GIB = 16;
const DISTANCE = { host: 0, rack: 1, zone: 2, away: 4 } as const;
/** Nearness of two copies for communication: on one host, in one rack, in one zone. */
const NEARNESS = { host: 1, rack: 0.7, zone: 0.4, away: 0 } as const;
/** Flexibility of a copy that is handed over: it pauses for it. */
const HAND_OVER_SHARE = 0.2;
/** A restart that the budget allows is over in seconds, and others carry its load. */
const RESTART_IMPACT = 0.1;
/** What the update takes of a host while nothing is known of it: a package manager keeps one core busy. */
const UNKNOWN_UPDATE_MILLIS = 1000;

const GIB = 2 ** 30;

/** How far two hosts are from each other. */
type Distance = keyof typeof DISTANCE;

/** What is done does to copies that stay on their host; `none`: there is no update. */
export type Disturbance = "none" | "nothing" | "copies" | "host" | "reboot";

/** A link between workloads that talk to each other. */
interface Link {
  readonly work: number;
  /** How much of the traffic of both it is, 0..1. */
  readonly weight: number;
}

/** What scoring needs besides the placement; made once for a plan. */
export interface ScoringFacts {
  readonly policy: MigrationPolicy;
  readonly disturbance: Disturbance;
  /** What the update itself takes of a host, P95, millicores. */
  readonly updateMillis: number;
  /** By workload: whom it talks to. */
  readonly links: readonly (readonly Link[])[];
}

/** One unit and where it might go. */
export interface ScoredUnit {
  /** Use of the fullest share on its host at the plan's quantile, 0 upwards, and of its share where it goes. */
  readonly useHere: number;
  /** Absent: no other host was looked for. */
  readonly useThere?: number;
  readonly capacityMillis: number;
  readonly exclusive: boolean;
  readonly maxPauseMs: number;
  /** Its budget allows a restart where it is. */
  readonly mayRestart: boolean;
  /** State that goes along, and memory that a copy fills; what its island has on the target. */
  readonly transferBytes: number;
  readonly memoryBytes: number;
  readonly cellMemoryBytes: number;
  readonly distance: Distance;
  /** Nearness to those it talks to, weighted, 0..1. */
  readonly nearHere: number;
  readonly nearThere: number;
}

/** Facts of an input; workloads by their index in the fleet. */
export function createScoringFacts(
  spec: HostUpdateSpec,
  fleet: Pick<Fleet, "workloads">,
  forecast: Pick<Forecast, "impact" | "dependencies">,
): ScoringFacts {
  const index = new Map(fleet.workloads.map(({ name }, work) => [name, work]));
  const links: Link[][] = fleet.workloads.map(() => []);
  for (const { caller, called, share } of forecast.dependencies ?? []) {
    const [from, to] = [index.get(caller), index.get(called)];
    if (from === undefined || to === undefined || from === to) continue;
    links[from]?.push({ work: to, weight: share });
    links[to]?.push({ work: from, weight: share });
  }
  return {
    policy: spec.migration ?? DEFAULT_MIGRATION,
    disturbance: disturbanceOf(spec),
    updateMillis: spec.rebalance ? 0 : updateMillisOf(forecast),
    links,
  };
}

/** What the update of a spec does in place to what stays on a host. */
export function disturbanceOf({ rebalance, update }: Pick<HostUpdateSpec, "rebalance" | "update">): Disturbance {
  if (rebalance) return "none";
  return update.reboot ? "reboot" : (update.disturbs ?? "host");
}

function updateMillisOf({ impact }: Pick<Forecast, "impact">): number {
  if (!impact) return UNKNOWN_UPDATE_MILLIS;
  return Math.max(0, ...impact.parts.map(({ cpuMillis }) => cpuMillis.p95));
}

/** The score of a unit. */
export function scoreMigration(
  facts: Pick<ScoringFacts, "policy" | "disturbance" | "updateMillis">,
  unit: ScoredUnit,
): MigrationScore {
  const points = MIGRATION_POINTS;
  const isUpdated = facts.disturbance !== "none";
  const updateShare = isUpdated && unit.capacityMillis > 0 ? Math.min(1, facts.updateMillis / unit.capacityMillis) : 0;
  const use = unit.useHere + updateShare;
  const isGoing = unit.useThere !== undefined;
  const parts: MigrationParts = {
    contention: round(points.contention * within((use - CONTENTION_FROM) / (1 - CONTENTION_FROM))),
    impact: round(points.impact * impactShare(facts.disturbance, unit.mayRestart)),
    flexibility: round(points.flexibility * flexibilityOf(unit)),
    benefit: isGoing ? round(points.benefit * within(unit.useHere - (unit.useThere ?? 0), -1)) : 0,
    transfer: isGoing ? cost(points.transfer * transferShare(unit)) : 0,
    cache:
      isGoing && unit.cellMemoryBytes > 0 ? cost(points.cache * within(unit.memoryBytes / unit.cellMemoryBytes)) : 0,
    communication: isGoing ? round(points.communication * within(unit.nearThere - unit.nearHere, -1)) : 0,
  };
  const { policy } = facts;
  const { contention, impact, flexibility, benefit, transfer, cache, communication } = parts;
  return {
    score: round(contention + impact + flexibility + benefit + transfer + cache + communication),
    threshold: policy.threshold,
    cost: round(Math.max(0, -(transfer + cache + communication))),
    maximumCost: policy.maximumCost,
    parts,
  };
}

/** How far two hosts are apart. */
export function distanceOf(
  from: { readonly id: string; readonly rack: string; readonly zone: string },
  to: { readonly id: string; readonly rack: string; readonly zone: string },
): Distance {
  if (from.id === to.id) return "host";
  if (from.zone !== to.zone) return "away";
  return from.rack === to.rack ? "rack" : "zone";
}

/** Nearness of a distance, 0..1. */
export function nearnessOf(distance: Distance): number {
  return NEARNESS[distance];
}

function impactShare(disturbance: Disturbance, mayRestart: boolean): number {
  switch (disturbance) {
    case "none":
    case "nothing":
      // What it takes of the CPU counts as contention.
      return 0;
    case "copies":
      return mayRestart ? RESTART_IMPACT : 1;
    case "host":
    case "reboot":
      return 1;
  }
}

function flexibilityOf({ exclusive, maxPauseMs }: ScoredUnit): number {
  if (!exclusive) return 1;
  return maxPauseMs > 0 ? HAND_OVER_SHARE : 0;
}

function transferShare({ transferBytes, distance }: ScoredUnit): number {
  return 1 - Math.exp((-transferBytes * DISTANCE[distance]) / (TRANSFER_GIB * GIB));
}

function within(value: number, least = 0): number {
  return Math.min(1, Math.max(least, value));
}

function cost(points: number): number {
  return 0 - round(points);
}

/** To a hundredth, and never -0: the last bits of a float decide nothing. */
function round(value: number): number {
  return Math.round(value * 100) / 100 + 0;
}
