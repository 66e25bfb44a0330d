import assert from "node:assert/strict";

import * as fc from "fast-check";

import type { Declared } from "../../providers/plan/conflict";
import { plan, type PlanInput } from "../../providers/plan/plan";
import { capacityPromises, timePromises } from "../../providers/plan/promises";
import { findTimeFixes } from "../../providers/plan/time-fixes";
import type { Blocker, Opening, WindowLimits } from "../../sdk/model";
import { randomSample } from "./random-samples";
import { OPENING_MS, sampleInput, type Sample } from "./sample-fleets";

const MINUTE_MS = 60_000;
const MIB = 2 ** 20;

/** The input of a sample in an opening of so many minutes, whose copies carry data over links. */
function timed(
  sample: Sample,
  minutes: number,
  { mebibytes = 0, limits }: { readonly mebibytes?: number; readonly limits?: WindowLimits } = {},
): PlanInput {
  const window = { name: "short", cron: "0 2 * * 6", durationMs: minutes * MINUTE_MS, timezone: "UTC", freezes: [] };
  const windows = [{ ...window, ...(limits ? { limits } : {}) }];
  const input = sampleInput({ ...sample, spec: { ...sample.spec, windows } });
  const { fleet } = input;
  return {
    ...input,
    fleet: {
      ...fleet,
      hosts: fleet.hosts.map((host) => ({ ...host, linkBytesPerSecond: MIB })),
      workloads: fleet.workloads.map((workload) => ({ ...workload, transferBytes: mebibytes * MIB })),
      network: { rackBytesPerSecond: 20 * MIB },
    },
  };
}

function openingOf({ spec }: PlanInput): Opening {
  const [window] = spec.windows;
  assert.ok(window);
  const { name, durationMs, limits } = window;
  return { window: name, startMs: OPENING_MS, endMs: OPENING_MS + durationMs, ...(limits ? { limits } : {}) };
}

function isPlanned(input: PlanInput): boolean {
  return plan(input).decision === "run";
}

/** With the whole conflict kept and all else given up there is no plan; with any one of it given up too there is. */
function assertIrreducible(input: PlanInput, promises: readonly Declared[], conflict: readonly string[]): void {
  const withKept = (kept: readonly string[]): PlanInput =>
    promises.filter(({ text }) => !kept.includes(text)).reduce((changed, { giveUp }) => giveUp(changed), input);
  for (const text of conflict)
    assert.ok(
      promises.some((promise) => promise.text === text),
      text,
    );
  assert.ok(!isPlanned(withKept(conflict)), `kept whole: ${conflict.join(", ")}`);
  for (const one of conflict) assert.ok(isPlanned(withKept(conflict.filter((other) => other !== one))), one);
}

function blockerOf(input: PlanInput): Blocker {
  const [blocker, second] = plan(input).blockers;
  assert.ok(blocker && second === undefined);
  return blocker;
}

const two: Sample = {
  hosts: ["host-1", "host-2", "host-3"].map((id) => ({ id })),
  workloads: [{ name: "web", on: ["host-1"] }],
  spec: { limits: { hostsAtOnce: 1, hostsPerZone: 1, canaryHosts: 0, soakMs: MINUTE_MS, drainMs: 30_000 } },
};

describe("a run that does not end in time", () => {
  it("names slow links among what conflicts, and the link that is worth the most", () => {
    const input = timed(two, 40, { mebibytes: 2_000 });
    const { code, conflict = [], fix } = blockerOf(input);
    assert.equal(code, "fit");
    assert.ok(conflict.includes("the links of hosts (1.0 MiB/s at least)"), conflict.join("; "));
    assertIrreducible(input, timePromises(input, openingOf(input)), conflict);
    assert.match(fix, /an opening that is \d+ min longer/);
    assert.match(fix, /links? of [\w-]+ with [\d.]+ MiB\/s/);
  });

  it("names the calendar's limit at its time, and offers a wider one", () => {
    const hosts = Array.from({ length: 8 }, (_, at) => ({ id: `host-${String(at + 1)}` }));
    const limits = { hostsAtOnce: 8, hostsPerZone: 8, canaryHosts: 0, soakMs: 0, drainMs: 30_000 };
    const input = timed({ hosts, workloads: [], spec: { limits } }, 15, { limits: { hostsAtOnce: 1 } });
    const { conflict = [], fix } = blockerOf(input);
    assert.ok(conflict.includes("hostsAtOnce 1 at 02:00 UTC (short)"), conflict.join("; "));
    assertIrreducible(input, timePromises(input, openingOf(input)), conflict);
    const places = Number(/hostsAtOnce: (\d+) at 02:00 UTC \(short\)/.exec(fix)?.[1]);
    assert.ok(isPlanned(timed({ hosts, workloads: [], spec: { limits } }, 15, { limits: { hostsAtOnce: places } })));
  });

  it("offers every limit of the update that is enough alone", () => {
    const hosts = Array.from({ length: 8 }, (_, at) => ({ id: `host-${String(at + 1)}` }));
    const limits = { hostsAtOnce: 8, hostsPerZone: 1, canaryHosts: 0, soakMs: 0, drainMs: 30_000 };
    const { fix } = blockerOf(timed({ hosts, workloads: [], spec: { limits } }, 15));
    const hostsPerZone = Number(/hostsPerZone: (\d+)/.exec(fix)?.[1]);
    const wider = { ...limits, hostsPerZone };
    assert.ok(isPlanned(timed({ hosts, workloads: [], spec: { limits: wider } }, 15)), fix);
  });

  it("shows fixes with which there is a plan, and what conflicts is irreducible, over random fleets", () => {
    let fixed = 0;
    let conflicts = 0;
    fc.assert(
      fc.property(
        randomSample(),
        fc.integer({ min: 6, max: 20 }),
        fc.constantFrom(0, 200, 2_000),
        fc.constantFrom(undefined, { hostsAtOnce: 1 }, { hostsAtOnce: 2, hostsPerZone: 1 }),
        (sample, minutes, mebibytes, limits) => {
          const input = timed(sample, minutes, { mebibytes, ...(limits ? { limits } : {}) });
          const { blockers, waves } = plan(input);
          const [blocker] = blockers;
          if (blocker?.code !== "fit") return;
          const opening = openingOf(input);
          if (blocker.conflict) {
            conflicts++;
            assertIrreducible(input, timePromises(input, opening), blocker.conflict);
          }
          const missing = Number(/(\d+) min are missing/.exec(blocker.reason)?.[1]);
          const schedule = { waves, reserve: [], reserveReason: "", warnings: [], total: { p50Ms: 0, p95Ms: 0 } };
          const fixes = findTimeFixes(input, opening, missing * MINUTE_MS, schedule, isPlanned);
          for (const fix of fixes) {
            fixed++;
            assert.ok(blocker.fix.includes(fix.text), `${fix.text} is not in ${blocker.fix}`);
            assert.ok(isPlanned(fix.input), fix.text);
          }
        },
      ),
      { numRuns: 12 },
    );
    assert.ok(fixed > 0 && conflicts > 0, `${String(fixed)} fixes, ${String(conflicts)} conflicts`);
  }).timeout(60_000);
});

describe("a budget of a calendar that leaves no way", () => {
  /** A sheddable copy that only its host has room for: it has to pause, and the calendar's budget forbids it. */
  const tight: Sample = {
    hosts: [
      { id: "host-1", cpuMillis: 2_000 },
      { id: "host-2", cpuMillis: 2_000 },
    ],
    workloads: ["host-1", "host-2"].map((host, at) => ({
      name: `batch${String(at)}`,
      on: [host],
      demand: [900],
      workload: { criticality: "sheddable" as const, maxUnavailable: 1 },
    })),
  };

  it("is among what conflicts, and a wider one at that time is offered", () => {
    const of = (budget: number): PlanInput =>
      timed(tight, 180, { limits: { maxUnavailable: { batch0: budget, batch1: budget } } });
    assert.ok(isPlanned(of(1)));
    const input = of(0);
    const { code, conflict = [], fix } = blockerOf(input);
    assert.equal(code, "budget");
    assert.ok(
      conflict.some((text) => /^the budget of batch\d at 02:00 UTC \(short\) \(maxUnavailable 0\)$/.test(text)),
    );
    const stuck = /the budget of (batch\d)/.exec(conflict.join())?.[1];
    assertIrreducible(input, capacityPromises(input, stuck, openingOf(input)), conflict);
    assert.doesNotMatch(fix, /no single change/);
  });
});
