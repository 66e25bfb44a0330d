import assert from "node:assert/strict";

import * as fc from "fast-check";

import { plan } from "../../providers/plan/plan";
import { orderUndo } from "../../providers/execute/undo";
import { isMovesOnly, type StepRecord } from "../../sdk/model";
import { pickFrom, randomSample, randomWideSample, withRules } from "./random-samples";
import { sampleInput } from "./sample-fleets";
import { simulate, Simulation } from "./simulation";
import { placesOf, updatedHosts } from "./drawn-inputs";

const RUNS = { numRuns: 150 } as const;

describe("plan, over random fleets", function () {
  this.timeout(120_000);

  it("keeps budgets, capacity and the order of steps at every moment, in any order of its steps", () => {
    let planned = 0;
    fc.assert(
      fc.property(randomSample(), fc.nat(), (sample, seed) => {
        const input = sampleInput(sample);
        const result = plan(input);
        if (result.decision !== "run") return;
        planned++;
        const simulation = simulate(input, result, pickFrom(seed));
        assert.deepEqual([...simulation.updated].sort(), updatedHosts(result));
        assert.equal(simulation.reserved.size, 0);
        for (const { host } of simulation.copies.values()) assert.ok(!host.startsWith("standby"));
      }),
      RUNS,
    );
    assert.ok(planned > RUNS.numRuns / 5, `only ${String(planned)} of the random fleets could be planned`);
  });

  it("keeps all that where hosts follow each other within a wave", () => {
    let withLanes = 0;
    fc.assert(
      fc.property(randomWideSample(), fc.nat(), (sample, seed) => {
        const input = sampleInput(sample);
        const result = plan(input);
        if (result.decision !== "run") return;
        if (result.waves.some(({ lanes }) => lanes !== undefined)) withLanes++;
        const simulation = simulate(input, result, pickFrom(seed));
        assert.deepEqual([...simulation.updated].sort(), updatedHosts(result));
      }),
      { numRuns: 100 },
    );
    assert.ok(withLanes > 15, `only ${String(withLanes)} of the plans had lanes`);
  });

  it("keeps all that where the update lets copies stay, and moves them only for want of room or budget", () => {
    let stayed = 0;
    fc.assert(
      fc.property(randomSample(), fc.constantFrom("nothing", "copies"), fc.nat(), (sample, disturbs, seed) => {
        const input = sampleInput(sample);
        const update = { ...input.spec.update, reboot: false, disturbs } as const;
        const staying = { ...input, spec: { ...input.spec, update } };
        const result = plan(staying);
        if (result.decision !== "run") return;
        const units = result.units ?? [];
        const copies = new Set(input.fleet.replicas.map(({ id }) => id));
        const seen = [
          ...result.waves.flatMap(({ moves }) => moves.map(({ replica }) => replica)),
          ...units.map(({ unit }) => unit),
        ];
        assert.deepEqual(
          seen
            .filter((id) => copies.has(id))
            .sort()
            .filter((id, index, all) => id !== all[index - 1]),
          [...copies].sort(),
        );
        if (units.some(({ reason }) => reason.startsWith("stays on"))) stayed++;
        const simulation = simulate(staying, result, pickFrom(seed));
        assert.deepEqual([...simulation.updated].sort(), updatedHosts(result));
      }),
      RUNS,
    );
    assert.ok(stayed > 10, `copies stayed in only ${String(stayed)} plans`);
  });

  it("keeps all that where hosts offer live migration and jobs end by themselves", () => {
    const ways = { live: 0, end: 0 };
    fc.assert(
      fc.property(
        randomSample(),
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 10, maxLength: 10 }),
        fc.constantFrom(100, 5000),
        fc.constantFrom(60_000, 3_600_000),
        fc.nat(),
        (sample, offering, blackoutMs, lifetimeMs, seed) => {
          const before = sampleInput(sample);
          const fleet = {
            ...before.fleet,
            hosts: before.fleet.hosts.map((host, at) =>
              offering[at] !== 0 ? { ...host, offers: ["live-migration"] as const } : host,
            ),
            replicas: before.fleet.replicas.map((replica) => ({ ...replica, blackoutMs })),
            workloads: before.fleet.workloads.map((workload) => ({ ...workload, lifetimeMs })),
          };
          const input = { ...before, fleet };
          const result = plan(input);
          if (result.decision !== "run") return;
          for (const { method, workload, from, to } of result.waves.flatMap(({ moves }) => moves)) {
            const { service, exclusive = false } = fleet.workloads.find(({ name }) => name === workload) ?? {};
            if (method === "end") assert.ok(service === undefined && !exclusive && lifetimeMs === 60_000);
            if (method === "live") {
              assert.ok((exclusive || service === undefined) && blackoutMs === 100);
              const offers = [from, to].map((id) => fleet.hosts.find((host) => host.id === id));
              assert.ok(offers.every((host) => host !== undefined && "offers" in host));
            }
            if (method === "live" || method === "end") ways[method]++;
          }
          const simulation = simulate(input, result, pickFrom(seed));
          assert.deepEqual([...simulation.updated].sort(), updatedHosts(result));
        },
      ),
      RUNS,
    );
    assert.ok(ways.live > 0 && ways.end > 0, JSON.stringify(ways));
  });

  it("keeps all that, and rules about places and devices, at every moment of moves and of taking them back", () => {
    const planned = { run: 0, ruled: 0 };
    const samples = fc.oneof(withRules(randomSample()), withRules(randomWideSample()));
    fc.assert(
      fc.property(samples, fc.nat(), (sample, seed) => {
        const input = sampleInput(sample);
        const result = plan(input);
        if (result.decision !== "run") return;
        planned.run++;
        const ruled = new Set(Object.keys(result.envelope.places ?? {}));
        if (result.waves.some(({ moves }) => moves.some(({ workload }) => ruled.has(workload)))) planned.ruled++;
        const simulation = simulate(input, result, pickFrom(seed));
        assert.deepEqual([...simulation.updated].sort(), updatedHosts(result));
        const first = result.waves[0];
        if (!first || first.lanes !== undefined) return;
        const taken = new Simulation(input);
        const before = placesOf(taken);
        const done = taken.runWave(first, pickFrom(seed), Math.ceil(first.steps.length / 2));
        const records = first.steps
          .filter(({ id }) => done.has(id))
          .map((step): StepRecord => ({ step, key: "", prior: null, status: "done", intentAt: 0 }));
        taken.undo(
          first,
          orderUndo(records).map(({ step }) => step),
        );
        assert.deepEqual([...placesOf(taken)].sort(), [...before].sort());
      }),
      { numRuns: 60 },
    );
    assert.ok(planned.run > 3 && planned.ruled > 0, JSON.stringify(planned));
  });

  it("puts every member host in a wave, skips it, or is blocked", () => {
    fc.assert(
      fc.property(randomSample(), (sample) => {
        const input = sampleInput(sample);
        const result = plan(input);
        if (result.decision === "blocked") assert.ok(result.blockers.length > 0);
        else {
          const seen = [...updatedHosts(result), ...result.skipped.map(({ host }) => host)].sort();
          assert.deepEqual(seen, input.fleet.islands[0]?.hosts);
        }
      }),
      RUNS,
    );
  });

  it("stays within the limits of waves", () => {
    fc.assert(
      fc.property(randomSample(), (sample) => {
        const input = sampleInput(sample);
        const { canaryHosts, hostsAtOnce, hostsPerZone } = input.spec.limits;
        const zones = new Map(input.fleet.hosts.map((host) => [host.id, host.zone]));
        for (const wave of plan(input).waves.filter((one) => !isMovesOnly(one))) {
          assert.ok(wave.hosts.length <= (wave.kind === "canary" ? Math.min(canaryHosts, hostsAtOnce) : hostsAtOnce));
          for (const zone of new Set(zones.values())) {
            assert.ok(wave.hosts.filter((host) => zones.get(host) === zone).length <= hostsPerZone);
          }
        }
      }),
      RUNS,
    );
  });

  it("never puts two copies of a workload on one host unless there were before", () => {
    fc.assert(
      fc.property(randomSample(), fc.nat(), (sample, seed) => {
        const input = sampleInput(sample);
        const result = plan(input);
        if (result.decision !== "run") return;
        const simulation = simulate(input, result, pickFrom(seed));
        const places = [...simulation.copies.values()].map(({ workload, host }) => `${workload} ${host}`);
        assert.equal(new Set(places).size, places.length);
      }),
      RUNS,
    );
  });
});
