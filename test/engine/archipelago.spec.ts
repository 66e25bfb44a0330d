/**
 * Host updates through an engine, on a real local fleet: what a user sees of preview, up, unchanged up, failures and
 * refresh. The same at the real CLI and the stand-in.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { UNKNOWN } from "./engine-session";
import { FAR_AWAY, opOf, openUpdateStack, RUN, textOf, type UpdateStack } from "./update-stack";

describe("host updates through an engine", function () {
  // Real processes on a machine that may be busy.
  this.timeout(300_000);
  let stack: UpdateStack;

  beforeEach(async () => {
    stack = await openUpdateStack();
  });
  afterEach(async () => {
    await stack.close();
  });

  it("previews without touching anything, carries the plan out, and has nothing to do afterwards", async () => {
    const { session } = stack;
    const [mutations, store] = [await stack.mutations(), await stack.storeHash()];
    const preview = await session.preview();
    assert.equal(preview.exitCode, 0, preview.stdout);
    assert.match(textOf(preview), /tool: 3 hosts in 3 waves/);
    assert.match(textOf(preview), /w1 .* canary host-0\d/);
    assert.match(textOf(preview), /simulated 20 runs, .* \(P95\); promises kept in all/);
    assert.notEqual(preview.outputs["planDigest"], UNKNOWN, "what will be approved is known in a preview");
    assert.equal(await stack.mutations(), mutations, "a preview makes no mutating call to any agent");
    assert.equal(await stack.storeHash(), store, "a preview leaves the journal as it is");

    const up = await session.up();
    assert.equal(up.exitCode, 0, up.stdout);
    assert.deepEqual(await stack.versions(), { "host-00": "2", "host-01": "2", "host-02": "2" });
    const outputs = await session.outputs();
    assert.equal(outputs["phase"], "done");
    assert.equal(outputs["planDigest"], preview.outputs["planDigest"], "what was previewed is what ran");
    assert.ok(existsSync(String(outputs["report"])), "the report is there");
    assert.match(textOf(up), /wave 1/);
    assert.doesNotMatch(textOf(up), /tool: 3 hosts in 3 waves/, "the table is shown in previews only");

    const after = await stack.mutations();
    const unchanged = await session.preview();
    assert.equal(opOf(unchanged), "same");
    assert.match(textOf(unchanged), /tool: nothing to do: done: every host is updated and validated/);
    assert.doesNotMatch(textOf(unchanged), /in 3 waves/, "the plan that was carried out is not shown as one to come");
    const again = await session.up();
    assert.equal(opOf(again), "same", again.stdout);
    assert.equal(await stack.mutations(), after);

    await session.setConfig("version", "3");
    assert.equal(opOf(await session.preview()), "update", "a changed expectation is a change");
    assert.equal((await session.up()).exitCode, 0);
    assert.deepEqual(await stack.versions(), { "host-00": "3", "host-01": "3", "host-02": "3" });
  });

  it("takes a failing update back, names host, step and output, and says so again until attempt changes", async () => {
    const { session } = stack;
    await session.setConfig("command", "echo 2 > VERSION; echo no space left >&2; exit 28");
    const failed = await session.up();
    assert.equal(failed.exitCode, 1);
    assert.match(failed.stdout, /host-0\d: step update failed/);
    assert.match(failed.stdout, /no space left/);
    assert.doesNotMatch(failed.stdout, /^\s+at .*\.(js|ts):\d+/m, "no stack trace");
    assert.deepEqual(await stack.versions(), { "host-00": "1", "host-01": "1", "host-02": "1" });
    const again = await session.up();
    assert.equal(again.exitCode, 1);
    assert.match(again.stdout, /no space left/);

    await session.setConfig("command", "echo 2 > VERSION");
    await session.setConfig("attempt", "2");
    const repaired = await session.up();
    assert.equal(repaired.exitCode, 0, repaired.stdout);
    assert.deepEqual(await stack.versions(), { "host-00": "2", "host-01": "2", "host-02": "2" });
  });

  it("arms a run while the window is closed, without a diff afterwards, and starts it once it is open", async () => {
    const { session } = stack;
    await session.setConfig("cron", FAR_AWAY);
    const armed = await session.up();
    assert.equal(armed.exitCode, 0, armed.stdout);
    assert.equal((await session.outputs())["phase"], "armed");
    assert.match(armed.stdout, /armed: .*opens 20\d\d-02-29T03:00/);
    assert.deepEqual(await stack.versions(), { "host-00": "1", "host-01": "1", "host-02": "1" });
    const unchanged = await session.up();
    assert.equal(opOf(unchanged), "same", unchanged.stdout);

    await session.setConfig("cron", "*/10 * * * *");
    const opened = await session.up();
    assert.equal(opened.exitCode, 0, opened.stdout);
    assert.equal((await session.outputs())["phase"], "done");
  });

  it("shows in a refresh and the next preview what changed behind its back", async () => {
    const { session } = stack;
    assert.equal((await session.up()).exitCode, 0);
    await stack.setVersion("host-01", "1");
    await session.refresh();
    const run = (await session.stackExport()).find(({ name }) => name === RUN);
    assert.deepEqual(run?.outputs["hostVersions"], await stack.versions());
    const preview = await session.preview();
    assert.equal(opOf(preview), "update", preview.stdout);
    assert.match(textOf(preview), /tool: 1 host in 1 wave/);
    assert.equal((await session.up()).exitCode, 0);
    assert.deepEqual(await stack.versions(), { "host-00": "2", "host-01": "2", "host-02": "2" });
  });
});
