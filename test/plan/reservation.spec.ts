import assert from "node:assert/strict";

import * as fc from "fast-check";

import { plan, type PlanInput } from "../../providers/plan/plan";
import {
  createPlanView,
  renderPlanTable,
  renderReserveLevels,
  reservedHours,
  reservedSpans,
  reserveLevels,
  type MigrationPlan,
} from "../../sdk/model";
import { pickFrom } from "./random-samples";
import { OPENING_MS, sampleInput, type Sample } from "./sample-fleets";
import { simulate, Simulation } from "./simulation";

const MINUTE_MS = 60_000;
const ids = Array.from({ length: 8 }, (_, index) => `host-${String(index + 1)}`);
const update = {
  probe: "version",
  expect: "v2",
  command: "install v2",
  undo: "install v1",
  irreversible: false,
  reboot: true,
  timeoutMs: 30 * MINUTE_MS,
  expectedMs: 15 * MINUTE_MS,
};
const limits = { hostsAtOnce: 2, hostsPerZone: 2, canaryHosts: 0, soakMs: MINUTE_MS, drainMs: 30_000 };
/** Each copy fills its host while demand is high; at night two fit together. */
const falling: Sample = {
  hosts: [...ids.map((id) => ({ id })), { id: "standby-1", role: "standby" }, { id: "standby-2", role: "standby" }],
  workloads: ids.map((id) => ({ name: `w-${id}`, on: [id], demand: [1500] })),
  maximumReserveHosts: 2,
  spec: { update, limits },
  shape: (step) => (step < 10 ? 1.25 : 0.55),
};

function wavesWith(result: MigrationPlan, kind: "reserve" | "release"): number[] {
  return result.waves.filter(({ steps }) => steps.some((step) => step.kind === kind)).map(({ index }) => index);
}

/** The plan of what is left after so many waves. */
function planAgain(input: PlanInput, first: MigrationPlan, simulation: Simulation, waves: number): MigrationPlan {
  const nowMs = first.waves[waves]?.startMs ?? OPENING_MS;
  return plan({
    ...input,
    fleet: simulation.fleet(),
    slotMs: nowMs,
    nowMs,
    progress: {
      reservedHosts: [...simulation.reserved],
      updatedHosts: [...simulation.updated],
      approvedEnvelope: first.envelope,
      waveOffset: waves,
      origins: Object.fromEntries(
        [...Map.groupBy(input.fleet.replicas, ({ workload }) => workload)].map(([name, copies]) => [
          name,
          copies.map(({ host }) => host),
        ]),
      ),
      opening: first.opening ?? { window: "", startMs: OPENING_MS, endMs: OPENING_MS },
    },
  });
}

describe("a reserve that follows the forecast", () => {
  it("is given back where demand falls, before the last waves, and costs less for it", () => {
    const result = plan(sampleInput(falling));
    assert.equal(result.decision, "run");
    const [released = 0] = wavesWith(result, "release");
    assert.ok(released > 1 && released < result.waves.length - 1, "released in the middle");
    assert.match(result.reserve.reason, /held only while it is needed: [\d.]+ host hours instead of [\d.]+$/);
    const flat = plan(sampleInput({ ...falling, shape: () => 1.25 }));
    assert.ok((result.cost.amount ?? 0) < 0.8 * (flat.cost.amount ?? 0));
    assert.ok(Math.abs(result.cost.reservedHostHours - reservedHours(reservedSpans(result))) < 1e-3);
    simulate(sampleInput(falling), result, pickFrom(1));
    const table = renderPlanTable(createPlanView(result, "UTC", "plan.html"), "kernel");
    assert.match(table, /reserve {3}standby-1: 1 from 02:00, none from 02:\d\d; 1 host is enough/);
  });

  it("is held to the end where demand stays high", () => {
    const result = plan(sampleInput({ ...falling, shape: () => 1.25 }));
    assert.deepEqual(wavesWith(result, "reserve"), [1]);
    assert.deepEqual(wavesWith(result, "release"), [result.waves.length]);
    assert.doesNotMatch(result.reserve.reason, /held only/);
  });

  /** Two copies fit together for the first 80 minutes, then each fills its host. */
  const rising: Sample = {
    ...falling,
    workloads: ids.map((id) => ({ name: `w-${id}`, on: [id], demand: [800] })),
    maximumReserveHosts: 2,
    spec: {
      update,
      limits: { ...limits, hostsAtOnce: 1 },
      windows: [{ name: "saturdays", cron: "0 2 * * 6", durationMs: 360 * MINUTE_MS, timezone: "UTC", freezes: [] }],
    },
    shape: (step) => (step < 16 ? 0.5 : 1.5),
  };

  it("is not taken before demand rises; room for the rise is made right before it", () => {
    const input = sampleInput(rising);
    const result = plan(input);
    assert.equal(result.decision, "run");
    const riseMs = OPENING_MS + 80 * MINUTE_MS;
    const relief = result.waves.find(({ kind }) => kind === "move");
    assert.ok(relief, "two copies that share a host are parted before the rise");
    assert.ok(relief.endP95Ms <= riseMs);
    const [span] = reservedSpans(result);
    assert.ok(span && span.fromMs > OPENING_MS + 25 * MINUTE_MS, "the first waves do without");
    assert.match(result.reserve.reason, /held only while it is needed: 0\.\d host hours instead of 1\.\d$/);
    const flat = plan(sampleInput({ ...rising, shape: () => 1.5 }));
    assert.ok(result.cost.reservedHostHours < 0.7 * flat.cost.reservedHostHours);
    assert.ok((result.cost.amount ?? 0) < (flat.cost.amount ?? 0));
    for (const seed of [1, 2, 3]) simulate(input, result, pickFrom(seed));
  });

  it("is planned so from any state between two waves before and after the rise", () => {
    const input = sampleInput(rising);
    const first = plan(input);
    for (let waves = 1; waves < first.waves.length; waves++) {
      const simulation = new Simulation(input);
      for (const wave of first.waves.slice(0, waves)) simulation.runWave(wave, pickFrom(waves));
      const again = planAgain(input, first, simulation, waves);
      assert.deepEqual(again.blockers, [], `after ${String(waves)} waves`);
      for (const wave of again.waves) simulation.runWave(wave, pickFrom(waves));
      assert.equal(simulation.reserved.size, 0);
      assert.equal(simulation.updated.size, ids.length);
      assert.equal(simulation.overPaths.size, 0);
    }
  });

  it("is taken only before the wave that needs it", () => {
    const sample: Sample = {
      ...falling,
      shape: () => 1,
      // The quietest hosts come first; all of them are too small for the copies of the two last ones.
      hosts: [
        ...ids.map((id, index) => ({ id, cpuMillis: index < 6 ? 1000 : 4000 })),
        { id: "standby-1", role: "standby" },
        { id: "standby-2", role: "standby" },
      ],
      workloads: ids.map((id, index) => ({ name: `w-${id}`, on: [id], demand: [index < 6 ? 50 : 1980] })),
    };
    const result = plan(sampleInput(sample));
    const [reserved = 0] = wavesWith(result, "reserve");
    assert.ok(reserved > 2, `reserved in wave ${String(reserved)}`);
    simulate(sampleInput(sample), result, pickFrom(1));
  });

  it("keeps as many hosts warm as the pool wants, also when planned again, and within its maximum", () => {
    const pool = { name: "reserve", quantile: 0.95, maximumHosts: 2, warmHosts: 1 };
    const input = sampleInput({ ...falling, spec: { ...falling.spec, pool } });
    const result = plan(input);
    assert.deepEqual(result.reserve.hosts, ["standby-1", "standby-2"]);
    assert.match(result.reserve.reason, /^1 host is enough; 1 more kept warm/);
    const simulation = new Simulation(input);
    const [first, ...rest] = result.waves;
    assert.ok(first);
    simulation.runWave(first, pickFrom(1));
    assert.equal(simulation.reserved.size, 2);
    const again = planAgain(input, result, simulation, 1);
    assert.deepEqual(wavesWith(again, "reserve"), []);
    for (const wave of rest) simulation.runWave(wave, pickFrom(2));
    assert.equal(simulation.reserved.size, 0);
    const tight = plan({ ...input, spec: { ...input.spec, pool: { ...pool, maximumHosts: 1 } } });
    assert.deepEqual(tight.reserve.hosts, ["standby-1"]);
  });

  it("reuses standby hosts that are started already instead of starting others, where they are enough", () => {
    const standby = ["standby-1", "standby-2", "standby-3"].map((id, index) => ({
      id,
      role: "standby" as const,
      ...(index === 2 ? { host: { state: "ready" as const } } : {}),
    }));
    const sample = { ...falling, hosts: [...ids.map((id) => ({ id })), ...standby] };
    const result = plan(sampleInput(sample));
    assert.deepEqual(result.reserve.hosts, ["standby-3"]);
    const small = standby.map((one) => (one.id === "standby-3" ? { ...one, cpuMillis: 1000 } : one));
    const other = plan(sampleInput({ ...sample, hosts: [...ids.map((id) => ({ id })), ...small] }));
    assert.deepEqual(
      other.reserve.hosts,
      ["standby-1"],
      "one that is too small is no reason to start another beside it",
    );
    simulate(sampleInput(sample), result, pickFrom(1));
  });

  it("is planned from any state between two waves, and given back there as well", () => {
    const input = sampleInput(falling);
    const first = plan(input);
    const simulation = new Simulation(input);
    const [released = 0] = wavesWith(first, "release");
    for (const wave of first.waves.slice(0, released - 1)) simulation.runWave(wave, pickFrom(3));
    const again = planAgain(input, first, simulation, released - 1);
    assert.deepEqual(again.blockers, []);
    assert.equal(wavesWith(again, "release")[0], released);
    for (const wave of again.waves) simulation.runWave(wave, pickFrom(4));
    assert.equal(simulation.reserved.size, 0);
    assert.equal(simulation.updated.size, ids.length);
  });

  it("holds every host that carries copies, none twice, and keeps the promise on random fleets and demands", () => {
    let [following, reserving] = [0, 0];
    fc.assert(
      fc.property(randomBusySample(), fc.nat(), (sample, seed) => {
        const input = sampleInput(sample);
        const result = plan(input);
        if (result.decision !== "run") return;
        const simulation = simulate(input, result, pickFrom(seed));
        assert.equal(simulation.reserved.size, 0);
        const spans = reservedSpans(result);
        assert.equal(new Set(spans.map(({ host }) => host)).size, spans.length, "no host is reserved twice");
        assert.deepEqual([...new Set(spans.map(({ host }) => host))].sort(), [...result.reserve.hosts]);
        if (spans.length > 0) reserving++;
        if (renderReserveLevels(result, "UTC").length > 0) following++;
        for (const { moves, startMs, endMs } of result.waves) {
          for (const { to } of moves) {
            if (to?.startsWith("standby") !== true) continue;
            assert.ok(spans.some(({ host, fromMs, toMs }) => host === to && fromMs <= startMs && toMs > endMs));
          }
        }
      }),
      { numRuns: 120 },
    );
    assert.ok(following > 3 && reserving > following, `${String(following)} of ${String(reserving)} follow`);
  });
});

/** Fleets whose copies fill their hosts while demand is high, so that most plans need a reserve. */
function randomBusySample(): fc.Arbitrary<Sample> {
  return fc
    .record({
      demands: fc.array(fc.array(fc.integer({ min: 300, max: 1700 }), { minLength: 20, maxLength: 20 }), {
        minLength: 4,
        maxLength: 9,
      }),
      standby: fc.integer({ min: 2, max: 4 }),
      hostsAtOnce: fc.integer({ min: 1, max: 3 }),
      changesAt: fc.integer({ min: 2, max: 14 }),
      before: fc.integer({ min: 4, max: 14 }),
      after: fc.integer({ min: 4, max: 14 }),
    })
    .map(({ demands, standby, hostsAtOnce, changesAt, before, after }): Sample => ({
      hosts: [
        ...demands.map((_, index) => ({ id: `host-${String(index + 1)}` })),
        ...Array.from({ length: standby }, (_, index) => ({
          id: `standby-${String(index + 1)}`,
          role: "standby" as const,
        })),
      ],
      workloads: demands.map((demand, index) => ({
        name: `app${String(index)}`,
        on: [`host-${String(index + 1)}`],
        demand,
        workload: index === 1 ? { exclusive: true } : {},
      })),
      maximumReserveHosts: standby,
      spec: { update, limits: { ...limits, hostsAtOnce, hostsPerZone: hostsAtOnce } },
      shape: (step) => (step < changesAt ? before : after) / 10,
    }));
}

describe("the reserve of a plan over time", () => {
  it("is read from its waves as spans and levels", () => {
    const step = (kind: "reserve" | "release", hosts: readonly string[]) =>
      ({ id: kind, kind, hosts, after: [], expected: { p50Ms: 0, p95Ms: 0 } }) as const;
    const wave = (index: number, steps: readonly ReturnType<typeof step>[]) =>
      ({ index, startMs: index * 100, endMs: index * 100 + 90, steps }) as unknown as MigrationPlan["waves"][number];
    const spans = reservedSpans({
      reserve: { hosts: ["a", "b", "c"], reason: "" },
      waves: [wave(1, []), wave(2, [step("reserve", ["b", "c"])]), wave(3, [step("release", ["a", "b"])]), wave(4, [])],
    });
    assert.deepEqual(spans, [
      { host: "a", fromMs: 100, toMs: 390 },
      { host: "b", fromMs: 200, toMs: 390 },
      { host: "c", fromMs: 200, toMs: 490 },
    ]);
    assert.deepEqual(reserveLevels(spans), [
      { fromMs: 100, hosts: 1 },
      { fromMs: 200, hosts: 3 },
      { fromMs: 390, hosts: 1 },
      { fromMs: 490, hosts: 0 },
    ]);
    assert.equal(reservedHours(spans), (290 + 190 + 290) / 3_600_000);
    assert.deepEqual(reservedSpans({ reserve: { hosts: ["a"], reason: "" }, waves: [] }), []);
  });
});
