/**
 * The batches of one run in a folder: `00000012.json`, each created once and never changed.
 *
 * Not for: the text of a batch (batch-file.ts) and leases (file-leases.ts).
 *
 * Invariants
 * 1. Batches are without gaps: batch n is created only where batch n-1 is.
 * 2. Appends made at once share one sync of the folder (group fsync) and are acknowledged after it.
 * 3. What was called behind a failing append fails with it: a writer that lost its place never writes past it.
 * 4. Reading changes nothing. A damaged last batch is left out and reported; the append that takes its number sets it
 *    aside as `.torn`.
 */
import { join } from "node:path";
import { StoreError, type JournalEntry } from "../../sdk/model";
import { parseBatch, renderBatch } from "./batch-file";
import type { RunRecord } from "./run-store";
import { toStoreError, type StagedFile, type StoreFiles } from "./store-files";

/** Files read at once. */
const READERS = 16;
const BATCH_NAME = /^(\d{8})\.json$/;

interface PendingAppend {
  readonly seq: number;
  readonly text: string;
  readonly resolve: () => void;
  readonly reject: (reason: StoreError) => void;
}

/** Appends to and reads one run. */
export class BatchLog {
  private pending: PendingAppend[] = [];
  private isWriting = false;
  private isFolderReady = false;
  /** Batches known to exist: those below this number. */
  private knownLength = 0;

  constructor(
    private readonly run: string,
    private readonly folder: string,
    private readonly files: StoreFiles,
  ) {}

  /** Stores a batch. @throws StoreError as RunStore.append */
  append(seq: number, entries: readonly JournalEntry[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.pending.push({ seq, text: renderBatch(this.run, seq, entries), resolve, reject });
      if (!this.isWriting) void this.writePending();
    });
  }

  /** All batches in order. @throws StoreError as RunStore.read */
  async read(): Promise<RunRecord> {
    const seqs = await this.listBatches();
    const entries: JournalEntry[] = [];
    const notices: string[] = [];
    let nextSeq = 0;
    for (let from = 0; from < seqs.length; from += READERS) {
      const group = seqs.slice(from, from + READERS);
      const texts = await Promise.all(group.map((seq) => this.files.read(join(this.folder, batchName(seq)))));
      for (const [index, seq] of group.entries()) {
        const parsed = parseBatch(this.run, seq, texts[index] ?? "");
        if (parsed.kind === "version") throw this.versionError(seq, parsed.version);
        if (parsed.kind === "damaged" && seq < seqs.length - 1) throw this.corruptError(seq, parsed.reason);
        if (parsed.kind === "damaged") {
          notices.push(
            `run ${this.run}: the last batch ${this.pathOf(seq)} was torn (${parsed.reason}) and is left out; ` +
              `it was never acknowledged, and the next entry sets it aside as ${batchName(seq)}.torn`,
          );
        } else {
          entries.push(...parsed.entries);
          nextSeq = seq + 1;
        }
      }
    }
    this.knownLength = nextSeq;
    return { run: this.run, entries, nextSeq, notices };
  }

  /** Writes everything that waits, group by group, until nothing does. */
  private async writePending(): Promise<void> {
    this.isWriting = true;
    while (this.pending.length > 0) {
      const group = this.pending;
      this.pending = [];
      const failure = await this.writeGroup(group);
      // Invariant 3, for those that were called while the group was written.
      if (failure) for (const append of this.pending.splice(0)) append.reject(failure);
    }
    this.isWriting = false;
  }

  /** Publishes a group in the order of the calls. @returns why some of it failed, if so */
  private async writeGroup(group: readonly PendingAppend[]): Promise<StoreError | undefined> {
    const published: PendingAppend[] = [];
    let failure: StoreError | undefined;
    const staged = await this.stageGroup(group);
    for (const [index, append] of group.entries()) {
      try {
        await this.publishBatch(append, staged[index], failure);
        published.push(append);
      } catch (error) {
        failure = toStoreError(this.folder, error);
        append.reject(failure);
      }
    }
    try {
      if (published.length > 0) await this.files.syncFolder(this.folder);
      for (const append of published) append.resolve();
    } catch (error) {
      failure = toStoreError(this.folder, error);
      for (const append of published) append.reject(failure);
    }
    return failure;
  }

  private async stageGroup(group: readonly PendingAppend[]): Promise<readonly PromiseSettledResult<StagedFile>[]> {
    const folder = this.createFolderOnce();
    return Promise.allSettled(group.map((append) => folder.then(() => this.files.stage(this.folder, append.text))));
  }

  private async publishBatch(
    append: PendingAppend,
    staged: PromiseSettledResult<StagedFile> | undefined,
    earlierFailure: StoreError | undefined,
  ): Promise<void> {
    if (staged?.status !== "fulfilled") throw earlierFailure ?? toStoreError(this.folder, staged?.reason);
    try {
      if (earlierFailure) throw earlierFailure;
      await this.checkPredecessor(append.seq);
      if (!(await this.files.publish(staged.value, this.pathOf(append.seq)))) await this.replaceTorn(append);
      this.knownLength = Math.max(this.knownLength, append.seq + 1);
    } catch (error) {
      await this.files.remove(staged.value.path);
      throw error;
    }
  }

  private async createFolderOnce(): Promise<void> {
    if (this.isFolderReady) return;
    await this.files.createFolder(this.folder);
    this.isFolderReady = true;
  }

  private async checkPredecessor(seq: number): Promise<void> {
    if (seq <= this.knownLength) return;
    const length = (await this.listBatches()).length;
    this.knownLength = Math.max(this.knownLength, length);
    if (seq <= length) return;
    throw new StoreError("conflict", `run ${this.run}: batch ${String(seq)} cannot follow ${String(length)} batches`, {
      remedy: "read the run again and append behind its last batch",
    });
  }

  /** The number is taken: by a whole batch, then the append lost; by a torn one, then that is set aside. */
  private async replaceTorn(append: PendingAppend): Promise<void> {
    const name = batchName(append.seq);
    const isLast = (await this.listBatches()).length === append.seq + 1;
    const text = await this.files.read(this.pathOf(append.seq));
    if (!isLast || text === undefined || parseBatch(this.run, append.seq, text).kind !== "damaged") {
      throw this.conflictError(append.seq);
    }
    await this.files.rename(this.folder, name, `${name}.torn`);
    const moved = await this.files.read(join(this.folder, `${name}.torn`));
    if (moved !== text) {
      // Somebody else repaired it in between: what was moved is their batch, so it goes back.
      await this.files.restoreName(this.folder, `${name}.torn`, name);
      throw this.conflictError(append.seq);
    }
    if (!(await this.files.createIfAbsent(this.folder, name, append.text))) throw this.conflictError(append.seq);
  }

  /** Numbers of the batches, which are 0, 1, 2... @throws StoreError corrupt when one is missing */
  private async listBatches(): Promise<readonly number[]> {
    // A listing may show a new file and miss an older one that was created while it ran; the second shows both.
    let missing = 0;
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const seqs = (await this.files.list(this.folder))
        .map((name) => BATCH_NAME.exec(name)?.[1])
        .filter((digits) => digits !== undefined)
        .map(Number)
        .sort((a, b) => a - b);
      missing = seqs.findIndex((seq, index) => seq !== index);
      if (missing < 0) return seqs;
    }
    throw this.corruptError(missing, "it is missing, but later ones are there");
  }

  private pathOf(seq: number): string {
    return join(this.folder, batchName(seq));
  }

  private conflictError(seq: number): StoreError {
    return new StoreError("conflict", `run ${this.run}: batch ${String(seq)} was written by another owner`, {
      remedy: "whoever holds the run's lease now carries it on; nothing has to be done here",
    });
  }

  private corruptError(seq: number, reason: string): StoreError {
    return new StoreError("corrupt", `journal file ${this.pathOf(seq)} is damaged: ${reason}`, {
      remedy:
        "nothing was changed; restore that file from a backup, or check the run's hosts by hand, move the run's folder " +
        "away and start a new run",
    });
  }

  private versionError(seq: number, version: unknown): StoreError {
    return new StoreError(
      "version",
      `journal file ${this.pathOf(seq)} has format ${String(version)}, which is unknown`,
      {
        remedy: "carry this run on with the version of pulumi-archipelago that started it, or install a newer one here",
      },
    );
  }
}

/** File name of a batch. */
export function batchName(seq: number): string {
  return `${String(seq).padStart(8, "0")}.json`;
}
