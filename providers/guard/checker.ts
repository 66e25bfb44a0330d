/**
 * The independent checker: reads a journal and what was observed, knows nothing of planner or executor, and names
 * every promise that was broken. Runs in tests, in simulations and beside every real run.
 *
 * Not for: preventing anything; the executor's own gates do that.
 */
import type { JournalEntry, Violation } from "../../sdk/model";
import { NO_OBSERVATIONS } from "./observations";
import type { Observations } from "./observations";
import { keepsBudgets, keepsPauses } from "./rules/budget";
import { keepsCapacity, keepsShares, reservesFirst } from "./rules/capacity";
import { keepsDisruptionBudgets } from "./rules/disruption";
import { doesNothingTwice, intendsBeforeEffect, keepsEpochs, keepsKeys, keepsLeases } from "./rules/lease";
import {
  emptiesHostsFirst,
  fallsBackFirst,
  keepsDependencies,
  keepsEnvelope,
  keepsPhases,
  keepsReplaced,
  refusesWhatCanBeShed,
  startsStepsWhileRunning,
  surgesFirst,
} from "./rules/order";
import { leavesNoHalfState, leavesNothing } from "./rules/orphans";
import { keepsDevices, keepsNear, keepsOvercommit, keepsPlaces, keepsSpread } from "./rules/places";
import type { Rule } from "./rules/rule";
import { createRunView } from "./run-view";

/** The rules by name. */
const RULES = {
  keepsBudgets,
  keepsPauses,
  keepsCapacity,
  reservesFirst,
  keepsShares,
  keepsPlaces,
  keepsDevices,
  keepsNear,
  keepsSpread,
  keepsOvercommit,
  intendsBeforeEffect,
  keepsEpochs,
  keepsLeases,
  doesNothingTwice,
  keepsKeys,
  keepsPhases,
  startsStepsWhileRunning,
  keepsDependencies,
  surgesFirst,
  fallsBackFirst,
  refusesWhatCanBeShed,
  emptiesHostsFirst,
  keepsReplaced,
  keepsEnvelope,
  keepsDisruptionBudgets,
  leavesNothing,
  leavesNoHalfState,
} as const satisfies Readonly<Record<string, Rule>>;

/** What the checker reads. */
export interface CheckInput {
  /** All entries of the run, in order. */
  readonly entries: readonly JournalEntry[];
  /** What was seen from outside. @default nothing: only the journal is checked */
  readonly observations?: Observations;
}

/** Names every broken promise, oldest first; empty when there is none. */
export function checkRun({ entries, observations = NO_OBSERVATIONS }: CheckInput): readonly Violation[] {
  const view = createRunView(entries);
  return Object.values(RULES)
    .flatMap((rule: Rule) => rule(view, observations))
    .sort((a, b) => a.atMs - b.atMs);
}
