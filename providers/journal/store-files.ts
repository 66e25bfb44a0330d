/**
 * Durable file operations of the file store: create-if-absent, atomic replacement, folder fsync, and the file
 * system's own time. Every error that leaves here is a StoreError with a remedy.
 *
 * Not for: what the files mean (batch-file.ts, file-leases.ts).
 *
 * Invariants
 * 1. A file under its final name is complete and on disk: content is written and synced under a temporary name first.
 * 2. What a function here acknowledged survives a crash of the machine: the folder is synced before it returns.
 */
import { randomUUID } from "node:crypto";
import * as fs from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { messageOf, StoreError } from "../../sdk/model";

/** The calls of `node:fs/promises` that the store makes; tests give one that fails on purpose. */
export type FileSystem = Pick<
  typeof fs,
  "link" | "mkdir" | "open" | "readdir" | "readFile" | "rename" | "stat" | "unlink"
>;

/** The file system of this machine. */
const machineFileSystem: FileSystem = fs;

/** Journals may hold the environment of workloads: nobody but the owner reads them. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** Temporary files start with a dot, so that no listing takes them for content. */
const TEMPORARY_PREFIX = ".new-";

/** A file that is written and synced, but has no final name yet. */
export interface StagedFile {
  readonly path: string;
  /** Time of the store's file system when its content was written, ms since the epoch. */
  readonly modifiedAt: number;
}

/** Durable operations on one file system. */
export class StoreFiles {
  constructor(private readonly system: FileSystem = machineFileSystem) {}

  /** Creates the folder and its parents, each durably. One that exists is success. */
  async createFolder(folder: string): Promise<void> {
    const first = await this.attempt(folder, () => this.system.mkdir(folder, { recursive: true, mode: FOLDER_MODE }));
    if (first === undefined) return;
    for (let created = folder; ; created = dirname(created)) {
      await this.syncFolder(dirname(created));
      if (created === first || dirname(created) === created) return;
    }
  }

  /** Writes and syncs content under a temporary name in the folder. */
  async stage(folder: string, content: string): Promise<StagedFile> {
    const path = join(folder, `${TEMPORARY_PREFIX}${randomUUID()}`);
    return this.attempt(path, async () => {
      const handle = await this.system.open(path, "wx", FILE_MODE);
      try {
        await handle.writeFile(content);
        await handle.sync();
        return { path, modifiedAt: Math.floor((await handle.stat()).mtimeMs) };
      } catch (error) {
        await this.discard(path);
        throw error;
      } finally {
        await handle.close();
      }
    });
  }

  /**
   * Gives a staged file its final name unless that name is taken. The caller syncs the folder.
   * @returns false when the name is taken; nothing was changed then
   */
  async publish(staged: StagedFile, path: string): Promise<boolean> {
    return this.attempt(path, async () => {
      try {
        await this.system.link(staged.path, path);
        return true;
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error;
        // Over a network a repeated link answers EEXIST to its own success; a second name proves that it was ours.
        return (await this.system.stat(staged.path)).nlink > 1;
      } finally {
        await this.discard(staged.path);
      }
    });
  }

  /**
   * Creates a file unless one of that name exists.
   * @returns the staged file, or undefined when the name is taken
   */
  async createIfAbsent(folder: string, name: string, content: string): Promise<StagedFile | undefined> {
    const staged = await this.stage(folder, content);
    if (!(await this.publish(staged, join(folder, name)))) return undefined;
    await this.syncFolder(folder);
    return staged;
  }

  /** Puts a file in the place of whatever has that name, atomically. */
  async replace(folder: string, name: string, content: string): Promise<void> {
    const staged = await this.stage(folder, content);
    await this.attempt(join(folder, name), () => this.system.rename(staged.path, join(folder, name)));
    await this.syncFolder(folder);
  }

  /** Renames a file within its folder. @returns false when it is not there */
  async rename(folder: string, from: string, to: string): Promise<boolean> {
    const renamed = await this.ifPresent(join(folder, from), async () => {
      await this.system.rename(join(folder, from), join(folder, to));
      return true;
    });
    if (renamed) await this.syncFolder(folder);
    return renamed ?? false;
  }

  /** Gives a file a second name unless it is taken. @returns false when it is taken */
  async restoreName(folder: string, from: string, to: string): Promise<boolean> {
    return this.publish({ path: join(folder, from), modifiedAt: 0 }, join(folder, to));
  }

  /** Removes a file. One that is not there is success. */
  async remove(path: string): Promise<void> {
    await this.ifPresent(path, () => this.system.unlink(path));
  }

  /** Content of a file, or undefined when there is none. */
  async read(path: string): Promise<string | undefined> {
    return this.ifPresent(path, () => this.system.readFile(path, "utf8"));
  }

  /** First bytes of a file as text, or undefined when there is none. */
  async readStart(path: string, bytes: number): Promise<string | undefined> {
    return this.ifPresent(path, async () => {
      const handle = await this.system.open(path, "r");
      try {
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, 0);
        return buffer.toString("utf8", 0, bytesRead);
      } finally {
        await handle.close();
      }
    });
  }

  /** When a file was last written, ms since the epoch, or undefined when there is none. */
  async modifiedAt(path: string): Promise<number | undefined> {
    return this.ifPresent(path, async () => Math.floor((await this.system.stat(path)).mtimeMs));
  }

  /** Names in a folder without temporary files; empty when there is no folder. */
  async list(folder: string): Promise<readonly string[]> {
    const names = await this.ifPresent(folder, () => this.system.readdir(folder));
    return (names ?? []).filter((name) => !name.startsWith("."));
  }

  /** Syncs a folder, so that names given in it survive a crash. */
  async syncFolder(folder: string): Promise<void> {
    await this.attempt(folder, async () => {
      const handle = await this.system.open(folder, "r");
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    });
  }

  /** Time of the file system that holds the folder, ms since the epoch. */
  async now(folder: string): Promise<number> {
    const path = join(folder, `${TEMPORARY_PREFIX}${randomUUID()}`);
    return this.attempt(path, async () => {
      const handle = await this.system.open(path, "wx", FILE_MODE);
      try {
        return Math.floor((await handle.stat()).mtimeMs);
      } finally {
        await handle.close();
        await this.discard(path);
      }
    });
  }

  /** Removes a temporary file; one that stays behind does no harm, so it never hides the real error. */
  private async discard(path: string): Promise<void> {
    await this.system.unlink(path).catch(() => undefined);
  }

  private async ifPresent<T>(path: string, action: () => Promise<T>): Promise<T | undefined> {
    return this.attempt(path, async () => {
      try {
        return await action();
      } catch (error) {
        if (codeOf(error) === "ENOENT") return undefined;
        throw error;
      }
    });
  }

  private async attempt<T>(path: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw toStoreError(path, error);
    }
  }
}

/** Turns an error of the file system into a StoreError that says what to do. */
export function toStoreError(file: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  // The name of a temporary file tells nobody anything.
  const path = basename(file).startsWith(TEMPORARY_PREFIX) ? dirname(file) : file;
  const code = codeOf(error);
  const because = (reason: string): string => `run store ${path}: ${reason} (${code ?? messageOf(error)})`;
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return new StoreError("full", because("no space is left"), {
        remedy: "free space on that file system and run again; everything acknowledged so far is kept",
        cause: error,
      });
    case "EACCES":
    case "EROFS":
      return new StoreError("denied", because("this user must not write or read there"), {
        remedy: "give this user read and write access to the folder, or name another store",
        cause: error,
      });
    case "EPERM":
    case "ENOTSUP":
    case "EOPNOTSUPP":
      return new StoreError("denied", because("the file system refuses it"), {
        remedy: "use a folder that this user owns, on a file system with hard links (not FAT, not every network share)",
        cause: error,
      });
    case "ENOTDIR":
    case "EISDIR":
      return new StoreError("unavailable", because("a file is where a folder is needed, or the other way round"), {
        remedy: "name a folder, such as file:/var/lib/archipelago/store",
        cause: error,
      });
    default:
      return new StoreError("unavailable", because("the file system failed"), {
        remedy: "check that the disk is mounted and healthy, then run again; everything acknowledged so far is kept",
        cause: error,
      });
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/**
 * A name as one path segment: letters, digits, dot, dash and underscore stay, all else becomes `%XX`.
 * @throws StoreError denied when it would be longer than file systems take
 */
export function encodeName(name: string): string {
  const encoded = encodeURIComponent(name)
    .replace(/[!'()*~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/^\./, "%2E");
  if (encoded === "" || encoded.length > MAXIMUM_NAME_LENGTH) {
    throw new StoreError(
      "denied",
      `run store: the name ${JSON.stringify(name.slice(0, 40))} must have 1 to 200 letters`,
      {
        remedy: "use shorter names for stacks, updates and hosts",
      },
    );
  }
  return encoded;
}

/** Below the 255 bytes of common file systems, with room for suffixes. */
const MAXIMUM_NAME_LENGTH = 200;

/** Reads what {@link encodeName} wrote. */
export function decodeName(segment: string): string {
  return decodeURIComponent(segment);
}
