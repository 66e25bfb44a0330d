/**
 * The batches of one run as objects: `runs/<run>/00000012.json`, each created once and never changed.
 *
 * Not for: the text of a batch (batch-file.ts) and leases (s3-leases.ts).
 *
 * Invariants
 * 1. Batches are without gaps: batch n is created only where batch n-1 was read or written before.
 * 2. What was called behind a failing append fails with it: a writer that lost its place never writes past it.
 * 3. An object is there as a whole or not at all: one that is not what was written was tampered with.
 */
import type { JournalEntry } from "../../sdk/model";
import { BatchChain, conflictError, corruptError, gapError, type BatchPlaces } from "./batch-chain";
import { hashBatch, parseBatch, renderBatch } from "./batch-file";
import type { RunRecord } from "./run-store";
import { LONG_CALL, type S3Objects } from "./s3-objects";

/** Objects read at once. */
const READERS = 16;
const BATCH_NAME = /^(\d{8})\.json$/;

/** Appends to and reads one run. */
export class S3Batches {
  /** The last batch that is known. */
  private last: { readonly seq: number; readonly hash: string } | undefined;
  /** The append that was called last. */
  private tail: Promise<void> = Promise.resolve();
  private reading: Promise<unknown> = Promise.resolve();
  /** What was read. Batches never change, so it stays true. */
  private readonly chain: BatchChain;
  private readonly places: BatchPlaces;

  /** @param folder key of the run's folder, with the slash at its end */
  constructor(
    private readonly run: string,
    private readonly folder: string,
    private readonly objects: S3Objects,
  ) {
    const { bucket, prefix } = objects.location;
    this.places = {
      of: (seq) => `s3://${bucket}/${prefix}${this.keyOf(seq)}`,
      restore: "restore an earlier version of that object (if the bucket keeps versions)",
    };
    this.chain = new BatchChain(run, this.places);
  }

  /** Stores a batch. @throws StoreError as RunStore.append */
  append(seq: number, entries: readonly JournalEntry[]): Promise<void> {
    const appended = this.tail.then(() => this.create(seq, entries));
    this.tail = appended;
    // Whoever is called once nothing is under way starts afresh (invariant 2 is about those behind).
    const forget = (): void => {
      if (this.tail === appended) this.tail = Promise.resolve();
    };
    appended.then(forget, forget);
    return appended;
  }

  /** All batches in order; those that were read before are not asked for again. @throws StoreError as RunStore.read */
  read(): Promise<RunRecord> {
    const record = this.reading.then(() => this.readNew());
    this.reading = record.catch(() => undefined);
    return record;
  }

  private async readNew(): Promise<RunRecord> {
    const length = await this.countBatches();
    const { chain } = this;
    if (length < chain.nextSeq) throw corruptError(this.places, length, "it is missing, but it was there before");
    while (chain.nextSeq < length) {
      const from = chain.nextSeq;
      const seqs = Array.from({ length: Math.min(READERS, length - from) }, (_, index) => from + index);
      const texts = await Promise.all(seqs.map((seq) => this.objects.get(this.keyOf(seq), LONG_CALL)));
      for (const [index, seq] of seqs.entries()) {
        const torn = chain.add(texts[index]?.text ?? "");
        if (torn !== undefined) throw corruptError(this.places, seq, torn);
      }
    }
    if (chain.lastHash !== null) this.last = { seq: chain.nextSeq - 1, hash: chain.lastHash };
    return { run: this.run, entries: [...chain.entries], nextSeq: chain.nextSeq, notices: [] };
  }

  private async create(seq: number, entries: readonly JournalEntry[]): Promise<void> {
    const text = renderBatch(this.run, seq, entries, await this.hashBefore(seq));
    const tag = await this.objects.putIf({ absent: true }, this.keyOf(seq), text, LONG_CALL);
    if (tag === undefined) throw conflictError(this.run, seq);
    this.last = { seq, hash: hashBatch(text) };
  }

  /** Hash of the batch before, which must be there (invariant 1). */
  private async hashBefore(seq: number): Promise<string | null> {
    if (seq === 0) return null;
    if (this.last?.seq === seq - 1) return this.last.hash;
    const before = await this.objects.get(this.keyOf(seq - 1), LONG_CALL);
    if (before === undefined) throw gapError(this.run, seq, await this.countBatches());
    const parsed = parseBatch(this.run, seq - 1, before.text);
    if (parsed.kind === "torn" || parsed.kind === "damaged") throw corruptError(this.places, seq - 1, parsed.reason);
    return hashBatch(before.text);
  }

  /** How many batches there are: 0, 1, 2... @throws StoreError corrupt when one is missing */
  private async countBatches(): Promise<number> {
    const seqs = (await this.objects.list(this.folder, "objects"))
      .map((name) => BATCH_NAME.exec(name)?.[1])
      .filter((digits) => digits !== undefined)
      .map(Number)
      .sort((a, b) => a - b);
    const missing = seqs.findIndex((seq, index) => seq !== index);
    if (missing < 0) return seqs.length;
    throw corruptError(this.places, missing, "it is missing, but later ones are there");
  }

  private keyOf(seq: number): string {
    return `${this.folder}${String(seq).padStart(8, "0")}.json`;
  }
}
