/**
 * Snapshot store in a folder: contents by their hash, and one small reference per id.
 *
 * Not for: hand-over; that streams from agent to agent.
 *
 * Invariants
 * 1. Contents appear as a whole under their hash, and are never changed.
 * 2. A reference appears after its content.
 */
import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { DriverError, messageOf } from "../../../sdk/model";
import type { SnapshotStore, StateReference } from "../contracts";

/** Opens the store in a folder, which is made when something is put. */
export function openFileSnapshotStore(directory: string): SnapshotStore {
  const contents = join(directory, "contents");
  const references = join(directory, "references");
  const contentOf = (sha256: string): string => join(contents, sha256);
  const referenceOf = (id: string): string => join(references, `${hashOf(id)}.json`);

  async function find(id: string): Promise<StateReference> {
    try {
      return JSON.parse(await readFile(referenceOf(id), "utf8")) as StateReference;
    } catch (error) {
      throw new DriverError("not-found", id, `there is no such snapshot (${messageOf(error)})`, { cause: error });
    }
  }

  async function list(): Promise<readonly StateReference[]> {
    const names = await readdir(references).catch((): string[] => []);
    const found = names.filter((name) => name.endsWith(".json")).sort();
    return await Promise.all(
      found.map(async (name) => JSON.parse(await readFile(join(references, name), "utf8")) as StateReference),
    );
  }

  return {
    list,
    put: async (id, content) => {
      await Promise.all([contents, references].map((path) => mkdir(path, { recursive: true, mode: 0o700 })));
      const draft = join(contents, `${randomUUID()}.new`);
      const hash = createHash("sha256");
      let bytes = 0;
      const tap = async function* (source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
        for await (const chunk of source) {
          hash.update(chunk);
          bytes += chunk.byteLength;
          yield chunk;
        }
      };
      try {
        // Open before anything can break off: a stream that is ended while it opens its file may make it afterwards.
        const file = await open(draft, "wx", 0o600);
        await pipeline(content, tap, file.createWriteStream({ flush: true }));
        const reference: StateReference = { id, sha256: hash.digest("hex"), bytes };
        await rename(draft, contentOf(reference.sha256));
        await writeFile(`${referenceOf(id)}.new`, JSON.stringify(reference), { mode: 0o600, flush: true });
        await rename(`${referenceOf(id)}.new`, referenceOf(id));
        return reference;
      } catch (error) {
        await rm(draft, { force: true });
        throw new DriverError("failed", id, `cannot be stored (${messageOf(error)})`, {
          remedy: "check space and rights of the snapshot folder",
          cause: error,
        });
      }
    },
    get: async function* (id) {
      const { sha256 } = await find(id);
      yield* createReadStream(contentOf(sha256)) as AsyncIterable<Uint8Array>;
    },
    delete: async (id) => {
      const reference = await find(id).catch(() => undefined);
      if (!reference) return;
      await rm(referenceOf(id), { force: true });
      // Two ids may hold the same content.
      const isShared = (await list()).some(({ sha256 }) => sha256 === reference.sha256);
      if (!isShared) await rm(contentOf(reference.sha256), { force: true });
    },
    verify: async (reference) => {
      const hash = createHash("sha256");
      try {
        await pipeline(createReadStream(contentOf((await find(reference.id)).sha256)), hash);
      } catch (error) {
        throw new DriverError("failed", reference.id, `cannot be read (${messageOf(error)})`, { cause: error });
      }
      const found = hash.digest("hex");
      if (found === reference.sha256) return;
      throw new DriverError("failed", reference.id, `its content has hash ${found}, not ${reference.sha256}`, {
        remedy: "take it again; this one is damaged",
      });
    },
  };
}

function hashOf(id: string): string {
  return createHash("sha256").update(id).digest("hex").slice(0, 32);
}
