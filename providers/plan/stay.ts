/**
 * Which copies of a host have to leave it for its update, and which may stay: those whose migration score says that a
 * move is not worth it, as long as they and the update fit on the host together; and those that no other host can take,
 * where all fit.
 *
 * Not for: where copies go (wave-search.ts).
 *
 * Invariants
 * 1. What stays and the update itself fit on the host, quantiles added up: an upper bound.
 * 2. Where the update disturbs the host as a whole, everything leaves, unless the host can detach its copies.
 */
import type { MigrationScore } from "../../sdk/model";

import type { Placement } from "./placement";
import { compareText, type Copy, type Problem } from "./problem";
import { disturbanceOn } from "./scores/disturbance";
import { scoreStaying } from "./scores/score-copy";
import type { ScheduleContext } from "./schedule";
import type { Task } from "./wave-search";

/** True when copies may stay on the host while it is updated. */
export function mayStay(problem: Problem, site: number): boolean {
  const disturbance = disturbanceOn(problem, site);
  return disturbance === "nothing" || disturbance === "copies";
}

/** What ends by itself within this time is waited for: longer, a wave that waits holds the run up more than a move costs. */
const LEFT_TO_END_MS = 10 * 60_000;

/** What has to be done about a copy that has to leave its host. */
export function taskOf(copy: Copy): Task {
  const isLeftToEnd = copy.endsInMs !== undefined && copy.endsInMs <= LEFT_TO_END_MS;
  return isLeftToEnd ? { copy, isLeftToEnd } : { copy };
}

/** What has to be done about the copies of a host in the wave that updates it; those that just stay are not in it. */
export function tasksOf({ problem, stays }: ScheduleContext, placement: Placement, site: number): readonly Task[] {
  const copies = placement.copiesAt(site);
  if (!mayStay(problem, site)) return copies.map(taskOf);
  const way = disturbanceOn(problem, site) === "copies" ? "restart" : "stay";
  const { staying, allFit } = chooseStaying(problem, placement, copies, site, stays);
  return copies.flatMap((copy): Task[] => {
    if (!staying.has(copy.id)) return [allFit ? { copy, inPlace: { way, first: false } } : { copy }];
    return way === "restart" ? [{ copy, inPlace: { way, first: true } }] : [];
  });
}

/** The least flexible and largest copies first, as long as a move is not worth it; and whether there is room for all. */
function chooseStaying(
  problem: Problem,
  placement: Placement,
  copies: readonly Copy[],
  site: number,
  stays: ScheduleContext["stays"],
): { readonly staying: ReadonlySet<string>; readonly allFit: boolean } {
  const hostMillis = problem.sites[site]?.host.capacity.cpuMillis ?? 0;
  const updateShare = hostMillis > 0 ? problem.scoring.updateMillis / hostMillis : 1;
  const isFixed = ({ work }: Copy): number => (problem.works[work]?.workload.exclusive === true ? 1 : 0);
  const order = copies
    .map((copy) => ({ copy, share: placement.shareOf(copy) }))
    .sort((a, b) => isFixed(b.copy) - isFixed(a.copy) || b.share - a.share || compareText(a.copy.id, b.copy.id));
  const staying = new Set<string>();
  let use = 0;
  for (const { copy, share } of order) {
    if (use + share + updateShare > 1) continue;
    const migration = scoreStaying(problem, copy, use + share, (work) => placement.hostsOf(work));
    stays.set(copy.id, migration);
    if (isWorthMoving(migration)) continue;
    staying.add(copy.id);
    use += share;
  }
  const all = order.reduce((sum, { share }) => sum + share, updateShare);
  return { staying, allFit: all <= 1 };
}

/** A unit moves with a score above the threshold and costs within the maximum. */
export function isWorthMoving({ score, threshold, cost, maximumCost }: MigrationScore): boolean {
  return score > threshold && cost <= maximumCost;
}

/** What it costs keeps a unit where it is: without its costs it would move. */
export function isTooCostly({ score, threshold, cost, maximumCost }: MigrationScore): boolean {
  return cost > maximumCost && score + cost > threshold;
}
