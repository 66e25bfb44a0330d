/** Host updates that are interrupted, through an engine on a real local fleet: they stop, and the next up goes on. */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { opOf, openUpdateStack, type UpdateStack } from "./update-stack";

/** A command that waits for a file, a minute and a half at most. */
function untilThere(file: string): string {
  return `for i in $(seq 900); do [ -e '${file}' ] && break; sleep 0.1; done`;
}

describe("interrupted host updates through an engine", function () {
  // Real processes on a machine that may be busy.
  this.timeout(300_000);
  let stack: UpdateStack;

  beforeEach(async () => {
    stack = await openUpdateStack();
  });
  afterEach(async () => {
    await stack.close();
  });

  it("stops at a step border on Ctrl-C, and the next up goes on", async () => {
    const { session } = stack;
    // The first host's update is under way until the run has heard of the interrupt, however busy the machine is.
    const gate = join(stack.folder, "heard");
    await session.setConfig("command", `${untilThere(gate)}; echo 2 > VERSION`);
    const interrupt = new AbortController();
    const stopped = await session.up({
      signal: interrupt.signal,
      onOutput: (line) => {
        if (line.includes("wave 1: update")) interrupt.abort();
        if (line.includes("stopping at the next step border")) writeFileSync(gate, "");
      },
    });
    assert.ok(existsSync(gate), `the run said that it heard of the interrupt: ${stopped.stdout}`);
    assert.notEqual(stopped.exitCode, 0, stopped.stdout);
    const updated = Object.values(await stack.versions()).filter((version) => version === "2").length;
    assert.ok(updated <= 1, `it stopped in the first wave, not after ${String(updated)} hosts`);
    const resumed = await session.up();
    assert.equal(resumed.exitCode, 0, resumed.stdout);
    assert.equal((await session.outputs())["phase"], "done");
    assert.deepEqual(await stack.versions(), { "host-00": "2", "host-01": "2", "host-02": "2" });
  });

  it("finds its own journal when create is called again, as after a CLI that was killed, and updates no host twice", async () => {
    const { session } = stack;
    await session.setConfig("command", "sleep 2; echo 2 > VERSION; echo once >> COUNT");
    const interrupt = new AbortController();
    await session.up({
      signal: interrupt.signal,
      onOutput: (line) => {
        if (line.includes("wave 2: update")) interrupt.abort();
      },
    });
    const [first] = await stack.runs();

    // The engine's state is gone, as when it never learned how the creation ended; project, stack and names are the same.
    const again = await stack.openSession("state-2");
    try {
      await again.setConfig("command", "sleep 2; echo 2 > VERSION; echo once >> COUNT");
      const resumed = await again.up();
      assert.equal(resumed.exitCode, 0, resumed.stdout);
      assert.equal(opOf(resumed), "create");
      assert.equal((await again.outputs())["phase"], "done");
    } finally {
      await again.close();
    }
    assert.deepEqual(await stack.runs(), [first], "it is the same run");
    assert.deepEqual(await stack.fileOnHosts("COUNT"), { "host-00": "once", "host-01": "once", "host-02": "once" });
  });
});
