/**
 * Room for a rise of demand, made when it comes near: a wave of its own takes copies off hosts that would be over their
 * share soon, to hosts that have been updated, or to the reserve, which is taken for it. Until then copies may be where
 * they fit for the time being, and the reserve is not paid for.
 *
 * Not for: how many waves ahead is looked (waves.ts), and whether a schedule with reliefs is worth it (reserve.ts).
 *
 * Invariants
 * 1. A relief ends before the rise: in its own time no island is over its shares on more paths than may be.
 * 2. After it none is up to the end of the time that was looked at.
 */
import type { StepRange } from "./capacity";
import { expectedFailback, FailbackLanes } from "./failback-lanes";
import { isFixed } from "./place-rules";
import type { Placement } from "./placement";
import type { Copy, Problem } from "./problem";
import { longestOfMoves, type ScheduleContext, type Timeline } from "./schedule";
import { searchWave, type SearchOptions, type Task } from "./wave-search";

/** How full cells may be after a relief, tried one after the other: paths are over together what none is alone. */
export const RELIEF_LEVELS: readonly number[] = [1, 0.9, 0.8];
/** Copies of one relief: with more the rise is no matter of some hosts. */
const MOST_COPIES = 200;

/** What a relief is planned from. */
export interface ReliefOptions {
  readonly context: ScheduleContext;
  readonly placement: Placement;
  readonly timeline: Timeline;
  readonly search: SearchOptions;
  /** End of the time that is looked at. */
  readonly untilStep: number;
}

/** True where an island is over its shares soon if nothing is done. The placement stays as it is. */
export function needsRelief({ placement, timeline, untilStep }: ReliefOptions): boolean {
  const { from } = timeline.rangeOfNext({ p50Ms: 0, p95Ms: 1 });
  return isOverIn(placement, { from, to: Math.max(from + 1, untilStep) });
}

/**
 * Appends a wave that relieves the fullest hosts; false where that is too late, or copies find no room. The placement has
 * to be restored then.
 * @param reserve standby hosts that the wave takes into use first; they are usable in the placement already
 */
export function planRelief(options: ReliefOptions, reserve: readonly number[], level: number): boolean {
  const { context, placement, timeline, search, untilStep } = options;
  const { problem } = context;
  const now = timeline.rangeOfNext({ p50Ms: 0, p95Ms: 1 });
  // Once over the whole time, to see who is too full; then over the time of the wave itself.
  placement.beginWave(now, new Set(), untilStep);
  const tasks = crowdedCopies(problem, placement, level);
  if (tasks.length === 0 || tasks.length > MOST_COPIES) return false;
  const sources = new Set(tasks.map(({ copy }) => copy.site));
  const longest = longestOfMoves(context, tasks);
  const { durations } = context;
  const time = expectedFailback(context, tasks.length, sources.size, longest);
  const range = timeline.rangeOfNext({
    p50Ms: time.p50Ms + (reserve.length > 0 ? durations.reserve.p50Ms : 0),
    p95Ms: time.p95Ms + (reserve.length > 0 ? durations.reserve.p95Ms : 0),
  });
  if (placement.beginWave(range, sources, Math.max(range.to, untilStep))) return false;
  const found = searchWave(problem, placement, tasks, { ...search, index: timeline.nextIndex, mayShed: false });
  if ("stuck" in found) return false;
  const lanes = new FailbackLanes(context, placement, "update");
  lanes.addAll(found.moves);
  lanes.append(timeline, [], range, { reserve });
  return !isOverIn(placement, { from: range.from, to: Math.max(range.to, untilStep) });
}

/** Looks at a range without leaving a mark. */
function isOverIn(placement: Placement, range: StepRange): boolean {
  const kept = placement.keep();
  const isOver = placement.beginWave(range, new Set()) !== undefined;
  kept.restore();
  kept.drop();
  return isOver;
}

/** Copies to take off cells that are above a level, as few and as flexible ones as bring them below it. */
function crowdedCopies(problem: Problem, placement: Placement, level: number): readonly Task[] {
  return problem.cells.flatMap((_, cell): Task[] => {
    let share = placement.shareOfCell(cell);
    if (share <= level) return [];
    const { site = -1, island = -1 } = problem.cells[cell] ?? {};
    const movable = placement
      .copiesAt(site)
      .filter((copy) => problem.works[copy.work]?.island === island && !isFixed(problem, copy))
      .map((copy) => ({ copy, share: placement.shareOf(copy) }))
      .sort((a, b) => rankOf(problem, a.copy) - rankOf(problem, b.copy) || b.share - a.share);
    const tasks: Task[] = [];
    for (const { copy, share: own } of movable) {
      if (share <= level) break;
      if (own <= 0) continue;
      tasks.push({ copy });
      share -= own;
    }
    return tasks;
  });
}

/** Hand-overs pause, so they come last. */
function rankOf({ works }: Problem, { work }: Copy): number {
  return works[work]?.workload.exclusive === true ? 1 : 0;
}
