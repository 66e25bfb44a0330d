/**
 * Which promises and limits keep a plan from being found: an irreducible set of them that cannot be kept together. At
 * least one of the set has to give way; where there are several such sets, one of each.
 *
 * The search is QuickXplain (Junker, "QuickXplain: Preferred Explanations and Relaxations for Over-Constrained
 * Problems", AAAI 2004), after a look at each alone; every question is answered by planning again.
 *
 * Not for: how far a promise has to be widened (fixes.ts).
 *
 * Invariants
 * 1. With the whole set kept and all else given up there is no plan.
 * 2. With any member given up besides there is one.
 */
import type { Fleet, Workload } from "../../sdk/model";
import { formatPercentage } from "../../sdk/model";

import { plural } from "./explain";
import type { PlanInput } from "./plan-input";
import type { Problem } from "./problem";
import type { ScheduleFailure } from "./schedule";

/** Each question is a whole plan: on larger fleets the answer would keep a preview waiting. */
const MOST_COPIES = 1_000;

/** Something declared that can be given up. */
export interface Declared {
  /** As in `the budget of checkout (maxUnavailable 0)`. */
  readonly text: string;
  /** The input without it. */
  readonly giveUp: (input: PlanInput) => PlanInput;
}

/** An irreducible set of promises that cannot be kept together; empty when giving all up does not help. */
export function findConflict(
  input: PlanInput,
  promises: readonly Declared[],
  isPlannable: (input: PlanInput) => boolean,
): readonly Declared[] {
  if (input.fleet.replicas.length > MOST_COPIES) return [];
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

/** What can be given up where a schedule failed, the dearest promise first: it is named only where it is needed. */
export function promisesOf(input: PlanInput, problem: Problem, { cause }: ScheduleFailure): readonly Declared[] {
  const stuck = cause.kind === "stuck" ? problem.works[cause.stuck.copy.work]?.workload : undefined;
  return [...shareOf(input), confidenceOf(input), ...(stuck ? budgetsOf(input, stuck) : []), ...reserveOf(input)];
}

/** The conflict as the end of a sentence: `; these cannot be kept together: ...`. */
export function describeConflict(conflict: readonly Declared[]): string {
  const [only, second] = conflict;
  if (!only) return "";
  if (!second) return `; what stands in the way is ${only.text}`;
  return `; these cannot be kept together: ${conflict.map(({ text }) => text).join(", ")}`;
}

function confidenceOf(input: PlanInput): Declared {
  return {
    text: `capacity on ${formatPercentage(input.spec.confidence)} of the paths`,
    giveUp: (changed) => {
      const { pool } = changed.spec;
      const spec = { ...changed.spec, confidence: 0, ...(pool ? { pool: { ...pool, quantile: 0.5 } } : {}) };
      return { ...changed, spec };
    },
  };
}

/** An island's share of its hosts. One that shares no host with others has the rest of them free. */
function shareOf({ fleet }: PlanInput): Declared[] {
  const [island, second] = fleet.islands;
  if (!island || second || Math.min(island.share.cpu, island.share.memory) >= 1) return [];
  const share = Math.min(island.share.cpu, island.share.memory);
  return [
    {
      text: `the guarantee of ${island.name} (${formatPercentage(share)} of each host)`,
      giveUp: (changed) => ({
        ...changed,
        fleet: { ...changed.fleet, islands: changed.fleet.islands.map((one) => ({ ...one, share: WHOLE })) },
      }),
    },
  ];
}

const WHOLE = { cpu: 1, memory: 1 };

function budgetsOf(input: PlanInput, stuck: Workload): Declared[] {
  if (stuck.exclusive) return [];
  const withBudgets = (changed: PlanInput, isFree: (workload: Workload) => boolean): PlanInput => ({
    ...changed,
    fleet: { ...changed.fleet, workloads: freeBudgets(changed.fleet, isFree) },
  });
  const others = input.fleet.workloads.filter(({ name, exclusive }) => name !== stuck.name && !exclusive);
  return [
    {
      text:
        stuck.criticality === "sheddable"
          ? `the budget of ${stuck.name} (maxUnavailable ${String(stuck.maxUnavailable)})`
          : `that ${stuck.name} is never shed (criticality ${stuck.criticality})`,
      giveUp: (changed) => withBudgets(changed, ({ name }) => name === stuck.name),
    },
    ...(others.length === 0
      ? []
      : [
          {
            text: `what ${plural(others.length, "other workload")} must keep serving`,
            giveUp: (changed: PlanInput) => withBudgets(changed, ({ name }) => name !== stuck.name),
          },
        ]),
  ];
}

/** Without a budget a copy may be shed, whatever it is. */
function freeBudgets({ workloads }: Fleet, isFree: (workload: Workload) => boolean): readonly Workload[] {
  return workloads.map((workload) =>
    isFree(workload) && !workload.exclusive
      ? { ...workload, maxUnavailable: workload.copies, criticality: "sheddable" }
      : workload,
  );
}

function reserveOf({ spec, fleet }: PlanInput): Declared[] {
  const maximum = spec.pool?.maximumHosts ?? 0;
  const standby = fleet.hosts.filter(({ role }) => role === "standby").length;
  if (standby <= maximum) return [];
  return [
    {
      text: `at most ${plural(maximum, "host")} in reserve of ${String(standby)}`,
      giveUp: (changed) => {
        const pool = changed.spec.pool ?? { name: "pool", quantile: changed.spec.confidence, maximumHosts: 0 };
        return { ...changed, spec: { ...changed.spec, pool: { ...pool, maximumHosts: standby } } };
      },
    },
  ];
}
