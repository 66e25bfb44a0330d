/** What a rule of the checker is. */
import type { Violation } from "../../../sdk/model";
import type { Observations } from "../observations";
import type { RunView } from "../run-view";

/** Looks at a run and what was seen of it, and names what it broke. Pure. */
export type Rule = (view: RunView, observations: Observations) => readonly Violation[];

/** Time of the last entry; 0 without one. */
export function endOf(view: RunView): number {
  return view.entries.at(-1)?.at ?? 0;
}
