/**
 * The search within one wave, and better destinations for all of its copies together where there are any.
 *
 * Not for: what destinations cost (wave-destinations.ts).
 *
 * Invariants
 * 1. Where one by one a place was found for every copy, one is found.
 * 2. What is taken instead costs less, judged by where copies have really come.
 */
import { cellOfCopy } from "./capacity";
import type { Placement } from "./placement";
import type { Problem } from "./problem";
import { evaluateCost } from "./search/evaluate";
import {
  createDestinationModel,
  findDestinations,
  improveDestinations,
  restrictDestinations,
  selectCopies,
  type Destinations,
} from "./wave-destinations";
import { queryOf, searchWave, type FoundMoves, type SearchOptions, type SearchResult, type Task } from "./wave-search";

/** Finds targets for all tasks and adds the copies to the placement; better ones for all together where that is asked for. */
export function searchRefined(
  problem: Problem,
  placement: Placement,
  tasks: readonly Task[],
  options: SearchOptions,
): SearchResult {
  const { refine } = options;
  if (!refine || options.goals !== undefined || options.style === "tight") {
    return searchWave(problem, placement, tasks, options);
  }
  const queries = tasks.filter(leavesFreely).map((task) => queryOf(problem, task, options));
  const all = findDestinations(problem, placement, queries);
  const found = searchWave(problem, placement, tasks, options);
  if ("stuck" in found || !all) return found;
  const destinations = selectCopies(all, sitesOf(found));
  const start = placesOf(problem, destinations, found);
  if (!start || start.length < 2) return found;
  const within = refine.within?.(found.moves);
  const allowed = within ? restrictDestinations(problem, destinations, start, within) : destinations;
  const model = createDestinationModel(problem, allowed, start);
  const better = improveDestinations(model, start, refine.seed);
  if (!better) return found;
  found.undo();
  const { copies, cells } = destinations;
  const sites = sitesOf(found);
  copies.forEach(({ id }, copy) => sites.set(id, problem.cells[cells[better[copy] ?? -1] ?? -1]?.site ?? -1));
  const goals = new Map([...sites].map(([id, site]) => [id, { site, why: "cost" }] as const));
  const refined = searchWave(problem, placement, tasks, { ...options, goals });
  if ("moves" in refined) {
    const end = placesOf(problem, destinations, refined);
    if (end && evaluateCost(model, end).total < evaluateCost(model, start).total) return refined;
    refined.undo();
  }
  return searchWave(problem, placement, tasks, options);
}

/** True for a copy that goes wherever it is best. */
function leavesFreely({ home, isLeftToEnd, inPlace }: Task): boolean {
  return home === undefined && isLeftToEnd !== true && inPlace === undefined;
}

function sitesOf({ moves }: Pick<FoundMoves, "moves">): Map<string, number> {
  return new Map(moves.flatMap(({ move, gone, arrived }) => (move.to === undefined ? [] : [[gone.id, arrived.site]])));
}

/** `[copy]` index of its cell; undefined where one pauses instead. */
export function placesOf(
  problem: Problem,
  { copies, cells, fixed }: Destinations,
  found: Pick<FoundMoves, "moves">,
): Int32Array | undefined {
  const sites = sitesOf(found);
  const places = Int32Array.from(copies, ({ id, work }) =>
    cells.indexOf(cellOfCopy(problem, { work, site: sites.get(id) ?? -1 })),
  );
  const isAllowed = places.every(
    (cell, copy) => cell >= 0 && (fixed[copy * cells.length + cell] ?? Infinity) < Infinity,
  );
  return isAllowed ? places : undefined;
}
