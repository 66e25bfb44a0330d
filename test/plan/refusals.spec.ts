import { strict as assert } from "node:assert";

import * as fc from "fast-check";

import { plan, type PlanInput } from "../../providers/plan/plan";
import type { FunctionEstimate, MigrationPlan, Move } from "../../sdk/model";
import { pickFrom, randomSample, withRefusals, withSpread } from "./random-samples";
import { sampleInput, type Sample } from "./sample-fleets";
import { simulate } from "./simulation";

/** Two hosts, each as full as it may be: without a host the other one cannot carry all of the shop. */
const FULL: Sample = {
  hosts: [{ id: "host-1" }, { id: "host-2" }],
  workloads: [
    {
      name: "shop",
      on: ["host-1", "host-2"],
      demand: [3000],
      workload: { maxUnavailable: 1, functions: [{ path: "/reports", criticality: "sheddable" }] },
    },
  ],
};

function inputOf(share: number, change: Partial<PlanInput["fleet"]> = {}): PlanInput {
  const input = sampleInput(FULL);
  const judged: FunctionEstimate = {
    ...{ workload: "shop", name: "/reports", criticality: "sheddable", confidence: 1, share, reason: "as declared" },
  };
  const fleet = { ...input.fleet, refusesPaths: true, ...change };
  return { ...input, fleet, forecast: { ...input.forecast, functions: [judged] } };
}

function refusingOf({ waves }: MigrationPlan): readonly Move[] {
  return waves.flatMap(({ moves }) => moves.filter(({ refuses }) => refuses));
}

describe("plan, with functions that can be shed", () => {
  it("refuses them where the other copies can carry the rest meanwhile, and serves them again in the same wave", () => {
    const input = inputOf(0.4);
    const result = plan(input);
    assert.equal(result.decision, "run", JSON.stringify(result.blockers));
    const moves = refusingOf(result);
    assert.equal(moves.length, 2);
    assert.deepEqual(moves[0]?.refuses, { paths: ["/reports"], share: 0.4 });
    assert.match(
      moves[0].reason,
      /its budget allows it to pause, and \/reports, 40 % of the requests, are refused meanwhile/,
    );
    for (const { index, steps } of result.waves) {
      const refuse = steps.find(({ kind }) => kind === "refuse-paths");
      const serve = steps.find(({ kind }) => kind === "serve-paths");
      const drain = steps.find(({ kind }) => kind === "drain");
      const admit = steps.find(({ kind }) => kind === "admit");
      assert.ok(refuse && serve && drain && admit, `wave ${String(index)}`);
      assert.ok(drain.after.includes(refuse.id));
      assert.deepEqual(serve.after, [admit.id]);
    }
    const simulation = simulate(input, result, pickFrom(3));
    assert.deepEqual([...simulation.updated].sort(), ["host-1", "host-2"]);
  });

  it("is blocked where what is refused is not enough, nothing is known of it, or the switch cannot refuse", () => {
    assert.equal(plan(inputOf(0.3)).decision, "blocked");
    assert.equal(plan(inputOf(0)).decision, "blocked");
    assert.equal(plan(inputOf(0.4, { refusesPaths: false })).decision, "blocked");
  });

  it("refuses none that is not declared sheddable", () => {
    const input = inputOf(0.4);
    const workloads = input.fleet.workloads.map(({ functions: _, ...workload }) => workload);
    assert.equal(plan({ ...input, fleet: { ...input.fleet, workloads } }).decision, "blocked");
  });

  it("refuses none where a reserve can be had", () => {
    const pooled: Sample = {
      ...FULL,
      hosts: [...FULL.hosts, { id: "standby-1", role: "standby" }],
      maximumReserveHosts: 1,
    };
    const input = inputOf(0.4);
    const { fleet, spec } = sampleInput(pooled);
    const result = plan({ ...input, spec, fleet: { ...fleet, refusesPaths: true } });
    assert.equal(result.decision, "run");
    assert.equal(refusingOf(result).length, 0);
    assert.deepEqual(result.reserve.hosts, ["standby-1"]);
  });

  it("says on the host's decision what is refused, and why nothing less disruptive was taken", () => {
    const decision = plan(inputOf(0.4)).hostDecisions?.find(({ host }) => host === "host-1");
    assert.equal(decision?.action, "degrade");
    assert.equal(decision.reason, "1 paused for it while /reports of shop (40 %) are refused");
    const rejected = new Map(decision.rejected.map(({ action, reason }) => [action, reason]));
    assert.match(rejected.get("move") ?? "", /no other host has room for 1 of its copies/);
    assert.match(rejected.get("burst") ?? "", /no function is declared that could serve for shop/);
  });

  it("keeps budgets and capacity in any order of steps, over random fleets", function () {
    this.timeout(120_000);
    let refusing = 0;
    fc.assert(
      fc.property(randomSample().map(withSpread), fc.integer({ min: 1, max: 9 }), fc.nat(), (sample, tenths, seed) => {
        const input = withRefusals(sample, tenths / 10);
        const result = plan(input);
        const without = plan(sampleInput(sample));
        if (without.decision === "run") assert.equal(result.decision, "run");
        if (result.decision !== "run") return;
        if (refusingOf(result).length > 0) refusing++;
        simulate(input, result, pickFrom(seed));
      }),
      { numRuns: 40 },
    );
    assert.ok(refusing > 3, `functions were refused in only ${String(refusing)} plans`);
  });
});
