import assert from "node:assert/strict";

import * as fc from "fast-check";

import { plan } from "../../providers/plan/plan";
import { pickFrom, randomSample } from "./random-samples";
import { sampleInput, type Sample } from "./sample-fleets";
import { simulate } from "./simulation";

const hosts = ["1", "2", "3"].map((id) => ({ id: `host-${id}` }));

function sampleWith(boost: number | undefined): Sample {
  const workload = boost === undefined ? {} : { boost };
  return {
    hosts: [...hosts, { id: "standby-1", role: "standby" }],
    workloads: [
      { name: "web", on: ["host-1", "host-2"], demand: [2000], workload },
      { name: "api", on: ["host-3"], demand: [900] },
    ],
    maximumReserveHosts: 1,
  };
}

describe("room for boosts", () => {
  it("is kept beside the forecast, with more reserve where that takes it, and the plan says so", () => {
    const without = plan(sampleInput(sampleWith(undefined)));
    const kept = plan(sampleInput(sampleWith(0.5)));
    assert.deepEqual([without.reserve.hosts, kept.reserve.hosts], [[], ["standby-1"]]);
    assert.match(kept.reserve.reason, /; room for boosts is kept: web 50%$/);
    assert.doesNotMatch(without.reserve.reason, /boosts/);
    assert.deepEqual(plan(sampleInput(sampleWith(0))), without);
    const most = Math.max(...kept.waves.map(({ demandCpuMillis }) => demandCpuMillis));
    assert.equal(most, 2000 * 1.5 + 900);
  });

  it("blocks a plan that has no room for it", () => {
    const { decision, blockers } = plan(sampleInput(sampleWith(1.5)));
    assert.equal(decision, "blocked");
    assert.equal(blockers[0]?.code, "capacity");
  });

  it("is there at every moment of any plan: with the boost as load the promise holds too", () => {
    let planned = 0;
    fc.assert(
      fc.property(randomSample(), fc.constantFrom(0.1, 0.3), fc.nat(), (sample, boost, seed) => {
        const workloads = sample.workloads.map((one) => ({ ...one, workload: { ...one.workload, boost } }));
        const result = plan(sampleInput({ ...sample, workloads }));
        if (result.decision !== "run") return;
        planned++;
        simulate(sampleInput({ ...sample, shape: () => 1 + boost }), result, pickFrom(seed));
      }),
      { numRuns: 60 },
    );
    assert.ok(planned > 10);
  });
});
