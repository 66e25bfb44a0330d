/**
 * How long a run waits within its opening for a quiet time, where the policy lets it.
 *
 * Not for: the order of hosts (waves.ts), which follows the same forecast.
 */
import { quietestStart } from "./quiet";
import type { ScheduleContext } from "./schedule";
import { expectedTime } from "./waves";

/** How much longer than its hosts and limits alone say a run may take, for capacity holds it up as well. */
const LONGER = 1.6;

/** Time to wait, ms; 0 for a run that has begun. */
export function quietWait(context: ScheduleContext, hosts: number, endMs: number): number {
  const { input, problem, business, transfers, startMs } = context;
  const isBegun = (input.progress?.waveOffset ?? 0) > 0 || (input.progress?.updatedHosts.length ?? 0) > 0;
  if (input.spec.timing !== "quiet" || isBegun || transfers === undefined || hosts === 0) return 0;
  const { stepMs, steps } = problem.demand;
  const expected = expectedTime(context, hosts);
  const slackMs = endMs - startMs - LONGER * expected.p95Ms;
  const slack = Math.min(steps - 1, Math.floor(slackMs / stepMs));
  if (slack <= 0) return 0;
  return stepMs * quietestStart(business, transfers, Math.ceil((LONGER * expected.p50Ms) / stepMs), slack);
}
