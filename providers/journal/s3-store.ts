/**
 * The run store in a bucket of Amazon S3, or of a server that speaks its protocol with conditional writes:
 * `runs/<run>/00000012.json`, `leases/<resource>.json`, `documents/<name>` below the URL's prefix. Opening one writes
 * nothing and asks nothing.
 *
 * Not for: credentials. They come from the environment, a profile or the machine's role, as for every AWS tool.
 */
import { systemClock, type Clock } from "../clock";
import type { JournalEntry } from "../../sdk/model";
import { BATCH_START_BYTES, parseBatchTime } from "./batch-file";
import type { LeaseStore, RunRecord, RunStore } from "./run-store";
import { S3Batches } from "./s3-batches";
import { S3Leases } from "./s3-leases";
import { LONG_CALL, S3Objects } from "./s3-objects";
import { parseS3Url } from "./s3-url";
import { decodeName, encodeName } from "./store-files";

/** Objects read at once. */
const READERS = 16;
/** Journals that are remembered: those of a runner's own runs and some that are looked at. */
const MOST_JOURNALS = 64;

/**
 * Opens the run store of an `s3:` URL.
 * @param clock this machine's clock, for tests
 * @throws StoreError unavailable when the URL is not right
 */
export function openS3Store(url: string, clock: Clock = systemClock): RunStore {
  return new S3Store(new S3Objects(parseS3Url(url), clock));
}

class S3Store implements RunStore {
  readonly url: string;
  readonly leases: LeaseStore;
  private readonly batches = new Map<string, S3Batches>();
  /** When runs were created; a first batch never changes. */
  private readonly creation = new Map<string, number>();

  constructor(private readonly objects: S3Objects) {
    this.url = objects.location.url;
    this.leases = new S3Leases("leases/", objects);
  }

  append(run: string, seq: number, entries: readonly JournalEntry[]): Promise<void> {
    return this.batchesOf(run).append(seq, entries);
  }

  read(run: string): Promise<RunRecord> {
    return this.batchesOf(run).read();
  }

  async list(): Promise<readonly string[]> {
    const runs = (await this.objects.list("runs/", "folders")).map(decodeName);
    const unknown = runs.filter((run) => !this.creation.has(run));
    for (let from = 0; from < unknown.length; from += READERS) {
      await Promise.all(unknown.slice(from, from + READERS).map((run) => this.learnCreation(run)));
    }
    const created = (run: string): number => this.creation.get(run) ?? 0;
    return runs.sort((a, b) => created(b) - created(a) || (a < b ? 1 : -1));
  }

  async putDocument(name: string, content: string): Promise<void> {
    await this.objects.put(documentKey(name), content);
  }

  async createDocument(name: string, content: string): Promise<boolean> {
    return (await this.objects.putIf({ absent: true }, documentKey(name), content, LONG_CALL)) !== undefined;
  }

  async getDocument(name: string): Promise<string | undefined> {
    return (await this.objects.get(documentKey(name), LONG_CALL))?.text;
  }

  async listDocuments(prefix: string): Promise<readonly string[]> {
    const start = prefix === "" ? "" : encodeName(prefix);
    return (await this.objects.list("documents/", "objects", start)).map(decodeName).sort();
  }

  async deleteDocument(name: string): Promise<void> {
    await this.objects.remove(documentKey(name));
  }

  async now(): Promise<number> {
    await this.objects.askTime();
    return this.objects.time.earliest() ?? Number.NaN;
  }

  private async learnCreation(run: string): Promise<void> {
    const first = `runs/${encodeName(run)}/00000000.json`;
    const start = await this.objects.get(first, LONG_CALL, BATCH_START_BYTES);
    if (start) this.creation.set(run, parseBatchTime(start.text));
  }

  private batchesOf(run: string): S3Batches {
    const batches = this.batches.get(run) ?? new S3Batches(run, `runs/${encodeName(run)}/`, this.objects);
    // The one that was used last comes last; the first is the one to forget.
    this.batches.delete(run);
    this.batches.set(run, batches);
    const [oldest] = this.batches.keys();
    if (this.batches.size > MOST_JOURNALS && oldest !== undefined) this.batches.delete(oldest);
    return batches;
  }
}

function documentKey(name: string): string {
  return `documents/${encodeName(name)}`;
}
