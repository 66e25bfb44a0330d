/**
 * Which of its zones or racks a workload stays in that is in more of them than it has to be: those with the most hosts, or
 * others where these leave a copy without a host.
 *
 * Not for: what staying means (place-rules.ts).
 */
import { leavePart, type LeftParts } from "./place-rules";
import type { Problem } from "./problem";
import type { Schedule, ScheduleFailure } from "./schedule";

/** Other choices that are tried, each a plan. */
const MOST_CHOICES = 6;

/** What was planned with a choice. */
interface Planned {
  readonly problem: Pick<Problem, "rules">;
  readonly schedule?: Schedule;
  readonly failure?: ScheduleFailure;
}

/** The plan with the usual choice, or with the first other one that has a schedule where that has none. */
export function chooseSpread<P extends Planned>(planWith: (left: LeftParts) => P): P {
  let left: LeftParts = new Map();
  const first = planWith(left);
  let planned = first;
  for (let count = 0; count < MOST_CHOICES; count++) {
    const cause = planned.failure?.cause;
    const other = cause?.kind === "stuck" ? leavePart(planned.problem.rules, left, cause.stuck.copy) : undefined;
    if (!other) break;
    left = other;
    planned = planWith(left);
  }
  return planned.schedule ? planned : first;
}
