/**
 * Follows the journal of a run in a file store from outside, entry by entry, while another process writes it.
 *
 * Not for: reading a run (RunStore.read); this never waits for a whole one.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseBatch } from "../../providers/journal/batch-file";
import { batchName } from "../../providers/journal/batch-log";
import { encodeName } from "../../providers/journal/store-files";
import { systemClock } from "../../providers/clock";
import type { JournalEntry } from "../../sdk/model";

/** A step lasts a few tens of milliseconds at least. */
const LOOK_AGAIN_MS = 5;

export class JournalFollower {
  readonly entries: JournalEntry[] = [];
  private seq = 0;
  private isClosed = false;
  private readonly loop: Promise<void>;

  /** @param onEntry called for each entry in order, soon after it was stored */
  constructor(
    private readonly storeFolder: string,
    readonly run: string,
    private readonly onEntry: (entry: JournalEntry) => void,
  ) {
    this.loop = this.follow();
  }

  /** Reads what is there by now and ends. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.loop;
  }

  private async follow(): Promise<void> {
    for (;;) {
      const isLast = this.isClosed;
      while (await this.readNext());
      if (isLast) return;
      await systemClock.sleep(LOOK_AGAIN_MS);
    }
  }

  private async readNext(): Promise<boolean> {
    const path = join(this.storeFolder, "runs", encodeName(this.run), batchName(this.seq));
    const text = await readFile(path, "utf8").catch(() => undefined);
    if (text === undefined) return false;
    const batch = parseBatch(this.run, this.seq, text);
    // Batches appear whole; one that is not has been torn by the kill and is replaced by the next owner.
    if (batch.kind !== "ok") return false;
    this.seq += 1;
    for (const entry of batch.entries) {
      this.entries.push(entry);
      this.onEntry(entry);
    }
    return true;
  }
}
