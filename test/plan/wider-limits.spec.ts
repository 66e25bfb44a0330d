import assert from "node:assert/strict";

import * as fc from "fast-check";

import { plan, type PlanInput } from "../../providers/plan/plan";
import { randomWideSample } from "./random-samples";
import { sampleInput, type Sample } from "./sample-fleets";
import { anySample, drawnInput } from "./drawn-inputs";

const RUNS = { numRuns: 150 } as const;

describe("plan, over random fleets: more room", function () {
  this.timeout(120_000);

  it("finds a plan with more capacity, wider budgets or wider limits where hosts follow each other", () => {
    fc.assert(
      fc.property(randomWideSample(), fc.constantFrom("capacity", "budgets", "limits"), (sample, what) => {
        if (plan(sampleInput(sample)).decision !== "run") return;
        const more = what === "capacity" ? withCapacity(sample, 2) : what === "budgets" ? withBudgets(sample) : sample;
        const input = sampleInput(more);
        const { limits } = input.spec;
        const wider = { ...limits, hostsPerZone: limits.hostsAtOnce, hostsPerRack: limits.hostsAtOnce };
        const { decision } = plan(what === "limits" ? { ...input, spec: { ...input.spec, limits: wider } } : input);
        assert.equal(decision, "run");
      }),
      { numRuns: 60 },
    );
  });

  it("finds a plan with wider disruption budgets, or none, where it found one", () => {
    let strict = 0;
    fc.assert(
      fc.property(
        fc.oneof(randomWideSample(), anySample()),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 9 }),
        (sample, hosts, more) => {
          const inputWith = (most: number): PlanInput => ({
            ...sampleInput({ ...sample, island: { ...sample.island, disruptionBudgets: [{ hosts: most }] } }),
            searchesFixes: false,
          });
          const before = plan(inputWith(hosts));
          if (before.decision !== "run") return;
          if (before.budgetsInEffect?.some(({ strictest }) => strictest.startsWith("its budget"))) strict++;
          assert.equal(plan(inputWith(hosts + more)).decision, "run");
          assert.equal(plan({ ...sampleInput(sample), searchesFixes: false }).decision, "run");
        },
      ),
      { numRuns: 60 },
    );
    assert.ok(strict > 4, `a budget was the strictest in only ${String(strict)} plans`);
  });

  it("finds a plan with twice the capacity where it found one", () => {
    fc.assert(
      fc.property(anySample(), fc.nat(), (sample, seed) => {
        if (plan(drawnInput(sample, seed)).decision !== "run") return;
        assert.equal(plan(drawnInput(withCapacity(sample, 2), seed)).decision, "run");
      }),
      RUNS,
    );
  });

  it("finds a plan with wider budgets where it found one", () => {
    fc.assert(
      fc.property(anySample(), fc.nat(), (sample, seed) => {
        if (plan(drawnInput(sample, seed)).decision !== "run") return;
        assert.equal(plan(drawnInput(withBudgets(sample), seed)).decision, "run");
      }),
      { ...RUNS, examples: [[SHEDDING_GETS_IN_THE_WAY, 0]] },
    );
  });
});

/** With the wider budget a copy was shed in the first wave, and the reserve could not be emptied at the end. */
const SHEDDING_GETS_IN_THE_WAY: Sample = {
  hosts: [
    { id: "host-1", zone: "a", cpuMillis: 5000, host: { probe: { output: "v2", matches: true } } },
    { id: "host-2", zone: "a", cpuMillis: 3000 },
    { id: "host-3", zone: "a", cpuMillis: 7000 },
    { id: "standby-1", zone: "a", role: "standby" },
  ],
  workloads: [
    {
      ...shedWorkload("app0", ["host-1", "host-2", "host-3"], [50, 50]),
      workload: { exclusive: false, maxUnavailable: 0, criticality: "sheddable" },
    },
    shedWorkload("app1", ["host-1"], [978, 985]),
    shedWorkload("app2", ["host-3"], [1498, 1499]),
  ],
  maximumReserveHosts: 1,
  spec: {
    failback: "origin",
    limits: { hostsAtOnce: 3, hostsPerZone: 1, canaryHosts: 1, soakMs: 60_000, drainMs: 30_000 },
  },
};

/** Quiet for three hours, then as `last` says. */
function shedWorkload(name: string, on: readonly string[], last: readonly number[]): Sample["workloads"][number] {
  const demand = [...Array.from({ length: 18 }, () => 50), ...last];
  const workload = { exclusive: false, maxUnavailable: 0 };
  return { name, on, demand, memoryBytes: 2 ** 28, service: true, workload };
}

/** All copies of a workload may be unavailable, but for exclusive ones. */
function withBudgets(sample: Sample): Sample {
  const workloads = sample.workloads.map((one) =>
    one.workload?.exclusive ? one : { ...one, workload: { ...one.workload, maxUnavailable: one.on.length } },
  );
  return { ...sample, workloads };
}

function withCapacity(sample: Sample, factor: number): Sample {
  return {
    ...sample,
    hosts: sample.hosts.map((host) => ({
      ...host,
      cpuMillis: (host.cpuMillis ?? 4000) * factor,
      memoryBytes: (host.memoryBytes ?? 16 * 2 ** 30) * factor,
    })),
  };
}
