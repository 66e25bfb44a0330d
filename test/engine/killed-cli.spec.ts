/**
 * `kill -9` of the real CLI in the middle of a run. The stand-in has no lock and no pending operations: only the CLI
 * can show this.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { openFileStore } from "../../providers/journal/file-store";
import { runResource } from "../../providers/runner/leases";
import { eventually } from "../agent/agent-fixture";
import { chooseEngine } from "./open-engine";
import { engineKind } from "./scenario";
import { openUpdateStack, type UpdateStack } from "./update-stack";

const isHere = chooseEngine(engineKind()) === "pulumi";
const title = "ends its provider at the step border, gives the lease back, and goes on after `pulumi cancel --yes`";
const STEP_MS = 4_000;
const LIMIT_MS = 120_000;
/** From the loss that is known to the last thing that is done. */
const END_LIMIT_MS = 5_000;

describe("a CLI that is killed with kill -9", function () {
  this.timeout(300_000);
  let stack: UpdateStack | undefined;
  after(() => stack?.close());

  (isHere ? it : it.skip)(isHere ? title : `${title} (skipped: there is no pulumi CLI on the path)`, async () => {
    stack = await openUpdateStack();
    const { session, folder } = stack;
    const { cancel } = session;
    assert.ok(cancel);
    const command = `sleep ${String(STEP_MS / 1000)}; echo 2 > VERSION; echo once >> COUNT`;
    await session.setConfig("command", command);
    const kill = new AbortController();
    const killed = session.up({ kill: kill.signal });
    const store = await openFileStore(`file:${join(folder, "fleet", "store")}`);
    const isUpdating = async (): Promise<boolean> => {
      const [run] = await store.list();
      if (run === undefined) return false;
      const { entries } = await store.read(run);
      return entries.some((entry) => entry.kind === "step-intent" && entry.step.kind === "update");
    };
    await eventually("the first host is updated", isUpdating, LIMIT_MS);
    const killedMs = Date.now();
    kill.abort();
    await killed;
    const [run = ""] = await stack.runs();

    await eventually("the provider has ended", () => Promise.resolve(providersIn(folder).length === 0), 60_000);
    const endedMs = Date.now();
    assert.equal(await store.leases.inspect(runResource(run)), undefined, "the run's lease is given back");
    const { entries } = await store.read(run);
    const begunMs = Math.max(...entries.flatMap(({ kind, at }) => (kind === "step-intent" ? [at] : []))) - killedMs;
    assert.ok(begunMs <= END_LIMIT_MS, `a step was begun ${String(begunMs)} ms after the kill`);
    // The step that was under way is brought to its end; what comes after it is the provider's own end.
    const borderMs = entries.at(-1)?.at ?? killedMs;
    const told = `${String(borderMs - killedMs)} ms to the border, ${String(endedMs - borderMs)} ms from there to its end`;
    assert.ok(endedMs - borderMs <= END_LIMIT_MS, told);
    const open = entries.filter(({ kind }) => kind === "step-intent").length;
    const ended = entries.filter(({ kind }) => kind === "step-done" || kind === "step-failed").length;
    assert.equal(open, ended, "it stopped at a step border");

    const locked = await session.up();
    assert.notEqual(locked.exitCode, 0);
    assert.match(locked.stdout, /currently locked/);
    await cancel();
    const resumed = await session.up();
    assert.equal(resumed.exitCode, 0, resumed.stdout);
    assert.equal((await session.outputs())["phase"], "done");
    assert.deepEqual(await stack.runs(), [run], "it is the same run");
    assert.deepEqual(await stack.fileOnHosts("COUNT"), { "host-00": "once", "host-01": "once", "host-02": "once" });
  });
});

/** Processes of the dynamic provider that work in a folder. */
function providersIn(folder: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${String(pid)}/cmdline`, "utf8");
        return command.includes("dynamic-provider") && readlinkSync(`/proc/${String(pid)}/cwd`).startsWith(folder);
      } catch {
        return false;
      }
    });
}
