/**
 * Where a copy can go: every host judged, the possible ones by score, the others with why not.
 *
 * Not for: changing the placement; the search of a wave does that (wave-search.ts).
 *
 * Invariant: order depends on nothing but the input; equal scores go by host id.
 */
import type { TargetScore } from "../../sdk/model";

import { describeRefusal } from "./explain";
import { OUT_OF_REACH, type Assessment, type Placement } from "./placement";
import { mayReach } from "./place-rules";
import type { Copy, Problem } from "./problem";

/**
 * How the room on a host counts. `balanced` prefers hosts that stay light, which is kinder to latency; `tight`
 * prefers hosts that become full, which leaves large holes for large copies and so finds plans where the former
 * does not (best fit, Johnson 1974).
 */
export type FitStyle = "balanced" | "tight";

/** A host that can take a copy. */
export interface Target {
  readonly site: number;
  /** True when the host has yet to be updated itself. */
  readonly pending: boolean;
  readonly score: number;
  readonly assessment: Assessment;
}

/** A host that was searched for, and what for: that all copies find room, or that they cost less together. */
export interface Goal {
  readonly site: number;
  readonly why: "room" | "cost";
}

/** All hosts judged for one copy: possible ones first by score. */
export interface TargetList {
  /** The best ones, highest score first. */
  readonly targets: readonly Target[];
  /** How many hosts are possible in all. */
  readonly possible: number;
  /** See `TargetQuery.goal`. */
  readonly goal?: Goal;
  readonly refused: readonly { readonly site: number; readonly assessment: Assessment }[];
  /** Named parts of a target's score. */
  readonly partsOf: (target: Target) => ScoreParts;
}

/** Parts of a score; they sum to it. */
export type ScoreParts = Readonly<Record<keyof typeof SCORE_WEIGHTS, number>>;

/** Where a copy comes from and where it was at the run's start. */
export interface TargetQuery {
  readonly copy: Copy;
  /** Weight that the new copy gets. */
  readonly weight: number;
  readonly style: FitStyle;
  /** Host that the copy should return to, in a failback. */
  readonly home?: number;
  /** The only host that comes into question. */
  readonly only?: number;
  /** Host that the placement search has chosen for it: where possible it is the first. */
  readonly goal?: Goal;
  /** True in a failback: then no copy goes to a standby host. */
  readonly membersOnly?: boolean;
  /** In a wave in which hosts follow each other: whether one of it comes into question at this time. @default all do */
  readonly isReady?: (site: number) => boolean;
  /** Hosts of an island that come into question, the emptiest ones first. @default all, in no order */
  readonly sitesOf?: (island: number) => Int32Array;
  /** When a host that has yet to be updated has its turn, 0..1: the later, the longer a copy may stay. @default 0 */
  readonly turnOf?: (site: number) => number;
  /** How likely the copy's lane waits for that of a host, 0..1: it was through just before, or is not yet. @default 0 */
  readonly waitOf?: (site: number) => number;
}

/**
 * Highest value of each part of a score (lowest of `risk`, which doubles with the share of paths, and of `wait`). The order
 * of their sizes is the order of what matters: paths over capacity are spent last, since a later wave may need them; a
 * second move of the same copy costs more than a wait for another lane, that more than an uneven zone, that more than the
 * fit, that more than a transfer between racks.
 */
export const SCORE_WEIGHTS = {
  home: 60,
  updated: 40,
  turn: 24,
  wait: -24,
  zone: 20,
  cpu: 12,
  memory: 6,
  rack: 4,
  risk: -80,
} as const;
/** The highest score of a host that is not a copy's home. */
export const HIGHEST_SCORE =
  SCORE_WEIGHTS.updated + SCORE_WEIGHTS.zone + SCORE_WEIGHTS.cpu + SCORE_WEIGHTS.memory + SCORE_WEIGHTS.rack;
/** A standby host's part of `updated`: the copy has to move once more, but not through another wave. */
const STANDBY_SHARE = 0.25;
const SCORE_DIGITS = 100;
/** How many targets a search goes through for one copy: the tries are better spent on other copies. */
const KEPT_IN_SEARCH = 16;
/** How many of the others are kept with a move; of very large fleets fewer, for they are most of what a plan holds. */
const KEPT_TARGETS = 3;
const KEPT_TARGETS_OF_MANY = 1;
const MANY_HOSTS = 1_000;
const KEPT_REFUSALS = 3;

/** Up to so many hosts each is judged for each copy; of more, a shortlist. */
const EVERY_HOST_UP_TO = 64;
/** Hosts of the island beside those of the rack that a shortlist is made of, and how many are on it. */
const GLANCED_AT = 64;
const SHORTLISTED = 8;
/** Of sorted hosts: how many are looked at until one is possible. */
const SORTED_GLANCED_AT = 256;

/** Judges hosts for a copy: all of them, or in large fleets the most promising ones and all only when none can take it. */
export function findTargets(problem: Problem, placement: Placement, query: TargetQuery): TargetList {
  const zones = copiesPerZone(problem, placement, query.copy);
  const judge = (sites?: ArrayLike<number>): TargetList => judgeSites(problem, placement, query, zones, sites);
  if (query.only !== undefined) return judge([query.only]);
  if (query.goal !== undefined) return goalFirst(judge(), judge([query.goal.site]), query.goal);
  if (problem.sites.length <= EVERY_HOST_UP_TO) return judge();
  const promising = judge(shortlist(problem, placement, query, zones, false));
  if (promising.targets.length > 0) return promising;
  const list = judge(shortlist(problem, placement, query, zones, true));
  // Why no host can take it matters where nothing else can be tried; where hosts follow each other the next one is.
  if (list.targets.length > 0 || query.isReady) return list;
  return judge();
}

/** All targets with the one that was searched for before the others, where it is possible. */
function goalFirst(all: TargetList, { targets }: TargetList, goal: Goal): TargetList {
  return { ...all, targets: [...targets, ...all.targets.filter(({ site }) => site !== goal.site)], goal };
}

/** Judges every host for a copy, and keeps every one that is possible. */
export function findAllTargets(problem: Problem, placement: Placement, query: TargetQuery): TargetList {
  const zones = copiesPerZone(problem, placement, query.copy);
  return judgeSites(problem, placement, query, zones, undefined, Number.POSITIVE_INFINITY);
}

/**
 * The possible hosts with the highest scores: of the rack, and of a part of the island that begins at another place
 * for each workload, so that not all copies see the same hosts; of all of the island where none of those is possible.
 * @param isSure true: only hosts that are possible on all paths; else those that seem to be
 */
function shortlist(
  problem: Problem,
  placement: Placement,
  query: TargetQuery,
  zones: ZoneCounts,
  isSure: boolean,
): Int32Array {
  const { copy } = query;
  const { zoneOf, rackOf, isStandby } = problem.columns;
  const island = problem.works[copy.work]?.island ?? -1;
  const ofIsland = query.sitesOf?.(island) ?? problem.sitesOfIsland[island] ?? new Int32Array();
  const glance = placement.glanceFor(copy.work, query.weight);
  const weights = SCORE_WEIGHTS;
  const rack = rackOf[copy.site];
  const zoneScores = Float64Array.from(zones.counts, (_, zone) => weights.zone * (1 - shareOfZone(zones, zone)));
  const sites = new Int32Array(SHORTLISTED);
  const scores = new Float64Array(SHORTLISTED);
  let count = 0;
  // Of sites that are sorted with the emptiest ones first, the start is among those; where the emptiest ones have no
  // room for it, fuller ones have none either.
  const isSorted = query.sitesOf !== undefined;
  const starts = isSorted ? (isSure ? 1 : ofIsland.length >> 1) : ofIsland.length;
  const mates = problem.rackMates[copy.site] ?? NO_SITES;
  const from = (copy.work * 7919) % Math.max(1, starts);
  const most = mates.length + (isSorted ? Math.min(SORTED_GLANCED_AT, ofIsland.length) : ofIsland.length);
  for (let index = 0; index < most; index++) {
    if (index - mates.length >= GLANCED_AT && count > 0) break;
    const site = (
      index < mates.length ? mates[index] : ofIsland[(from + index - mates.length) % ofIsland.length]
    ) as number;
    if (site === copy.site || !glance.isOpenAt(site) || !isAsked(problem, placement, query, site)) continue;
    const known =
      (site === query.home ? weights.home : 0) +
      (placement.isPending(site)
        ? weights.turn * (query.turnOf?.(site) ?? 0)
        : weights.updated * (isStandby[site] === 1 ? STANDBY_SHARE : 1) + weights.wait * (query.waitOf?.(site) ?? 0)) +
      (zoneScores[zoneOf[site] as number] as number);
    const ofRack = rackOf[site] === rack ? weights.rack : 0;
    // What all the room in the world would not bring onto the list is not looked at more closely.
    const least = count === SHORTLISTED ? (scores[count - 1] as number) : Number.NEGATIVE_INFINITY;
    if (least >= known + weights.cpu + weights.memory + ofRack) continue;
    const withCpu = known + weights.cpu * roomScore(glance.cpuShareAt(site), query.style);
    if (least >= withCpu + weights.memory + ofRack) continue;
    if (!mayReach(problem.rules, copy, site) || !glance.at(site)) continue;
    const score = withCpu + weights.memory * roomScore(glance.memoryShare, query.style) + ofRack;
    if (least >= score || has(sites, count, site)) continue;
    if (isSure && !glance.isSureAt(site)) continue;
    let at = count < SHORTLISTED ? count++ : count - 1;
    for (; at > 0 && (scores[at - 1] as number) < score; at--) {
      scores[at] = scores[at - 1] as number;
      sites[at] = sites[at - 1] as number;
    }
    scores[at] = score;
    sites[at] = site;
  }
  return sites.subarray(0, count);
}

const NO_SITES = new Int32Array();

function has(sites: Int32Array, count: number, site: number): boolean {
  for (let at = 0; at < count; at++) if (sites[at] === site) return true;
  return false;
}

function isAsked(problem: Problem, placement: Placement, query: TargetQuery, site: number): boolean {
  if (query.membersOnly && problem.columns.isStandby[site] === 1) return false;
  return !((placement.isVacated(site) || placement.isPending(site)) && query.isReady?.(site) === false);
}

/** Judges these sites. @param sites absent: all */
function judgeSites(
  problem: Problem,
  placement: Placement,
  query: TargetQuery,
  zones: ZoneCounts,
  sites?: ArrayLike<number>,
  mostKept = KEPT_IN_SEARCH,
): TargetList {
  const targets: Target[] = [];
  const refused: { readonly site: number; readonly assessment: Assessment }[] = [];
  let possible = 0;
  const count = sites?.length ?? problem.sites.length;
  for (let index = 0; index < count; index++) {
    const site = sites ? (sites[index] as number) : index;
    if (site === query.copy.site || !placement.isUsable(site) || !isAsked(problem, placement, query, site)) continue;
    const assessment = mayReach(problem.rules, query.copy, site)
      ? placement.assess(query.copy.work, site, query.weight)
      : OUT_OF_REACH;
    if (assessment.refusal !== undefined) {
      refused.push({ site, assessment });
      continue;
    }
    const pending = placement.isPending(site);
    const parts = scoreParts(problem, site, pending, assessment, query, zones);
    possible++;
    keepBest(targets, { site, pending, assessment, score: sumOfParts(parts) }, mostKept);
  }
  return {
    targets,
    possible,
    refused,
    partsOf: ({ site, pending, assessment }) => scoreParts(problem, site, pending, assessment, query, zones),
  };
}

/** The scores that are kept with a move: the chosen host, the best others, and the nearest refused ones. */
export function renderScores(problem: Problem, list: TargetList, chosen: Target | undefined): TargetScore[] {
  const hostOf = (site: number): string => problem.sites[site]?.host.id ?? "";
  const kept = problem.sites.length > MANY_HOSTS ? KEPT_TARGETS_OF_MANY : KEPT_TARGETS;
  const others = list.targets.filter((target) => target !== chosen).slice(0, kept);
  const refused = list.refused
    .map(({ site, assessment }) => ({ site, assessment, rank: refusalRank(assessment) }))
    .sort((a, b) => a.rank - b.rank || a.site - b.site)
    .slice(0, KEPT_REFUSALS);
  return [
    ...[...(chosen ? [chosen] : []), ...others].map((target) => ({
      host: hostOf(target.site),
      score: target.score,
      parts: { ...list.partsOf(target) },
    })),
    ...refused.map(({ site, assessment }) => ({
      host: hostOf(site),
      score: 0,
      parts: {},
      rejected: describeRefusal(problem, site, assessment),
    })),
  ];
}

/** Puts a target where its score belongs; of equal ones the first stays first. */
function keepBest(targets: Target[], target: Target, most: number): void {
  const last = targets[targets.length - 1];
  if (targets.length === most && last && last.score >= target.score) return;
  if (targets.length === most) targets.pop();
  let at = targets.length;
  while (at > 0 && (targets[at - 1] as Target).score < target.score) at--;
  targets.splice(at, 0, target);
}

function scoreParts(
  problem: Problem,
  site: number,
  pending: boolean,
  assessment: Pick<Assessment, "cpuShare" | "memoryShare" | "newOverPaths">,
  query: TargetQuery,
  zones: ZoneCounts,
): ScoreParts {
  const { rackOf, zoneOf, isStandby } = problem.columns;
  const weights = SCORE_WEIGHTS;
  const style = query.style;
  const shared = shareOfZone(zones, zoneOf[site] as number);
  const wait = pending ? 0 : (query.waitOf?.(site) ?? 0);
  const risk = assessment.newOverPaths / Math.max(1, problem.demand.paths.length);
  return {
    home: site === query.home ? weights.home : 0,
    updated: round(weights.updated * (pending ? 0 : isStandby[site] === 1 ? STANDBY_SHARE : 1)),
    turn: pending ? round(weights.turn * (query.turnOf?.(site) ?? 0)) : 0,
    wait: wait === 0 ? 0 : round(weights.wait * wait),
    zone: round(weights.zone * (1 - shared)),
    cpu: round(weights.cpu * roomScore(assessment.cpuShare, style)),
    memory: round(weights.memory * roomScore(assessment.memoryShare, style)),
    rack: rackOf[site] === rackOf[query.copy.site] ? weights.rack : 0,
    risk: risk === 0 ? 0 : round(weights.risk * (1 + risk)),
  };
}

/** Scores are shown to people and compared: rounded, so that the last bits of a float decide nothing. */
function round(value: number): number {
  return Math.round(value * SCORE_DIGITS) / SCORE_DIGITS;
}

function sumOfParts(parts: ScoreParts): number {
  const { home, updated, turn, wait, zone, cpu, memory, rack, risk } = parts;
  return round(home + updated + turn + wait + zone + cpu + memory + rack + risk);
}

function roomScore(share: number, style: FitStyle): number {
  const used = Math.min(1, Math.max(0, share));
  return style === "balanced" ? 1 - used : used;
}

/** Other copies of a workload by number of the zone. */
interface ZoneCounts {
  readonly counts: Int32Array;
  readonly total: number;
}

function copiesPerZone({ columns }: Problem, placement: Placement, copy: Copy): ZoneCounts {
  const counts = new Int32Array(columns.zones);
  let total = 0;
  for (const [site, count] of placement.hostsOf(copy.work)) {
    const others = site === copy.site ? count - 1 : count;
    const zone = columns.zoneOf[site] as number;
    counts[zone] = (counts[zone] as number) + others;
    total += others;
  }
  return { counts, total };
}

function shareOfZone({ counts, total }: ZoneCounts, zone: number): number {
  return total === 0 ? 0 : (counts[zone] as number) / total;
}

/** What a reader wants to know first: where room was nearly enough, then rules, then hosts that never came up. */
function refusalRank(assessment: Assessment): number {
  switch (assessment.refusal) {
    case "cpu":
    case "memory":
      return Math.max(assessment.worstCpuShare, assessment.memoryShare);
    case "devices":
    case "requests":
      return 1e2;
    case "copies":
    case "apart":
      return 1e3;
    case "leaving":
      return 1e4;
    case "closed":
      return 1e5;
    default:
      return 1e6;
  }
}
