/**
 * Budgets: the run never takes out a copy that the budget does not let go, and pauses nothing for too long.
 *
 * A copy that stops serving counts as lost by itself when no step of the run touched it or its host at that time.
 * What is lost by itself is no violation; what the run takes out while too few serve is one, whyever they are too few.
 */
import type { StepKind, Violation, Workload } from "../../../sdk/model";
import type { AvailabilitySample, Observations, ServingCopy } from "../observations";
import type { RunView, StepSpan } from "../run-view";
import type { Rule } from "./rule";

/** What was lost this short before cannot have been known to whoever looked before taking out another. */
const DETECTION_MS = 5000;
/** Two sightings of a pause of one workload within this time are the same pause. */
const SAME_PAUSE_MS = 30_000;

/** Copies that serve never fall below the budget by the run's doing. */
export const keepsBudgets: Rule = (view, observations) => {
  const period = activePeriod(view);
  if (!period) return [];
  return view.workloads
    .filter((workload) => !workload.exclusive)
    .flatMap((workload) => {
      const samples = observations.availability.filter((sample) => sample.workload === workload.name);
      return findDeficits(view, workload, samples).filter(
        (violation) => violation.atMs >= period.fromMs && violation.atMs <= period.toMs,
      );
    });
};

/** No hand-over or live migration pauses an exclusive workload beyond what it allows. */
export const keepsPauses: Rule = (view, observations) =>
  view.workloads
    .filter((workload) => workload.exclusive)
    .flatMap((workload) => [
      ...observedPauses(workload, observations),
      ...journaledPauses(view, workload),
      ...sampledPauses(view, workload, observations),
    ])
    .filter(isFirstOfSubject);

function findDeficits(view: RunView, workload: Workload, samples: readonly AvailabilitySample[]): readonly Violation[] {
  const required = Math.max(0, workload.copies - workload.maxUnavailable);
  const violations: Violation[] = [];
  const losses: number[] = [];
  let before: AvailabilitySample | undefined;
  for (const sample of samples) {
    const { atMs, serving } = sample;
    const fromMs = before?.atMs ?? atMs;
    const ids = new Set(serving.map((copy) => copy.replica));
    const gone = before?.serving.filter((copy) => !ids.has(copy.replica)) ?? [];
    const taken = gone.filter((copy) => isTouched(view, copy, fromMs, atMs));
    for (let count = taken.length; count < gone.length; count += 1) losses.push(atMs);
    const unseen = losses.filter((lostMs) => lostMs >= fromMs - DETECTION_MS).length;
    if (taken.length > 0 && serving.length + unseen < required) {
      violations.push({
        atMs,
        rule: "budget",
        subject: workload.name,
        text:
          `${String(serving.length)} of ${String(workload.copies)} copies served, ${String(required)} must, ` +
          `when the run took out ${taken.map((copy) => copy.replica).join(", ")}`,
      });
    }
    before = sample;
  }
  return violations;
}

/** True when a step of the run may have ended the copy between two samples. */
function isTouched(view: RunView, copy: ServingCopy, fromMs: number, toMs: number): boolean {
  return view.spans.some((span) => touches(span, copy) && isWithin(span, fromMs, toMs));
}

/** True when a step or its undo was under way at some time between two moments. */
function isWithin(span: StepSpan, fromMs: number, toMs: number): boolean {
  const overlaps = (startMs: number | undefined, endMs: number | undefined): boolean =>
    startMs !== undefined && startMs <= toMs && (endMs === undefined || endMs >= fromMs);
  const takesOut = !GIVING.has(span.step.kind);
  return (takesOut && overlaps(span.intentMs, span.endMs)) || overlaps(span.undoMs, span.undoEndMs);
}

/** Steps that add copies: only their undo takes one out. */
const GIVING: ReadonlySet<StepKind> = new Set(["start-copy", "admit", "reserve", "deploy-function"]);

function touches({ step }: StepSpan, copy: ServingCopy): boolean {
  switch (step.kind) {
    case "drain":
    case "stop-copy":
    case "start-copy":
    case "admit":
      return step.replica === copy.replica;
    case "live-migrate":
      return step.replica === copy.replica;
    case "deploy-function":
    case "remove-function":
      return step.endpoint === copy.replica;
    case "hand-over":
      return step.fromReplica === copy.replica || step.toReplica === copy.replica;
    case "update":
    case "reboot":
    case "replace":
      return step.host === copy.host;
    case "release":
    case "reserve":
      return step.hosts.includes(copy.host);
    case "cordon":
    case "uncordon":
    case "snapshot":
    case "validate":
    case "soak":
    case "await-end":
    case "refuse-paths":
    case "serve-paths":
    case "set-shares":
    case "discard-replaced":
      return false;
  }
}

/** From the first step to the end of the journal. */
function activePeriod(view: RunView): { readonly fromMs: number; readonly toMs: number } | undefined {
  const [first] = view.spans;
  const last = view.entries.at(-1);
  return first && last && { fromMs: first.intentMs, toMs: last.at };
}

function observedPauses(workload: Workload, observations: Observations): readonly Violation[] {
  return observations.pauses
    .filter((pause) => pause.workload === workload.name && pause.pauseMs > workload.maxPauseMs)
    .map((pause) => pauseViolation(workload, pause.atMs, pause.pauseMs));
}

function journaledPauses(view: RunView, workload: Workload): readonly Violation[] {
  const handOvers = new Set(
    view.spans.flatMap(({ step }) =>
      (step.kind === "hand-over" || step.kind === "live-migrate") && step.workload === workload.name ? [step.id] : [],
    ),
  );
  return view.entries.flatMap((entry) => {
    if (entry.kind !== "step-done" || !handOvers.has(entry.id)) return [];
    const { result } = entry;
    if (typeof result !== "object" || result === null || !("pauseMs" in result)) return [];
    const { pauseMs } = result;
    const isTooLong = typeof pauseMs === "number" && pauseMs > workload.maxPauseMs;
    return isTooLong ? [pauseViolation(workload, entry.at, pauseMs)] : [];
  });
}

/** From samples only a lower bound is known: from the first one without a serving copy to the last. */
function sampledPauses(view: RunView, workload: Workload, observations: Observations): readonly Violation[] {
  const violations: Violation[] = [];
  let before: AvailabilitySample | undefined;
  let pause: { readonly fromMs: number; readonly isOwn: boolean; toMs: number } | undefined;
  for (const sample of observations.availability.filter(({ workload: name }) => name === workload.name)) {
    if (sample.serving.length > 0) {
      pause = undefined;
    } else if (pause) {
      pause.toMs = sample.atMs;
    } else {
      const { atMs } = sample;
      const isOwn = before?.serving.some((copy) => isTouched(view, copy, before?.atMs ?? atMs, atMs)) ?? false;
      pause = { fromMs: atMs, toMs: atMs, isOwn };
    }
    before = sample;
    if (pause?.isOwn && pause.toMs - pause.fromMs > workload.maxPauseMs) {
      violations.push(pauseViolation(workload, pause.fromMs, pause.toMs - pause.fromMs));
    }
  }
  return violations;
}

function pauseViolation(workload: Workload, atMs: number, pauseMs: number): Violation {
  return {
    atMs,
    rule: "pause",
    subject: workload.name,
    text: `paused for ${String(Math.round(pauseMs))} ms, ${String(workload.maxPauseMs)} ms are allowed`,
  };
}

/** The same pause may be seen in three ways; it is named once. */
function isFirstOfSubject(violation: Violation, index: number, all: readonly Violation[]): boolean {
  return (
    all.findIndex(
      (other) => other.subject === violation.subject && Math.abs(other.atMs - violation.atMs) <= SAME_PAUSE_MS,
    ) === index
  );
}
