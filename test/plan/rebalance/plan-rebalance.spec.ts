import assert from "node:assert/strict";
import * as fc from "fast-check";

import { plan, type PlanInput } from "../../../providers/plan/plan";
import { createPlanView, NO_UPDATE, type MigrationPlan, type RebalanceSpec } from "../../../sdk/model";
import { OPENING_MS, sampleInput, type Sample, type SampleWorkload } from "../sample-fleets";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const rebalance: RebalanceSpec = {
  horizonMs: 3 * HOUR_MS,
  target: 0.8,
  tolerance: 0.3,
  maximumMoves: 10,
  restMs: 0,
};

/** Hosts have 4 cores, of which the island has 2. */
function inputOf(
  hosts: number,
  workloads: readonly SampleWorkload[],
  change: Partial<RebalanceSpec> = {},
  spec: Sample["spec"] = {},
): PlanInput {
  const names = Array.from({ length: hosts }, (_, index) => `host-${String(index + 1)}`);
  return sampleInput({
    hosts: names.map((id, index) => ({ id, zone: index % 2 === 0 ? "a" : "b" })),
    workloads,
    spec: { update: NO_UPDATE, failback: "never", ...spec, rebalance: { ...rebalance, ...change } },
  });
}

function moves({ waves }: MigrationPlan): readonly string[] {
  return waves.flatMap((wave) => wave.moves.map(({ workload, from, to }) => `${workload}: ${from} > ${String(to)}`));
}

/** Demand of a workload over time instead of the same at every step. */
function withCurve(input: PlanInput, workload: string, at: (step: number) => number): PlanInput {
  const { demand } = input.forecast;
  const row = demand.workloads.indexOf(workload);
  const cpuMillis = demand.cpuMillis.map((path) =>
    Array.from(path, (value, index) => (Math.floor(index / demand.steps) === row ? at(index % demand.steps) : value)),
  );
  return { ...input, forecast: { ...input.forecast, demand: { ...demand, cpuMillis } } };
}

/** The same on hosts that a second island has a part of; its workloads are those whose names begin with "back". */
function sharedBy(input: PlanInput, back: number, offers: boolean): PlanInput {
  const [island] = input.fleet.islands;
  const [spec] = input.spec.islands;
  assert.ok(island && spec);
  const fleet = {
    ...input.fleet,
    islands: [island, { ...island, name: "back", share: { cpu: back, memory: 0.5 } }],
    workloads: input.fleet.workloads.map((workload) =>
      workload.name.startsWith("back") ? { ...workload, island: "back" } : workload,
    ),
    hosts: input.fleet.hosts.map((host) => (offers ? { ...host, offers: ["shares"] as const } : host)),
  };
  return { ...input, fleet, spec: { ...input.spec, islands: [spec, { ...spec, name: "back" }] } };
}

describe("plan of a rebalance", () => {
  it("gives an island what another one leaves on a host before it moves anybody, where the host offers that", () => {
    const backwards = { name: "back-1", on: ["host-1"], demand: [200] };
    const input = inputOf(2, [a, b, backwards], { tolerance: 0.9 });
    const declared = plan(sharedBy(input, 0.5, false));
    assert.ok(moves(declared).length > 0);
    assert.ok(declared.waves.every(({ steps }) => steps.every(({ kind }) => kind !== "set-shares")));

    const shared = plan(sharedBy(input, 0.5, true));
    assert.equal(shared.decision, "run");
    assert.deepEqual(moves(shared), []);
    const [wave] = shared.waves;
    assert.ok(wave);
    assert.deepEqual(
      wave.steps.map(({ id }) => id),
      ["w1/host-1/set-shares", "w1/host-1/validate"],
    );
    const [step] = wave.steps;
    assert.ok(step?.kind === "set-shares");
    const [shop, back] = step.shares;
    assert.deepEqual(
      step.shares.map(({ workloads }) => workloads),
      [["a", "b"], ["back-1"]],
    );
    assert.ok((shop?.cpu ?? 0) >= 1900 / 0.8 / 4000 && (shop?.cpu ?? 0) + (back?.cpu ?? 0) <= 1);
    assert.equal(step.untilMs, OPENING_MS + 3 * HOUR_MS);
    assert.match(shared.balance?.reason ?? "", /; shares of 1 host change instead of a move$/);
    for (const { after } of shared.balance?.rows ?? []) assert.ok(after <= 0.8 + 1e-9);
    const view = createPlanView(shared, "UTC", "x");
    assert.match(Object.values(view.shares ?? {})[0] ?? "", /instead of 50 % of its CPU until 05:00; it needs 59 %/);
  });

  it("moves copies where shares are not enough, and then gives others what is left", () => {
    const busy = { name: "back-1", on: ["host-1"], demand: [1500] };
    const shared = plan(sharedBy(inputOf(2, [a, b, busy]), 0.4, true));
    assert.ok(moves(shared).length > 0);
    const kinds = shared.waves.map(({ steps }) => steps.some(({ kind }) => kind === "set-shares"));
    assert.ok(kinds.slice(0, -1).every((isShared) => !isShared));
    assert.ok(kinds.at(-1), "what the moves free goes to the other island");
  });

  const a = { name: "a", on: ["host-1"], demand: [1000] };
  const b = { name: "b", on: ["host-1"], demand: [900] };

  it("moves a copy off a host that would be over its target to one that is idle", () => {
    const result = plan(inputOf(2, [a, b]));
    assert.equal(result.decision, "run");
    assert.equal(moves(result).length, 1);
    assert.match(moves(result)[0] ?? "", /host-1 > host-2$/);
    assert.match(result.balance?.reason ?? "", /host-1 would use 95 % of what shop has there, more than 80 %/);
    for (const { after } of result.balance?.rows ?? []) assert.ok(after <= 0.8);
    assert.deepEqual(result.reserve.hosts, []);
    assert.equal(result.waves[0]?.kind, "move");
  });

  it("leaves alone what is within its tolerance, and says so", () => {
    const result = plan(inputOf(2, [a, { ...b, on: ["host-2"] }]));
    assert.equal(result.decision, "nothing");
    assert.match(result.balance?.reason ?? "", /none stands idle/);
    assert.match(createPlanView(result, "UTC", "x").summary, /^nothing is moved now: no host would be over/);
  });

  it("has nothing left to do after its own moves", () => {
    const result = plan(inputOf(3, [a, b, { name: "c", on: ["host-1"], demand: [700] }]));
    const where = new Map(result.waves.flatMap((wave) => wave.moves.map(({ workload, to = "" }) => [workload, to])));
    const settled = [a, b, { name: "c", on: ["host-1"], demand: [700] }].map((one) => ({
      ...one,
      on: [where.get(one.name) ?? "host-1"],
    }));
    assert.equal(plan(inputOf(3, settled)).decision, "nothing");
  });

  it("isolates the source, admits the new copy before the old one leaves, and checks both ends", () => {
    const [wave] = plan(inputOf(2, [a, b])).waves;
    const kinds = wave?.steps.map(({ kind }) => kind);
    assert.deepEqual(kinds, [
      "cordon",
      "start-copy",
      "admit",
      "drain",
      "stop-copy",
      "validate",
      "validate",
      "uncordon",
    ]);
    const checked = wave?.steps.flatMap((step) => (step.kind === "validate" ? [step.host] : []));
    assert.deepEqual(checked, ["host-1", "host-2"]);
    const seen = new Set<string>();
    for (const step of wave?.steps ?? []) {
      for (const id of step.after) assert.ok(seen.has(id), `${step.id} before ${id}`);
      seen.add(step.id);
    }
  });

  it("makes no more moves in one run than allowed, those that win most first", () => {
    const many = ["a", "b", "c", "d"].map((name, index) => ({ name, on: ["host-1"], demand: [300 + 100 * index] }));
    assert.equal(moves(plan(inputOf(4, many))).length > 1, true);
    const one = plan(inputOf(4, many, { maximumMoves: 1 }));
    assert.deepEqual(
      moves(one).map((text) => text.split(":")[0]),
      ["d"],
    );
    const input = inputOf(4, many, { maximumMoves: 1 });
    const progress = {
      reservedHosts: [],
      updatedHosts: [],
      approvedEnvelope: one.envelope,
      waveOffset: 1,
      origins: { a: ["host-2"], b: ["host-1"], c: ["host-1"], d: ["host-1"] },
      opening: { window: "saturdays", startMs: OPENING_MS, endMs: OPENING_MS + HOUR_MS },
    };
    const again = plan({ ...input, progress });
    assert.equal(again.decision, "nothing");
    assert.match(again.balance?.reason ?? "", /as many moves were made as one run may make/);
  });

  it("waits for a calmer time before the load comes, and moves then", () => {
    const busyFirst = withCurve(inputOf(2, [a, b]), "a", (step) => (step < 6 ? 500 : step < 12 ? 100 : 1000));
    const both = withCurve(busyFirst, "b", (step) => (step < 6 ? 500 : step < 12 ? 100 : 900));
    const early = plan(both);
    assert.equal(early.decision, "nothing");
    const at = /waits for a calmer time, (\S+)$/.exec(early.balance?.reason ?? "")?.[1];
    assert.equal(at, new Date(OPENING_MS + 30 * MINUTE_MS).toISOString());
    const slotMs = OPENING_MS + 30 * MINUTE_MS;
    assert.equal(plan({ ...both, slotMs, nowMs: slotMs }).decision, "run");
  });

  it("does not wait where the load is there already", () => {
    const falling = withCurve(inputOf(2, [a, b]), "a", (step) => 1000 - 10 * step);
    assert.equal(plan(falling).decision, "run");
  });

  it("moves nothing where a blocker stands, and nothing that may not pause", () => {
    const input = inputOf(2, [a, b]);
    const missing = [{ workload: "a", reason: "all values are gaps" }];
    assert.equal(plan({ ...input, forecast: { ...input.forecast, missing } }).decision, "blocked");
    const pinned = { exclusive: true, maxPauseMs: 0 };
    const fixed = plan(
      inputOf(2, [
        { ...a, workload: pinned },
        { ...b, workload: pinned },
      ]),
    );
    assert.deepEqual(moves(fixed), []);
  });

  it("of any fleet moves at most what it may, never within one wave to a source, and leaves no host fuller than the fullest", () => {
    const anyWork = fc.record({
      host: fc.integer({ min: 1, max: 5 }),
      demand: fc.integer({ min: 0, max: 1200 }),
      exclusive: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(anyWork, { minLength: 1, maxLength: 14 }), fc.integer({ min: 1, max: 6 }), (works, most) => {
        const workloads = works.map(({ host, demand, exclusive }, index) => ({
          name: `w${String(index)}`,
          on: [`host-${String(host)}`],
          demand: [demand],
          workload: { exclusive },
        }));
        const limits = { hostsAtOnce: 2, hostsPerZone: 1, canaryHosts: 1, soakMs: 0, drainMs: 1000 };
        const input = inputOf(5, workloads, { maximumMoves: most }, { limits });
        const result = plan(input);
        assert.deepEqual(plan(input), result);
        const count = moves(result).length;
        assert.ok(count <= most);
        for (const wave of result.waves) {
          const sources = new Set(wave.moves.map(({ from }) => from));
          assert.ok(sources.size <= 2);
          for (const { to } of wave.moves) assert.ok(to !== undefined && !sources.has(to));
        }
        const rows = result.balance?.rows ?? [];
        if (count > 0) {
          assert.ok(
            Math.max(...rows.map(({ after }) => after)) <= Math.max(...rows.map(({ before }) => before)) + 1e-9,
          );
        }
      }),
      { numRuns: 25 },
    );
  });
});
