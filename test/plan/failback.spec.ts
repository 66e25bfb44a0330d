import assert from "node:assert/strict";

import * as fc from "fast-check";

import { LaneGate } from "../../providers/execute/lanes";
import { plan, type PlanInput } from "../../providers/plan/plan";
import type { MigrationPlan, Wave } from "../../sdk/model";
import { pickFrom, randomSample, randomWideSample } from "./random-samples";
import { sampleInput, type Sample, type SampleWorkload } from "./sample-fleets";
import { simulate } from "./simulation";

const GIB = 2 ** 30;

/** A run in which all hosts are updated and copies are yet to go home; `away` names the origin of each workload's copy. */
function updatedRun(sample: Sample, away: Readonly<Record<string, string>>): PlanInput {
  const input = sampleInput(sample);
  const hosts = input.fleet.hosts.map((host) => ({ ...host, probe: { output: "v2", matches: true } }));
  const { envelope, opening } = plan(input);
  assert.ok(opening);
  return {
    ...input,
    fleet: { ...input.fleet, hosts },
    progress: {
      owner: "run",
      opening,
      reservedHosts: [],
      updatedHosts: hosts.map(({ id }) => id),
      approvedEnvelope: envelope,
      waveOffset: 2,
      origins: Object.fromEntries(Object.entries(away).map(([workload, host]) => [workload, [host]])),
    },
  };
}

function large(name: string, host: string): SampleWorkload {
  return { name, on: [host], memoryBytes: 6 * GIB, demand: [100] };
}

function failbacksOf({ waves }: MigrationPlan): readonly Wave[] {
  return waves.filter(({ kind }) => kind === "failback");
}

/** Most lanes that are under way at once when each step takes as long as another one, by limit. */
function mostAtOnce(wave: Wave): ReadonlyMap<string, number> {
  const done = new Set<string>();
  const gate = new LaneGate(wave, (id) => (done.has(id) ? "done" : undefined));
  const from = new Map(wave.moves.map(({ id, from: host }) => [id, host]));
  const most = new Map<string, number>();
  let waiting = [...wave.steps];
  while (waiting.length > 0) {
    const begun = waiting.filter((step) => step.after.every((id) => done.has(id)) && gate.admit(step));
    assert.ok(begun.length > 0, "a lane waits for ever");
    const leaving = begun.filter(({ kind }) => kind !== "start-copy" && kind !== "admit");
    const hosts = new Set(leaving.flatMap((step) => ("move" in step ? (from.get(step.move) ?? []) : [])));
    const counts = new Map<string, number>();
    for (const name of [...hosts].flatMap((host) => wave.lanes?.uses[host] ?? [])) {
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    for (const [name, count] of counts) most.set(name, Math.max(most.get(name) ?? 0, count));
    for (const step of begun) {
      gate.leave(step);
      done.add(step.id);
    }
    waiting = waiting.filter((step) => !begun.includes(step));
  }
  return most;
}

describe("failback", () => {
  it("brings a copy home in the same wave to where another one leaves before it", () => {
    const sample: Sample = {
      hosts: ["host-1", "host-2", "host-3"].map((id) => ({ id })),
      // Each host holds one of them.
      workloads: [large("web", "host-2"), large("api", "host-3")],
      spec: { failback: "origin" },
    };
    const made = plan(updatedRun(sample, { web: "host-1", api: "host-2" }));
    const [wave, second] = failbacksOf(made);
    assert.ok(wave?.lanes && second === undefined);
    assert.deepEqual(wave.moves.map(({ replica, to }) => `${replica} ${String(to)}`).sort(), [
      "api-1 host-2",
      "web-1 host-1",
    ]);
    const stops = wave.steps.filter((step) => step.kind === "stop-copy" && step.workload === "web");
    const starts = wave.steps.filter((step) => step.kind === "start-copy" && step.workload === "api");
    assert.deepEqual(
      starts.map(({ after }) => after),
      [stops.map(({ id }) => id)],
    );
  });

  it("empties no more hosts at once than the limits allow", () => {
    const ids = Array.from({ length: 12 }, (_, at) => `host-${String(at + 10)}`);
    const sample: Sample = {
      hosts: ids.map((id, at) => ({ id, zone: at % 2 === 0 ? "a" : "b" })),
      workloads: ids.slice(0, 8).map((host, at) => ({ name: `app${String(at)}`, on: [host] })),
      spec: {
        failback: "origin",
        limits: { hostsAtOnce: 3, hostsPerZone: 2, canaryHosts: 0, soakMs: 0, drainMs: 30_000 },
      },
    };
    const origins = Object.fromEntries(sample.workloads.map(({ name }, at) => [name, ids[(at + 4) % 12] ?? ""]));
    const [wave] = failbacksOf(plan(updatedRun(sample, origins)));
    assert.ok(wave);
    assert.equal(wave.moves.length, 8);
    const most = mostAtOnce(wave);
    assert.equal(most.get("hosts"), 3);
    assert.ok((most.get("zone/a") ?? 0) <= 2 && (most.get("zone/b") ?? 0) <= 2);
    // Eight hosts, three at a time: three rounds.
    const single = wave.steps.reduce((longest, { expected }) => Math.max(longest, expected.p50Ms), 0);
    assert.ok(wave.endMs - wave.startMs > 2 * single);
  });

  it("keeps budgets and capacity in every order, and its limits, over random fleets", () => {
    let withLanes = 0;
    let chained = 0;
    fc.assert(
      fc.property(fc.oneof(randomSample(), randomWideSample()), fc.nat(), (sample, seed) => {
        const input = sampleInput({ ...sample, spec: { ...sample.spec, failback: "origin" } });
        const made = plan(input);
        if (made.decision !== "run") return;
        simulate(input, made, pickFrom(seed));
        for (const wave of failbacksOf(made)) {
          if (!wave.lanes) continue;
          withLanes++;
          const left = new Set(wave.moves.map(({ from }) => from));
          if (wave.moves.some(({ to }) => to !== undefined && left.has(to))) chained++;
          for (const [name, count] of mostAtOnce(wave)) assert.ok(count <= (wave.lanes.limits[name] ?? 0), name);
        }
      }),
      { numRuns: 50 },
    );
    assert.ok(withLanes > 5 && chained > 0, `${String(withLanes)} with lanes, ${String(chained)} chained`);
  }).timeout(60_000);
});
