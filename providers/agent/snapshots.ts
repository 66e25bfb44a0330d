/**
 * States that were taken from copies on this host, as files, until the hand-over that needs them is over.
 *
 * Not for: keeping snapshots for long; that is a SnapshotStore's.
 */
import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { DriverError } from "../../sdk/model";
import type { StateReference } from "../drivers/contracts";
import { listFolder, type HostFolder } from "./host-folder";

/** A hand-over takes seconds; a state of this age is nobody's any more. */
const KEPT_MS = 24 * 3_600_000;

/** Passes bytes on and knows their hash and number. */
export interface HashTap {
  readonly through: (source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
  readonly result: () => { readonly sha256: string; readonly bytes: number };
}

/** A tap for one stream. */
export function createHashTap(): HashTap {
  const hash = createHash("sha256");
  let bytes = 0;
  return {
    through: async function* (source) {
      for await (const chunk of source) {
        hash.update(chunk);
        bytes += chunk.byteLength;
        yield chunk;
      }
    },
    result: () => ({ sha256: hash.digest("hex"), bytes }),
  };
}

/** Stores a state. A broken stream leaves nothing behind. */
export async function storeSnapshot(folder: HostFolder, content: Readable): Promise<StateReference> {
  const id = randomUUID();
  await mkdir(folder.snapshots, { recursive: true, mode: 0o700 });
  const tap = createHashTap();
  try {
    // Open before anything can break off: a stream that is ended while it opens its file may make it afterwards.
    const file = await open(folder.snapshot(id), "wx", 0o600);
    await pipeline(content, tap.through, file.createWriteStream());
  } catch (error) {
    await removeSnapshot(folder, id);
    throw error;
  }
  return { id, ...tap.result() };
}

/** The bytes of a state. @throws DriverError not-found */
export async function readSnapshot(folder: HostFolder, host: string, id: string): Promise<Readable> {
  const path = folder.snapshot(id);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile()) return createReadStream(path);
  throw new DriverError("not-found", host, `has no snapshot ${id}`, { remedy: "take it again" });
}

/** Removes a state; one that is not there is fine. */
async function removeSnapshot(folder: HostFolder, id: string): Promise<void> {
  await rm(folder.snapshot(id), { force: true });
}

/** Removes states that no hand-over can still need. */
export async function removeOldSnapshots(folder: HostFolder, nowMs: number): Promise<void> {
  for (const name of await listFolder(folder.snapshots)) {
    const path = join(folder.snapshots, name);
    const found = await stat(path).catch(() => undefined);
    if (found && nowMs - found.mtimeMs > KEPT_MS) await rm(path, { force: true });
  }
}
