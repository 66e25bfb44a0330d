import assert from "node:assert/strict";
import * as fc from "fast-check";

import { resolveDurations } from "../../providers/plan/durations";
import { plan, type PlanInput } from "../../providers/plan/plan";
import type { Fleet, Wave } from "../../sdk/model";
import { randomSample, randomWideSample } from "./random-samples";
import { sampleInput, type Sample } from "./sample-fleets";

const MIB = 2 ** 20;
const LINK = 100 * MIB;

/** The input of a sample whose copies carry data over links of hosts and of racks of two hosts each. */
function linked(sample: Sample, mebibytes: readonly number[], rackBytesPerSecond: number): PlanInput {
  const input = sampleInput(sample);
  const fleet: Fleet = {
    ...input.fleet,
    hosts: input.fleet.hosts.map((host, at) => ({
      ...host,
      rack: `${host.zone}${String(Math.floor(at / 2))}`,
      linkBytesPerSecond: LINK,
    })),
    workloads: input.fleet.workloads.map((workload, at) => ({
      ...workload,
      transferBytes: (mebibytes[at % mebibytes.length] ?? 0) * MIB,
    })),
    network: { rackBytesPerSecond },
  };
  return { ...input, fleet };
}

/** What each host that is left puts on each link, bytes a second, by the planned times. Knows nothing of the planner. */
function ratesByLink({ fleet, spec }: PlanInput, wave: Wave): ReadonlyMap<string, readonly number[]> {
  const durations = resolveDurations(spec, {});
  const bytesOf = new Map(fleet.workloads.map(({ name, transferBytes = 0 }) => [name, transferBytes]));
  const rackOf = new Map(fleet.hosts.map(({ id, rack }) => [id, rack]));
  const rates = new Map<string, Map<string, number>>();
  for (const move of wave.moves) {
    const bytes = bytesOf.get(move.workload) ?? 0;
    if (move.to === undefined || bytes === 0) continue;
    const arrives = wave.steps.find(
      (step) => "move" in step && step.move === move.id && /^start|^hand|^live/.test(step.kind),
    );
    assert.ok(arrives, `${move.id} has no step that carries its data`);
    const seconds = (arrives.expected.p50Ms - durations[arrives.kind].p50Ms) / 1000;
    const racks = [rackOf.get(move.from), rackOf.get(move.to)] as const;
    const links = [`from ${move.from}`, `to ${move.to}`];
    if (racks[0] !== racks[1]) links.push(`out ${String(racks[0])}`, `into ${String(racks[1])}`);
    for (const link of links) {
      const byHost = rates.get(link) ?? new Map<string, number>();
      rates.set(link, byHost.set(move.from, (byHost.get(move.from) ?? 0) + bytes / seconds));
    }
  }
  return new Map([...rates].map(([link, byHost]) => [link, [...byHost.values()]]));
}

describe("transfers over shared links", () => {
  it("take as long as the link needs for all that go over it", () => {
    const sample: Sample = {
      hosts: ["host-1", "host-2", "host-3"].map((id) => ({ id })),
      workloads: [{ name: "web", on: ["host-1"] }],
    };
    const times = [100, 200].map((mebibytes) => {
      const [wave] = plan(linked(sample, [mebibytes], 50 * MIB)).waves.filter(({ moves }) => moves.length > 0);
      return wave?.steps.find(({ kind }) => kind === "start-copy")?.expected.p50Ms ?? 0;
    });
    const [less = 0, more = 0] = times;
    // 100 MiB more over a host's link of 100 MiB/s, or a rack's of 50.
    assert.ok([1000, 2000].includes(more - less), String(more - less));
  });

  it("are never more than a link carries, whichever hosts of a wave go at once", () => {
    let shared = 0;
    const sizes = fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 1, maxLength: 6 });
    const samples = fc.oneof(randomSample(), randomWideSample(), randomWideSample());
    fc.assert(
      fc.property(samples, sizes, fc.constantFrom(20 * MIB, 400 * MIB), (sample, mebibytes, rackBytesPerSecond) => {
        const input = linked(sample, mebibytes, rackBytesPerSecond);
        for (const wave of plan(input).waves) {
          const begun = (wave.lanes?.limits["hosts"] ?? Infinity) + (wave.lanes?.ahead?.["hosts"] ?? 0);
          for (const [link, rates] of ratesByLink(input, wave)) {
            if (rates.length > 1) shared++;
            const most = rates.toSorted((a, b) => b - a).slice(0, begun);
            const bound = /^from|^to/.test(link) ? LINK : rackBytesPerSecond;
            assert.ok(
              most.reduce((sum, rate) => sum + rate, 0) <= bound * (1 + 1e-9),
              `wave ${String(wave.index)}, ${link}`,
            );
          }
        }
      }),
      { numRuns: 60 },
    );
    assert.ok(shared > 5, `only ${String(shared)} links were shared`);
  });
});
