import assert from "node:assert/strict";
import * as fc from "fast-check";

import { DependencyOrder, isPausing } from "../../providers/plan/dependency-order";
import { plan } from "../../providers/plan/plan";
import type { MigrationPlan, PlanStep, Wave } from "../../sdk/model";
import { randomSample, randomWideSample } from "./random-samples";
import { sampleInput, type Sample } from "./sample-fleets";

const calls = (...names: readonly string[]): { readonly dependsOn: readonly { readonly workload: string }[] } => ({
  dependsOn: names.map((workload) => ({ workload })),
});

/** Ids of all steps that a step waits for, directly or not. */
function waitsFor(wave: Wave): (id: string) => ReadonlySet<string> {
  const known = new Map<string, ReadonlySet<string>>();
  for (const step of wave.steps) {
    known.set(step.id, new Set(step.after.flatMap((id) => [id, ...(known.get(id) ?? [])])));
  }
  return (id) => known.get(id) ?? new Set();
}

/** Steps of each move of a wave that pauses its workload. */
function pauses(wave: Wave): readonly { readonly workload: string; readonly steps: readonly PlanStep[] }[] {
  return wave.moves.filter(isPausing).map(({ id, workload }) => ({
    workload,
    steps: wave.steps.filter((step) => "move" in step && step.move === id),
  }));
}

/** Pairs of pauses of workloads that call each other of which neither is over before the other begins. */
function together(result: MigrationPlan, sample: Sample): string[] {
  const order = new DependencyOrder(sampleInput(sample).fleet.workloads);
  return result.waves.flatMap((wave) => {
    const before = waitsFor(wave);
    const all = pauses(wave);
    const isOver = (one: (typeof all)[number], other: (typeof all)[number]): boolean =>
      other.steps.every((step) => one.steps.every(({ id }) => before(step.id).has(id)));
    return all.flatMap((one, at) =>
      all
        .slice(at + 1)
        .filter((other) => order.areRelated(one.workload, other.workload))
        .filter((other) => !isOver(one, other) && !isOver(other, one))
        .map((other) => `${one.workload} and ${other.workload}`),
    );
  });
}

/** Each workload calls some of those after it; all that can be are exclusive. */
function withCalls(sample: Sample, called: readonly number[], isExclusive: boolean): Sample {
  const workloads = sample.workloads.map((one, at) => ({
    ...one,
    ...(isExclusive ? { on: one.on.slice(0, 1) } : {}),
    workload: {
      ...one.workload,
      ...(isExclusive
        ? { exclusive: true, maxPauseMs: 2_000, maxUnavailable: 0, criticality: "normal" as const }
        : { maxUnavailable: one.on.length }),
      ...calls(
        ...sample.workloads.slice(at + 1).flatMap(({ name }, index) => (called.includes(at + index) ? [name] : [])),
      ),
    },
  }));
  return { ...sample, workloads };
}

describe("the order of workloads that call each other", () => {
  it("is that of how deep their calls go", () => {
    const order = new DependencyOrder([
      { name: "shop", ...calls("cart", "search") },
      { name: "cart", ...calls("stock") },
      { name: "search" },
      { name: "stock", ...calls("mail") },
    ]);
    assert.deepEqual(
      ["shop", "cart", "search", "stock", "mail"].map((name) => order.depthOf(name)),
      [2, 1, 0, 0, 0],
    );
    assert.ok(order.areRelated("cart", "shop"));
    assert.ok(!order.areRelated("shop", "stock"));
  });

  it("ends where calls go round", () => {
    const order = new DependencyOrder([
      { name: "a", ...calls("b") },
      { name: "b", ...calls("a") },
      { name: "c", ...calls("c") },
    ]);
    assert.ok(order.areRelated("a", "b") && order.areRelated("b", "a"));
    assert.ok(!order.areRelated("c", "c"));
  });

  it("updates the host of what is called before that of its caller, and hands one over after the other", () => {
    const exclusive = { exclusive: true, maxPauseMs: 2_000 };
    const sample: Sample = {
      hosts: ["host-1", "host-2", "host-3", "host-4"].map((id, index) => ({ id, zone: index % 2 === 0 ? "a" : "b" })),
      workloads: [
        { name: "shop", on: ["host-1"], workload: { ...exclusive, ...calls("stock") } },
        { name: "stock", on: ["host-2"], workload: exclusive },
      ],
    };
    const { limits } = sampleInput(sample).spec;
    const result = plan(sampleInput({ ...sample, spec: { limits: { ...limits, hostsAtOnce: 1, canaryHosts: 0 } } }));
    const order = result.waves.flatMap((wave) => wave.hosts);
    assert.ok(order.indexOf("host-2") < order.indexOf("host-1"), order.join());
    const both = { ...sample, spec: { limits: { ...limits, hostsAtOnce: 2, hostsPerZone: 2, canaryHosts: 0 } } };
    assert.deepEqual(together(plan(sampleInput(both)), both), []);
  });

  it("never lets two of them pause at a time, whatever moves", () => {
    let pairs = 0;
    const called = fc.uniqueArray(fc.integer({ min: 0, max: 12 }), { minLength: 1 });
    const samples = fc.oneof(randomSample(), randomWideSample(), randomWideSample());
    fc.assert(
      fc.property(samples, called, fc.constantFrom("host", "copies"), fc.boolean(), (sample, who, disturbs, all) => {
        const related = withCalls(sample, who, all);
        const input = sampleInput(related);
        const update = { ...input.spec.update, ...(disturbs === "copies" ? { reboot: false, disturbs } : {}) } as const;
        const result = plan({ ...input, spec: { ...input.spec, update } });
        pairs += result.waves.filter((wave) => pauses(wave).length > 1).length;
        assert.deepEqual(together(result, related), []);
      }),
      { numRuns: 100 },
    );
    assert.ok(pairs > 5, `only ${String(pairs)} waves had several pauses`);
  });
});
