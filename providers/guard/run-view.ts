/**
 * A journal as the checker reads it: which steps were under way when, in plain lists. Deliberately not the replay of
 * providers/journal: what checks must not share its mistakes with what is checked.
 *
 * Not for: resuming a run.
 */
import type { Bundle, JournalEntry, MigrationPlan, Move, PlanStep, StepKind, Wave, Workload } from "../../sdk/model";

/** One try of a step: from an intent to its end. */
export interface StepSpan {
  readonly step: PlanStep;
  readonly key: string;
  /** Position of the intent in the journal. */
  readonly index: number;
  readonly intentMs: number;
  outcome: "open" | "done" | "failed";
  endMs: number | undefined;
  endIndex: number | undefined;
  undo: "none" | "open" | "done" | "failed";
  undoMs: number | undefined;
  /** Position of the first intent to undo it. */
  undoIndex: number | undefined;
  undoEndMs: number | undefined;
}

/** A run as its journal tells it. */
export interface RunView {
  /** Id of the run, taken from its keys; undefined without a step. */
  readonly run: string | undefined;
  readonly entries: readonly JournalEntry[];
  readonly bundle: Bundle | undefined;
  readonly plan: MigrationPlan | undefined;
  readonly workloads: readonly Workload[];
  readonly waves: readonly Wave[];
  readonly moves: ReadonlyMap<string, Move>;
  /** Every try of every step, in the order of intents. */
  readonly spans: readonly StepSpan[];
}

/** Reads a journal; entries that belong to no intent are left to the rules. */
export function createRunView(entries: readonly JournalEntry[]): RunView {
  const created = entries.find((entry) => entry.kind === "created");
  const waves = entries.flatMap((entry) => (entry.kind === "wave-planned" ? [entry.wave] : []));
  const spans: StepSpan[] = [];
  const latest = new Map<string, StepSpan>();
  entries.forEach((entry, index) => {
    readEntry(entry, index, spans, latest);
  });
  const [first] = spans;
  return {
    run: first && runOfKey(first.key, first.step.id),
    entries,
    bundle: created?.bundle,
    plan: created?.plan,
    workloads: created?.bundle.fleet.workloads ?? [],
    waves,
    moves: new Map(waves.flatMap((wave) => wave.moves).map((move) => [move.id, move])),
    spans,
  };
}

/** The hosts that a step changes. */
export function hostsOf(step: PlanStep): readonly string[] {
  if ("hosts" in step) return step.hosts;
  if ("host" in step) return [step.host];
  if (step.kind === "hand-over" || step.kind === "live-migrate") return [step.fromHost, step.toHost];
  return [];
}

/** The spans of one kind. */
export function spansOf<K extends StepKind>(
  view: RunView,
  kind: K,
): readonly (StepSpan & { readonly step: Extract<PlanStep, { readonly kind: K }> })[] {
  return view.spans.filter(
    (span): span is StepSpan & { readonly step: Extract<PlanStep, { readonly kind: K }> } => span.step.kind === kind,
  );
}

/** True when the span was done before the entry at `index`, and not being undone by then. */
export function isDoneBefore(span: StepSpan, index: number): boolean {
  return span.outcome === "done" && span.endIndex !== undefined && span.endIndex < index;
}

function readEntry(entry: JournalEntry, index: number, spans: StepSpan[], latest: Map<string, StepSpan>): void {
  if (entry.kind === "step-intent") {
    const open = latest.get(entry.step.id);
    // The same intent, stored again by whoever took the run over.
    if (open?.key === entry.key && open.outcome === "open") return;
    const span: StepSpan = {
      step: entry.step,
      key: entry.key,
      index,
      intentMs: entry.at,
      outcome: "open",
      endMs: undefined,
      endIndex: undefined,
      undo: "none",
      undoMs: undefined,
      undoIndex: undefined,
      undoEndMs: undefined,
    };
    spans.push(span);
    latest.set(entry.step.id, span);
    return;
  }
  if (!("id" in entry)) return;
  const span = latest.get(entry.id);
  if (!span) return;
  if (entry.kind === "step-done" || entry.kind === "step-failed") {
    span.outcome = entry.kind === "step-done" ? "done" : "failed";
    span.endMs = entry.at;
    span.endIndex = index;
  } else if (entry.kind === "undo-intent") {
    span.undo = "open";
    span.undoMs ??= entry.at;
    span.undoIndex ??= index;
  } else if (entry.kind === "undo-done" || entry.kind === "undo-failed") {
    span.undo = entry.kind === "undo-done" ? "done" : "failed";
    span.undoEndMs = entry.at;
  }
}

/** A key is `<run>/<step id>/<try>`. */
function runOfKey(key: string, stepId: string): string | undefined {
  const position = key.indexOf(`/${stepId}/`);
  return position < 0 ? undefined : key.slice(0, position);
}
