import assert from "node:assert/strict";
import * as fc from "fast-check";

import { LaneGate } from "../../providers/execute/lanes";
import { LinkGate } from "../../providers/execute/link-gate";
import { resolveDurations } from "../../providers/plan/durations";
import { plan, type PlanInput } from "../../providers/plan/plan";
import type { Fleet, PlanStep, Wave } from "../../sdk/model";
import { leastSeen } from "../property-seed";
import { pickFrom, randomSample, randomWideSample } from "./random-samples";
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

/** Links between two hosts with what they carry, bytes a second. Knows nothing of the planner. */
function linksOf({ fleet }: PlanInput, from: string, to: string): ReadonlyMap<string, number> {
  const rackOf = new Map(fleet.hosts.map(({ id, rack }) => [id, rack]));
  const own = [
    [`from ${from}`, LINK],
    [`to ${to}`, LINK],
  ] as const;
  const racks = [String(rackOf.get(from)), String(rackOf.get(to))] as const;
  const uplink = fleet.network?.rackBytesPerSecond ?? Infinity;
  if (racks[0] === racks[1]) return new Map(own);
  return new Map([...own, [`out ${racks[0]}`, uplink], [`into ${racks[1]}`, uplink]]);
}

/** What steps that are under way at once carry over each link: rates by link, and what it holds. */
function carriedBy(input: PlanInput, wave: Wave, steps: Iterable<PlanStep>): ReadonlyMap<string, readonly number[]> {
  const moves = new Map(wave.moves.map((move) => [move.id, move]));
  const rates = new Map<string, number[]>();
  for (const step of steps) {
    if (!("bytesPerSecond" in step)) continue;
    const { from = "", to = "" } = moves.get(step.move) ?? {};
    for (const link of linksOf(input, from, to).keys()) {
      rates.set(link, [...(rates.get(link) ?? []), step.bytesPerSecond]);
    }
  }
  return rates;
}

function boundOf({ fleet }: PlanInput, link: string): number {
  return /^from|^to/.test(link) ? LINK : (fleet.network?.rackBytesPerSecond ?? Infinity);
}

function sumOf(rates: readonly number[]): number {
  return rates.reduce((sum, rate) => sum + rate, 0);
}

/** Carries a wave out as the executor does, ends in any order, and shows what is under way after each beginning. */
function carryOut(
  { fleet }: PlanInput,
  wave: Wave,
  pick: (count: number) => number,
  look: (underWay: readonly PlanStep[]) => void,
): void {
  const done = new Set<string>();
  const lanes = new LaneGate(wave, () => undefined);
  const links = new LinkGate(fleet, wave);
  const waiting = new Set(wave.steps);
  const running: PlanStep[] = [];
  while (waiting.size + running.length > 0) {
    for (const step of waiting) {
      if (!step.after.every((id) => done.has(id)) || !links.hasRoom(step) || !lanes.admit(step)) continue;
      links.take(step);
      waiting.delete(step);
      running.push(step);
      look(running);
    }
    const [ended] = running.splice(pick(running.length), 1);
    assert.ok(ended, `wave ${String(wave.index)}: ${String(waiting.size)} steps wait for ever`);
    links.leave(ended);
    lanes.leave(ended);
    done.add(ended.id);
  }
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

  it("are never more than a link carries, in whatever order they end", () => {
    let shared = 0;
    const sizes = fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 1, maxLength: 6 });
    const samples = fc.oneof(randomSample(), randomWideSample(), randomWideSample());
    const uplinks = fc.constantFrom(20 * MIB, 400 * MIB);
    fc.assert(
      fc.property(samples, sizes, uplinks, fc.nat(), (sample, mebibytes, rackBytesPerSecond, seed) => {
        const input = linked(sample, mebibytes, rackBytesPerSecond);
        for (const wave of plan(input).waves) {
          carryOut(input, wave, pickFrom(seed), (underWay) => {
            for (const [link, rates] of carriedBy(input, wave, underWay)) {
              if (rates.length > 1) shared++;
              const isWithin = rates.length === 1 || sumOf(rates) <= boundOf(input, link) * (1 + 1e-9);
              assert.ok(isWithin, `wave ${String(wave.index)}, ${link}: ${rates.join(" + ")}`);
            }
          });
        }
      }),
      { numRuns: 40 },
    );
    assert.ok(shared > 5, `only ${String(shared)} links were shared`);
  });

  it("have a rate with which the copies of one host go at once, and end in the time that their steps hold", () => {
    let counted = 0;
    fc.assert(
      fc.property(randomWideSample(), fc.constantFrom(20 * MIB, 400 * MIB), (sample, rackBytesPerSecond) => {
        const input = linked(sample, [3_000, 0, 700], rackBytesPerSecond);
        const durations = resolveDurations(input.spec, {});
        const bytesOf = new Map(input.fleet.workloads.map(({ name, transferBytes = 0 }) => [name, transferBytes]));
        for (const wave of plan(input).waves) {
          const fromOf = new Map(wave.moves.map(({ id, from }) => [id, from]));
          const carrying = wave.steps.flatMap((step) => ("bytesPerSecond" in step ? [step] : []));
          for (const step of carrying) {
            counted++;
            const seconds = (step.expected.p50Ms - durations[step.kind].p50Ms) / 1000;
            const bytes = bytesOf.get(step.workload) ?? 0;
            // Rates are whole bytes a second.
            assert.ok(bytes / (step.bytesPerSecond ?? 0) <= seconds * 1.001, step.id);
          }
          for (const steps of Map.groupBy(carrying, ({ move }) => fromOf.get(move)).values()) {
            for (const [link, rates] of carriedBy(input, wave, steps)) {
              assert.ok(sumOf(rates) <= boundOf(input, link) * (1 + 1e-9), `wave ${String(wave.index)}, ${link}`);
            }
          }
        }
      }),
      { numRuns: 30 },
    );
    assert.ok(counted >= leastSeen(51), String(counted));
  });
});
