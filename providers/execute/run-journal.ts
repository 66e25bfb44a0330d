/**
 * The journal of a run for who writes it: appends with group commit and keeps the folded state beside it.
 *
 * Not for: storage (providers/journal) and what entries mean (providers/journal/replay.ts).
 *
 * Invariants
 * 1. `write` resolves after the entries are stored, never before: no effect without its intent stored.
 * 2. Entries of one `write` are stored together or not at all.
 * 3. After a failed append nothing more is written: what the store holds is then unknown to this process.
 */
import { canonicalJson, isKind, LeaseLostError, messageOf, StoreError } from "../../sdk/model";
import type { JournalEntry, JournalEvent, Phase, RunState, StepRecord } from "../../sdk/model";
import type { Clock } from "../clock";
import { createEntry, RunFold } from "../journal/replay";
import type { JournalFollower } from "../journal/follower";
import type { RunStore } from "../journal/run-store";

/** A store that does not answer is asked again this often before the run stops. */
const APPEND_TRIES = 5;
const FIRST_BACK_OFF_MS = 200;

interface PendingWrite {
  readonly entries: readonly JournalEntry[];
  resolve(): void;
  reject(error: unknown): void;
}

export class RunJournal {
  /** What was repaired when the journal was read. */
  readonly notices: readonly string[];
  private pending: PendingWrite[] = [];
  private isWriting = false;
  private broken: { readonly error: unknown } | undefined;

  private constructor(
    private readonly store: RunStore,
    private readonly run: string,
    private readonly clock: Clock,
    private readonly epoch: number,
    private readonly fold: RunFold,
    private nextSeq: number,
    notices: readonly string[],
    /** Number of entries stored. */
    private stored: number,
    private readonly follower: JournalFollower | undefined,
  ) {
    this.notices = notices;
  }

  /**
   * Reads what there is and gets ready to append.
   * @param epoch epoch of the run's lease
   * @param follower told what is stored, after the fact
   */
  static async open(
    store: RunStore,
    run: string,
    clock: Clock,
    epoch: number,
    follower?: JournalFollower,
  ): Promise<RunJournal> {
    const record = await store.read(run);
    const fold = new RunFold(run);
    for (const entry of record.entries) fold.add(entry);
    follower?.begin(run, record.entries);
    return new RunJournal(
      store,
      run,
      clock,
      epoch,
      fold,
      record.nextSeq,
      record.notices,
      record.entries.length,
      follower,
    );
  }

  /** True when nothing was stored yet. */
  get isEmpty(): boolean {
    return this.nextSeq === 0;
  }

  /** The state after all that was stored. @throws StoreError corrupt when there is nothing */
  state(): RunState {
    return this.fold.state();
  }

  /** Phase of the state. */
  get phase(): Phase {
    return this.fold.currentPhase();
  }

  /** One step of the state. */
  step(id: string): StepRecord | undefined {
    return this.fold.step(id);
  }

  /**
   * Stores events, stamped with time and epoch.
   * @throws LeaseLostError when another owner has written; StoreError when the store cannot
   */
  write(...events: readonly JournalEvent[]): Promise<void> {
    if (this.broken) return Promise.reject(asError(this.broken.error));
    const entries = events.map((event) => createEntry(event, this.clock.now(), this.epoch));
    return new Promise((resolve, reject) => {
      this.pending.push({ entries, resolve, reject });
      if (!this.isWriting) void this.drainPending();
    });
  }

  private async drainPending(): Promise<void> {
    this.isWriting = true;
    while (this.pending.length > 0) {
      const batch = this.pending;
      this.pending = [];
      try {
        const entries = batch.flatMap((write) => write.entries);
        if (this.broken) throw this.broken.error;
        await this.append(entries);
        this.nextSeq += 1;
        for (const entry of entries) this.fold.add(entry);
        this.follower?.follow(entries, this.stored);
        this.stored += entries.length;
        for (const write of batch) write.resolve();
      } catch (error) {
        this.broken ??= { error };
        for (const write of batch) write.reject(error);
      }
    }
    this.isWriting = false;
  }

  private async append(entries: readonly JournalEntry[]): Promise<void> {
    let isUncertain = false;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.store.append(this.run, this.nextSeq, entries);
        return;
      } catch (error) {
        if (!isKind(error, "StoreError")) throw error;
        const { code } = error as StoreError;
        // A conflict after an unanswered append may be this owner's own batch.
        if (code === "conflict" && isUncertain && (await this.isOwnBatch(entries))) return;
        if (code === "conflict") {
          throw new LeaseLostError(`run/${this.run}`, "another owner has written to the journal", error);
        }
        if (code !== "unavailable" || attempt >= APPEND_TRIES) throw error;
        isUncertain = true;
        await this.clock.sleep(FIRST_BACK_OFF_MS * 2 ** (attempt - 1));
      }
    }
  }

  private async isOwnBatch(entries: readonly JournalEntry[]): Promise<boolean> {
    const record = await this.store.read(this.run);
    if (record.nextSeq !== this.nextSeq + 1) return false;
    return canonicalJson(record.entries.slice(-entries.length)) === canonicalJson(entries);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new StoreError("unavailable", messageOf(error));
}
