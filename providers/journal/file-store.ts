/**
 * The run store in a folder of this machine: `runs/<run>/00000012.json`, `leases/<resource>/00000012.json`,
 * `documents/<name>`. Opening one writes nothing.
 *
 * Not for: hosts on several machines, unless the folder is on a path that all of them share
 * (open-store.ts refuses it otherwise).
 */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { StoreError, type JournalEntry } from "../../sdk/model";
import { systemClock, type Clock } from "../clock";
import { BATCH_START_BYTES, parseBatchTime } from "./batch-file";
import { BatchLog, batchName } from "./batch-log";
import { FileLeases } from "./file-leases";
import type { LeaseStore, RunRecord, RunStore } from "./run-store";
import { decodeName, encodeName, StoreFiles, type FileSystem } from "./store-files";
import { checkClock } from "./store-time";

export interface FileStoreOptions {
  /** Clock for tests and simulations. @default the time of the store's own file system */
  readonly clock?: Clock;
  /** File system that fails on purpose, for tests. @default the machine's */
  readonly fileSystem?: FileSystem;
  /** This machine's clock, which must agree with that of the file system. @default the machine's */
  readonly machineClock?: Clock;
}

/**
 * Opens the run store of a `file:` URL: `file:/absolute/folder`, `file:relative/folder`, `file:~/folder`. The folder
 * is created with the first write.
 * @throws StoreError unavailable when the URL is no `file:` URL or the path is no folder
 */
export async function openFileStore(url: string, options: FileStoreOptions = {}): Promise<RunStore> {
  const folder = parseFileUrl(url);
  const files = new StoreFiles(options.fileSystem);
  await files.list(folder);
  return new FileStore(folder, files, options.clock, options.machineClock ?? systemClock);
}

/** Says that the folder is on a path that every machine shares, or that only one machine ever runs updates. */
export const SHARED_SUFFIX = "?shared=true";

/** Absolute folder of a `file:` URL. @throws StoreError unavailable when it is none */
export function parseFileUrl(url: string): string {
  const location = url.endsWith(SHARED_SUFFIX) ? url.slice(0, -SHARED_SUFFIX.length) : url;
  const path = /^file:(?:\/\/(?=[./~]))?([^?]+)$/is.exec(location)?.[1];
  if (path === undefined || path.startsWith("//")) {
    throw new StoreError("unavailable", `run store (${JSON.stringify(url)}) must be a file: URL with a folder`, {
      remedy: "write it like file:/var/lib/archipelago/store or file:./store",
    });
  }
  return resolve(path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : path);
}

class FileStore implements RunStore {
  readonly url: string;
  readonly leases: LeaseStore;
  private readonly logs = new Map<string, BatchLog>();

  constructor(
    private readonly folder: string,
    private readonly files: StoreFiles,
    private readonly clock: Clock | undefined,
    private readonly machineClock: Clock,
  ) {
    this.url = `file:${folder}`;
    this.leases = new FileLeases(join(folder, "leases"), files, () => this.now(), clock === undefined);
  }

  append(run: string, seq: number, entries: readonly JournalEntry[]): Promise<void> {
    return this.logOf(run).append(seq, entries);
  }

  read(run: string): Promise<RunRecord> {
    return this.logOf(run).read();
  }

  async list(): Promise<readonly string[]> {
    const segments = await this.files.list(join(this.folder, "runs"));
    const runs = await Promise.all(
      segments.map(async (segment) => {
        const first = join(this.folder, "runs", segment, batchName(0));
        const [start, writtenAt] = await Promise.all([
          this.files.readStart(first, BATCH_START_BYTES),
          this.files.modifiedAt(first),
        ]);
        return start === undefined || writtenAt === undefined
          ? []
          : [{ run: decodeName(segment), createdAt: parseBatchTime(start), writtenAt }];
      }),
    );
    // The entry's own time first: the file's does not survive a copy of the store.
    return runs
      .flat()
      .sort((a, b) => b.createdAt - a.createdAt || b.writtenAt - a.writtenAt || (a.run < b.run ? 1 : -1))
      .map(({ run }) => run);
  }

  async putDocument(name: string, content: string): Promise<void> {
    await this.files.createFolder(join(this.folder, "documents"));
    await this.files.replace(join(this.folder, "documents"), encodeName(name), content);
  }

  getDocument(name: string): Promise<string | undefined> {
    return this.files.read(join(this.folder, "documents", encodeName(name)));
  }

  async createDocument(name: string, content: string): Promise<boolean> {
    const folder = join(this.folder, "documents");
    await this.files.createFolder(folder);
    return (await this.files.createIfAbsent(folder, encodeName(name), content)) !== undefined;
  }

  async listDocuments(prefix: string): Promise<readonly string[]> {
    const names = (await this.files.list(join(this.folder, "documents"))).map(decodeName);
    return names.filter((name) => name.startsWith(prefix)).sort();
  }

  async deleteDocument(name: string): Promise<void> {
    await this.files.remove(join(this.folder, "documents", encodeName(name)));
  }

  async now(): Promise<number> {
    if (this.clock) return this.clock.now();
    await this.files.createFolder(this.folder);
    const nowMs = await this.files.now(this.folder);
    checkClock(this.url, nowMs, this.machineClock);
    return nowMs;
  }

  private logOf(run: string): BatchLog {
    const existing = this.logs.get(run);
    if (existing) return existing;
    const log = new BatchLog(run, join(this.folder, "runs", encodeName(run)), this.files);
    this.logs.set(run, log);
    return log;
  }
}
