import { strict as assert } from "node:assert";
import { execFileSync } from "node:child_process";
import { describe, it } from "mocha";
import { parseCoreList, pinTo, readCores } from "../../providers/agent/cores";
import type { StartSpec } from "../../providers/drivers/contracts";
import type { Host } from "../../sdk/model";
import { PROCESS_TEST_MS, type TestAgent, withTestAgent, workloadSpec } from "./agent-fixture";

const OWN = readCores("self") ?? [];

describe("agent: cores of copies", function () {
  this.timeout(PROCESS_TEST_MS);
  let agent: TestAgent;
  withTestAgent((started) => {
    agent = started;
  });

  it("reads lists of cores as the kernel writes them", () => {
    assert.deepEqual(parseCoreList("0-2,5,7-8"), [0, 1, 2, 5, 7, 8]);
  });

  it("gives a copy the cores that the fewest others have, and refuses more than there are", () => {
    assert.deepEqual(pinTo(2, [0, 1, 2, 3], [0, 2, 0], "web-0"), ["taskset", "--cpu-list", "1,3"]);
    assert.deepEqual(pinTo(1, [0, 1], [], "web-0"), ["taskset", "--cpu-list", "0"]);
    assert.throws(() => pinTo(3, [4, 5], [], "web-0"), /web-0: must run on 3 cores of its own; this host has 2/);
  });

  const title = "tells which cores a copy is pinned to, and starts its sibling on as many others";
  it(title + (OWN.length > 1 ? "" : " (skipped: this machine has one core)"), async function () {
    const [first, second] = OWN;
    if (first === undefined || second === undefined) this.skip();
    const { devices } = await agent.read<Host>("host");
    assert.deepEqual(devices, { cores: { count: 1, partitions: 1 } }, "the host is said to have one core");
    assert.equal((await agent.startCopy("web-0")).cores, undefined);
    const { pid } = (await agent.record("web-0")).process;
    execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", String(first), String(pid)]);
    assert.deepEqual((await agent.replica("web-0"))?.cores, [first]);
    const spec = await agent.read<StartSpec>("replica", { replica: "web-0" });
    assert.equal(spec.cores, 1);

    await agent.mutate("start", { ...spec, replica: "web-1" });
    const sibling = await agent.reaches("web-1", "healthy");
    assert.deepEqual(sibling.cores, [second]);
    await agent.kill();
    await agent.launch();
    assert.deepEqual((await agent.replica("web-1"))?.cores, [second]);
    for (const replica of ["web-0", "web-1"]) await agent.mutate("stop", { replica, graceMs: 2000 });
    await assert.rejects(agent.mutate("start", { ...workloadSpec("web-2"), cores: 4096 }), /4096 cores of its own/);
    await agent.mutate("stop", { replica: "web-2", graceMs: 0 });
  });
});
