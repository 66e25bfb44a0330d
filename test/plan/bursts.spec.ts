import { strict as assert } from "node:assert";

import * as fc from "fast-check";

import { compareEnvelopes } from "../../providers/plan/envelope";
import { plan, type PlanInput } from "../../providers/plan/plan";
import type { BurstTarget, MigrationPlan, Move, PlanStep } from "../../sdk/model";
import { pickFrom, randomSample, withBursts, withSpread } from "./random-samples";
import { sampleInput, type Sample } from "./sample-fleets";
import { simulate } from "./simulation";

const SHOP_FN: BurstTarget = { function: "shop-fn", requestsPerSecond: 500, coldStartMs: 5000, cpuMsPerRequest: 10 };

/** Two hosts that each are as full as they may be: nothing that leaves one finds room on the other. */
const FULL: Sample = {
  hosts: [{ id: "host-1" }, { id: "host-2" }],
  workloads: [
    { name: "shop", on: ["host-1", "host-2"], demand: [3000], workload: { burst: SHOP_FN, maxUnavailable: 0 } },
    { name: "core", on: ["host-1"], demand: [400] },
  ],
};

function inputOf(sample: Sample, functions: readonly string[] = ["shop-fn"]): PlanInput {
  const input = sampleInput(sample);
  return { ...input, fleet: { ...input.fleet, functions } };
}

function burstsOf({ waves }: MigrationPlan): readonly Move[] {
  return waves.flatMap(({ moves }) => moves.filter(({ method }) => method === "burst"));
}

function stepsOf({ waves }: MigrationPlan, move: Move): readonly PlanStep[] {
  return waves.flatMap(({ steps }) => steps.filter((step) => "move" in step && step.move === move.id));
}

describe("plan, with functions that stand in for copies", () => {
  it("lets a function serve where no host has room, and brings the copy back in the same wave", () => {
    const input = inputOf(FULL);
    const result = plan(input);
    assert.equal(result.decision, "run", JSON.stringify(result.blockers));
    const bursts = burstsOf(result);
    assert.equal(bursts.length, 2);
    for (const move of bursts) {
      assert.deepEqual(
        stepsOf(result, move).map(({ kind }) => kind),
        ["deploy-function", "admit", "drain", "stop-copy", "start-copy", "admit", "drain", "remove-function"],
      );
      assert.equal(move.standIn?.share, 0.5);
      assert.equal(move.standIn.requestsPerSecond, 150);
      assert.match(move.reason, /no host has room for it while host-\d is updated; function shop-fn serves its 50 %/);
    }
    const simulation = simulate(input, result, pickFrom(7));
    assert.deepEqual([...simulation.updated].sort(), ["host-1", "host-2"]);
    assert.match(result.reserve.reason, /functions stand in for 2 copies that no host has room for/);
  });

  it("is blocked without the function, and says why it cannot stand in", () => {
    for (const [functions, workload, reason] of [
      [undefined, {}, /no driver of the fleet offers functions/],
      [["other"], {}, /the driver of functions does not know it \(it knows other\)/],
      [["shop-fn"], { cpuMsPerRequest: undefined }, /how many calls it would get cannot be told: declare/],
    ] as const) {
      const burst = { ...SHOP_FN, ...workload } as BurstTarget;
      const [shop, core] = FULL.workloads as [Sample["workloads"][number], Sample["workloads"][number]];
      const sample = { ...FULL, workloads: [{ ...shop, workload: { ...shop.workload, burst } }, core] };
      const result = plan(functions ? inputOf(sample, functions) : sampleInput(sample));
      assert.equal(result.decision, "blocked");
      assert.match(result.warnings.join("\n"), reason);
    }
  });

  it("reads the CPU time of a request from the forecast where none is declared", () => {
    const [shop, core] = FULL.workloads as [Sample["workloads"][number], Sample["workloads"][number]];
    const { cpuMsPerRequest: _, ...burst } = SHOP_FN;
    const input = inputOf({ ...FULL, workloads: [{ ...shop, workload: { ...shop.workload, burst } }, core] });
    const requestCosts = [{ workload: "shop", cpuMsPerRequest: 20 }];
    const [move] = burstsOf(plan({ ...input, forecast: { ...input.forecast, requestCosts } }));
    assert.equal(move?.standIn?.requestsPerSecond, 75);
  });

  it("never sends more to a function than it takes, counting all copies that it stands in for at once", () => {
    const burst = { ...SHOP_FN, requestsPerSecond: 149 };
    const [shop, core] = FULL.workloads as [Sample["workloads"][number], Sample["workloads"][number]];
    const result = plan(inputOf({ ...FULL, workloads: [{ ...shop, workload: { ...shop.workload, burst } }, core] }));
    assert.equal(result.decision, "blocked");
    assert.match(JSON.stringify(result.blockers), /its function does not take that many requests/);
  });

  it("prices the calls, and takes the function instead of a reserve only where that is cheaper", () => {
    const pooled: Sample = {
      ...FULL,
      hosts: [...FULL.hosts, { id: "standby-1", role: "standby", cpuMillis: 8000 }],
      maximumReserveHosts: 1,
    };
    const priced = (functionMillionCalls: number): MigrationPlan => {
      const input = inputOf(pooled);
      const prices = { currency: "EUR", reservedHostHour: 1, functionMillionCalls };
      return plan({ ...input, fleet: { ...input.fleet, prices } });
    };
    const cheap = priced(1);
    assert.equal(burstsOf(cheap).length, 2);
    assert.deepEqual(cheap.reserve.hosts, []);
    const item = cheap.cost.items?.find(({ kind }) => kind === "burst");
    assert.ok(item && item.quantity > 10_000 && item.unit === "calls", JSON.stringify(item));
    assert.ok(Math.abs((item.amount ?? 0) - item.quantity / 1e6) < 1e-3);
    assert.match(
      cheap.reserve.reason,
      /functions stand in for 2 copies: 0\.\d\d EUR instead of \d\.\d\d with 1 reserved host/,
    );
    const dear = priced(1000);
    assert.equal(burstsOf(dear).length, 0);
    assert.deepEqual(dear.reserve.hosts, ["standby-1"]);
  });

  it("lets a function serve before it sheds", () => {
    const [shop, core] = FULL.workloads as [Sample["workloads"][number], Sample["workloads"][number]];
    const sheddable = { ...shop, workload: { ...shop.workload, criticality: "sheddable" as const, maxUnavailable: 2 } };
    const sample = {
      ...FULL,
      workloads: [sheddable, core],
      hosts: [{ id: "host-1" }, { id: "host-2", cpuMillis: 8000 }],
    };
    const result = plan(inputOf(sample));
    const methods = new Set(result.waves.flatMap(({ moves }) => moves.map(({ method }) => method)));
    assert.ok(!methods.has("shed"), [...methods].join());
  });

  it("says for each host why nothing less disruptive was taken, and for shed copies why no function serves", () => {
    const decision = plan(inputOf(FULL)).hostDecisions?.find(({ host }) => host === "host-2");
    assert.equal(decision?.action, "burst");
    assert.equal(decision.reason, "function shop-fn serves for 1 copy meanwhile");
    const rejected = new Map(decision.rejected.map(({ action, reason }) => [action, reason]));
    assert.match(rejected.get("move") ?? "", /no other host has room for 1 of its copies; functions stand in/);
    assert.ok(!rejected.has("degrade"));
  });

  it("puts the function into what is approved: another one is outside of it", () => {
    const { envelope } = plan(inputOf(FULL));
    assert.deepEqual(envelope.bursts, { shop: "shop-fn" });
    assert.deepEqual(compareEnvelopes(envelope, envelope), []);
    const other = { ...envelope, bursts: { shop: "else-fn" } };
    assert.match(
      compareEnvelopes(envelope, other).join(),
      /the function else-fn may stand in for shop, which was not approved/,
    );
    const { bursts: _, ...none } = envelope;
    assert.deepEqual(compareEnvelopes(envelope, none), []);
  });

  it("keeps budgets, functions' limits and capacity in any order of steps, over random fleets", function () {
    this.timeout(120_000);
    let bursting = 0;
    fc.assert(
      fc.property(
        randomSample().map(withSpread),
        fc.integer({ min: 10, max: 2000 }),
        fc.nat(),
        (sample, perSecond, seed) => {
          const input = withBursts(sample, perSecond);
          const result = plan(input);
          const without = plan(sampleInput(sample));
          if (without.decision === "run") assert.equal(result.decision, "run");
          if (result.decision !== "run") return;
          if (burstsOf(result).length > 0) bursting++;
          simulate(input, result, pickFrom(seed));
        },
      ),
      { numRuns: 40 },
    );
    assert.ok(bursting > 3, `functions stood in in only ${String(bursting)} plans`);
  });
});
