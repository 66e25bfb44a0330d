import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { ReplicaUsage, UsageSampler } from "../../providers/drivers/contracts";
import { createAgentSource } from "../../providers/observe/agent";

const SIGNAL = new AbortController().signal;

function usageOf(replica: string, host: string, cpuMillis: readonly (number | null)[], startMs = 0): ReplicaUsage {
  const workload = replica.split("-")[0] ?? "";
  return { replica, workload, host, startMs, stepMs: 1000, cpuMillis, memoryBytes: cpuMillis.map(() => 500) };
}

const SAMPLER: UsageSampler = {
  usageSince: () =>
    Promise.resolve([
      usageOf("front-0", "host-01", [10, 20, null, 40]),
      usageOf("front-1", "host-02", [1, 2], 1000),
      usageOf("ledger-0", "host-01", [7, 7, 7, 7]),
      usageOf("mute-0", "host-03", [null, null]),
    ]),
};

async function valuesOf(subject: string, unit: "cpuMillis" | "memoryBytes" | "requestsPerSecond"): Promise<unknown> {
  const range = { fromMs: 0, toMs: 4000 };
  const [series] = await createAgentSource(SAMPLER).query([{ subject, unit }], range, 1000, SIGNAL);
  return series === undefined ? undefined : Array.from(series.values);
}

describe("agent source", () => {
  it("sums CPU over the replicas of a workload, where any of them was sampled", async () => {
    assert.deepEqual(await valuesOf("workload/front", "cpuMillis"), [10, 21, 2, 40]);
  });

  it("sums CPU over all replicas of a host", async () => {
    assert.deepEqual(await valuesOf("host/host-01", "cpuMillis"), [17, 27, 7, 47]);
  });

  it("gives the memory of one replica of a workload, and of all on a host", async () => {
    assert.deepEqual(await valuesOf("workload/front", "memoryBytes"), [500, 500, 500, 500]);
    assert.deepEqual(await valuesOf("host/host-01", "memoryBytes"), [1000, 1000, 1000, 1000]);
  });

  it("has nothing for unknown subjects, other units and replicas without a sample", async () => {
    assert.equal(await valuesOf("workload/absent", "cpuMillis"), undefined);
    assert.equal(await valuesOf("workload/front", "requestsPerSecond"), undefined);
    assert.equal(await valuesOf("workload/mute", "cpuMillis"), undefined);
  });
});
