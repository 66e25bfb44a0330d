import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canonicalJson } from "../../sdk/model";
import { openFileStore } from "../../providers/journal/file-store";
import { replay } from "../../providers/journal/replay";
import type { RunStore } from "../../providers/journal/run-store";
import { openS3Store } from "../../providers/journal/s3-store";
import { setEnvironment, TEST_CREDENTIALS } from "./moto";
import { ScriptedS3 } from "./scripted-s3";

/**
 * Journals recorded by earlier versions, as files of the store, with the state that they stand for. They replay for
 * ever: a change that breaks one of them breaks the runs of users. `runs` are from before batches named the one before
 * them, a file each; `linked` have such links, a line each.
 */
const GOLDEN = join(process.cwd(), "test", "journal", "golden", "v1");
const RUNS = ["done", "failed-and-undone", "interrupted"];

describe("golden journals", () => {
  let folder: string;
  let server: ScriptedS3;
  let endpoint: string;
  let restore: () => void;

  before(async () => {
    restore = setEnvironment(TEST_CREDENTIALS);
    server = new ScriptedS3();
    endpoint = await server.listen();
    folder = await fs.mkdtemp(join(tmpdir(), "archipelago-golden-"));
    await fs.cp(join(GOLDEN, "runs"), join(folder, "first", "runs"), { recursive: true });
    for (const run of RUNS) {
      await fs.mkdir(join(folder, "linked", "runs", run), { recursive: true });
      for (const [seq, batch] of (await readLinked(run)).entries()) {
        const key = `runs/${run}/${String(seq).padStart(8, "0")}.json`;
        await fs.writeFile(join(folder, "linked", key), batch);
        server.objects.set(`linked/${key}`, { text: batch, etag: `"${key}"`, mark: "" });
      }
    }
  });

  after(async () => {
    restore();
    await server.close();
    await fs.rm(folder, { recursive: true });
  });

  /** Batches of a journal, as they are stored. */
  async function readLinked(run: string): Promise<readonly string[]> {
    const text = await fs.readFile(join(GOLDEN, "linked", `${run}.jsonl`), "utf8");
    return text.split(/(?<=\n)/);
  }

  async function assertReplays(store: RunStore, run: string): Promise<void> {
    const record = await store.read(run);
    assert.deepEqual(record.notices, []);
    const expected = await fs.readFile(join(GOLDEN, `${run}.state.json`), "utf8");
    assert.equal(canonicalJson(replay(run, record.entries)), canonicalJson(JSON.parse(expected)));
  }

  for (const run of RUNS) {
    it(`replay "${run}" of format 1 to the recorded state`, async () => {
      await assertReplays(await openFileStore(`file:${folder}/first`), run);
    });

    it(`replay "${run}" of format 1 with links to the recorded state, from a folder and from S3`, async () => {
      await assertReplays(await openFileStore(`file:${folder}/linked`), run);
      await assertReplays(openS3Store(`s3://bucket/linked?endpoint=${encodeURIComponent(endpoint)}`), run);
    });
  }

  it("go on with links when a newer package of the same version takes them over", async () => {
    const store = await openFileStore(`file:${folder}/first`);
    const { nextSeq, entries } = await store.read("interrupted");
    const last = entries.at(-1);
    assert.ok(last);
    await store.append("interrupted", nextSeq, [{ ...last, kind: "notice", text: "carried on" }]);
    const reopened = await openFileStore(`file:${folder}/first`);
    assert.equal((await reopened.read("interrupted")).entries.length, entries.length + 1);
    const previous = join(folder, "first", "runs", "interrupted", `${String(nextSeq - 1).padStart(8, "0")}.json`);
    // A space keeps what the batch says and its own checksum; the batch that was linked to it tells.
    await fs.writeFile(previous, ` ${await fs.readFile(previous, "utf8")}`);
    await assert.rejects(reopened.read("interrupted"), /was written behind another .*, which was edited/);
  });
});
