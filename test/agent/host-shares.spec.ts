import { strict as assert } from "node:assert";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "mocha";
import { openCpuGroups, removeCpuGroups, type KernelFiles } from "../../providers/agent/cpu-groups";
import { HostShares } from "../../providers/agent/host-shares";
import { listProcesses, readProcess, TICKS_PER_SECOND } from "../../providers/agent/process-table";
import { createVirtualClock } from "../../providers/testing";
import type { Host, SharesInForce } from "../../sdk/model";
import { eventually, PROCESS_TEST_MS, type TestAgent, withTestAgent, workloadSpec } from "./agent-fixture";

const OBSTACLE = ((): string | undefined => {
  const directory = join(tmpdir(), `archipelago-shares-${String(process.pid)}`);
  const opened = openCpuGroups(directory);
  return typeof opened === "string" ? opened : undefined;
})();

describe("agent: shares of its host", () => {
  describe("of real processes", function () {
    this.timeout(PROCESS_TEST_MS);
    let agent: TestAgent;
    withTestAgent((started) => {
      agent = started;
    });
    after(async () => {
      removeCpuGroups(agent.directory);
    });

    const pidOf = async (id: string): Promise<number> => (await agent.record(id)).process.pid;
    const ticksOf = (pid: number): number => readProcess(pid)?.cpuTicks ?? 0;
    const inForce = async (): Promise<SharesInForce | undefined> => (await agent.read<Host>("host")).shares;
    const groupOf = (pid: number): string => readFileSync(`/proc/${String(pid)}/cgroup`, "utf8");
    const startBusy = async (workload: string): Promise<number> => {
      const spec = workloadSpec(`${workload}-0`);
      // It works in a child, as many services do.
      const command = ["/bin/sh", "-c", "(while :; do :; done) & while :; do wait; done"];
      const health = { ...spec.process.health, path: "" };
      await agent.mutate("start", { ...spec, workload, process: { ...spec.process, command, health } });
      const leader = await pidOf(`${workload}-0`);
      return await eventually("it works", () => Promise.resolve(childOf(leader)));
    };
    const sharesOf = (shop: number, back: number, forMs = 600_000): SharesInForce => ({
      owner: "run-1",
      expiresAt: Date.now() + forMs,
      shares: [
        { island: "shop", cpu: shop, workloads: ["web"] },
        { island: "back office", cpu: back, workloads: ["batch"] },
      ],
    });

    const title =
      "holds busy copies of two islands to their shares, also when the agent was killed, until they are ended";
    it(title + (OBSTACLE === undefined ? "" : ` (skipped: ${OBSTACLE})`), async function () {
      if (OBSTACLE !== undefined) this.skip();
      const web = await startBusy("web");
      const before = groupOf(web);
      await agent.mutate("set-shares", { shares: sharesOf(0.08, 0.4) });
      // Started while shares are in force: bounded from the start.
      const batch = await startBusy("batch");
      const [web0, batch0, from] = [ticksOf(web), ticksOf(batch), performance.now()];
      await eventually("the larger share is used", () => Promise.resolve(ticksOf(batch) - batch0 >= 40), 40_000);
      const seconds = (performance.now() - from) / 1000;
      const used = (pid: number, at: number): number => (ticksOf(pid) - at) / TICKS_PER_SECOND / seconds;
      const [webCores, batchCores] = [used(web, web0), used(batch, batch0)];
      assert.ok(webCores <= 0.08 * 1.4, `the smaller island used ${webCores.toFixed(3)} of 0.08 cores`);
      assert.ok(batchCores <= 0.4 * 1.2, `the larger island used ${batchCores.toFixed(3)} of 0.4 cores`);
      assert.ok(batchCores > 1.5 * webCores, `${batchCores.toFixed(3)} and ${webCores.toFixed(3)} cores`);

      const bounded = groupOf(web);
      assert.notEqual(bounded, before);
      await agent.kill();
      assert.equal(groupOf(web), bounded, "without an agent too");
      await agent.launch();
      assert.deepEqual((await inForce())?.shares, sharesOf(0.08, 0.4).shares);
      assert.equal(groupOf(web), bounded);

      await agent.mutate("set-shares", { shares: null });
      assert.equal(await inForce(), undefined);
      assert.equal(groupOf(web), before);
      await agent.mutate("set-shares", { shares: sharesOf(0.5, 0.5, 400) });
      await eventually("they have lapsed and nobody is held back", async () => {
        return (await inForce()) === undefined && groupOf(batch) === before;
      });
      for (const replica of ["web-0", "batch-0"]) await agent.mutate("stop", { replica, graceMs: 0 });
    });
  });

  describe("by version 2 of control groups", () => {
    it("says why there are none where the kernel refuses", () => {
      const kernel = new FakeKernel("/sys/fs/cgroup", "0::/\n");
      kernel.refusal = "EROFS: read-only file system";
      const opened = openCpuGroups("/state", kernel);
      assert.equal(opened, "control groups below /sys/fs/cgroup cannot be made (EROFS: read-only file system)");
      const bare = new FakeKernel("/sys/fs/cgroup", "0::/\n");
      bare.files.set("/proc/self/mounts", "proc /proc proc rw 0 0");
      const none = openCpuGroups("/state", bare);
      assert.ok(typeof none === "string");
      assert.match(none, /no control groups with a cpu controller/);
    });

    it("gives each island its quota, moves copies in and out, and leaves nothing", () => {
      const own = "/system.slice/archipelago-agent.service";
      const kernel = new FakeKernel("/sys/fs/cgroup", `0::${own}\n`);
      kernel.makeFolder(`/sys/fs/cgroup${own}`);
      kernel.write(`/sys/fs/cgroup${own}/cgroup.procs`, "7");
      kernel.write(`/sys/fs/cgroup${own}/cgroup.procs`, "8");
      const groups = openCpuGroups("/state", kernel);
      assert.ok(typeof groups !== "string");
      assert.equal(kernel.read("/sys/fs/cgroup/cgroup.subtree_control"), "cpuset +cpu");
      groups.apply([{ name: "../shop", cpuMillis: 2500, pids: [7, 8] }], []);
      const [shop = ""] = kernel.groups();
      assert.match(shop, /^archipelago-[0-9a-f]{12}-___shop-[0-9a-f]{8}$/);
      assert.equal(kernel.read(`/sys/fs/cgroup/${shop}/cpu.max`), "125000 50000");
      assert.equal(kernel.read(`/sys/fs/cgroup/${shop}/cgroup.procs`), "7\n8");
      const foreign = openCpuGroups("/state-of-another", kernel);
      assert.ok(typeof foreign !== "string");
      foreign.apply([], []);
      assert.deepEqual(kernel.groups(), [shop], "agents leave each other's groups alone");
      groups.apply([{ name: "../shop", cpuMillis: 500, pids: [8] }], [7]);
      assert.equal(kernel.read(`/sys/fs/cgroup/${shop}/cgroup.procs`), "8");
      assert.equal(kernel.read(`/sys/fs/cgroup${own}/cgroup.procs`), "7");
      groups.apply([], []);
      assert.deepEqual(kernel.groups(), []);
      assert.equal(kernel.read(`/sys/fs/cgroup${own}/cgroup.procs`), "7\n8");
    });

    it("takes a group that is not mounted here for no home", () => {
      const kernel = new FakeKernel("/sys/fs/cgroup", "0::/../elsewhere\n");
      const groups = openCpuGroups("/state", kernel);
      assert.ok(typeof groups !== "string");
      groups.apply([{ name: "shop", cpuMillis: 500, pids: [8] }], []);
      groups.apply([], []);
      assert.equal(kernel.read("/sys/fs/cgroup/cgroup.procs"), "8");
    });
  });

  it("tells of no shares that the kernel refuses, and holds those of before", async () => {
    const clock = createVirtualClock(Date.UTC(2030, 0, 1));
    const path = join(mkdtempSync(join(tmpdir(), "archipelago-shares-")), "shares.json");
    const held: string[] = [];
    let isRefusing = false;
    const shares = new HostShares({
      host: "host-01",
      path,
      cpuMillis: 4000,
      openGroups: () => ({
        apply: (groups) => {
          if (isRefusing && groups.some(({ name }) => name === "new")) throw new Error("EBUSY");
          held.splice(0, held.length, ...groups.map(({ name, cpuMillis }) => `${name} ${String(cpuMillis)}`));
        },
      }),
      records: () => [],
      clock,
    });
    await shares.recover();
    const of = (island: string): SharesInForce => ({
      owner: "run",
      expiresAt: clock.now() + 60_000,
      shares: [{ island, cpu: 0.25, workloads: [] }],
    });
    await shares.set(of("old"));
    isRefusing = true;
    await assert.rejects(shares.set(of("new")), /shares cannot be put in force \(EBUSY\)/);
    assert.deepEqual(held, ["old 1000"]);
    assert.equal(shares.observe()?.shares[0]?.island, "old");
    shares.close();
    rmSync(join(path, ".."), { recursive: true });
  });
});

/** A child of a copy's first process. */
function childOf(leader: number): number | undefined {
  return listProcesses().find(({ pid, group }) => group === leader && pid !== leader)?.pid;
}

/** Version 2 of control groups: folders that have files from their beginning, and processes that are in one of them. */
class FakeKernel implements KernelFiles {
  readonly files = new Map<string, string>();
  refusal: string | undefined;

  constructor(
    readonly root: string,
    own: string,
  ) {
    this.files.set("/proc/self/mounts", `proc /proc proc rw 0 0\ncgroup2 ${root} cgroup2 rw,nosuid 0 0`);
    this.files.set("/proc/self/cgroup", own);
    this.files.set(`${root}/cgroup.controllers`, "cpuset cpu memory\n");
    this.files.set(`${root}/cgroup.subtree_control`, "cpuset");
    this.files.set(`${root}/cgroup.procs`, "");
  }

  groups(): readonly string[] {
    return this.list(this.root).filter((name) => name.startsWith("archipelago-"));
  }

  exists(path: string): boolean {
    return this.files.has(path);
  }

  list(folder: string): readonly string[] {
    const below = Array.from(this.files.keys()).filter((path) => path.startsWith(`${folder}/`));
    return [...new Set(below.map((path) => path.slice(folder.length + 1).split("/")[0] ?? ""))];
  }

  read(path: string): string {
    const content = this.files.get(path);
    assert.ok(content !== undefined, `${path} is not there`);
    return content;
  }

  write(path: string, content: string): void {
    const before = this.read(path);
    if (path.endsWith("subtree_control")) this.files.set(path, `${before} ${content}`);
    else if (!path.endsWith("cgroup.procs")) this.files.set(path, content);
    else {
      for (const [file, members] of this.files) {
        if (!file.endsWith("cgroup.procs")) continue;
        const others = members.split("\n").filter((pid) => pid !== "" && pid !== content);
        this.files.set(file, [...others, ...(file === path ? [content] : [])].join("\n"));
      }
    }
  }

  makeFolder(path: string): void {
    if (this.refusal !== undefined) throw new Error(this.refusal);
    for (const name of ["cpu.max", "cgroup.procs"]) {
      if (!this.files.has(`${path}/${name}`)) this.files.set(`${path}/${name}`, "");
    }
  }

  removeFolder(path: string): void {
    assert.equal(this.read(`${path}/cgroup.procs`), "", "a group with processes stays");
    for (const name of ["cpu.max", "cgroup.procs"]) this.files.delete(`${path}/${name}`);
  }
}
