import { strict as assert } from "node:assert";

import type { WorkloadPolicy } from "../../sdk/model";
import { sampleForecast } from "../../providers/testing";
import { assertKept, createRunFixture, quickFleet, quickSpec } from "./run-fixture";

/** What is declared of some workloads, beside what they are. */
const DECLARED: Readonly<Record<string, Partial<WorkloadPolicy>>> = {
  pricing: { within: { labels: { security: ["restricted"] } }, devices: { gpu: 0.5 } },
  ledger: { dependsOn: [{ workload: "pricing", within: "zone" }], apartFrom: ["pricing"] },
  reports: { moves: "zone" },
};

describe("a run on hosts with labels and devices", () => {
  it("keeps copies where their rules and devices let them be, from the first step to the last", async () => {
    const fleet = quickFleet();
    const hosts = fleet.hosts.map((host, index) => ({
      ...host,
      labels: { security: index < 4 ? "restricted" : "open" },
      ...(index < 4 ? { devices: { gpu: { count: 1, partitions: 4 } } } : {}),
    }));
    const base = quickSpec();
    const islands = base.islands.map((island) => ({
      ...island,
      workloads: island.workloads.map((policy) => ({ ...policy, ...DECLARED[policy.name] })),
    }));
    const spec = { ...base, islands };
    const fixture = createRunFixture({ fleet: { ...fleet, hosts }, spec, forecast: sampleForecast({ scale: 0.5 }) });
    const state = await fixture.run();
    assert.equal(state.phase, "done", state.phaseReason);
    assertKept(fixture);
    const targets = state.waves.flatMap(({ moves }) =>
      moves.flatMap(({ workload, to }) => (workload === "pricing" && to !== undefined ? [to] : [])),
    );
    assert.ok(targets.length > 0);
    for (const host of targets) assert.match(host, /^host-0[1-4]$/);
    assert.deepEqual(Object.keys(state.plan.envelope.places ?? {}), ["ledger", "pricing", "reports"]);
  });
});
