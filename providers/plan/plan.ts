/**
 * The planner: what is done to which host when, with reasons. Pure and deterministic in its input.
 *
 * Not for: carrying the plan out (providers/execute) and rendering it (providers/report).
 *
 * Invariants
 * 1. A plan before the run depends on the slot, not on the moment in it: the same slot gives the same plan, byte by
 *    byte.
 * 2. A plan of a run under way is right from any state between two waves: it continues from where copies are.
 * 3. Every member host is in a wave, skipped, or behind a blocker.
 */
import type { Blocker, CostLine, DurationQuantiles, JudgedOpening, MigrationPlan, Wave } from "../../sdk/model";
import { isMovesOnly } from "../../sdk/model";

import { findCheaper } from "./alternatives";
import { judgeFleet } from "./blockers";
import { describeBoosts, withBoosts } from "./boosts";
import { findConflict } from "./conflict";
import { planCost } from "./cost";
import { envelopeDigest } from "./digest";
import { describeFailure } from "./explain";
import { budgetBlockers, budgetRows, undisturbedHosts } from "./disruption-budgets";
import { draftFor, draftNothing, draftPlan, isUsable, type Draft } from "./draft";
import { resolveDurations, type StepDurations } from "./durations";
import { resolveEnvelope } from "./envelope";
import {
  findOpenings,
  fitBlocker,
  judgeOpenings,
  limitChanges,
  longestOpening,
  timeIn,
  windowBlocker,
  type Openings,
} from "./fit";
import { capacityBlocker, findCapacityFixes, sortByCost } from "./fixes";
import { shareWarnings } from "./host-shares";
import { decideHosts, type HostsDecided } from "./host-decisions";
import { findHostsToUpdate, type HostsToUpdate } from "./hosts-to-update";
import { impactWarnings } from "./impact-warnings";
import type { PlanInput } from "./plan-input";
import { deferralBlocker, eventWarnings } from "./provider-events";
import { capacityPromises, timePromises } from "./promises";
import { planRebalance } from "./rebalance/plan-rebalance";
import { quantileOfPool, type Schedule } from "./schedule";
import { decideUnits, type JudgeStay } from "./scores/unit-decisions";
import { stageBlockers } from "./stages";
import { isTooCostly, isWorthMoving } from "./stay";
import { findTimeFixes } from "./time-fixes";
import { findUnusable } from "./unusable-input";

export { inputOf, planningSlot, SLOT_MS, type PlanInput } from "./plan-input";

/** Plans a host update or a rebalance, or what is left of one. */
export function plan(declared: PlanInput): MigrationPlan {
  const input = withBoosts(declared);
  return input.spec.rebalance ? planRebalance(input) : planUpdate(input);
}

function planUpdate(input: PlanInput): MigrationPlan {
  const durations = resolveDurations(input.spec, input.durations);
  const scope = findHostsToUpdate(input.fleet, input.spec, input.progress);
  const openings = findOpenings(input);
  const failbackOnly = scope.hosts.length === 0 && scope.blockers.length === 0;
  const unusable = failbackOnly ? [] : findUnusable(input.fleet, input.forecast);
  const draft = unusable.length > 0 ? draftNothing(input, openings) : draftPlan(input, scope, openings, durations);
  const judgement = judgeFleet(input, draft.problem, scope);
  const blockers = [
    ...unusable,
    // With no host left only the reserve has to be emptied, and that must not wait for metrics or a window.
    ...(failbackOnly ? [] : judgement.blockers),
    ...(failbackOnly ? [] : stageBlockers(input)),
    ...(failbackOnly ? [] : budgetBlockers(input, scope.hosts, isQuick(input) ? undefined : planAgain(input).fits)),
    ...timeBlockers(input, openings, draft, failbackOnly),
  ];
  // Too little room may only follow from what is blocked already, such as a host that does not answer.
  const capacity = describeCapacity(input, draft, blockers.length === 0);
  blockers.push(...capacity.blockers);
  const waves = draft.schedule?.waves ?? [];
  const decision = blockers.length > 0 ? "blocked" : waves.length === 0 ? "nothing" : "run";
  const envelope = resolveEnvelope(input);
  const burstReason = draft.schedule?.burstReason;
  const decided = {
    skipped: scope.skipped,
    deferred: draft.deferred,
    blockers,
    ...(burstReason === undefined ? {} : { burstReason }),
  };
  return {
    v: 1,
    decision,
    slotMs: input.slotMs,
    seed: input.spec.seed,
    ...(draft.opening ? { opening: draft.opening } : {}),
    nextOpenings: openings.next,
    ...(input.stages ? { stages: input.stages } : {}),
    envelope,
    digest: envelopeDigest(envelope),
    ...budgetRows(input, draft.opening),
    reserve: {
      hosts: draft.schedule?.reserve ?? input.progress?.reservedHosts ?? [],
      reason: describeReserve(draft.schedule, scope, input.fleet),
    },
    waves,
    skipped: [...scope.skipped, ...draft.deferred],
    blockers,
    warnings: [
      ...judgement.warnings,
      ...eventWarnings(scope.hosts, input.fleet, openings.candidates),
      ...(failbackOnly && waves.length > 0
        ? judgement.blockers.map(({ reason, subject }) => `${subject}: ${reason}`)
        : []),
      ...(waves.length > 0 ? coverageWarnings(input, draft) : []),
      ...(draft.schedule?.warnings ?? []),
      ...impactWarnings(input, waves),
      // In the middle of a run nobody changes shares, and every plan has to be quick.
      ...(input.progress ? [] : shareWarnings(draft.problem, quantileOfPool(input))),
      ...capacity.warnings,
      ...deferralWarnings(openings, draft),
      ...limitWarnings(input, draft),
    ],
    total: draft.schedule?.total ?? NO_TIME,
    cost: decision === "run" ? withCheaper(input, scope, openings, durations, draft) : planCost(draft.schedule, input),
    probes: scope.probes,
    units: decideUnits(draft.problem, input, waves, quantileOfPool(input), judgeStay(waves, decided, draft.stays)),
    hostDecisions: decideHosts(draft.problem, input, waves, decided),
    ...(draft.schedule && !input.progress && scope.hosts.length > 0
      ? { openingChoice: judgeDraft(input, scope, openings, draft) }
      : {}),
  };
}

function judgeDraft(
  input: PlanInput,
  scope: HostsToUpdate,
  { candidates }: Openings,
  draft: Draft,
): readonly JudgedOpening[] {
  return judgeOpenings(candidates, draft.opening, draft, input, (other) => isUsable(other, input, scope));
}

/** Why a unit stays where it is in the plan of an update. */
function judgeStay(
  waves: readonly Wave[],
  { skipped, deferred, blockers }: HostsDecided,
  stays: Draft["stays"],
): JudgeStay {
  const left = new Map([...skipped, ...deferred].map(({ host, reason }) => [host, reason]));
  const updated = new Set(waves.flatMap((wave) => (isMovesOnly(wave) ? [] : wave.hosts)));
  return ({ id }, host, scored) => {
    const reason = left.get(host);
    if (reason !== undefined) return { outcome: "skipped", reason: `${host} is not updated: ${reason}` };
    if (!updated.has(host)) {
      const blocker = blockers.find(({ subject }) => subject === host) ?? blockers[0];
      return { outcome: "blocked", reason: blocker?.reason ?? `${host} is in no wave` };
    }
    const migration = stays.get(id) ?? scored;
    const stay = `stays on ${host} while it is updated`;
    if (isTooCostly(migration))
      return { outcome: "too-costly", reason: `${stay}: a move costs more than is accepted`, migration };
    const why = isWorthMoving(migration) ? "no other host has room for it" : "its score is not above the threshold";
    return { outcome: "skipped", reason: `${stay}: ${why}`, migration };
  };
}

const NO_TIME: DurationQuantiles = { p50Ms: 0, p95Ms: 0 };

/** The cost of a plan with the cheaper ones beside it. */
function withCheaper(
  input: PlanInput,
  scope: HostsToUpdate,
  openings: Openings,
  durations: StepDurations,
  { schedule, opening }: Draft,
): CostLine {
  const cost = planCost(schedule, input);
  const cheaper = findCheaper(
    input,
    cost,
    schedule?.waves ?? [],
    opening,
    openings.candidates,
    (changed, at, isQuick, tried) => {
      const effort = { comparesLanes: !isQuick, tried };
      const { schedule: again, fits, deferred } = draftFor(changed, scope, at, durations, effort);
      // A plan for fewer hosts is no cheaper one.
      return fits && deferred.length === 0 ? again : undefined;
    },
  );
  return cheaper.length === 0 ? cost : { ...cost, cheaper };
}

/** Blockers of time: no opening, or none that is long enough. */
function timeBlockers(input: PlanInput, openings: Openings, draft: Draft, failbackOnly: boolean): Blocker[] {
  if (failbackOnly) return [];
  if (openings.candidates.length === 0) return [windowBlocker(input)];
  const undisturbed = undisturbedHosts(input.fleet, "update");
  // Of hosts that a budget leaves alone another blocker tells before a run; under way it waits for them as for others.
  const deferred = input.progress ? draft.deferred : draft.deferred.filter(({ host }) => !undisturbed.has(host));
  if (draft.schedule?.waves.length === 0 && deferred.length > 0) {
    return [deferralBlocker(deferred, undisturbed.size > 0)];
  }
  if (!draft.schedule || draft.fits) return [];
  const longest = longestOpening(openings.candidates, input);
  const { fits, priceOf } = planAgain(input);
  const quick = isQuick(input);
  const conflict = quick ? [] : findConflict(input, timePromises(input, longest), fits, MOST_COPIES_FOR_TIME);
  const found = findTimeFixes(input, longest, draft.neededMs - timeIn(longest, input), draft.schedule, fits);
  return [fitBlocker(longest, draft.neededMs, input, conflict, quick ? found : sortByCost(found, priceOf))];
}

/** In the middle of a run every plan has to be quick. */
function isQuick({ progress, searchesFixes }: PlanInput): boolean {
  return progress !== undefined || searchesFixes === false;
}

/** Copies of fleets for which it is searched what keeps a run from ending in time: each question is a plan that is found. */
const MOST_COPIES_FOR_TIME = 400;

/** Plans changed inputs as a whole, each once. */
function planAgain(declared: PlanInput): {
  readonly fits: (changed: PlanInput) => boolean;
  readonly priceOf: (changed: PlanInput) => CostLine | undefined;
} {
  const drafts = new Map<PlanInput, Draft>();
  const draftOf = (input: PlanInput): Draft => {
    let draft = drafts.get(input);
    if (!draft) {
      const scope = findHostsToUpdate(input.fleet, input.spec, declared.progress);
      draft = draftPlan(input, scope, findOpenings(input), resolveDurations(input.spec, input.durations));
      drafts.set(input, draft);
    }
    return draft;
  };
  return {
    fits: (changed) => draftOf(changed).fits,
    priceOf: (changed) => planCost(draftOf(changed).schedule, changed),
  };
}

/** The blocker for a schedule that was not found; a warning where something else blocks anyway. */
function describeCapacity(
  input: PlanInput,
  { failure, problem, opening }: Draft,
  isOnlyReason: boolean,
): { readonly blockers: readonly Blocker[]; readonly warnings: readonly string[] } {
  if (!failure) return { blockers: [], warnings: [] };
  if (!isOnlyReason) return { blockers: [], warnings: [`as things stand, ${describeFailure(problem, failure)}`] };
  if (input.searchesFixes === false) return { blockers: [capacityBlocker(problem, failure, [])], warnings: [] };
  const { fits, priceOf } = planAgain(input);
  const stuck =
    failure.cause.kind === "stuck" ? problem.works[failure.cause.stuck.copy.work]?.workload.name : undefined;
  const room = capacityPromises(input, stuck, opening);
  const ofRoom = findConflict(input, room, fits);
  // Where all room is given up and there is none all the same, time is short as well.
  const conflict =
    ofRoom.length > 0 || !opening
      ? ofRoom
      : findConflict(input, [...room, ...timePromises(input, opening)], fits, MOST_COPIES_FOR_TIME);
  const fixes = sortByCost(findCapacityFixes(input, problem, failure, opening, fits), priceOf);
  return { blockers: [capacityBlocker(problem, failure, conflict, fixes)], warnings: [] };
}

function describeReserve(
  schedule: Schedule | undefined,
  scope: HostsToUpdate,
  { workloads }: PlanInput["fleet"],
): string {
  if (!schedule) return "no number of hosts up to the pool's maximum is enough";
  if (scope.hosts.length === 0) {
    return schedule.reserve.length === 0 ? "nothing is left to update" : "held until its copies are back";
  }
  const boosts = describeBoosts(workloads);
  const bursts = schedule.burstReason === undefined ? "" : `; ${schedule.burstReason}`;
  return `${schedule.reserveReason}${bursts}${boosts === undefined ? "" : `; room for boosts is kept: ${boosts}`}`;
}

/** A forecast that does not reach over the whole run is stretched; people should know. */
function coverageWarnings({ forecast }: PlanInput, { schedule }: Draft): string[] {
  const { startMs, stepMs, steps } = forecast.demand;
  const endMs = startMs + steps * stepMs;
  const from = schedule?.waves[0]?.startMs ?? startMs;
  const to = Math.max(...(schedule?.waves.map((wave) => wave.endMs) ?? [endMs]));
  return [
    ...(from < startMs ? [`the forecast begins after the run does (${iso(startMs)}); its first step stands in`] : []),
    ...(to > endMs ? [`the forecast ends before the run does (${iso(endMs)}); its last step stands in`] : []),
  ];
}

/** Where limits change while the run goes on. A run under way plans for the opening of its time. */
function limitWarnings(input: PlanInput, { opening, schedule }: Draft): string[] {
  if (!opening || !schedule || input.progress) return [];
  return limitChanges(input, opening).map(
    ({ window, startMs }) =>
      `limits change at ${iso(startMs)} (${window}); the plan keeps the strictest of all, and each wave those of its time`,
  );
}

function deferralWarnings({ candidates }: Openings, { opening, schedule }: Draft): string[] {
  const first = candidates[0];
  if (!first || !opening || !schedule || first.startMs === opening.startMs) return [];
  return [`the opening of ${iso(first.startMs)} is too short for the run; planned for ${iso(opening.startMs)}`];
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
