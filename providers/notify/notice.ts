/**
 * Which of a run's events somebody is told, how severe they are, and how they read. Pure.
 *
 * Not for: sending (send.ts).
 */
import type { JournalEntry, Phase, RunFailure, Severity } from "../../sdk/model";

/** An event of a run, for people. */
export interface Notice {
  readonly event: NoticeEvent;
  readonly severity: Severity;
  readonly run: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly title: string;
  /** Why, and what there is to do. */
  readonly text: string;
  /** The same for every try to deliver it. */
  readonly id: string;
}

export type NoticeEvent =
  | "armed"
  | "started"
  | "wave-done"
  | "taken-over"
  | "held"
  | "paused"
  | "resumed"
  | "recovering"
  | "waiting"
  | "not-undone"
  | "done"
  | "failed"
  | "cancelled"
  | "expired"
  | "skipped";

const RANK: Readonly<Record<Severity, number>> = { info: 0, warning: 1, critical: 2 };

/** True when a target that wants `least` and above is told of something that severe. */
export function isSevereEnough(severity: Severity, least: Severity): boolean {
  return RANK[severity] >= RANK[least];
}

/** Makes notices of a journal's entries, one after the other. */
export class NoticeReader {
  private failure: RunFailure | undefined;
  private phase: Phase | undefined;
  private phaseReason = "";
  private readonly steps = new Map<string, string>();

  constructor(private readonly run: string) {}

  /** The notice of the next entry; undefined when nobody needs to hear of it. */
  read(entry: JournalEntry, position: number): Notice | undefined {
    const make = (event: NoticeEvent, severity: Severity, title: string, text = ""): Notice => ({
      event,
      severity,
      run: this.run,
      at: entry.at,
      title: `${this.run} ${title}`,
      text,
      id: `${this.run}/${String(position)}`,
    });
    switch (entry.kind) {
      case "phase":
        return this.readPhase(entry, make);
      case "failure":
        this.failure = entry.failure;
        return undefined;
      case "wave-done":
        return make("wave-done", "info", `has ended wave ${String(entry.index)}`);
      case "taken-over":
        // The first owner of a run takes nothing over.
        return this.phase === "armed" || this.phase === undefined
          ? undefined
          : make("taken-over", "warning", "is carried on by another process", `by ${entry.owner}`);
      case "step-intent":
        this.steps.set(entry.step.id, entry.step.kind);
        return undefined;
      case "undo-failed":
        return make(
          "not-undone",
          "critical",
          "could not undo a step",
          `${this.steps.get(entry.id) ?? entry.id}: ${entry.reason}`,
        );
      case "created":
      case "wave-planned":
      case "decision":
      case "asked":
      case "step-started":
      case "step-done":
      case "step-failed":
      case "undo-intent":
      case "undo-done":
      case "notice":
        return undefined;
    }
  }

  private readPhase(
    { phase, reason }: Extract<JournalEntry, { readonly kind: "phase" }>,
    make: (event: NoticeEvent, severity: Severity, title: string, text?: string) => Notice,
  ): Notice | undefined {
    const before = this.phase;
    const isSame = before === phase && this.phaseReason === reason;
    this.phase = phase;
    this.phaseReason = reason;
    if (isSame) return undefined;
    switch (phase) {
      case "armed":
        if (before === undefined) return make("armed", "info", "is armed", reason);
        return before === "armed"
          ? make("held", "warning", "cannot start", reason)
          : make("waiting", "warning", "waits for its next opening", reason);
      case "running":
        if (before === "running") {
          const isHeld = reason.startsWith("kill switch:");
          return isHeld ? make("held", "warning", "is held", reason) : make("resumed", "info", "goes on", reason);
        }
        return before === "paused"
          ? make("resumed", "info", "goes on", reason)
          : make("started", "info", "starts", reason);
      case "paused":
        return make("paused", "warning", "is paused", reason);
      case "recovering":
        return make("recovering", "warning", "is brought back to a safe state", reason);
      case "done":
        return make("done", "info", "is done", reason);
      case "failed":
        return make("failed", "critical", "has failed", describeFailure(this.failure) ?? reason);
      case "cancelled":
        return make("cancelled", "warning", "was cancelled", reason);
      case "expired":
        return make("expired", "critical", "has expired: the update was not made", reason);
      case "skipped":
        return make("skipped", "info", "was skipped", reason);
    }
  }
}

function describeFailure(failure: RunFailure | undefined): string | undefined {
  if (!failure) return undefined;
  const { subject, step, reason, undone, notUndone, remedy } = failure;
  return [
    `${subject}: step ${step} failed: ${reason}`,
    ...(undone.length > 0 ? [`undone: ${undone.join(", ")}`] : []),
    ...(notUndone.length > 0 ? [`NOT undone: ${notUndone.join(", ")}`] : []),
    remedy,
  ].join("\n");
}
