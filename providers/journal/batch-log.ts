/**
 * The batches of one run in a folder: `00000012.json`, each created once and never changed.
 *
 * Not for: the text of a batch (batch-file.ts) and leases (file-leases.ts).
 *
 * Invariants
 * 1. Batches are without gaps: batch n is created only where batch n-1 is.
 * 2. Appends made at once share one sync of the folder (group fsync) and are acknowledged after it.
 * 3. What was called behind a failing append fails with it: a writer that lost its place never writes past it.
 * 4. Reading changes nothing. A last batch that breaks off is left out and reported; the append that takes its number
 *    sets it aside as `.torn`. One that is whole, but not what was written, is never left out.
 */
import { join } from "node:path";
import type { JournalEntry, StoreError } from "../../sdk/model";
import { BatchChain, conflictError, corruptError, gapError, type BatchPlaces } from "./batch-chain";
import { hashBatch, parseBatch, renderBatch } from "./batch-file";
import type { RunRecord } from "./run-store";
import { toStoreError, type StagedFile, type StoreFiles } from "./store-files";

/** Files read at once. */
const READERS = 16;
const BATCH_NAME = /^(\d{8})\.json$/;

interface PendingAppend {
  readonly seq: number;
  readonly entries: readonly JournalEntry[];
  readonly resolve: () => void;
  readonly reject: (reason: StoreError) => void;
}

/** A batch of a group with its text, on disk or not. */
interface StagedAppend {
  readonly text: string;
  readonly hash: string;
  readonly file: StagedFile;
}

/** Appends to and reads one run. */
export class BatchLog {
  private pending: PendingAppend[] = [];
  private isWriting = false;
  private isFolderReady = false;
  /** Batches known to exist: those below this number. */
  private knownLength = 0;
  /** The last batch that is known, for the link of the next. */
  private last: { readonly seq: number; readonly hash: string } | undefined;
  private readonly places: BatchPlaces = {
    of: (seq) => this.pathOf(seq),
    restore: "restore that file from a backup",
  };

  constructor(
    private readonly run: string,
    private readonly folder: string,
    private readonly files: StoreFiles,
  ) {}

  /** Stores a batch. @throws StoreError as RunStore.append */
  append(seq: number, entries: readonly JournalEntry[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.pending.push({ seq, entries, resolve, reject });
      if (!this.isWriting) void this.writePending();
    });
  }

  /** All batches in order. @throws StoreError as RunStore.read */
  async read(): Promise<RunRecord> {
    const seqs = await this.listBatches();
    const chain = new BatchChain(this.run, this.places);
    const notices: string[] = [];
    for (let from = 0; from < seqs.length; from += READERS) {
      const group = seqs.slice(from, from + READERS);
      const texts = await Promise.all(group.map((seq) => this.files.read(this.pathOf(seq))));
      for (const [index, seq] of group.entries()) {
        const torn = chain.add(texts[index] ?? "");
        if (torn === undefined) continue;
        if (seq < seqs.length - 1) throw corruptError(this.places, seq, torn);
        notices.push(
          `run ${this.run}: the last batch ${this.pathOf(seq)} was torn (${torn}) and is left out; ` +
            `it was never acknowledged, and the next entry sets it aside as ${batchName(seq)}.torn`,
        );
      }
    }
    this.knownLength = chain.nextSeq;
    if (chain.lastHash !== null) this.last = { seq: chain.nextSeq - 1, hash: chain.lastHash };
    return { run: this.run, entries: chain.entries, nextSeq: chain.nextSeq, notices };
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
    const published: { readonly append: PendingAppend; readonly hash: string }[] = [];
    let failure: StoreError | undefined;
    const staged = await this.stageGroup(group);
    for (const [index, append] of group.entries()) {
      try {
        published.push({ append, hash: await this.publishBatch(append, staged[index], failure) });
      } catch (error) {
        failure = toStoreError(this.folder, error);
        append.reject(failure);
      }
    }
    try {
      if (published.length > 0) await this.files.syncFolder(this.folder);
      for (const { append, hash } of published) {
        this.last = { seq: append.seq, hash };
        append.resolve();
      }
    } catch (error) {
      failure = toStoreError(this.folder, error);
      for (const { append } of published) append.reject(failure);
    }
    return failure;
  }

  private async stageGroup(group: readonly PendingAppend[]): Promise<readonly PromiseSettledResult<StagedAppend>[]> {
    const folder = this.createFolderOnce();
    const texts: Promise<{ readonly text: string; readonly hash: string }>[] = [];
    for (const [index, { seq, entries }] of group.entries()) {
      const before = group[index - 1]?.seq === seq - 1 ? texts[index - 1] : undefined;
      const previous = before ? before.then(({ hash }) => hash) : this.hashBefore(seq);
      texts.push(
        previous.then((hash) => {
          const text = renderBatch(this.run, seq, entries, hash);
          return { text, hash: hashBatch(text) };
        }),
      );
    }
    return Promise.allSettled(
      texts.map(async (rendering) => {
        const [batch] = await Promise.all([rendering, folder]);
        return { ...batch, file: await this.files.stage(this.folder, batch.text) };
      }),
    );
  }

  /** Hash of the batch before. */
  private async hashBefore(seq: number): Promise<string | null> {
    if (seq === 0) return null;
    if (this.last?.seq === seq - 1) return this.last.hash;
    const text = await this.files.read(this.pathOf(seq - 1));
    if (text === undefined) throw gapError(this.run, seq, (await this.listBatches()).length);
    const parsed = parseBatch(this.run, seq - 1, text);
    if (parsed.kind === "torn" || parsed.kind === "damaged") throw corruptError(this.places, seq - 1, parsed.reason);
    return hashBatch(text);
  }

  /** @returns the batch's hash */
  private async publishBatch(
    append: PendingAppend,
    staged: PromiseSettledResult<StagedAppend> | undefined,
    earlierFailure: StoreError | undefined,
  ): Promise<string> {
    if (staged?.status !== "fulfilled") throw earlierFailure ?? toStoreError(this.folder, staged?.reason);
    const { file, text, hash } = staged.value;
    try {
      if (earlierFailure) throw earlierFailure;
      await this.checkPredecessor(append.seq);
      if (!(await this.files.publish(file, this.pathOf(append.seq)))) await this.replaceTorn(append.seq, text);
      this.knownLength = Math.max(this.knownLength, append.seq + 1);
      return hash;
    } catch (error) {
      await this.files.remove(file.path);
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
    throw gapError(this.run, seq, length);
  }

  /** The number is taken: by a whole batch, then the append lost; by a torn one, then that is set aside. */
  private async replaceTorn(seq: number, replacement: string): Promise<void> {
    const name = batchName(seq);
    const isLast = (await this.listBatches()).length === seq + 1;
    const text = await this.files.read(this.pathOf(seq));
    if (!isLast || text === undefined || parseBatch(this.run, seq, text).kind !== "torn") {
      throw conflictError(this.run, seq);
    }
    await this.files.rename(this.folder, name, `${name}.torn`);
    const moved = await this.files.read(join(this.folder, `${name}.torn`));
    if (moved !== text) {
      // Somebody else repaired it in between: what was moved is their batch, so it goes back.
      await this.files.restoreName(this.folder, `${name}.torn`, name);
      throw conflictError(this.run, seq);
    }
    if (!(await this.files.createIfAbsent(this.folder, name, replacement))) throw conflictError(this.run, seq);
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
    throw corruptError(this.places, missing, "it is missing, but later ones are there");
  }

  private pathOf(seq: number): string {
    return join(this.folder, batchName(seq));
  }
}

/** File name of a batch. */
export function batchName(seq: number): string {
  return `${String(seq).padStart(8, "0")}.json`;
}
