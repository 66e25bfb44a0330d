import assert from "node:assert/strict";

import * as fc from "fast-check";

import { plan, planningSlot, SLOT_MS, type PlanInput } from "../../providers/plan/plan";
import { wholeHosts } from "../../providers/execute/lanes";
import { orderUndo } from "../../providers/execute/undo";
import { canonicalJson, type MigrationPlan, type StepRecord } from "../../sdk/model";
import { pickFrom, randomSample, randomWideSample } from "./random-samples";
import { OPENING_MS, sampleInput } from "./sample-fleets";
import { Simulation } from "./simulation";
import { anySample, drawnInput, placesOf, updatedHosts } from "./drawn-inputs";

const RUNS = { numRuns: 150 } as const;

describe("plan, over random fleets: the same again", function () {
  this.timeout(120_000);

  it("gives the same plan for the same slot, byte by byte, whatever the moment in it", () => {
    fc.assert(
      fc.property(anySample(), fc.integer({ min: 0, max: SLOT_MS - 1 }), (sample, later) => {
        const input = drawnInput(sample, later);
        const nowMs = OPENING_MS + later;
        const again = { ...structuredClone(input), nowMs, slotMs: planningSlot(nowMs) };
        assert.equal(canonicalJson(plan(again)), canonicalJson(plan(input)));
      }),
      { numRuns: 60 },
    );
  });

  it("survives the way through JSON unchanged", () => {
    fc.assert(
      fc.property(randomSample(), (sample) => {
        const result = plan(sampleInput(sample));
        assert.deepEqual(JSON.parse(JSON.stringify(result)), result);
      }),
      { numRuns: 60 },
    );
  });

  it("keeps the digest across slots and loads while policy and fleet stay the same", () => {
    fc.assert(
      fc.property(anySample(), fc.integer({ min: -500, max: 500 }), (sample, slots) => {
        const input = sampleInput(sample);
        const other = sampleInput({ ...sample, workloads: sample.workloads.map((one) => ({ ...one, demand: [10] })) });
        const slotMs = input.slotMs + slots * SLOT_MS;
        assert.equal(plan({ ...other, slotMs, nowMs: slotMs }).digest, plan(input).digest);
      }),
      { numRuns: 60 },
    );
  });

  it("gives the same lanes for the same slot, byte by byte", () => {
    fc.assert(
      fc.property(randomWideSample(), fc.integer({ min: 0, max: SLOT_MS - 1 }), (sample, later) => {
        const input = sampleInput(sample);
        const again = { ...structuredClone(input), nowMs: OPENING_MS + later };
        assert.equal(canonicalJson(plan(again)), canonicalJson(plan(input)));
      }),
      { numRuns: 30 },
    );
  });

  it("goes on from any state between two waves until every host is updated and nothing is reserved", () => {
    fc.assert(
      fc.property(anySample(), fc.nat(), (sample, seed) => {
        const input = drawnInput(sample, seed);
        const first = plan(input);
        if (first.decision !== "run") return;
        const simulation = runByReplanning(input, first, pickFrom(seed));
        assert.deepEqual([...simulation.updated].sort(), updatedHosts(first));
        assert.equal(simulation.reserved.size, 0);
      }),
      RUNS,
    );
  });

  it("goes on from any state between two waves also where hosts follow each other", () => {
    fc.assert(
      fc.property(randomWideSample(), fc.nat(), (sample, seed) => {
        const input = sampleInput(sample);
        const first = plan(input);
        if (first.decision !== "run") return;
        const simulation = runByReplanning(input, first, pickFrom(seed));
        assert.deepEqual([...simulation.updated].sort(), updatedHosts(first));
      }),
      { numRuns: 40 },
    );
  });

  it("ends where it began when a wave is taken back from any point, but for hosts that are through", () => {
    let takenBack = 0;
    const samples = fc.oneof(anySample(), randomWideSample(), randomWideSample());
    fc.assert(
      fc.property(samples, fc.nat(), fc.nat(), fc.integer({ min: 5, max: 99 }), (sample, at, seed, percent) => {
        const input = drawnInput(sample, at);
        const result = plan(input);
        if (result.decision !== "run") return;
        const waves = result.waves.filter(({ kind }) => kind !== "failback");
        const last = at % Math.max(1, waves.length);
        // Every other run ends lanes one after the other, so that some are through when the wave is taken back.
        const pick = seed % 2 === 0 ? () => 0 : pickFrom(seed);
        const simulation = new Simulation(input);
        for (const wave of waves.slice(0, last)) simulation.runWave(wave, pick);
        const wave = waves[last];
        if (!wave) return;
        const before = placesOf(simulation);
        const done = simulation.runWave(wave, pick, Math.ceil((percent / 100) * (wave.steps.length - 1)));
        const statusOf = (id: string): "done" | undefined => (done.has(id) ? "done" : undefined);
        const { hosts: whole, keeps } = wholeHosts(wave, statusOf);
        const records = wave.steps
          .filter((step) => done.has(step.id) && !keeps(step))
          .map((step): StepRecord => ({ step, key: "", prior: null, status: "done", intentAt: 0 }));
        const steps = orderUndo(records).map(({ step }) => step);
        simulation.undo(wave, whole.size === 0 ? steps : steps.filter(({ kind }) => kind !== "reserve"));
        // Of hosts that are through the copies stay where they went.
        for (const { from, to, replica, newReplica } of wave.moves) {
          if (!whole.has(from)) continue;
          before.delete(replica);
          before.set(newReplica, to ?? from);
        }
        assert.deepEqual([...placesOf(simulation)].sort(), [...before].sort());
        assert.ok(wave.hosts.every((host) => simulation.updated.has(host) === whole.has(host)));
        assert.deepEqual([...simulation.kept], []);
        takenBack += steps.length > 0 ? 1 : 0;
      }),
      { numRuns: 120 },
    );
    assert.ok(takenBack > 10, `only ${String(takenBack)} waves were taken back`);
  });
});

/** As the executor does: before each wave the rest is planned anew, and its first wave is carried out. */
function runByReplanning(input: PlanInput, approved: MigrationPlan, pick: (count: number) => number): Simulation {
  const simulation = new Simulation(input);
  const origins: Record<string, string[]> = {};
  for (const { workload, host } of input.fleet.replicas) (origins[workload] ??= []).push(host);
  let nowMs = input.nowMs;
  for (let waveOffset = 0; waveOffset < 50; waveOffset++) {
    const rest = plan({
      ...input,
      fleet: simulation.fleet(),
      nowMs,
      slotMs: planningSlot(nowMs),
      progress: {
        reservedHosts: [...simulation.reserved].sort(),
        updatedHosts: [...simulation.updated].sort(),
        approvedEnvelope: approved.envelope,
        waveOffset,
        origins,
        opening: approved.opening ?? { window: "", startMs: 0, endMs: 0 },
      },
    });
    assert.equal(rest.digest, approved.digest);
    assert.notEqual(rest.decision, "blocked", JSON.stringify(rest.blockers));
    const wave = rest.waves[0];
    if (!wave) return simulation;
    assert.equal(wave.index, waveOffset + 1);
    simulation.runWave(wave, pick);
    nowMs += wave.endMs - wave.startMs;
  }
  return assert.fail("the run does not come to an end");
}
