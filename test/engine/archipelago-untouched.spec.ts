/** Stacks with a host update whose operations leave every host as it is, through an engine on one real local fleet. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { openAgentPlatform } from "../../providers/drivers/agent-platform";
import type { EngineSession } from "./engine-session";
import { FAR_AWAY, openUpdateStack, textOf, type UpdateStack } from "./update-stack";

describe("host updates through an engine that touch no host", function () {
  // Real processes on a machine that may be busy.
  this.timeout(300_000);
  let stack: UpdateStack;
  let session: EngineSession;
  let sessions = 0;

  before(async () => {
    stack = await openUpdateStack();
  });
  beforeEach(async () => {
    sessions += 1;
    session = await stack.openSession(`state-of-${String(sessions)}`);
  });
  afterEach(async () => {
    await session.close();
  });
  after(async () => {
    await stack.close();
  });

  it("says which input is missing when fleet and update are previewed at once", async () => {
    await session.setConfig("fleetFolder", join(stack.folder, "second-fleet"));
    const preview = await session.preview();
    assert.equal(preview.exitCode, 0, preview.stdout);
    assert.match(textOf(preview), /not known before it exists: islands\[0\]\.source\.inventory/);
    assert.match(textOf(preview), /openings/);
    assert.equal(existsSync(join(stack.folder, "second-fleet")), false, "a preview starts nothing");
  });

  it("reports a window that never opens and a fleet that is not there, without a stack trace", async () => {
    await session.setConfig("cron", "0 3 30 2 *");
    const never = await session.preview();
    assert.equal(never.exitCode, 1);
    assert.match(never.stdout, /cron .*0 3 30 2 \*/);
    await session.setConfig("cron", "*/10 * * * *");
    await session.setConfig("inventory", join(stack.folder, "nothing.json"));
    const missing = await session.preview();
    assert.equal(missing.exitCode, 1);
    assert.match(missing.stdout, /nothing\.json/);
    for (const { stdout } of [never, missing]) assert.doesNotMatch(stdout, /^\s+at .*\.(js|ts):\d+/m);
  });

  it("gives back what it holds on destroy and leaves the workloads alone", async () => {
    await session.setConfig("cron", FAR_AWAY);
    assert.equal((await session.up()).exitCode, 0);
    const destroyed = await session.destroy();
    assert.equal(destroyed.exitCode, 0, destroyed.stdout);
    const platform = await openAgentPlatform(stack.inventory);
    try {
      const replicas = await platform.workloads.list(AbortSignal.timeout(10_000));
      assert.equal(replicas.filter(({ state }) => state === "healthy").length, 3);
      assert.ok(
        (await platform.hosts.list(AbortSignal.timeout(10_000))).every(({ cordoned }) => cordoned === undefined),
      );
    } finally {
      await platform.close();
    }
  });
});
