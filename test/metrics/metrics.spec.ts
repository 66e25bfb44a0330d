import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import { describe, it } from "mocha";
import { createAgentMetrics } from "../../providers/metrics/agent-metrics";
import { parseMetricsAddress, startMetricsEndpoint } from "../../providers/metrics/metrics-endpoint";
import { createRunMetrics } from "../../providers/metrics/run-metrics";
import { createSwitchMetrics } from "../../providers/metrics/switch-metrics";
import type { JournalEntry } from "../../sdk/model";
import { hasPrograms } from "./monitoring-fixture";

const replica = { replica: "r1", workload: "front", cpuSeconds: 2.5, memoryBytes: 1024, diskBytes: 4096 };
const agent = () => createAgentMetrics({ host: "host-01", replicas: () => [replica], isCordoned: () => true });
const service = { service: "front", requests: 7, failed: 2, parked: 3, backends: { healthy: 1, all: 2 } };
const trafficSwitch = () => createSwitchMetrics(() => Promise.resolve([service]));
const entry = (event: object): JournalEntry => ({ v: 1, at: 1000, epoch: 1, ...event }) as JournalEntry;
const INTENT = entry({
  kind: "step-intent",
  step: { id: "s1", kind: "reserve", hosts: ["spare-1"] },
  key: "k",
  prior: null,
});

describe("metrics", () => {
  it("serves GET /metrics and nothing else", async () => {
    const endpoint = await startMetricsEndpoint(agent(), { port: 0 });
    try {
      const text = await (await fetch(endpoint.url)).text();
      assert.match(text, /archipelago_replica_cpu_seconds_total\{workload="front",replica="r1",host="host-01"\} 2\.5/);
      assert.match(text, /archipelago_replica_disk_bytes_total\{workload="front",replica="r1",host="host-01"\} 4096/);
      assert.match(text, /archipelago_host_cordoned\{host="host-01"\} 1/);
      assert.equal((await fetch(endpoint.url.replace("/metrics", "/"))).status, 404);
      assert.equal((await fetch(endpoint.url, { method: "POST" })).status, 404);
    } finally {
      await endpoint.close();
    }
  });

  it("tells a switch's counters as they are, however often it is asked", async () => {
    const registry = trafficSwitch();
    await registry.metrics();
    const text = await registry.metrics();
    assert.match(text, /archipelago_switch_requests_total\{service="front"\} 7/);
    assert.match(text, /archipelago_switch_request_failures_total\{service="front"\} 2/);
    assert.match(text, /archipelago_switch_parked_requests\{service="front"\} 3/);
    assert.match(text, /archipelago_switch_backends\{service="front",healthy="false"\} 1/);
  });

  it("counts what a run stores, and what an earlier process stored only for where it stands", async () => {
    const { registry, follower } = createRunMetrics();
    const run = follower();
    const created = entry({ kind: "created", bundle: { spec: { name: "kernel" } } });
    run.begin("kernel-1", [created, entry({ kind: "phase", phase: "armed" }), INTENT]);
    run.follow([entry({ kind: "phase", phase: "running" })], 3);
    run.follow([entry({ kind: "step-done", id: "s1", result: { pauseMs: 120 }, alreadyDone: false, at: 3000 })], 4);
    run.follow([entry({ kind: "wave-done", index: 1 })], 5);
    const text = await registry.metrics();
    assert.match(text, /archipelago_run_phase\{update="kernel",phase="running"\} 1/);
    assert.match(text, /archipelago_run_phase\{update="kernel",phase="armed"\} 0/);
    assert.match(text, /archipelago_run_steps_total\{update="kernel",kind="reserve",outcome="done"\} 1/);
    assert.match(text, /archipelago_run_step_duration_seconds_sum\{kind="reserve"\} 2/);
    assert.match(text, /archipelago_handover_pause_seconds_count\{update="kernel"\} 1/);
    assert.match(text, /archipelago_run_reserved_hosts\{update="kernel"\} 1/);
    assert.match(text, /archipelago_run_waves_total\{update="kernel"\} 1/);
  });

  it("names mistakes in the address", () => {
    const mistakes: unknown[] = [];
    for (const value of [undefined, { port: 9464 }, { port: "x" }, 3, { port: 1, host: "" }]) {
      parseMetricsAddress(value, (mistake) => mistakes.push(mistake));
    }
    assert.equal(mistakes.length, 3);
  });

  const isHere = hasPrograms("promtool");
  const title = "keeps the conventions that promtool checks";
  (isHere ? it : it.skip)(
    isHere ? title : `${title} (skipped: the Debian package prometheus is not installed)`,
    async () => {
      for (const registry of [agent(), trafficSwitch(), createRunMetrics().registry]) {
        const checked = spawnSync("promtool", ["check", "metrics"], { input: await registry.metrics() });
        assert.equal(checked.status, 0, checked.stdout.toString() + checked.stderr.toString());
      }
    },
  );
});
