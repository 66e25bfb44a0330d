/** What the specs of the checker share: checks of the clean run, damaged in one place, and what must be found. */
import { strict as assert } from "node:assert";
import { checkRun } from "../../providers/guard/checker";
import { NO_OBSERVATIONS } from "../../providers/guard/observations";
import type { Observations } from "../../providers/guard/observations";
import type { JournalEvent, Violation } from "../../sdk/model";
import { createCleanEvents, createCleanObservations, keyOf, stamp, STEPS } from "./sample-run";

export function check(
  events: readonly JournalEvent[],
  observations: Observations = NO_OBSERVATIONS,
): readonly Violation[] {
  return checkRun({ entries: stamp(events), observations });
}

/** Checks the clean journal with damaged observations. */
export function checkSeen(damage: (clean: Observations) => Partial<Observations>): readonly Violation[] {
  const clean = createCleanObservations();
  return check(createCleanEvents(), { ...clean, ...damage(clean) });
}

/** Some violation must be of this rule and subject and say this. */
export function assertFound(
  violations: readonly Violation[],
  rule: Violation["rule"],
  subject: string,
  text: RegExp,
): void {
  const isFound = violations.some(
    (violation) => violation.rule === rule && violation.subject === subject && text.test(violation.text),
  );
  assert.ok(isFound, `no ${rule} violation of ${subject} that says ${String(text)} in ${JSON.stringify(violations)}`);
}

export function insertAfter(
  events: readonly JournalEvent[],
  index: number,
  ...added: readonly JournalEvent[]
): JournalEvent[] {
  return [...events.slice(0, index + 1), ...added, ...events.slice(index + 1)];
}

export function intent(id: string): JournalEvent {
  const step = STEPS.find((candidate) => candidate.id === id);
  assert.ok(step);
  return { kind: "step-intent", step, key: keyOf(id), prior: null };
}

/** Replaces the end of the run by a failure that names what it could not undo. */
export function failWith(notUndone: readonly string[]): JournalEvent[] {
  const failure = { subject: "host-01", step: "update", reason: "", undone: [], notUndone, remedy: "" };
  return [
    ...createCleanEvents().slice(0, -1),
    { kind: "failure", failure },
    { kind: "phase", phase: "failed", reason: "" },
  ];
}
