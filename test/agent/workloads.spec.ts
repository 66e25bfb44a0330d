import { strict as assert } from "node:assert";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { findByEnvironment, isRunning, listProcesses, readProcess } from "../../providers/agent/process-table";
import type { ReplicaUsage } from "../../providers/drivers/contracts";
import type { Replica } from "../../sdk/model";
import { eventually, PROCESS_TEST_MS, request, type TestAgent, withTestAgent, workloadSpec } from "./agent-fixture";

describe("agent: workloads", function () {
  this.timeout(PROCESS_TEST_MS);
  let agent: TestAgent;
  withTestAgent((started) => {
    agent = started;
  });

  it("starts a copy with its environment and nothing of the agent's secrets", async () => {
    process.env["ARCHIPELAGO_TEST_SECRET"] = "hidden";
    const copy = await agent.startCopy("plain-0", { environment: { GREETING: "hello" } });
    delete process.env["ARCHIPELAGO_TEST_SECRET"];
    const answer = await fetch(`http://${copy.address ?? ""}/environment`);
    const environment = (await answer.json()) as Record<string, string>;
    assert.equal(environment["GREETING"], "hello");
    assert.equal(environment["ARCHIPELAGO_REPLICA"], "plain-0");
    assert.equal(environment["ARCHIPELAGO_HOST"], "host-01");
    assert.equal(environment["ARCHIPELAGO_WORKLOAD"], "fixture");
    assert.equal(environment["ARCHIPELAGO_DATA"], join(agent.directory, "data", "plain-0"));
    assert.equal(environment["PORT"], copy.address?.split(":")[1]);
    assert.equal(environment["ARCHIPELAGO_TEST_SECRET"], undefined);
  });

  it("adopts running copies after a SIGKILL of the agent, and can stop them", async () => {
    const before = await agent.startCopy("adopted-0");
    const { process: identity } = await agent.record("adopted-0");
    await agent.kill();
    assert.equal(await request(before, "GET", "/health"), 200, "the copy serves without its agent");
    await agent.launch();
    assert.deepEqual(await agent.replica("adopted-0"), before, "healthy at the first look, at the same address");
    assert.ok(isRunning(identity));
    await agent.mutate("stop", { replica: "adopted-0", graceMs: 2000 });
    assert.equal(isRunning(identity), false);
    assert.equal(await agent.replica("adopted-0"), undefined);
  });

  it("adopts a copy whose pid was not recorded any more when the agent died", async () => {
    await agent.startCopy("unrecorded-0");
    const path = join(agent.directory, "replicas", "unrecorded-0.json");
    const { process: identity, ...intent } = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
    await agent.kill();
    await writeFile(path, JSON.stringify(intent));
    await agent.launch();
    assert.equal((await agent.replica("unrecorded-0"))?.state, "healthy");
    assert.deepEqual((await agent.record("unrecorded-0")).process, identity);
    await agent.mutate("stop", { replica: "unrecorded-0", graceMs: 2000 });
  });

  it("never adopts or kills another process that got a recorded pid", async () => {
    await agent.startCopy("victim-0");
    await agent.startCopy("recycled-0");
    const victim = (await agent.record("victim-0")).process;
    const path = join(agent.directory, "replicas", "recycled-0.json");
    await agent.kill();
    const record = JSON.parse(await readFile(path, "utf8")) as { process: { pid: number; startTicks: number } };
    process.kill(record.process.pid, "SIGKILL");
    await eventually("the copy is gone", () => Promise.resolve(!isRunning(record.process)));
    await writeFile(path, JSON.stringify({ ...record, process: { ...record.process, pid: victim.pid } }));
    await agent.launch();
    assert.equal((await agent.replica("recycled-0"))?.state, "stopped");
    await agent.mutate("stop", { replica: "recycled-0", graceMs: 500 });
    assert.ok(isRunning(victim), "the process that has the pid now goes on");
    await agent.mutate("stop", { replica: "victim-0", graceMs: 2000 });
  });

  it("shows at once that a copy's process is gone, and starts it again under the same id", async () => {
    await agent.startCopy("mortal-0");
    const { process: identity } = await agent.record("mortal-0");
    process.kill(identity.pid, "SIGKILL");
    await eventually("the copy is gone", () => Promise.resolve(!isRunning(identity)));
    assert.equal((await agent.replica("mortal-0"))?.state, "stopped");
    await agent.startCopy("mortal-0");
    assert.notEqual((await agent.record("mortal-0")).process.pid, identity.pid);
    await agent.mutate("stop", { replica: "mortal-0", graceMs: 2000 });
  });

  it("ends a copy that ignores SIGTERM at the grace's end, with its children", async () => {
    await agent.startCopy("stubborn-0", { environment: { FIXTURE_STUBBORN: "1", FIXTURE_CHILD: "1" } });
    const { process: identity } = await agent.record("stubborn-0");
    const group = listProcesses().filter((process) => process.group === identity.pid);
    assert.ok(group.length >= 2, "it has a child");
    const start = performance.now();
    await agent.mutate("stop", { replica: "stubborn-0", graceMs: 400 });
    assert.ok(performance.now() - start >= 400, "it was given its grace");
    await eventually("its children are gone", () => Promise.resolve(group.every(({ pid }) => !readProcess(pid))));
  });

  it("refuses a command that cannot be started, and says why", async () => {
    const spec = workloadSpec("broken-0");
    const broken = { ...spec, process: { ...spec.process, command: ["/no/such/program"] } };
    await assert.rejects(agent.mutate("start", broken), /broken-0: \/no\/such\/program cannot be started .*ENOENT/);
    await agent.mutate("stop", { replica: "broken-0", graceMs: 0 });
  });

  it("refuses a start without a command before anything is done", async () => {
    const spec = workloadSpec("empty-0");
    const empty = { ...spec, process: { ...spec.process, command: [] } };
    await assert.rejects(agent.mutate("start", empty), /process\.command must be a list of texts/);
    assert.equal(await agent.replica("empty-0"), undefined);
  });

  it("keeps the id of a copy inside its own folders", async () => {
    const id = "../../../escape";
    await agent.startCopy(id);
    const replicas = await agent.read<readonly Replica[]>("replicas");
    assert.ok(replicas.some((replica) => replica.id === id));
    const marked = findByEnvironment("ARCHIPELAGO_REPLICA", id);
    assert.equal(marked.length, 1);
    const environment = await readFile(`/proc/${String(marked[0]?.pid)}/environ`, "utf8");
    const data = /ARCHIPELAGO_DATA=([^\0]+)/.exec(environment)?.[1] ?? "";
    assert.ok(data.startsWith(join(agent.directory, "data")) && !data.includes(".."), data);
    await agent.mutate("stop", { replica: id, graceMs: 2000 });
  });

  it("begins a standby copy empty, whatever an earlier copy of that id left", async () => {
    const data = join(agent.directory, "data", "fresh-0");
    await mkdir(data, { recursive: true });
    await writeFile(join(data, "state.txt"), "stale");
    await agent.startCopy("fresh-0", { standby: true });
    await assert.rejects(readFile(join(data, "state.txt")), /ENOENT/);
    await agent.mutate("stop", { replica: "fresh-0", graceMs: 2000 });
  });

  it("tells of no scheduled jobs unless its configuration names their files", async () => {
    assert.deepEqual(await agent.read("schedules", {}), []);
  });

  it("samples CPU and memory of each copy", async () => {
    const usage = await eventually("samples are there", async () => {
      const now = Date.now();
      const range = { fromMs: now - 30_000, toMs: now + 1000, stepMs: 31_000 };
      const all = await agent.read<readonly ReplicaUsage[]>("samples", range);
      return all.find(({ replica }) => replica === "plain-0");
    });
    assert.equal(usage.host, "host-01");
    assert.equal(usage.workload, "fixture");
    assert.ok((usage.memoryBytes[0] ?? 0) > 2 ** 20, "a process holds more than a MiB");
    assert.ok((usage.cpuMillis[0] ?? -1) >= 0);
  });
});
