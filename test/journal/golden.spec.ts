import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canonicalJson } from "../../sdk/model";
import { openFileStore } from "../../providers/journal/file-store";
import { replay } from "../../providers/journal/replay";

/**
 * Journals recorded by earlier versions, as files of the store, with the state that they stand for. They replay for
 * ever: a change that breaks one of them breaks the runs of users.
 */
const GOLDEN = join(process.cwd(), "test", "journal", "golden");

describe("golden journals", () => {
  let folder: string;

  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), "archipelago-golden-"));
    await fs.cp(join(GOLDEN, "v1", "runs"), join(folder, "runs"), { recursive: true });
  });

  after(async () => {
    await fs.rm(folder, { recursive: true });
  });

  for (const run of ["done", "failed-and-undone", "interrupted"]) {
    it(`replays "${run}" of format 1 to the recorded state`, async () => {
      const store = await openFileStore(`file:${folder}`);
      const record = await store.read(run);
      assert.deepEqual(record.notices, []);
      const expected = await fs.readFile(join(GOLDEN, "v1", `${run}.state.json`), "utf8");
      assert.equal(canonicalJson(replay(run, record.entries)), canonicalJson(JSON.parse(expected)));
    });
  }
});
