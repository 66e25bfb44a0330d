import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { CallEdge, DependencyEstimate, FunctionCalls, ServiceCalls, Workload } from "../../../sdk/model";
import { findCycle, orderByCalls } from "../../../sdk/model";
import { estimateDependencies } from "../../../providers/forecast/dependencies/estimate-dependencies";
import { propagateChanges, scaleForecast } from "../../../providers/forecast/dependencies/propagate";
import { whatIf } from "../../../providers/forecast/dependencies/what-if";
import { createRandom } from "../../../providers/forecast/random";
import { sampleForecast, sampleWorkloads } from "../../../providers/testing/builders";
import { DAY_MS, MINUTE_MS, seriesOf } from "../series-builders";

const STEP_MS = 5 * MINUTE_MS;

function workloadOf(name: string, dependsOn?: Workload["dependsOn"]): Workload {
  return {
    ...{ name, island: "shop", criticality: "normal", copies: 2, exclusive: false, maxPauseMs: 2000 },
    ...{ maxUnavailable: 1, request: { cpuMillis: 100, memoryBytes: 0 }, hooks: {}, service: name },
    ...(dependsOn ? { dependsOn } : {}),
  };
}

function line(atMinute: number, caller: string, requests: number): FunctionCalls {
  const rest = { failed: 0, latencySumMs: requests, maxMs: 1, bytes: 0 };
  return { atMs: atMinute * MINUTE_MS, method: "GET", path: "/", caller, requests, ...rest };
}

/** Front is called from outside; it calls pricing twice a request, two minutes later; a cron job calls pricing too. */
function countedCalls(seed: number): readonly ServiceCalls[] {
  const random = createRandom(seed);
  const asked = Array.from({ length: 120 }, () => 100 + random.below(200));
  return [
    { service: "front", calls: asked.map((requests, minute) => line(minute, "", requests)) },
    {
      service: "pricing",
      calls: asked.flatMap((_, minute) => [
        line(minute, "front", 2 * (asked[minute - 2] ?? 200)),
        line(minute, "", 100),
      ]),
    },
  ];
}

/** Two daily loads of fifteen days; the second follows deviations of the first with the share and lag. */
function followingLoads(share: number, lagSteps: number, seed: number) {
  const random = createRandom(seed);
  const count = (15 * DAY_MS) / STEP_MS;
  const daily = (i: number): number => 1000 - 500 * Math.cos((2 * Math.PI * i) / 288);
  const wander: number[] = [];
  for (let i = 0; i < count; i++) wander.push(0.9 * (wander[i - 1] ?? 0) + 60 * random.normal());
  const cause = Array.from({ length: count }, (_, i) => daily(i) + (wander[i] ?? 0));
  const effect = Array.from(
    { length: count },
    (_, i) => daily(i) + share * (wander[i - lagSteps] ?? 0) + 20 * random.normal(),
  );
  return [
    { workload: "front", cpu: seriesOf(cause, { id: "workload/front" }) },
    { workload: "pricing", cpu: seriesOf(effect, { id: "workload/pricing" }) },
  ];
}

const FRONT_CALLS_PRICING = [workloadOf("front", [{ workload: "pricing" }]), workloadOf("pricing")];

describe("dependencies", () => {
  it("are read from counted calls: share, calls a request, and lag", () => {
    const [found, ...others] = estimateDependencies({
      workloads: [workloadOf("front"), workloadOf("pricing")],
      calls: countedCalls(1),
      histories: [],
    });
    assert.equal(others.length, 0);
    assert.ok(found);
    assert.deepEqual([found.caller, found.called, found.basis], ["front", "pricing", "calls"]);
    assert.ok(Math.abs(found.share - 0.8) < 0.02, String(found.share));
    assert.ok(Math.abs((found.callsPerRequest ?? 0) - 2) < 0.05);
    assert.equal(found.lagMs, 2 * MINUTE_MS);
    assert.ok(found.confidence > 0.8);
    assert.match(found.reason, /requests of pricing in 120 minutes came from front, (1\.9|2\.0)\d for each of its own/);
  });

  it("are read from loads that move together beyond the time of day, where they are declared", () => {
    for (const [share, lagSteps] of [
      [0.8, 3],
      [0.5, 0],
    ] as const) {
      const [found] = estimateDependencies({
        workloads: FRONT_CALLS_PRICING,
        calls: [],
        histories: followingLoads(share, lagSteps, 5),
      });
      assert.equal(found?.basis, "load");
      assert.ok(Math.abs(found.share - share) < 0.06, String(found.share));
      assert.equal(found.lagMs, lagSteps * STEP_MS);
      assert.ok(found.confidence > 0.5);
    }
  });

  it("are not made up: two daily loads that have only the day in common depend on nobody", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const [found] = estimateDependencies({
        workloads: FRONT_CALLS_PRICING,
        calls: [],
        histories: followingLoads(0, 0, seed),
      });
      assert.equal(found?.basis, "declared", found?.reason);
      assert.equal(found.confidence, 0);
      const undeclared = { workloads: [workloadOf("front"), workloadOf("pricing")], calls: [] };
      assert.deepEqual(estimateDependencies({ ...undeclared, histories: followingLoads(0.8, 0, seed) }), []);
    }
  });

  it("take what was stated over what was measured", () => {
    const workloads = [
      workloadOf("front", [{ workload: "pricing", callsPerRequest: 3, lagMs: 60_000 }]),
      workloadOf("pricing"),
    ];
    const [found] = estimateDependencies({ workloads, calls: countedCalls(2), histories: [] });
    assert.deepEqual([found?.callsPerRequest, found?.lagMs], [3, 60_000]);
  });

  it("leave out the weaker of two measured calls that go round", () => {
    const calls = [
      { service: "a", calls: Array.from({ length: 20 }, (_, m) => [line(m, "b", 10), line(m, "", 90)]).flat() },
      { service: "b", calls: Array.from({ length: 20 }, (_, m) => line(m, "a", 80)) },
    ];
    const found = estimateDependencies({ workloads: [workloadOf("a"), workloadOf("b")], calls, histories: [] });
    assert.deepEqual(
      found.map(({ caller, called }) => `${caller} ${called}`),
      ["a b"],
    );
  });

  const edgesOf = (count: number) =>
    fc.array(fc.record({ from: fc.nat(count - 1), to: fc.nat(count - 1) }), { maxLength: 12 });

  it("have an order in which callers come first, exactly when they do not go round", () => {
    fc.assert(
      fc.property(edgesOf(6), (raw) => {
        const edges: CallEdge[] = raw.map(({ from, to }) => ({ caller: `w${String(from)}`, called: `w${String(to)}` }));
        const cycle = findCycle(edges);
        if (cycle) {
          assert.equal(cycle[0], cycle.at(-1));
          cycle.slice(1).forEach((called, i) => {
            assert.ok(edges.some((edge) => edge.caller === cycle[i] && edge.called === called));
          });
          assert.throws(() => orderByCalls(edges), /calls go round: w\d -> /);
          return;
        }
        const order = orderByCalls(edges);
        for (const { caller, called } of edges) assert.ok(order.indexOf(caller) < order.indexOf(called));
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});

function estimate(caller: string, called: string, change: Partial<DependencyEstimate> = {}): DependencyEstimate {
  return { caller, called, share: 0.5, lagMs: 0, basis: "calls", confidence: 0.9, reason: "counted", ...change };
}

describe("changes of callers", () => {
  const grid = { stepMs: STEP_MS, steps: 6 };
  const steady = (factor: number): Float64Array => new Float64Array(6).fill(factor);

  it("reach the called by their share after the lag, and go on from there", () => {
    const chain = [estimate("a", "b", { share: 0.8, lagMs: 2 * STEP_MS }), estimate("b", "c", { share: 0.5 })];
    const factors = propagateChanges(grid, chain, new Map([["a", steady(2)]]));
    assert.deepEqual(Array.from(factors.get("b") ?? []), [1, 1, 1.8, 1.8, 1.8, 1.8]);
    assert.deepEqual(Array.from(factors.get("c") ?? []), [1, 1, 1.4, 1.4, 1.4, 1.4]);
    assert.deepEqual([...factors.keys()].sort(), ["a", "b", "c"]);
  });

  it("are no fall of demand where a dependency is only declared", () => {
    const declared = [estimate("a", "b", { share: 1, basis: "declared", confidence: 0 })];
    assert.equal(propagateChanges(grid, declared, new Map([["a", steady(0.2)]])).has("b"), false);
    assert.equal(propagateChanges(grid, declared, new Map([["a", steady(2)]])).get("b")?.[0], 2);
  });

  it("are nothing when nothing changes, and rise with the caller's factor", () => {
    const estimates = [estimate("front", "pricing", { share: 0.6 }), estimate("pricing", "ledger", { share: 0.3 })];
    const forecast = sampleForecast();
    fc.assert(
      fc.property(fc.double({ min: 0, max: 5, noNaN: true }), fc.double({ min: 0, max: 5, noNaN: true }), (x, y) => {
        const [low, high] = [Math.min(x, y), Math.max(x, y)].map(
          (factor) => propagateChanges(grid, estimates, new Map([["front", steady(factor)]])).get("ledger")?.[0] ?? 1,
        );
        assert.ok((low ?? 0) <= (high ?? 0) + 1e-12 && (low ?? 0) >= 0);
      }),
      { numRuns: 100, seed: 1 },
    );
    const same = scaleForecast(
      forecast,
      propagateChanges(forecast.demand, estimates, new Map([["front", new Float64Array(36).fill(1)]])),
    );
    forecast.demand.cpuMillis.forEach((path, p) => {
      assert.deepEqual(same.demand.cpuMillis[p], path);
    });
  });

  it("answer what if the caller is degraded by 80 %, doubled, or moved", () => {
    const dependencies = [estimate("front", "pricing", { share: 0.75 }), estimate("front", "ledger", { share: 0.5 })];
    const forecast = { ...sampleForecast({ spread: 0 }), dependencies };
    const workloads = sampleWorkloads();
    const ratios = (factor: number): unknown =>
      whatIf(forecast, workloads, [{ kind: "factor", workload: "front", factor }])
        .peaks.map(({ workload, beforeCpuMillis, afterCpuMillis }) => [
          workload,
          Number((afterCpuMillis / beforeCpuMillis).toFixed(2)),
        ])
        .sort();
    assert.deepEqual(ratios(0.2), [
      ["front", 0.2],
      ["ledger", 0.6],
      ["pricing", 0.4],
    ]);
    assert.deepEqual(ratios(2), [
      ["front", 2],
      ["ledger", 1.5],
      ["pricing", 1.75],
    ]);
    const moved = whatIf(forecast, workloads, [{ kind: "moved", workload: "ledger" }]);
    assert.deepEqual(moved.peaks, []);
    assert.match(moved.notes.join(), /ledger is handed over: for at most 2.0 s/);
  });
});
