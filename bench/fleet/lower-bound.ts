/**
 * How short a run could be within its limits: the canary alone, then all other hosts with every place taken all the time,
 * and the soak of the last one. Capacity, dependencies and how lanes end are left out, so that no plan is shorter.
 *
 * Not for: planning.
 */
import type { PlanInput } from "../../providers/plan/plan";
import { meanDuration } from "../../providers/plan/lanes";
import { waveDuration } from "../../providers/plan/durations";
import type { MigrationPlan, PlanStep, Wave } from "../../sdk/model";

/** Lower bound of the expected makespan for the lanes of a plan, ms. */
export function lowerBound({ spec }: PlanInput, { waves }: MigrationPlan): number {
  const { hostsAtOnce, soakMs } = spec.limits;
  let boundMs = soakMs;
  for (const wave of waves) {
    if (wave.kind === "canary") boundMs += waveDuration(wave.steps).p50Ms;
    if (wave.kind !== "update") continue;
    for (const steps of stepsByHost(wave).values()) boundMs += timeOf(steps) / hostsAtOnce;
  }
  return boundMs;
}

/**
 * Mean time of the longest chain of the steps for which a host has its place, from its cordon on, at medians: no host
 * takes less on average. Its soak is left out, and new copies that come before the cordon.
 */
function timeOf(steps: readonly PlanStep[]): number {
  const ends = new Map<string, number>();
  let longest = 0;
  for (const step of steps) {
    if (step.kind === "soak") continue;
    const begin = Math.max(0, ...step.after.map((id) => ends.get(id) ?? 0));
    const end = begin + Math.min(meanDuration(step.expected), Math.max(step.expected.p50Ms, step.expected.p95Ms));
    ends.set(step.id, end);
    longest = Math.max(longest, end);
  }
  return longest;
}

/** Steps of each host, without those that come before it has its place. */
function stepsByHost({ moves, steps, lanes }: Wave): ReadonlyMap<string, readonly PlanStep[]> {
  const byHost = new Map<string, PlanStep[]>();
  const fromOf = new Map(moves.map(({ id, from }) => [id, from]));
  for (const step of steps) {
    if (lanes?.ahead && (step.kind === "start-copy" || step.kind === "admit")) continue;
    const host = "move" in step ? fromOf.get(step.move) : "host" in step ? step.host : undefined;
    if (host === undefined) continue;
    const own = byHost.get(host);
    if (own) own.push(step);
    else byHost.set(host, [step]);
  }
  return byHost;
}
