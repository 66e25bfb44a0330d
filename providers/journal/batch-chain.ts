/**
 * The batches of one run put together in their order: each is checked by itself and against the one before it.
 *
 * Not for: where batches lie (batch-log.ts, s3-batches.ts).
 *
 * Invariants
 * 1. A batch names the hash of the one before it. Once a journal has such links they go on: a batch that was edited
 *    with a fitting checksum, replaced or taken out of the middle breaks the link behind it.
 * 2. What cannot be seen here is the removal of the newest batches: nothing behind them names them.
 */
import { StoreError, type JournalEntry } from "../../sdk/model";
import { hashBatch, parseBatch } from "./batch-file";
import { ENTRY_VERSION } from "./replay";

/** Where the batches lie, for messages. */
export interface BatchPlaces {
  /** Path or address of a batch. */
  of(seq: number): string;
  /** How a damaged one comes back, as a sentence's middle: "restore that file from a backup". */
  readonly restore: string;
}

/** Reads batches one after the other. */
export class BatchChain {
  readonly entries: JournalEntry[] = [];
  /** Sequence number of the next batch. */
  nextSeq = 0;
  /** Hash of the last batch; null before the first. */
  lastHash: string | null = null;
  private isLinked = false;

  constructor(
    private readonly run: string,
    private readonly places: BatchPlaces,
  ) {}

  /**
   * Adds the next batch.
   * @returns why it is torn, which is for the caller to judge: nothing was added then
   * @throws StoreError corrupt when it is damaged or does not follow the one before; version
   */
  add(text: string): string | undefined {
    const seq = this.nextSeq;
    const parsed = parseBatch(this.run, seq, text, this.entries.length);
    if (parsed.kind === "version") throw versionError(this.places.of(seq), parsed.version);
    if (parsed.kind === "damaged") throw corruptError(this.places, seq, parsed.reason);
    if (parsed.kind === "torn") return parsed.reason;
    this.checkLink(seq, parsed.previous);
    for (const entry of parsed.entries) this.entries.push(entry);
    this.lastHash = hashBatch(text);
    this.nextSeq = seq + 1;
    return undefined;
  }

  private checkLink(seq: number, previous: string | null | undefined): void {
    if (previous === undefined && !this.isLinked) return;
    this.isLinked = true;
    if (previous === this.lastHash) return;
    throw corruptError(
      this.places,
      seq,
      previous === undefined
        ? "its link to the batch before was removed"
        : seq === 0
          ? "it was written behind another batch"
          : `it was written behind another ${this.places.of(seq - 1)}, which was edited, replaced or removed since`,
    );
  }
}

/** A batch is not what was written. */
export function corruptError(places: BatchPlaces, seq: number, reason: string): StoreError {
  return new StoreError("corrupt", `journal file ${places.of(seq)} is damaged: ${reason}`, {
    remedy:
      `nothing was changed; ${places.restore}, or check the run's hosts by hand, move the run's folder ` +
      "away and start a new run",
  });
}

/** Another owner has written the number. */
export function conflictError(run: string, seq: number): StoreError {
  return new StoreError("conflict", `run ${run}: batch ${String(seq)} was written by another owner`, {
    remedy: "whoever holds the run's lease now carries it on; nothing has to be done here",
  });
}

/** The number is not the next one. */
export function gapError(run: string, seq: number, length: number): StoreError {
  return new StoreError("conflict", `run ${run}: batch ${String(seq)} cannot follow ${String(length)} batches`, {
    remedy: "read the run again and append behind its last batch",
  });
}

function versionError(place: string, version: unknown): StoreError {
  return new StoreError(
    "version",
    `journal file ${place} has format ${String(version)}, this package knows ${String(ENTRY_VERSION)}`,
    {
      remedy: "carry this run on with the version of pulumi-archipelago that started it, or install a newer one here",
    },
  );
}
