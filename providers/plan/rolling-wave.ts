/**
 * A wave in which hosts follow each other: each is emptied onto those that are updated by then, so that most copies
 * move once, straight to where nothing is left to update, and else onto those whose turn comes last.
 *
 * Not for: narrow waves, whose hosts go all at once (waves.ts).
 *
 * Invariants
 * 1. A copy goes to a host that is updated in the wave only behind that host's lane, so that its old copies are gone in
 *    every order; a host that got copies begins behind the lanes that they came from.
 * 2. Lanes wait only for lanes that stand before them: there is no circle.
 * 3. A lane that pauses a workload comes after those before it that pause one that it calls or that calls it.
 */
import type { DurationQuantiles, WaveLanes } from "../../sdk/model";

import { isPausing } from "./dependency-order";
import { LaneClock, lanesAhead, limitsOfHost, meanDuration, placesOf, type LaneDuration } from "./lanes";
import { byHostLeft, expectedTransferTime, transferTimes } from "./links";
import type { Placement } from "./placement";
import type { Problem } from "./problem";
import type { ScheduleContext } from "./schedule";
import { taskOf } from "./stay";
import { searchRefined } from "./wave-refinement";
import type { PlacedMove, SearchOptions } from "./wave-search";

/** Waves narrower than this go all at once: few hosts hold each other up little, and planning anew is worth more. */
export const ROLLING_FROM = 4;
/** How long a wave is, rounded to rounds of hosts: after it everything is planned anew from fresh metrics. */
const WAVE_MS = 60 * 60_000;
const FEWEST_ROUNDS = 2;
/** A wave may be longer by this factor where it is the last. */
const LONGEST = 1.5;
/** Times of lanes beyond the mean that the end of a wave may take. */
const SPARE = 1.15;

/** Rules of thumb by which lanes are put together. None is the best for every fleet. */
export interface LaneRules {
  /** Hosts of a group that come in so many next rounds get no copies where others can: they would have to wait for them. */
  readonly keptFreeRounds: number;
  /** Times of lanes that a host which got copies is planned to come after the lanes they came from, for those may be late. */
  readonly lateLanes: number;
}

/** Rules that were worth trying on generated fleets, the usual ones first. */
export const LANE_RULES: readonly [LaneRules, ...LaneRules[]] = [
  { keptFreeRounds: 1, lateLanes: 0.5 },
  { keptFreeRounds: 1.5, lateLanes: 1 },
  { keptFreeRounds: 1, lateLanes: 1.5 },
];

/** Settings of the search for a wave of lanes. */
export interface RollingOptions extends SearchOptions {
  readonly rules: LaneRules;
  /** Time that there is for lanes with places, ms. */
  readonly mostMs: number;
}

/** A wave of lanes. */
export interface RollingWave {
  readonly sites: readonly number[];
  /** In the order of their lanes. */
  readonly hosts: readonly string[];
  readonly moves: readonly PlacedMove[];
  readonly lanes: WaveLanes;
  /** By host: hosts whose lanes come before. */
  readonly after: ReadonlyMap<string, readonly string[]>;
  readonly transferMs: ReadonlyMap<string, number>;
}

/**
 * Rounds of hosts in a wave; a rest that is too short for a wave of its own belongs to the one before.
 * @param mostMs time that there is for lanes with places; where not even one round fits, it does not count
 */
function roundsOf({ placed }: LaneDuration, hosts: number, width: number, mostMs: number): number {
  const roundMs = Math.max(1, meanDuration(placed));
  const wanted = Math.max(FEWEST_ROUNDS, Math.floor(WAVE_MS / roundMs));
  const rounds = Math.ceil(hosts / width);
  const whole = rounds <= LONGEST * wanted ? rounds : wanted;
  const fitting = Math.floor(mostMs / (SPARE * roundMs));
  return fitting < 1 ? whole : Math.min(whole, fitting);
}

/** Upper bound of the time of a wave of lanes of which `hosts` are left. */
export function rollingTime(
  lane: LaneDuration,
  hosts: number,
  width: number,
  mostMs = Number.POSITIVE_INFINITY,
): DurationQuantiles {
  const { ahead, placed, soakMs } = lane;
  const lanesMs = roundsOf(lane, hosts, width, mostMs) * meanDuration(placed) * SPARE;
  const p50Ms = Math.ceil(lanesMs + meanDuration(ahead) + soakMs);
  return { p50Ms, p95Ms: p50Ms + 2 * (placed.p95Ms - placed.p50Ms) };
}

/** Time that an opening leaves for lanes with places, with what comes before and after them at P95, and their undoing. */
export function timeForLanes({ ahead, placed, soakMs }: LaneDuration, leftMs: number, undoMs: number): number {
  return leftMs - undoMs - ahead.p95Ms - soakMs - 2 * (placed.p95Ms - placed.p50Ms);
}

/** Finds a wave of lanes, or undefined when not even its first hosts can be emptied. */
export function findRollingWave(
  context: ScheduleContext,
  placement: Placement,
  order: readonly number[],
  lane: LaneDuration,
  options: RollingOptions,
): RollingWave | undefined {
  const wave = new WaveInProgress(context, placement, order, lane, options);
  wave.fill();
  return wave.result();
}

/**
 * Hosts of a group that wait for their turn are looked at until one can begin at once; at most so many, or of more hosts
 * at once so many rounds: nearly all of those that got copies from lanes under way have to wait, and are a round or so.
 */
const LOOKED_AT = 64;
const ROUNDS_LOOKED_AT = 1.25;
/** An island's hosts go in so many parts: those of one leave before those of the one before the last are needed. */
const FLOW_PARTS = 6;
/** From so many hosts on, those that come into question are listed so many times in the time of a lane. */
const LISTED_FROM = 256;
const LISTS_PER_LANE = 20;
/** Shares of cells that differ by less are sorted by host. */
const SHARE_GRAIN = 1e-6;
/** Rounds that a group may have less than all hosts before its hosts come first. */
const URGENT_ROUNDS = 0.5;
/** Searches with ever later targets for a host that finds no room; after the last one it is left to another wave. */
const MOST_SEARCHES = 6;
/**
 * Times of lanes that a host has to be ready before a copy comes, so that the lane of that copy surely does not wait for it:
 * lanes take twice as long now and then, and a lane waits for the last of all hosts that its copies go to.
 */
const SURELY_READY = 3;
/** Lanes that a lane waits for behind others that are expected to be ready so many lanes too late, at most. */
const MOST_LATE = 1;

/** A wave that is being put together: hosts get lanes in the order in which they begin. */
class WaveInProgress {
  private readonly sites: number[] = [];
  private readonly moves: PlacedMove[] = [];
  private readonly uses = new Map<string, readonly string[]>();
  private readonly after = new Map<string, readonly string[]>();
  private readonly clock: LaneClock;
  /** From a host's cordon until it works again, as expected; before that its copies come elsewhere; after it it soaks. */
  private readonly laneMs: number;
  private readonly aheadMs: number;
  private readonly soakMs: number;
  private readonly untilMs: number;
  /** By site: when its lane is through, soak included, as expected. */
  private readonly readyAt: Float64Array;
  /** By site: before this time it would have to wait for lanes that sent copies to it. */
  private readonly notBefore: Float64Array;
  private readonly turns: Float64Array;
  /** By site: its place in its group at first. */
  private readonly ranks: Float64Array;
  private readonly searches: Uint8Array;
  /** By host that has yet to come: hosts of the wave that have sent copies to it. */
  private readonly sources = new Map<number, number[]>();
  /** By workload that pauses in the wave: the hosts that it leaves. */
  private readonly paused = new Map<string, readonly number[]>();
  private readonly limits: (Int32Array | undefined)[] = [];
  private readonly allHosts: Int32Array;
  /** By island: hosts that come into question until a time. */
  private listed: readonly Int32Array[] = [];
  private listedUntilMs = 0;
  private readonly groups: readonly HostGroup[];
  private readonly flows: ReadonlyMap<HostGroup, Int32Array>;
  private readonly places: number;
  private leftCount: number;
  private transfersMs = 0;

  constructor(
    private readonly context: ScheduleContext,
    private readonly placement: Placement,
    order: readonly number[],
    lane: LaneDuration,
    private readonly options: RollingOptions,
  ) {
    const { problem, input } = context;
    const width = input.spec.limits.hostsAtOnce;
    // A host that soaks works again: it holds no place, but what waits for it waits for its soak.
    this.soakMs = lane.soakMs;
    this.laneMs = Math.max(1, meanDuration(lane.placed));
    this.aheadMs = meanDuration(lane.ahead);
    const rounds = roundsOf(lane, order.length, width, options.mostMs);
    const isLast = rounds * width >= order.length;
    this.untilMs = isLast ? Number.POSITIVE_INFINITY : rounds * this.laneMs * SPARE;
    this.groups = groupHosts(problem, order);
    this.ranks = new Float64Array(problem.sites.length).fill(Number.POSITIVE_INFINITY);
    for (const { left } of this.groups) left.forEach((site, rank) => (this.ranks[site] = rank));
    const flows = new Map(this.groups.map(({ flow, atOnce }) => [flow, atOnce]));
    this.clock = new LaneClock((name) => flows.get(name) ?? placesOf(context, name));
    this.allHosts = this.clock.numberLimits(["hosts"]);
    this.flows = new Map(this.groups.map((group) => [group, this.clock.numberLimits([group.flow])]));
    this.readyAt = new Float64Array(problem.sites.length);
    this.notBefore = new Float64Array(problem.sites.length);
    this.turns = turnsOf(problem, order);
    this.searches = new Uint8Array(problem.sites.length);
    this.places = width;
    this.leftCount = order.length;
  }

  fill(): void {
    for (let next = this.nextHost(); next; next = this.nextHost()) this.tryHost(next.group, next.at);
    this.placement.setLeaving(new Set());
  }

  result(): RollingWave | undefined {
    if (this.sites.length === 0) return undefined;
    const names = new Set([...this.uses.values()].flat());
    const limits = Object.fromEntries([...names].sort().map((name) => [name, placesOf(this.context, name)]));
    const ahead = lanesAhead(limits);
    const { problem, input } = this.context;
    const places = limits["hosts"] ?? this.sites.length;
    const shared = {
      atOnce: places + (ahead["hosts"] ?? 0),
      waveMs: (this.sites.length / places) * this.laneMs,
    };
    return {
      sites: this.sites,
      hosts: this.sites.map((site) => this.hostOf(site)),
      moves: this.moves,
      lanes: { limits, ahead, uses: Object.fromEntries(this.uses) },
      after: this.after,
      transferMs: transferTimes(problem, input.fleet, byHostLeft(this.moves), shared),
    };
  }

  /**
   * Who can begin when the next place is free: of a group that takes all the time that is left before others, and of
   * groups of which not many hosts are under way before others; else who can begin soonest.
   */
  private nextHost(): { readonly group: HostGroup; readonly at: number } | undefined {
    const nowMs = this.clock.earliest(this.allHosts);
    const rounds = this.leftCount / this.places;
    const most = Math.max(LOOKED_AT, Math.ceil(ROUNDS_LOOKED_AT * this.places));
    let best: { readonly group: HostGroup; readonly at: number } | undefined;
    let bestRank = Number.POSITIVE_INFINITY;
    let bestMs = Number.POSITIVE_INFINITY;
    for (const group of this.groups) {
      if (group.left.length === 0) continue;
      const isFlowing = this.clock.earliest(this.flowOf(group)) <= nowMs;
      const isUrgent = group.left.length / group.atOnce > rounds - URGENT_ROUNDS;
      for (let at = 0; at < Math.min(most, group.left.length); at++) {
        const startMs = Math.max(nowMs, this.startOf(group.left[at] as number));
        const rank = startMs > nowMs ? 3 : !isFlowing ? 2 : isUrgent ? 0 : 1;
        if (rank > bestRank || (rank === bestRank && (rank < 3 || startMs >= bestMs))) continue;
        best = { group, at };
        bestRank = rank;
        bestMs = startMs;
        if (rank < 3) break;
      }
      if (bestRank === 0) break;
    }
    return best;
  }

  /** When a host can be cordoned at the soonest; its copies come elsewhere before. */
  private startOf(site: number): number {
    return Math.max(this.clock.earliest(this.limitsOf(site)), this.notBefore[site] as number);
  }

  private tryHost(group: HostGroup, at: number): void {
    const { context, placement, laneMs } = this;
    const { rules } = this.options;
    const site = group.left[at] as number;
    const startMs = this.startOf(site);
    if (startMs + laneMs > this.untilMs) {
      this.remove(group, at);
      return;
    }
    const search = this.searches[site] as number;
    // A lane takes the longer or shorter; behind hosts that were ready long before it does not wait.
    const aheadMs = startMs - this.aheadMs - this.meanTransferMs();
    // Nor does it wait for long where it may come later: lanes that were begun last are the emptiest, and would all wait
    // for each other. The last time any wait is better than another wave.
    const isLast = search === MOST_SEARCHES - 1;
    const byMs = isLast ? Number.POSITIVE_INFINITY : aheadMs + Math.min(search - 1, MOST_LATE) * laneMs;
    placement.setLeaving(new Set([site]));
    const tasks = placement.copiesAt(site).map(taskOf);
    const isReady = (target: number): boolean =>
      placement.isPending(target)
        ? search > 0 || (this.ranks[target] as number) >= group.begun + rules.keptFreeRounds * group.atOnce
        : (this.readyAt[target] as number) <= byMs;
    // A copy stays the longer on a host that has yet to be updated, the more hosts come before that one.
    const turn = this.sites.length / this.turns.length;
    const turnOf = (target: number): number => Math.max(0, (this.turns[target] as number) - turn);
    const surelyMs = SURELY_READY * laneMs;
    const waitOf = (target: number): number => {
      const readyMs = this.readyAt[target] as number;
      return readyMs === 0 ? 0 : Math.min(1, Math.max(0, 1 - (aheadMs - readyMs) / surelyMs));
    };
    const sitesOf = search === 0 ? this.sitesNow(startMs, isReady) : {};
    const refine = this.options.refine && {
      ...this.options.refine,
      within: (moves: readonly PlacedMove[]) => this.hostsOfNoWait(site, startMs, moves, waitOf),
    };
    const of = { ...this.options, ...(refine ? { refine } : {}), ...sitesOf, isReady, turnOf, waitOf };
    const result = searchRefined(context.problem, placement, tasks, of);
    if ("stuck" in result) {
      this.searches[site] = search + 1;
      if (search + 1 >= MOST_SEARCHES) this.remove(group, at);
      else this.notBefore[site] = startMs + laneMs;
      return;
    }
    this.remove(group, at);
    this.begin(group, site, startMs, result.moves);
  }

  /** Hosts that come into question at a time, listed anew now and then: it changes with each lane, but little. */
  private sitesNow(
    startMs: number,
    isReady: (site: number) => boolean,
  ): { readonly sitesOf?: (island: number) => Int32Array } {
    const { problem } = this.context;
    if (problem.sites.length < LISTED_FROM) return {};
    if (this.listed.length === 0 || startMs >= this.listedUntilMs) {
      this.listedUntilMs = startMs + this.laneMs / LISTS_PER_LANE;
      const { placement } = this;
      this.listed = problem.sitesOfIsland.map((sites, island) => {
        const isListed = (site: number): boolean =>
          !(placement.isPending(site) || placement.isVacated(site)) || isReady(site);
        return sortByShare(sites.filter(isListed), problem.sites.length, (site) =>
          placement.shareOfCell(problem.cellAt[site * problem.islands.length + island] ?? -1),
        );
      });
    }
    return { sitesOf: (island) => this.listed[island] ?? new Int32Array() };
  }

  /** Hosts that copies of a lane may go to as well without that any lane waits for another one that it would not wait for else. */
  private hostsOfNoWait(
    site: number,
    startMs: number,
    found: readonly PlacedMove[],
    waitOf: (site: number) => number,
  ): (target: number) => boolean {
    const { nextMs } = this.laneOf(site, startMs, found);
    return (target) =>
      this.placement.isPending(target) ? (this.notBefore[target] as number) >= nextMs : waitOf(target) === 0;
  }

  /** A lane with what was found: hosts of the wave that come before, its end, and when those come that get its copies. */
  private laneOf(
    site: number,
    startMs: number,
    found: readonly PlacedMove[],
  ): { readonly before: readonly number[]; readonly extraMs: number; readonly endMs: number; readonly nextMs: number } {
    const { context, placement, soakMs, laneMs, aheadMs } = this;
    const before = [
      ...found.map(({ arrived }) => arrived.site).filter((target) => placement.isVacated(target)),
      ...(this.sources.get(site) ?? []),
      ...this.pausedWith(found),
    ];
    const extraMs = expectedTransferTime(context.problem, context.input.fleet, found);
    const beginsMs = Math.max(startMs - aheadMs - extraMs, ...before.map((target) => this.readyAt[target] as number));
    const endMs = Math.max(startMs, beginsMs + aheadMs + extraMs) + laneMs;
    const nextMs = endMs + soakMs + aheadMs + this.options.rules.lateLanes * laneMs;
    return { before, extraMs, endMs, nextMs };
  }

  private begin(group: HostGroup, site: number, startMs: number, found: readonly PlacedMove[]): void {
    const { context, placement, soakMs } = this;
    const { before, extraMs, endMs, nextMs } = this.laneOf(site, startMs, found);
    for (const { arrived } of found) {
      const from = this.sources.get(arrived.site);
      if (from) from.push(site);
      else this.sources.set(arrived.site, [site]);
      this.notBefore[arrived.site] = Math.max(this.notBefore[arrived.site] as number, nextMs);
    }
    if (context.dependencies.isAny) this.notePauses(found);
    this.clock.take(this.limitsOf(site), endMs);
    this.clock.take(this.flowOf(group), endMs);
    group.begun++;
    placement.commit();
    placement.vacateHost(site);
    this.readyAt[site] = endMs + soakMs;
    const host = this.hostOf(site);
    this.sites.push(site);
    for (const move of found) this.moves.push(move);
    this.uses.set(host, limitsOfHost(context, site));
    this.after.set(host, [...new Set(before)].map((target) => this.hostOf(target)).sort());
    this.transfersMs += extraMs;
  }

  /** Hosts of the wave that pause what these moves' workloads call, or what calls those: their pauses stay apart. */
  private pausedWith(found: readonly PlacedMove[]): readonly number[] {
    const { dependencies } = this.context;
    if (!dependencies.isAny) return [];
    const pausing = found.filter(({ move }) => isPausing(move)).map(({ move }) => move.workload);
    return [...this.paused].flatMap(([other, sites]) =>
      pausing.some((workload) => dependencies.areRelated(workload, other)) ? sites : [],
    );
  }

  private notePauses(found: readonly PlacedMove[]): void {
    for (const { move, gone } of found) {
      if (isPausing(move)) this.paused.set(move.workload, [...(this.paused.get(move.workload) ?? []), gone.site]);
    }
  }

  /** Time that the transfers of a lane of the wave have taken so far, on average. */
  private meanTransferMs(): number {
    return this.sites.length === 0 ? 0 : this.transfersMs / this.sites.length;
  }

  private limitsOf(site: number): Int32Array {
    return (this.limits[site] ??= this.clock.numberLimits(limitsOfHost(this.context, site)));
  }

  private remove(group: HostGroup, at: number): void {
    group.left.splice(at, 1);
    this.leftCount--;
  }

  private flowOf(group: HostGroup): Int32Array {
    return this.flows.get(group) ?? new Int32Array();
  }

  private hostOf(site: number): string {
    return this.context.problem.sites[site]?.host.id ?? "";
  }
}

/** Of an island's hosts: how many can be under way without that the next ones have to wait for them. */
export function hostsInFlow(hosts: number): number {
  return Math.max(1, Math.ceil(hosts / FLOW_PARTS));
}

/** Hosts that are left of those with the same islands, in the order in which they should come. */
interface HostGroup {
  readonly left: number[];
  begun: number;
  /** Of how many hosts under way the others of the group take the copies without waiting for each other. */
  readonly atOnce: number;
  /** Name by which the clock counts them. */
  readonly flow: string;
}

/**
 * Groups in the order of their first hosts. Copies stay within their island: where most of an island's hosts are under
 * way, the next ones have to wait for those.
 */
function groupHosts(problem: Problem, order: readonly number[]): HostGroup[] {
  const islands = problem.islands.length;
  const byKey = new Map<string, { readonly left: number[]; readonly smallest: number }>();
  for (const site of order) {
    const own = problem.islands.flatMap((_, island) =>
      (problem.cellAt[site * islands + island] ?? -1) >= 0 ? [island] : [],
    );
    const key = own.join();
    const group = byKey.get(key);
    if (group) group.left.push(site);
    else {
      const smallest = Math.min(...own.map((island) => problem.sitesOfIsland[island]?.length ?? 0));
      byKey.set(key, { left: [site], smallest: Number.isFinite(smallest) ? smallest : problem.sites.length });
    }
  }
  return [...byKey].map(([key, { left, smallest }]) => ({
    left,
    begun: 0,
    atOnce: hostsInFlow(smallest),
    flow: `flow/${key}`,
  }));
}

/** Sites by a share of theirs in whole grains, the least first; as numbers that hold both, which sort by themselves. */
function sortByShare(sites: Int32Array, count: number, shareOf: (site: number) => number): Int32Array {
  const keys = Float64Array.from(sites, (site) => Math.round(shareOf(site) / SHARE_GRAIN) * count + site).sort();
  return Int32Array.from(keys, (key) => key % count);
}

/** When each host has its turn, 0..1; 1 for hosts that have none in this run. */
function turnsOf(problem: Problem, order: readonly number[]): Float64Array {
  const turns = new Float64Array(problem.sites.length).fill(1);
  order.forEach((site, turn) => (turns[site] = turn / Math.max(1, order.length - 1)));
  return turns;
}
