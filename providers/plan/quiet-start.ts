/**
 * How long a run waits within its opening for a quiet time, where the policy lets it.
 *
 * Not for: the order of hosts (waves.ts), which follows the same forecast.
 */
import { partsOfStep, quietestStart, type IslandTransfer } from "./quiet";
import { hostsInFlow } from "./rolling-wave";
import type { ScheduleContext } from "./schedule";
import { expectedTime } from "./waves";

/** How much longer than its hosts and limits alone say a run may take, for capacity holds it up as well. */
const LONGER = 1.6;

/** Time to wait, ms; 0 for a run that has begun. */
export function quietWait(context: ScheduleContext, hosts: number, endMs: number): number {
  const { input, problem, business, transfers, startMs } = context;
  const isBegun = (input.progress?.waveOffset ?? 0) > 0 || (input.progress?.updatedHosts.length ?? 0) > 0;
  if (input.spec.timing !== "quiet" || isBegun || transfers === undefined || hosts === 0) return 0;
  const parts = partsOfStep(problem);
  const partMs = problem.demand.stepMs / parts;
  const expected = expectedTime(context, hosts);
  const slackMs = endMs - startMs - LONGER * expected.p95Ms;
  const slack = Math.min(problem.demand.steps * parts - 1, Math.floor(slackMs / partMs));
  if (slack <= 0) return 0;
  return (
    partMs * quietestStart(business, islandTransfers(context, transfers), Math.ceil(expected.p95Ms / partMs), slack)
  );
}

function islandTransfers({ input, problem }: ScheduleContext, transfers: Float64Array): IslandTransfer[] {
  return problem.islands.map((_, island) => {
    const hosts = problem.sitesOfIsland[island]?.length ?? 0;
    let bytes = 0;
    for (let site = 0; site < problem.sites.length; site++) {
      bytes += transfers[site * problem.islands.length + island] as number;
    }
    return { bytes, mostAtOnce: Math.min(1, hostsInFlow(hosts) / input.spec.limits.hostsAtOnce) };
  });
}
