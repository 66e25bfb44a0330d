/**
 * Writes down in the audit log what happens to a run: arming, start, pause, resume, cancellation, recovery, takeover,
 * stop rules, failure and end. It follows the run's journal; what a process that died had no time to write is made up
 * for by the next one.
 *
 * Not for: what people do outside of a run (kill switch, approvals), which is written down by what they call.
 *
 * Invariants
 * 1. It never holds a run up: entries are written in the background, in order.
 * 2. No entry of a journal is written down twice by one process after the other: each names its position.
 */
import { messageOf, STOP_RULE_STEP } from "../../sdk/model";
import type { JournalEntry, Phase } from "../../sdk/model";
import type { Clock, Progress } from "../clock";
import type { JournalFollower } from "../journal/follower";
import type { RunStore } from "../journal/run-store";
import { appendAudit, readNewestAudit, type AuditEvent } from "./audit-log";

/** How long the end of a run waits for its last entries. */
const END_LIMIT_MS = 10_000;
const TRIES = 4;
const FIRST_BACK_OFF_MS = 250;
/** How far back in the log this run's last entry is looked for. */
const LOOK_BACK = 200;

/** Who has written what stands before the first takeover in a journal. */
const EARLIER_OWNER = "an earlier process";

/** What is needed from outside. */
export interface AuditOptions {
  readonly store: RunStore;
  readonly clock: Clock;
  readonly progress: Progress;
  /** The process. */
  readonly owner: string;
}

/** Follows a run into the audit log. */
export function createAuditFollower(options: AuditOptions): JournalFollower {
  return new AuditFollower(options);
}

class AuditFollower implements JournalFollower {
  private reader: AuditReader;
  private run = "";
  private tail: Promise<void> = Promise.resolve();
  private isTold = false;
  private readonly ended = new AbortController();

  constructor(private readonly options: AuditOptions) {
    this.reader = new AuditReader("", options.owner);
  }

  begin(run: string, entries: readonly JournalEntry[]): void {
    this.run = run;
    this.reader = new AuditReader(run, EARLIER_OWNER);
    const events = entries.flatMap((entry, position) => this.reader.read(entry, position) ?? []);
    // From here on this process writes.
    this.reader.owner = this.options.owner;
    if (events.length > 0) this.enqueue(() => this.catchUp(events));
  }

  follow(entries: readonly JournalEntry[], position: number): void {
    entries.forEach((entry, index) => {
      const event = this.reader.read(entry, position + index);
      if (event) this.enqueue(() => this.write(event));
    });
  }

  async end(): Promise<void> {
    const written = new AbortController();
    const allWritten = this.tail.then(() => {
      written.abort();
    });
    await Promise.race([allWritten, this.options.clock.sleep(END_LIMIT_MS, written.signal)]);
    this.ended.abort();
  }

  private enqueue(task: () => Promise<void>): void {
    this.tail = this.tail.then(task).catch((error: unknown) => {
      if (!this.isTold) this.options.progress.line(`the audit log could not be written: ${messageOf(error)}`);
      this.isTold = true;
    });
  }

  private async catchUp(events: readonly AuditEvent[]): Promise<void> {
    const newest = await readNewestAudit(this.options.store, LOOK_BACK);
    const last = newest.findLast(({ subject, entry }) => subject === this.run && entry !== undefined)?.entry ?? -1;
    for (const event of events) if ((event.entry ?? 0) > last) await this.write(event);
  }

  private async write(event: AuditEvent): Promise<void> {
    const { store, clock } = this.options;
    for (let tries = 1; ; tries++) {
      try {
        await appendAudit(store, event);
        this.isTold = false;
        return;
      } catch (error) {
        if (tries >= TRIES || this.ended.signal.aborted) throw error;
        await clock.sleep(FIRST_BACK_OFF_MS * 2 ** (tries - 1), this.ended.signal);
      }
    }
  }
}

/** Makes audit events of a journal's entries, one after the other. */
class AuditReader {
  private phase: Phase | undefined;
  private before: JournalEntry | undefined;

  constructor(
    private readonly run: string,
    /** The process that has written the entries. */
    public owner: string,
  ) {}

  read(entry: JournalEntry, position: number): AuditEvent | undefined {
    const { before } = this;
    this.before = entry;
    if (entry.kind === "taken-over") {
      this.owner = entry.owner;
      // The first owner of a run takes nothing over.
      if (this.phase === undefined || this.phase === "armed") return undefined;
      return this.make("takeover", this.owner, `carried on while ${this.phase}`, position);
    }
    if (entry.kind === "asked") return this.make(entry.wish, entry.by, `honoured: ${entry.why}`, position);
    if (entry.kind === "failure" && entry.failure.step === STOP_RULE_STEP) {
      return this.make("stop-rule", this.owner, `${entry.failure.subject}: ${entry.failure.reason}`, position);
    }
    return entry.kind === "phase" ? this.readPhase(entry, before, position) : undefined;
  }

  private readPhase(
    { phase, reason }: Extract<JournalEntry, { readonly kind: "phase" }>,
    before: JournalEntry | undefined,
    position: number,
  ): AuditEvent | undefined {
    const from = this.phase;
    this.phase = phase;
    const make = (what: AuditEvent["what"]): AuditEvent => this.make(what, this.owner, reason, position);
    switch (phase) {
      case "armed":
        return from === "armed" ? undefined : make("arm");
      case "running":
        if (from === "running") return undefined;
        return from === "paused" ? (before?.kind === "asked" ? undefined : make("resume")) : make("start");
      case "paused":
        return before?.kind === "asked" ? undefined : make("pause");
      case "recovering":
        return make("recover");
      case "failed":
        return make("failure");
      case "cancelled":
        return make("cancel");
      case "done":
      case "skipped":
      case "expired":
        return make("end");
    }
  }

  private make(what: AuditEvent["what"], who: string, why: string, entry: number): AuditEvent {
    return { who, what, subject: this.run, why, entry };
  }
}
