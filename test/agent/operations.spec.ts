import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { findByEnvironment, isRunning, signalByEnvironment } from "../../providers/agent/process-table";
import { HOST_ROOT } from "../../providers/agent/environment";
import type { Operation } from "../../providers/drivers/contracts";
import type { Host } from "../../sdk/model";
import { eventually, PROCESS_TEST_MS, type TestAgent, withTestAgent } from "./agent-fixture";

describe("agent: updates and reboots", function () {
  this.timeout(PROCESS_TEST_MS);
  let agent: TestAgent;
  withTestAgent((started) => {
    agent = started;
  });

  const root = (): string => join(agent.directory, "root");
  const update = (key: string, command: string, timeoutMs = 30_000): Promise<Operation> =>
    agent.mutate("start-update", { command, timeoutMs }, { key });
  const appears = (name: string): Promise<string> =>
    eventually(`${name} is there`, () => readFile(join(root(), name), "utf8").catch(() => undefined));

  it("runs a command in the host's root folder, at low priority, and keeps its output", async () => {
    await update("simple", 'pwd; nice; echo "$ARCHIPELAGO_HOST_ROOT"; echo problem >&2; echo v2 > version');
    const end = await agent.ended("simple");
    assert.equal(end.state, "done");
    assert.equal(end.exitCode, 0);
    assert.equal(end.output, `${root()}\n19\n${root()}\nproblem\n`);
    assert.equal(await appears("version"), "v2\n");
  });

  it("returns at once, before the command has ended", async () => {
    const started = await update("slow", "sleep 0.5");
    assert.equal(started.state, "running");
    assert.equal((await agent.ended("slow")).state, "done");
  });

  it("measures what a command takes from the host", async () => {
    await update("busy", "end=$(( $(date +%s) + 4 )); while [ $(date +%s) -lt $end ]; do :; done");
    const { load } = await agent.ended("busy");
    assert.ok(load && load.cpuMillis.length >= 1 && load.diskBytesPerSecond.length === load.cpuMillis.length);
    // Updates yield: on a busy machine a loop gets little.
    assert.ok(Math.max(...load.cpuMillis) >= 5, JSON.stringify(load));
  });

  it("tells exit code and output of a command that fails", async () => {
    await update("failing", "echo unpacking; echo 'checksum mismatch' >&2; exit 3");
    const end = await agent.ended("failing");
    assert.equal(end.state, "failed");
    assert.equal(end.exitCode, 3);
    assert.equal(end.reason, "exit code 3");
    assert.equal(end.output, "unpacking\nchecksum mismatch\n");
  });

  it("says so when a command does not exist", async () => {
    await update("missing", "archipelago-no-such-command --now");
    const end = await agent.ended("missing");
    assert.equal(end.reason, "command not found");
    assert.match(end.output, /archipelago-no-such-command/);
  });

  it("keeps the last 64 KiB of the output", async () => {
    await update(
      "loud",
      "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done; echo end",
    );
    const end = await agent.ended("loud");
    assert.equal(Buffer.byteLength(end.output), 64 * 1024);
    assert.ok(end.output.endsWith("\nend\n"));
  });

  it("ends a command at its deadline with everything it started", async () => {
    await update("endless", "echo begun; sleep 601 & (setsid sleep 602 &) ; trap '' TERM; sleep 603; sleep 604", 3_000);
    const end = await agent.ended("endless");
    assert.equal(end.state, "failed");
    assert.equal(end.reason, "deadline");
    assert.equal(end.output, "begun\n");
    assert.deepEqual(findByEnvironment(HOST_ROOT, root()), []);
  });

  it("refuses a second operation while one runs, and runs no key twice", async () => {
    await update("first", "echo x >> count; sleep 0.7");
    await assert.rejects(update("second", "true"), /operation first is still running/);
    await update("first", "echo x >> count; sleep 0.7");
    await agent.ended("first");
    await update("first", "echo x >> count");
    assert.equal((await appears("count")).trim(), "x");
    assert.equal(await agent.read("operation", { key: "second" }), null);
  });

  it("follows an update over a SIGKILL of the agent, to its exit code, and runs it once", async () => {
    await update("survivor", "echo run >> survived; sleep 1.5; echo finished; exit 4");
    await appears("survived");
    await agent.kill();
    await agent.launch();
    assert.equal((await agent.read<Operation>("operation", { key: "survivor" })).state, "running");
    const end = await agent.ended("survivor");
    assert.equal(end.exitCode, 4);
    assert.equal(end.output, "finished\n");
    await update("survivor", "echo run >> survived");
    assert.equal((await appears("survived")).trim(), "run");
  });

  it("begins none on a host that was sealed, says why, and follows the one that had begun before to its end", async () => {
    await update("unsealed", "echo run >> unsealed; sleep 1; echo finished");
    await appears("unsealed");
    await agent.kill();
    const file = join(agent.fleet, `${agent.name}.json`);
    const config = await readFile(file, "utf8");
    await writeFile(file, JSON.stringify({ ...(JSON.parse(config) as object), immutable: "sealed root" }));
    await agent.launch();
    assert.equal((await agent.read<Host>("host")).immutable, "sealed root");
    assert.equal((await agent.ended("unsealed")).output, "finished\n");
    await update("unsealed", "echo run >> unsealed");
    await assert.rejects(update("sealed", "echo run >> unsealed"), /cannot be updated in place: sealed root/);
    assert.equal((await appears("unsealed")).trim(), "run");
    await agent.kill();
    await writeFile(file, config);
    await agent.launch();
    await update("opened", "true");
    assert.equal((await agent.ended("opened")).state, "done");
  });

  it("tells how an update ended that ended while there was no agent", async () => {
    await update("unwatched", "sleep 0.5; echo done; exit 5");
    await agent.kill();
    await new Promise((wake) => setTimeout(wake, 1000));
    await agent.launch();
    const end = await agent.ended("unwatched");
    assert.equal(end.exitCode, 5);
    assert.equal(end.output, "done\n");
  });

  it("keeps an update's deadline over a SIGKILL of the agent", async () => {
    await update("late", "sleep 600", 1500);
    await agent.kill();
    await agent.launch();
    assert.equal((await agent.ended("late")).reason, "deadline");
  });

  it("starts a recorded update that had not begun when the agent died", async () => {
    await update("unbegun", "echo run >> unbegun");
    await agent.ended("unbegun");
    await agent.kill();
    const operations = join(agent.directory, "operations");
    const names = await readdir(operations);
    const records = names.map((name) => [name, readFileSync(join(operations, name, "record.json"), "utf8")] as const);
    const [name = "", text = ""] = records.find(([, record]) => record.includes('"unbegun"')) ?? [];
    const { end: _end, process: _process, ...intent } = JSON.parse(text) as Record<string, unknown>;
    await rm(join(operations, name), { recursive: true });
    await mkdir(join(operations, name));
    await writeFile(join(operations, name, "record.json"), JSON.stringify(intent));
    // The agent may have opened the file for the output already.
    await writeFile(join(operations, name, "output"), "");
    await agent.launch();
    assert.equal((await agent.ended("unbegun")).state, "done");
    assert.equal(await readFile(join(root(), "unbegun"), "utf8"), "run\nrun\n");
  });

  it("does not start a recorded update again when it died with the agent", async () => {
    await update("lost", "echo run >> lost; sleep 600");
    await appears("lost");
    await agent.kill();
    signalByEnvironment(HOST_ROOT, root(), "SIGKILL");
    await agent.launch();
    const end = await agent.ended("lost");
    assert.equal(end.state, "failed");
    assert.equal(end.reason, "ended without an exit code");
    assert.equal((await appears("lost")).trim(), "run");
  });

  it("probes with a glob, and fails a probe that fails", async () => {
    await writeFile(join(root(), "version"), "6.12.58-amd64\n");
    const probe = (expect: string, command = "cat version"): Promise<unknown> =>
      agent.read("probe", { command, expect });
    assert.deepEqual(await probe("6.12.58*"), { output: "6.12.58-amd64", matches: true });
    assert.deepEqual(await probe("6.12.5?-*"), { output: "6.12.58-amd64", matches: true });
    assert.deepEqual(await probe("6x12*"), { output: "6.12.58-amd64", matches: false });
    assert.deepEqual(await probe("6.12"), { output: "6.12.58-amd64", matches: false });
    await assert.rejects(probe("*", "no-such-probe"), /probe failed: command not found/);
    await assert.rejects(probe("*", "exit 9"), /probe failed: exit code 9/);
  });

  it("ends a check at its deadline and calls it red", async () => {
    const start = performance.now();
    const red = await agent.read<{ ok: boolean }>("check", { command: "sleep 60 & sleep 61", timeoutMs: 300 });
    assert.equal(red.ok, false);
    assert.ok(performance.now() - start < 5000);
    assert.deepEqual(await agent.read("check", { command: "echo fine", timeoutMs: 5000 }), {
      ok: true,
      output: "fine\n",
    });
  });

  it("reboots: every process of the host ends, the boot id changes, and the operation is done", async () => {
    const before = await agent.read<Host>("host");
    const first = await agent.identity();
    await agent.startCopy("plain-0");
    const { process: copy } = await agent.record("plain-0");
    await update("daemon", "(setsid sleep 605 &); exit 0");
    await agent.ended("daemon");
    await agent.mutate("reboot", {}, { key: "reboot-1" });
    assert.equal((await agent.ended("reboot-1")).state, "done");
    const host = await agent.read<Host>("host");
    assert.notEqual(host.bootId, before.bootId);
    assert.equal(isRunning(copy), false);
    assert.equal(isRunning(first), false, "another process serves now");
    assert.deepEqual(findByEnvironment(HOST_ROOT, root()), []);
    assert.equal((await agent.replica("plain-0"))?.state, "stopped", "nothing is started again by itself");
  });

  it("reboots once for a key, also when the agent is killed and started again", async () => {
    await agent.mutate("reboot", {}, { key: "reboot-2" });
    await agent.ended("reboot-2");
    const { bootId } = await agent.read<Host>("host");
    await agent.mutate("reboot", {}, { key: "reboot-2" });
    await agent.kill();
    await agent.launch();
    assert.equal((await agent.read<Host>("host")).bootId, bootId);
  });

  it("carries on a reboot that was recorded when the agent died", async () => {
    const { bootId } = await agent.read<Host>("host");
    await agent.startCopy("plain-1");
    const { process: copy } = await agent.record("plain-1");
    await agent.mutate("reboot", {}, { key: "reboot-3" });
    await agent.kill(); // Before the delay of the reboot has passed.
    await agent.launch().catch(() => undefined); // A successor may be there already.
    assert.equal((await agent.ended("reboot-3")).state, "done");
    assert.notEqual((await agent.read<Host>("host")).bootId, bootId);
    assert.equal(isRunning(copy), false);
  });

  it("refuses a reboot while an update runs", async () => {
    await update("running", "sleep 1");
    await assert.rejects(agent.mutate("reboot", {}, { key: "reboot-4" }), /operation running is still running/);
    await agent.ended("running");
  });
});
