/**
 * Which promises and limits keep a plan from being found: an irreducible set of them that cannot be kept together. At
 * least one of the set has to give way; where there are several such sets, one of each.
 *
 * The search is QuickXplain (Junker, "QuickXplain: Preferred Explanations and Relaxations for Over-Constrained
 * Problems", AAAI 2004), after a look at each alone; every question is answered by planning again.
 *
 * Not for: which promises there are (promises.ts) and how far one has to be widened (fixes.ts, time-fixes.ts).
 *
 * Invariants
 * 1. With the whole set kept and all else given up there is no plan.
 * 2. With any member given up besides there is one.
 */
import type { PlanInput } from "./plan-input";

/** Each question is a whole plan: on larger fleets the answer would keep a preview waiting. */
const MOST_COPIES = 1_000;

/** Something declared that can be given up. */
export interface Declared {
  /** As in `the budget of checkout (maxUnavailable 0)`. */
  readonly text: string;
  /** The input without it. */
  readonly giveUp: (input: PlanInput) => PlanInput;
}

/**
 * An irreducible set of promises that cannot be kept together; empty when giving all up does not help.
 * @param mostCopies of fleets for which it is searched
 */
export function findConflict(
  input: PlanInput,
  promises: readonly Declared[],
  isPlannable: (input: PlanInput) => boolean,
  mostCopies = MOST_COPIES,
): readonly Declared[] {
  if (input.fleet.replicas.length > mostCopies) return [];
  const isKeptPossible = (kept: readonly Declared[]): boolean =>
    isPlannable(
      promises.filter((promise) => !kept.includes(promise)).reduce((changed, { giveUp }) => giveUp(changed), input),
    );
  if (!isKeptPossible([])) return [];
  const alone = promises.find((promise) => !isKeptPossible([promise]));
  return alone ? [alone] : quickXplain([], promises, false, isKeptPossible);
}

/** Of `rest` what conflicts on top of `background`, which is kept whole. */
function quickXplain<T>(
  background: readonly T[],
  rest: readonly T[],
  hasChanged: boolean,
  isPossible: (kept: readonly T[]) => boolean,
): readonly T[] {
  if (hasChanged && !isPossible(background)) return [];
  if (rest.length <= 1) return rest;
  const half = Math.ceil(rest.length / 2);
  const [first, second] = [rest.slice(0, half), rest.slice(half)];
  const ofSecond = quickXplain([...background, ...first], second, first.length > 0, isPossible);
  const ofFirst = quickXplain([...background, ...ofSecond], first, ofSecond.length > 0, isPossible);
  return [...ofFirst, ...ofSecond];
}

/** The conflict as the end of a sentence: `; these cannot be kept together: ...`. */
export function describeConflict(conflict: readonly Declared[]): string {
  const [only, second] = conflict;
  if (!only) return "";
  if (!second) return `; what stands in the way is ${only.text}`;
  return `; these cannot be kept together: ${conflict.map(({ text }) => text).join(", ")}`;
}
