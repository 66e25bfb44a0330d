/**
 * The whole way of an unattended run, on real processes: armed by `pulumi up`, started by a runner, which is killed,
 * carried on by another runner, waited for by a pipeline and reported.
 */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { openFileStore } from "../../providers/journal/file-store";
import { readLatestRun } from "../../providers/runner/run-family";
import type { RunState } from "../../sdk/model";
import { eventually } from "../agent/agent-fixture";
import { PACKAGE_ROOT } from "../fixtures/small-fleet";
import { openUpdateStack, type UpdateStack } from "./update-stack";

const CLI = join(PACKAGE_ROOT, "dist", "providers", "cli", "main.js");
const LIMIT_MS = 120_000;

/** A process of the command line. */
interface CliProcess {
  readonly child: ChildProcess;
  readonly lines: string[];
}

describe("an unattended run", function () {
  this.timeout(300_000);
  let stack: UpdateStack;
  const processes: CliProcess[] = [];

  before(async () => {
    stack = await openUpdateStack();
  });
  after(async () => {
    for (const { child } of processes) child.kill("SIGKILL");
    await stack.close();
  });

  const storeUrl = (): string => `file:${join(stack.folder, "fleet", "store")}`;

  function archipelago(...args: readonly string[]): CliProcess {
    const child = spawn(process.execPath, [CLI, ...args, "--store", storeUrl()], { stdio: ["ignore", "pipe", "pipe"] });
    const lines: string[] = [];
    for (const output of [child.stdout, child.stderr]) createInterface(output).on("line", (line) => lines.push(line));
    const started = { child, lines };
    processes.push(started);
    return started;
  }

  async function exitOf({ child }: CliProcess): Promise<number | null> {
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    return child.exitCode;
  }

  async function family(): Promise<string> {
    const [run = ""] = await stack.runs();
    return run.replace(/-\d+$/, "");
  }

  async function latest(): Promise<RunState | undefined> {
    return readLatestRun(await openFileStore(storeUrl()), await family());
  }

  const said = (runner: CliProcess, text: RegExp): boolean => runner.lines.some((line) => text.test(line));

  it("is armed by pulumi up, started by a runner, carried on by another when that one is killed, and reported", async () => {
    const { session } = stack;
    await session.setConfig("command", "sleep 2; echo 2 > VERSION; echo once >> COUNT");
    await session.setConfig("startedBy", "runner");
    const missing = await session.preview();
    assert.match(missing.stdout, /BLOCKED +no-runner runner: none has been seen.*archipelago runner --store/);

    const first = archipelago("runner", "--every", "1 second");
    await eventually("the runner is there", () => Promise.resolve(said(first, /serves file:/)), LIMIT_MS);
    const armed = await session.up();
    assert.equal(armed.exitCode, 0, armed.stdout);
    assert.match(armed.stdout, /armed: .*only a runner starts it; runner \S+ last seen/);
    assert.equal((await session.outputs())["phase"], "armed");

    const isUpdating = async (): Promise<boolean> =>
      (await latest())?.steps.some(({ step, status }) => step.kind === "update" && status === "started") === true;
    await eventually("the first host is updated", isUpdating, LIMIT_MS);
    first.child.kill("SIGKILL");
    await exitOf(first);
    const [second, third] = [
      archipelago("runner", "--every", "1 second"),
      archipelago("runner", "--every", "1 second"),
    ];
    const waiting = archipelago("wait", "tool", "--timeout", "2 minutes");
    assert.equal(await exitOf(waiting), 0, [...second.lines, ...third.lines, ...waiting.lines].join("\n"));

    const run = await latest();
    assert.equal(run?.phase, "done");
    assert.deepEqual(await stack.fileOnHosts("COUNT"), { "host-00": "once", "host-01": "once", "host-02": "once" });
    const { entries } = await (await openFileStore(storeUrl())).read(run.id);
    const owners = entries.flatMap((entry) => (entry.kind === "taken-over" ? [entry.owner] : []));
    assert.equal(owners.length, 2, `one of the two others worked on it: ${owners.join(", ")}`);

    // The report is written right after the run has ended.
    const isReported = (): Promise<boolean> =>
      Promise.resolve([second, third].some((runner) => said(runner, /done: .*report: .*\.html/)));
    await eventually("the report is written", isReported, LIMIT_MS);
    const report = archipelago("report", "tool");
    assert.equal(await exitOf(report), 0, report.lines.join("\n"));
    assert.match(report.lines.join("\n"), /Run tool-\S+: done[^]*3 updated, 0 skipped/);
    for (const runner of [second, third]) {
      runner.child.kill("SIGTERM");
      assert.equal(await exitOf(runner), 0, runner.lines.join("\n"));
    }

    const after = await session.up();
    assert.equal(after.exitCode, 0, after.stdout);
    assert.equal((await session.outputs())["phase"], "done", "the next up takes over what the runner came to");
    assert.equal((await session.preview()).steps.find(({ name }) => name === "tool-run")?.op, "same");
  });
});
