import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { appendFile, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { SnapshotStore } from "../../providers/drivers/contracts";
import { openFileSnapshotStore } from "../../providers/drivers/snapshots/files";

describe("drivers: snapshot folder", () => {
  let folder: string;
  let store: SnapshotStore;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "archipelago-snapshots-"));
    store = openFileSnapshotStore(folder);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function* chunksOf(content: Uint8Array, size = 3): AsyncIterable<Uint8Array> {
    for (let at = 0; at < content.length; at += size) {
      await Promise.resolve();
      yield content.subarray(at, at + size);
    }
  }
  const read = async (id: string): Promise<Buffer> => Buffer.concat(await Readable.from(store.get(id)).toArray());

  it("gives back exactly what was put, with its hash and size", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.string({ minLength: 1 }), async (content, id) => {
        const reference = await store.put(id, chunksOf(content));
        assert.deepEqual(reference, {
          id,
          sha256: createHash("sha256").update(content).digest("hex"),
          bytes: content.length,
        });
        assert.deepEqual(await read(id), Buffer.from(content));
        await store.verify(reference);
      }),
      { numRuns: 30 },
    );
  });

  it("keeps equal contents once, until the last of their ids is deleted", async () => {
    const content = Buffer.from("same");
    await store.put("a", chunksOf(content));
    await store.put("b", chunksOf(content));
    assert.equal((await readdir(join(folder, "contents"))).length, 1);
    assert.deepEqual((await store.list()).map(({ id }) => id).sort(), ["a", "b"]);
    await store.delete("a");
    assert.deepEqual(await read("b"), content);
    await store.delete("b");
    await store.delete("b");
    assert.deepEqual(await readdir(join(folder, "contents")), []);
    assert.deepEqual(await store.list(), []);
  });

  it("leaves nothing behind when the content breaks off", async () => {
    const broken = async function* (): AsyncIterable<Uint8Array> {
      yield await Promise.resolve(Buffer.from("half"));
      throw new Error("the host died");
    };
    await assert.rejects(store.put("a", broken()), /a: cannot be stored \(the host died\)/);
    assert.deepEqual(await store.list(), []);
    assert.deepEqual(await readdir(join(folder, "contents")), []);
  });

  it("notices damaged content", async () => {
    const reference = await store.put("a", chunksOf(Buffer.from("good")));
    await appendFile(join(folder, "contents", reference.sha256), "!");
    await assert.rejects(store.verify(reference), /its content has hash .*; take it again/);
  });

  it("does not know what was never put", async () => {
    await assert.rejects(read("none"), { code: "not-found" });
    assert.deepEqual(await store.list(), []);
  });
});
