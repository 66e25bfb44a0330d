/**
 * Drafts: the schedule for one opening, of the hosts that it does not leave for another one, with the time that it needs.
 *
 * Not for: what a draft says of the plan (plan.ts).
 */
import type { Host, MigrationScore, Opening, SkippedHost } from "../../sdk/model";

import { leaveUndisturbed } from "./disruption-budgets";
import type { StepDurations } from "./durations";
import { describeFailure } from "./explain";
import { chooseOpening, neededTime, startIn, type Openings } from "./fit";
import type { HostsToUpdate } from "./hosts-to-update";
import { inputIn } from "./opening-limits";
import type { LeftParts } from "./place-rules";
import type { PlanInput } from "./plan-input";
import { createProblem, type Problem } from "./problem";
import { deferForEvents } from "./provider-events";
import { quietWait } from "./quiet-start";
import { findSchedule } from "./reserve";
import { createScheduleContext, type Schedule, type ScheduleContext, type ScheduleFailure } from "./schedule";
import { chooseSpread } from "./spread-choice";

/** What is planned for one opening. */
export interface Draft {
  readonly opening: Opening | undefined;
  readonly problem: Problem;
  /** Hosts that the opening leaves for another one. */
  readonly deferred: readonly SkippedHost[];
  /** Scores of copies that stay while their host is updated. */
  readonly stays: ReadonlyMap<string, MigrationScore>;
  readonly schedule?: Schedule;
  readonly failure?: ScheduleFailure;
  /** Time to a safe state that the schedule needs, and whether the opening has it. */
  readonly neededMs: number;
  /** How much of it passes before the first wave, until it is quiet. */
  readonly waitMs: number;
  readonly fits: boolean;
}

/** How hard a draft is worked on. */
type Effort = Partial<Pick<ScheduleContext, "comparesLanes" | "tried">>;

/** With facts that cannot be true nothing is searched for. */
export function draftNothing(input: PlanInput, { candidates: [opening] }: Openings): Draft {
  const startMs = startIn(opening, input);
  const problem = createProblem(input, [], startMs, Math.max(startMs + 1, opening?.endMs ?? startMs + 1));
  return { opening, problem, deferred: [], stays: new Map(), neededMs: 0, waitMs: 0, fits: false };
}

/** Plans for the first opening; when the time left in it is too short, for the first one that is long enough. */
export function draftPlan(input: PlanInput, scope: HostsToUpdate, openings: Openings, durations: StepDurations): Draft {
  const usable = openings.candidates.filter((opening) => isUsable(opening, input, scope));
  const first = draftFor(input, scope, usable[0] ?? openings.candidates[0], durations);
  if (first.fits || !first.schedule) return first;
  const later = chooseOpening(usable, first.neededMs, input);
  if (!later) return first;
  const second = draftFor(input, scope, later, durations);
  return second.fits ? second : first;
}

/** An opening in which the provider works on every host that is left is none for this run. */
export function isUsable(opening: Opening, { fleet }: PlanInput, { hosts }: HostsToUpdate): boolean {
  return hosts.length === 0 || deferForEvents(hosts, fleet, opening).hosts.length > 0;
}

export function draftFor(
  declared: PlanInput,
  scope: HostsToUpdate,
  opening: Opening | undefined,
  durations: StepDurations,
  effort: Effort = {},
): Draft {
  const input = inputIn(opening, declared);
  const events = deferForEvents(scope.hosts, input.fleet, opening);
  const { hosts, undisturbed } = leaveUndisturbed(events.hosts, input.fleet);
  const deferred = [...events.deferred, ...(input.spec.whenStuck === "defer" ? undisturbed : [])];
  const draft = draftHosts(
    input,
    hosts.map(({ id }) => id),
    deferred,
    opening,
    durations,
    effort,
  );
  if (input.spec.whenStuck !== "defer") return draft;
  return deferStuck(input, draft, hosts, deferred, opening, durations);
}

/**
 * Leaves hosts for another opening whose copies find no room in this one, one after the other, until the others can be
 * updated. Where none is left, a plan is blocked by the first of them, and a run waits.
 */
function deferStuck(
  input: PlanInput,
  first: Draft,
  hosts: readonly Host[],
  forEvents: readonly SkippedHost[],
  opening: Opening | undefined,
  durations: StepDurations,
): Draft {
  const deferred = [...forEvents];
  const left = new Set(hosts.map(({ id }) => id));
  let draft = first;
  for (let count = 0; count < MOST_STUCK && left.size > 0; count++) {
    const cause = draft.failure?.cause;
    if (!draft.failure || cause?.kind !== "stuck") return draft;
    const host = draft.problem.sites[cause.stuck.copy.site]?.host.id ?? "";
    // A copy on the reserve is no host's of this update.
    if (!left.delete(host)) return first;
    deferred.push({ host, reason: `left for another opening: ${describeFailure(draft.problem, draft.failure)}` });
    if (left.size === 0 && !input.progress) return first;
    draft = draftHosts(input, [...left], deferred, opening, durations);
  }
  return draft.schedule ? draft : first;
}

function draftHosts(
  input: PlanInput,
  hosts: readonly string[],
  deferred: readonly SkippedHost[],
  opening: Opening | undefined,
  durations: StepDurations,
  effort: Effort = {},
): Draft {
  // What was tried before was tried with the usual choice.
  const { tried: _, ...anew } = effort;
  return chooseSpread((left) =>
    draftWith(input, hosts, deferred, opening, durations, left.size === 0 ? effort : anew, left),
  );
}

function draftWith(
  input: PlanInput,
  hosts: readonly string[],
  deferred: readonly SkippedHost[],
  opening: Opening | undefined,
  durations: StepDurations,
  effort: Effort,
  left: LeftParts,
): Draft {
  const startMs = startIn(opening, input);
  const endMs = Math.max(startMs + 1, opening?.endMs ?? startMs + 1);
  const problem = createProblem(input, hosts, startMs, endMs, left);
  const context = { ...createScheduleContext(input, problem, durations, startMs), ...effort };
  const around = { opening, problem, deferred, stays: context.stays };
  const draftFrom = (waitMs: number): Draft => {
    const result = findSchedule({ ...context, startMs: startMs + waitMs }, hosts);
    if ("failure" in result) return { ...around, failure: result.failure, neededMs: 0, waitMs: 0, fits: false };
    const neededMs = waitMs + neededTime(result.schedule, input, durations);
    // Without an opening the window's blocker stands; time is not what is missing.
    const fits = opening === undefined || chooseOpening([opening], neededMs, input) !== undefined;
    return { ...around, schedule: result.schedule, neededMs, waitMs, fits };
  };
  const waitMs = quietWait(context, hosts.length, endMs);
  const quiet = waitMs > 0 ? draftFrom(waitMs) : undefined;
  return quiet?.fits ? quiet : draftFrom(0);
}

/** Hosts that may be left for another opening, each a plan: with more of them it is the fleet that is too small. */
const MOST_STUCK = 16;
