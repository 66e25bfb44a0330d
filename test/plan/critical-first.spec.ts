import assert from "node:assert/strict";

import { plan } from "../../providers/plan/plan";
import type { MigrationPlan, StepKind, Wave } from "../../sdk/model";
import { sampleInput, type Sample } from "./sample-fleets";

const CRITICALITIES = ["sheddable", "normal", "critical"] as const;
const limits = { hostsAtOnce: 1, hostsPerZone: 1, canaryHosts: 0, soakMs: 0, drainMs: 30_000 } as const;

/** The first host carries a copy of each criticality, the least critical one listed first and largest. */
const sample: Sample = {
  hosts: ["host-1", "host-2", "host-3"].map((id) => ({ id })),
  workloads: CRITICALITIES.map((criticality, index) => ({
    name: criticality,
    on: ["host-1"],
    demand: [400 - 100 * index],
    workload: { criticality },
  })),
  spec: { limits, failback: "origin" },
};

function workloadsIn({ steps }: Wave, kind: StepKind): readonly string[] {
  return steps.flatMap((step) => (step.kind === kind && "workload" in step ? [step.workload] : []));
}

function waveOf({ waves }: MigrationPlan, has: (wave: Wave) => boolean): Wave {
  const found = waves.find(has);
  assert.ok(found);
  return found;
}

describe("critical workloads", () => {
  it("move first when a host is emptied, what is sheddable last", () => {
    const wave = waveOf(plan(sampleInput(sample)), ({ hosts, kind }) => kind === "update" && hosts.includes("host-1"));
    assert.deepEqual(workloadsIn(wave, "start-copy"), ["critical", "normal", "sheddable"]);
    assert.deepEqual(workloadsIn(wave, "drain"), ["critical", "normal", "sheddable"]);
  });

  it("go home first, in the lane of their host", () => {
    const result = plan(sampleInput(sample));
    const back = waveOf(result, ({ kind }) => kind === "failback");
    const order = workloadsIn(back, "start-copy");
    assert.equal(order[0], "critical");
  });

  it("move after what they call, for a caller is nothing without it", () => {
    const calling = sample.workloads.map((one) =>
      one.name === "critical" ? { ...one, workload: { ...one.workload, dependsOn: [{ workload: "normal" }] } } : one,
    );
    const result = plan(sampleInput({ ...sample, workloads: calling }));
    const wave = waveOf(result, ({ hosts, kind }) => kind === "update" && hosts.includes("host-1"));
    const order = workloadsIn(wave, "start-copy");
    assert.ok(order.indexOf("normal") < order.indexOf("critical"), order.join());
  });
});
