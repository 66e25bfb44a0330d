/**
 * The search within one wave: a target for every copy that has to leave, or why there is none.
 *
 * Depth first, largest copies first, best targets first; a copy that finds no room comes first, and where that is not
 * enough it goes back, within a bound that counts tries, not time, so that the same input gives the same plan on every
 * machine.
 *
 * Not for: choosing the hosts of the wave (waves.ts).
 */
import type { Move, RefusedFunctions, StandIn } from "../../sdk/model";

import { shortDigest } from "./digest";
import { findStandIn } from "./bursts";
import { isPinned, mayPause } from "./place-rules";
import type { Placement, Undo } from "./placement";
import { compareText, type Copy, type Problem } from "./problem";
import { renderMove } from "./render-move";
import { findTargets, type FitStyle, type Goal, type Target, type TargetList, type TargetQuery } from "./targets";

/** A copy that has to leave its host. */
export interface Task {
  readonly copy: Copy;
  /** Host it should return to, in a failback. */
  readonly home?: number;
  /** True when it goes there or stays. */
  readonly onlyHome?: boolean;
  /** True where it ends by itself soon and is waited for. */
  readonly isLeftToEnd?: boolean;
  /**
   * What it may do where it is instead: be restarted, as far as its budget allows, or just stay; `first` before other hosts
   * are looked at, else where none can take it.
   */
  readonly inPlace?: { readonly way: "restart" | "stay"; readonly first: boolean };
}

/** A move with the copies it takes away and brings. */
export interface PlacedMove {
  readonly move: Move;
  readonly gone: Copy;
  readonly arrived: Copy;
}

/** A copy for which nothing was found, with what was tried last. */
export interface Stuck {
  readonly copy: Copy;
  readonly list: TargetList;
  /** True when it could be shed, were its budget wider. */
  readonly budgetBlocks: boolean;
  /** True when a function could stand in for it, took that one more requests. */
  readonly isFunctionFull: boolean;
}

/** Settings and shared bounds of a search. */
export interface SearchOptions {
  /** Index of the wave, part of new ids. */
  readonly index: number;
  readonly style: FitStyle;
  readonly quantile: number;
  /** Ids in use; those of new copies are added when a wave is final. */
  readonly ids: ReadonlySet<string>;
  /** Second and further tries left for the whole plan. */
  readonly tries: { left: number };
  /** See `TargetQuery.isReady`; copies are shed only where this is absent. */
  readonly isReady?: (site: number) => boolean;
  /** See `TargetQuery.sitesOf`. */
  readonly sitesOf?: (island: number) => Int32Array;
  /** See `TargetQuery.turnOf`. */
  readonly turnOf?: (site: number) => number;
  /** See `TargetQuery.waitOf`. */
  readonly waitOf?: (site: number) => number;
  /** See `TargetQuery.goal`, by id of the copy. @default none */
  readonly goals?: ReadonlyMap<string, Goal>;
  /** False where no copy is shed, although budgets allow it. @default true */
  readonly mayShed?: boolean;
  /** True where functions may stand in for copies that find no room. @default false */
  readonly mayBurst?: boolean;
  /** True where functions may be refused so that a copy can pause. @default false */
  readonly mayRefuse?: boolean;
  /** Where set, destinations are improved together. @default they are not */
  readonly refine?: Refinement;
  /** True in a failback: copies go to member hosts, and none is shed, because no wave follows to bring it back. */
  readonly failback?: boolean;
}

/** How destinations are improved together. */
export interface Refinement {
  readonly seed: number;
  /** Whether a host comes into question then, for moves that were found one by one; their own hosts do. @default all do */
  readonly within?: (moves: readonly PlacedMove[]) => (site: number) => boolean;
}

/** What was found; `undo` takes it back, as long as nothing else has changed the placement since. */
export interface FoundMoves {
  readonly moves: readonly PlacedMove[];
  readonly undo: Undo;
}

/** Result of a search; with `stuck` the placement is as before. */
export type SearchResult = FoundMoves | { readonly stuck: Stuck };

/** What was found for a task. */
export interface Choice {
  readonly task: Task;
  /** Absent: no other host was looked for. */
  readonly list?: TargetList;
  readonly target?: Target;
  readonly arrived: Copy;
  readonly standIn?: StandIn;
  readonly refuses?: RefusedFunctions;
}

/** How a task asks for hosts. */
export function queryOf(problem: Problem, task: Task, options: SearchOptions): TargetQuery {
  const { copy } = task;
  const goal = options.goals?.get(copy.id);
  return {
    copy,
    weight: weightOfNew(problem, copy),
    style: options.style,
    ...(task.home === undefined ? {} : { home: task.home, ...(task.onlyHome ? { only: task.home } : {}) }),
    ...(options.failback ? { membersOnly: true } : {}),
    ...(options.isReady ? { isReady: options.isReady } : {}),
    ...(options.sitesOf ? { sitesOf: options.sitesOf } : {}),
    ...(options.turnOf ? { turnOf: options.turnOf } : {}),
    ...(options.waitOf ? { waitOf: options.waitOf } : {}),
    ...(goal === undefined ? {} : { goal }),
  };
}

/**
 * Finds targets for all tasks and adds the copies to the placement, one after the other.
 *
 * A copy that finds nothing comes first from then on, and all begins anew: with nothing before it, it finds its place or
 * there is none (Lecoutre et al., Reasoning from last conflict(s), 2009). Only when a copy is in the way of others again
 * is gone back step by step.
 */
export function searchWave(
  problem: Problem,
  placement: Placement,
  tasks: readonly Task[],
  options: SearchOptions,
): SearchResult {
  const mayBurst = options.mayBurst === true && !options.failback && !options.isReady;
  let ordered = orderTasks(problem, tasks, mayBurst);
  const moved = new Set<Task>();
  const made: MadeCopies = new Map();
  for (;;) {
    const walk = new Walk(problem, placement, ordered, options, mayBurst, made, moved.size > 0);
    const { result, atDepth } = walk.find(false);
    if (!("stuck" in result) || atDepth === 0) return result;
    const task = ordered[atDepth] as Task;
    if (moved.has(task) || (options.tries.left -= atDepth) <= 0) {
      return walk.find(true, options.isReady ? MOST_TRIES_OF_LANE : Number.POSITIVE_INFINITY).result;
    }
    moved.add(task);
    ordered = [task, ...ordered.filter((other) => other !== task)];
  }
}

/**
 * Second and further tries at the copies of one lane: where they lead nowhere the host waits for its next turn, when others
 * have been updated, and few searches that went on have ever found anything.
 */
const MOST_TRIES_OF_LANE = 100;

/** Copies that a search has made for hosts, by task and host: where it tries again it tries the same ones. */
type MadeCopies = Map<Task, Map<number, Copy>>;

/** One walk through the tasks in an order. */
class Walk {
  private readonly choices: Choice[] = [];
  private readonly undos: Undo[] = [];
  private readonly shed = new Map<number, number>();
  private readonly bursts = new Map<string, number>();
  private stuck: { readonly depth: number; readonly stuck: Stuck } | undefined;
  private goesBack = false;
  /** Tries of this walk that are left. */
  private triesLeft = 0;

  constructor(
    private readonly problem: Problem,
    private readonly placement: Placement,
    private readonly ordered: readonly Task[],
    private readonly options: SearchOptions,
    private readonly mayBurst: boolean,
    private readonly made: MadeCopies,
    private readonly isAgain: boolean,
  ) {}

  /**
   * @param goesBack false: the first copy that finds nothing ends it
   * @param mostTries second and further tries, at most. @default as many as the whole plan has left
   */
  find(
    goesBack: boolean,
    mostTries = Number.POSITIVE_INFINITY,
  ): { readonly result: SearchResult; readonly atDepth: number } {
    const { problem, placement, options } = this;
    this.goesBack = goesBack;
    this.triesLeft = mostTries;
    this.stuck = undefined;
    if (this.settle(0)) {
      const moves = this.choices.map((choice) => renderMove(problem, placement, choice, options));
      return { result: { moves, undo: () => this.undo() }, atDepth: this.ordered.length };
    }
    // Every failed try ends at a copy that was stuck, so there is one.
    const { depth, stuck } = this.stuck as unknown as { readonly depth: number; readonly stuck: Stuck };
    return { result: { stuck }, atDepth: depth };
  }

  private undo(): void {
    for (const undo of this.undos.reverse()) undo();
  }

  private isOver(): boolean {
    return this.stuck !== undefined && !this.goesBack;
  }

  private mayTryAgain(): boolean {
    return this.options.tries.left-- > 0 && this.triesLeft-- > 0;
  }

  /** Goes on with a choice; where that leads nowhere it is as if it had not been made. */
  private choose(choice: Choice, depth: number, undo: Undo): boolean {
    this.choices.push(choice);
    this.undos.push(undo);
    if (this.settle(depth + 1)) return true;
    this.choices.pop();
    this.undos.pop();
    undo();
    return false;
  }

  private settle(depth: number): boolean {
    const { problem, placement, options } = this;
    const task = this.ordered[depth];
    if (!task) return true;
    const { copy } = task;
    const weight = weightOfNew(problem, copy);
    // What it did is done by the others then, or by new ones beside them.
    const end = task.isLeftToEnd ? placement.shed(copy.work, copy.weight, false) : undefined;
    if (end && this.choose({ task, arrived: copy }, depth, end)) return true;
    if (this.isOver()) return false;
    const stayFirst = task.inPlace?.first === true;
    if (stayFirst && this.settleInPlace(task, depth)) return true;
    if (this.isOver()) return false;
    const list = findTargets(problem, placement, queryOf(problem, task, options));
    let tried = 0;
    for (const target of list.targets) {
      if (tried++ > 0 && !this.mayTryAgain()) return false;
      const arrived = this.copyFor(task, target.site, weight);
      if (this.choose({ task, list, target, arrived }, depth, placement.add(arrived))) return true;
      if (this.isOver()) return false;
    }
    if (task.inPlace && !stayFirst && this.settleInPlace(task, depth)) return true;
    if (this.isOver()) return false;
    return this.settleOtherwise(task, list, depth);
  }

  /** The copy that a task brings to a host; the first walk makes each once, and most searches have only that one. */
  private copyFor(task: Task, site: number, weight: number): Copy {
    const { problem, options, made } = this;
    if (!this.goesBack && !this.isAgain) return createCopy(problem, task.copy, site, weight, options);
    let bySite = made.get(task);
    if (!bySite) made.set(task, (bySite = new Map<number, Copy>()));
    let copy = bySite.get(site);
    if (!copy) bySite.set(site, (copy = createCopy(problem, task.copy, site, weight, options)));
    return copy;
  }

  /** Without a host: a function stands in, or the copy pauses. */
  private settleOtherwise(task: Task, list: TargetList, depth: number): boolean {
    const { problem, placement, options, bursts, shed } = this;
    const { copy } = task;
    const stays = (): Copy => createCopy(problem, copy, copy.site, copy.weight, options);
    const burst = this.mayBurst ? findStandIn(problem, placement, copy, bursts, options.index) : "none";
    if (typeof burst === "object") {
      const { standIn, mostPerSecond } = burst;
      const before = bursts.get(standIn.function) ?? 0;
      bursts.set(standIn.function, before + mostPerSecond);
      const undo = (): void => void bursts.set(standIn.function, before);
      if (this.choose({ task, list, standIn, arrived: stays() }, depth, undo)) return true;
      if (this.isOver()) return false;
    }
    const mayShed = options.mayShed !== false && !options.failback && !options.isReady;
    let release = mayShed ? tryShed(problem, placement, copy, shed) : undefined;
    if (typeof release === "function") {
      if (this.choose({ task, list, arrived: stays() }, depth, release)) return true;
    } else {
      const refuses =
        mayShed && options.mayRefuse === true && copy.weight > 0 ? problem.works[copy.work]?.refusable : undefined;
      if (refuses) release = tryPause(problem, placement, copy, shed, false, refuses.share);
      if (refuses && typeof release === "function") {
        if (this.choose({ task, list, refuses, arrived: stays() }, depth, release)) return true;
      }
    }
    if (this.isOver()) return false;
    if (this.stuck === undefined || depth > this.stuck.depth) {
      const blocks = { budgetBlocks: release === "budget", isFunctionFull: burst === "full" };
      this.stuck = { depth, stuck: { copy, list, ...blocks } };
    }
    return false;
  }

  private settleInPlace(task: Task, depth: number): boolean {
    const { problem, placement, options } = this;
    const { copy, inPlace } = task;
    if (inPlace?.way === "stay") return this.settle(depth + 1);
    const release = tryPause(problem, placement, copy, this.shed, false);
    if (typeof release !== "function") return false;
    const arrived = createCopy(problem, copy, copy.site, copy.weight, options);
    return this.choose({ task, arrived }, depth, release);
  }
}

/** Weight of the copy that replaces one: the same, or the usual one when the old one did not serve. */
export function weightOfNew(problem: Problem, copy: Copy): number {
  if (copy.weight > 0) return copy.weight;
  const work = problem.works[copy.work];
  return work && work.serving > 0 ? work.weight / work.serving : 1;
}

/**
 * Hand-overs first (fewest ways out), what a function can stand in for and what may be shed last, in between the most
 * demanding ones first.
 */
function orderTasks(problem: Problem, tasks: readonly Task[], mayBurst: boolean): Task[] {
  const rank = ({ copy }: Task): number => {
    const { workload, burst } = problem.works[copy.work] ?? {};
    if (workload?.exclusive) return 0;
    return workload?.criticality === "sheddable" ? 3 : mayBurst && burst ? 2 : 1;
  };
  const size = new Map<number, number>();
  for (const { copy } of tasks) if (!size.has(copy.work)) size.set(copy.work, copySize(problem, copy));
  return [...tasks].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      (size.get(b.copy.work) ?? 0) - (size.get(a.copy.work) ?? 0) ||
      compareText(a.copy.id, b.copy.id),
  );
}

/** Size of a copy relative to the largest cell, CPU on the first path and memory: only an order, not a promise. */
function copySize(problem: Problem, copy: Copy): number {
  const work = problem.works[copy.work];
  if (!work) return 0;
  const { paths, rowLength, first, steps } = problem.demand;
  let demand = work.workload.request.cpuMillis * Math.max(1, work.serving);
  if (work.row >= 0) {
    const path = paths[0] ?? [];
    demand = 0;
    for (let step = 0; step < steps; step++) demand = Math.max(demand, path[work.row * rowLength + first + step] ?? 0);
  }
  const cpu = work.weight > 0 ? (demand * weightOfNew(problem, copy)) / work.weight : demand;
  return cpu / 1000 + work.memoryBytes / 2 ** 30;
}

/** Sheds a copy for the time of its host's update; "budget" when only that forbids it, undefined when nothing does. */
function tryShed(
  problem: Problem,
  placement: Placement,
  copy: Copy,
  shed: Map<number, number>,
): Undo | "budget" | undefined {
  const workload = problem.works[copy.work]?.workload;
  // What may not move has no other way.
  if (!workload || (workload.criticality !== "sheddable" && !isPinned(workload))) return undefined;
  return tryPause(problem, placement, copy, shed, workload.criticality === "sheddable");
}

/** Lets a copy pause for a part of the wave, so that it does not serve then; results as those of `tryShed`. */
function tryPause(
  problem: Problem,
  placement: Placement,
  copy: Copy,
  shed: Map<number, number>,
  givesUp: boolean,
  refusedShare = 0,
): Undo | "budget" | undefined {
  const work = problem.works[copy.work];
  if (!work || work.workload.exclusive) return undefined;
  const before = shed.get(copy.work) ?? 0;
  const after = before + (copy.weight > 0 ? 1 : 0);
  // Others count on the copies near them; as if all that pause were near the same ones.
  if (!mayPause(problem, copy, after)) return undefined;
  if (work.serving - after < work.workload.copies - work.workload.maxUnavailable && copy.weight > 0) return "budget";
  const undo = placement.shed(copy.work, copy.weight, givesUp, refusedShare);
  if (!undo) return undefined;
  shed.set(copy.work, after);
  return () => {
    shed.set(copy.work, before);
    undo();
  };
}

/** The copy that a move brings. Its id comes from what it is, not from the run or the time. */
function createCopy(problem: Problem, copy: Copy, site: number, weight: number, options: SearchOptions): Copy {
  // What moves with its memory is the same copy afterwards.
  if (site !== copy.site && isMovedLive(problem, copy, site)) return { ...copy, site, weight };
  const name = problem.works[copy.work]?.workload.name ?? "";
  const host = problem.sites[site]?.host.id ?? "";
  const parts = [name, copy.id, host, options.index];
  let id = `${name}-${shortDigest(parts)}`;
  let salt = 0;
  while (options.ids.has(id)) id = `${name}-${shortDigest([...parts, ++salt])}`;
  const { blackoutMs } = copy;
  return { id, work: copy.work, site, weight, ...(blackoutMs === undefined ? {} : { blackoutMs }) };
}

/**
 * True where a copy goes to a host with its memory while it runs: both hosts offer it, it stops the copy no longer than
 * it may pause, and a second copy beside it is impossible or would have to begin its work anew. What serves with others
 * is better off with a second copy, which pauses nobody.
 */
function isMovedLive(problem: Problem, { work, site, blackoutMs }: Copy, to: number): boolean {
  const workload = problem.works[work]?.workload;
  if (!workload || blackoutMs === undefined || blackoutMs > workload.maxPauseMs) return false;
  // A device does not go with the memory.
  if (workload.devices !== undefined) return false;
  if (!workload.exclusive && workload.service !== undefined) return false;
  return [site, to].every((at) => problem.sites[at]?.host.offers?.includes("live-migration") === true);
}
