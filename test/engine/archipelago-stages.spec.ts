/**
 * Stages through an engine, on a real local fleet: an update after another waits for its end and its soak, and stops
 * where that one fails. The same at the real CLI and the stand-in.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openFileStore } from "../../providers/journal/file-store";
import { listFamilies, readLatestRun } from "../../providers/runner/run-family";
import type { RunState } from "../../sdk/model";
import { openUpdateStack, textOf, type UpdateStack } from "./update-stack";

describe("an update after another, through an engine", function () {
  // Real processes on a machine that may be busy.
  this.timeout(300_000);
  let stack: UpdateStack;

  before(async () => {
    stack = await openUpdateStack();
  });
  after(async () => {
    await stack.close();
  });

  async function runOf(update: string): Promise<RunState | undefined> {
    const store = await openFileStore(`file:${join(stack.folder, "fleet", "store")}`);
    const found = (await listFamilies(store)).find(({ family }) => family.startsWith(`${update}-`));
    return found && readLatestRun(store, found.family);
  }

  it("is planned after it in the first preview, waits for its soak, and is carried out after that", async () => {
    const { session } = stack;
    await session.setConfig("nextAfter", "100 days");
    const preview = await session.preview();
    assert.equal(preview.exitCode, 0, preview.stdout);
    assert.match(textOf(preview), /after +tool: planned to be done .*, then watched for 100 days, until /);

    const first = await session.up();
    assert.equal(first.exitCode, 0, first.stdout);
    assert.equal((await runOf("tool"))?.phase, "done");
    const waiting = await runOf("next");
    assert.equal(waiting?.phase, "armed");
    assert.match(waiting.phaseReason, /^waits for stage tool: done, and watched for 2\d{3} h/);
    assert.deepEqual(waiting.steps, [], "nothing was begun");

    await session.setConfig("nextAfter", "0 ms");
    const second = await session.up();
    assert.equal(second.exitCode, 0, second.stdout);
    assert.equal((await runOf("next"))?.phase, "done");
    assert.deepEqual(await stack.fileOnHosts("NEXT"), { "host-00": "2", "host-01": "2", "host-02": "2" });
  });

  it("is stopped by one that fails: not begun by up, and shown as blocked with what to do", async () => {
    const { session } = stack;
    await session.setConfig("version", "3");
    await session.setConfig("command", "echo no space left >&2; exit 28");
    const failed = await session.up();
    assert.equal(failed.exitCode, 1);
    assert.match(failed.stdout, /no space left/);
    assert.equal((await runOf("tool"))?.phase, "failed");
    assert.equal((await runOf("next"))?.phase, "done", "the run of before: no other was made");
    assert.deepEqual(await stack.fileOnHosts("NEXT"), { "host-00": "2", "host-01": "2", "host-02": "2" });

    const preview = await session.preview();
    assert.match(
      textOf(preview),
      / stage tool: its run tool-\S+ is failed \(.*\); fix: see `archipelago report tool-\S+`, mend it, raise `attempt` of tool/,
    );
  });
});
