/** Capacity: no host over its capacity, and no host cordoned before the reserve that its load needs is there. */
import { SHARE_TOLERANCE, type Violation } from "../../../sdk/model";
import { isDoneBefore, spansOf } from "../run-view";
import type { RunView, StepSpan } from "../run-view";
import type { Rule } from "./rule";

/** No host carries more than it has while the run is under way. */
export const keepsCapacity: Rule = (view, observations) => {
  const [first] = view.spans;
  const last = view.entries.at(-1);
  if (!first || !last) return [];
  const violations: Violation[] = [];
  const over = new Set<string>();
  for (const { atMs, host, cpuMillis, capacityCpuMillis } of observations.loads) {
    if (atMs < first.intentMs || atMs > last.at) continue;
    if (cpuMillis <= capacityCpuMillis) over.delete(host);
    else if (!over.has(host)) {
      over.add(host);
      const text = `${String(Math.round(cpuMillis))} millicores in use, ${String(Math.round(capacityCpuMillis))} are there`;
      violations.push({ atMs, rule: "capacity", subject: host, text });
    }
  }
  return violations;
};

/** Shares that a run puts in force are together no more than the host. */
export const keepsShares: Rule = (view) =>
  spansOf(view, "set-shares").flatMap(({ step, intentMs }): readonly Violation[] => {
    const sum = step.shares.reduce((total, { cpu }) => total + cpu, 0);
    if (sum <= 1 + SHARE_TOLERANCE && step.shares.every(({ cpu }) => cpu >= 0)) return [];
    const text = `${String(Math.round(sum * 100))} % of its CPU are given to islands`;
    return [{ atMs: intentMs, rule: "capacity", subject: step.host, text }];
  });

/** Reserve first: a cordon comes after the reserve that is planned for its wave is there, and before it is given back. */
export const reservesFirst: Rule = (view) =>
  spansOf(view, "cordon").flatMap((cordon): readonly Violation[] => {
    const held = heldReserve(view, cordon.index);
    const missing = plannedReserve(view, cordon.index).filter((host) => !held.has(host));
    if (missing.length === 0) return [];
    const text = `cordoned while ${missing.join(", ")} of the reserve was not there`;
    return [{ atMs: cordon.intentMs, rule: "capacity", subject: cordon.step.host, text }];
  });

/**
 * The reserve that the waves planned before the entry at `index` ask for: what they reserve and do not release again.
 * Where none of them asks for any, that of the approved plan up to the same wave.
 */
function plannedReserve(view: RunView, index: number): readonly string[] {
  const planned = view.entries.slice(0, index).flatMap((entry) => (entry.kind === "wave-planned" ? [entry.wave] : []));
  const asks = planned.some(({ steps }) => steps.some(({ kind }) => kind === "reserve"));
  const last = planned.at(-1)?.index ?? Number.POSITIVE_INFINITY;
  const approved = view.plan?.waves.filter((wave) => wave.index <= last) ?? [];
  const asked = new Set<string>();
  for (const { steps } of asks ? planned : approved) {
    for (const step of steps) {
      if (step.kind === "reserve") for (const host of step.hosts) asked.add(host);
      if (step.kind === "release") for (const host of step.hosts) asked.delete(host);
    }
  }
  return [...asked];
}

/** Hosts that were reserved, and neither released nor undone, at the entry `index`. */
function heldReserve(view: RunView, index: number): ReadonlySet<string> {
  const held = new Set<string>();
  for (const span of view.spans) {
    if (span.index >= index) break;
    const { step } = span;
    if (step.kind === "reserve" && isDoneBefore(span, index) && !isUndoneBefore(span, index)) {
      for (const host of step.hosts) held.add(host);
    }
    if (step.kind === "release") for (const host of step.hosts) held.delete(host);
  }
  return held;
}

/** By position, not by time: a failure and the undo that it leads to may share a millisecond. */
function isUndoneBefore({ undoIndex }: StepSpan, index: number): boolean {
  return undoIndex !== undefined && undoIndex < index;
}
