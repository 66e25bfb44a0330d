import { strict as assert } from "node:assert";

import { messageOf, type HostUpdateSpec, type Move, type RunState } from "../../sdk/model";
import { eventsOf, sampleForecast, type Fault, type MemoryFleetSpec } from "../../providers/testing";
import { giveBack } from "../../providers/runner/give-back";
import { assertKept, createRunFixture, quickFleet, quickSpec, RUN, type RunFixture } from "./run-fixture";
import { assertSurvivesCrashes, crash } from "./crashes";

const PRICING_FN = { function: "pricing-fn", requestsPerSecond: 1000, coldStartMs: 2000, cpuMsPerRequest: 5 };

/** Pricing runs on the only host that has room for it; a function can serve its requests. */
function burstFleet(options: Parameters<typeof quickFleet>[0] = {}): {
  readonly fleet: MemoryFleetSpec;
  readonly spec: HostUpdateSpec;
} {
  const fleet = quickFleet(options);
  const memoryBytes = fleet.hosts[0]?.capacity.memoryBytes ?? 0;
  const request = { cpuMillis: 200, memoryBytes: 2 * memoryBytes };
  const spec = quickSpec();
  return {
    fleet: {
      ...fleet,
      functions: [{ name: "pricing-fn", requestsPerSecond: 1000 }],
      hosts: fleet.hosts.map((host) =>
        host.id === "host-06" ? { ...host, capacity: { ...host.capacity, memoryBytes: 4 * memoryBytes } } : host,
      ),
      workloads: fleet.workloads.map((workload) =>
        workload.name === "pricing" ? { ...workload, hosts: ["host-06"], request } : workload,
      ),
    },
    spec: {
      ...spec,
      islands: spec.islands.map((island) => ({
        ...island,
        workloads: island.workloads.map((workload) =>
          workload.name === "pricing" ? { ...workload, request, burst: PRICING_FN } : workload,
        ),
      })),
    },
  };
}

function fixtureOf(
  options?: Parameters<typeof quickFleet>[0],
  change?: (spec: HostUpdateSpec) => HostUpdateSpec,
): RunFixture {
  const { fleet, spec } = burstFleet(options);
  return createRunFixture({
    fleet,
    spec: change ? change(spec) : spec,
    forecast: sampleForecast({ scale: 0.5 }),
    isMemoryOnly: true,
  });
}

function burstsOf(state: RunState): readonly Move[] {
  return state.waves.flatMap(({ moves }) => moves.filter(({ method }) => method === "burst"));
}

async function endpointsOf(fixture: RunFixture): Promise<readonly string[]> {
  const { endpoints = [] } = await fixture.clock.run(() => fixture.observe());
  return endpoints.map(({ id }) => id);
}

describe("a run in which a function stands in for a copy", () => {
  it("serves by the function while the host is updated, loses no request, and brings the copy back", async () => {
    const fixture = fixtureOf();
    const state = await fixture.run();
    assert.equal(state.phase, "done", state.phaseReason);
    assertKept(fixture);
    const [move] = burstsOf(state);
    assert.ok(move?.standIn);
    const { endpoint } = move.standIn;
    const served = eventsOf(fixture.fleet.events, "availability").filter(({ workload }) => workload === "pricing");
    assert.ok(served.some(({ serving }) => serving.length === 1 && serving[0]?.replica === endpoint));
    assert.ok(served.every(({ available }) => available >= 1));
    assert.deepEqual(fixture.fleet.placements()["pricing"], ["host-06"]);
    assert.deepEqual(await endpointsOf(fixture), []);
  });

  it("gives it traffic only once it is warm", async () => {
    const fixture = fixtureOf();
    await fixture.run();
    const events = fixture.fleet.events;
    const began = eventsOf(events, "replica").find(({ host }) => host === "functions/pricing-fn")?.atMs ?? 0;
    const admitted = eventsOf(events, "availability").find(({ serving }) =>
      serving.some(({ host }) => host === "functions/pricing-fn"),
    );
    assert.ok(
      began > 0 && admitted && admitted.atMs - began >= 2000,
      `${String(admitted?.atMs)} after ${String(began)}`,
    );
  });

  it("is as before when the update fails: the copy serves, the function is gone", async () => {
    const fixture = fixtureOf({ failingHosts: ["host-06"] });
    const state = await fixture.run();
    assert.equal(state.phase, "failed");
    assertKept(fixture);
    assert.deepEqual(await endpointsOf(fixture), []);
    assert.deepEqual(fixture.fleet.placements()["pricing"], ["host-06"]);
    assert.equal(fixture.fleet.versions()["host-06"], "v1");
  });

  it("leaves the function serving, and says so, where the host can be neither updated nor undone", async () => {
    const fixture = fixtureOf({ failingHosts: ["host-06"] }, (spec) => ({
      ...spec,
      update: { ...spec.update, undo: "no such command" },
    }));
    const state = await fixture.run();
    assert.equal(state.phase, "failed");
    const [endpoint = ""] = await endpointsOf(fixture);
    assert.ok(endpoint.startsWith("pricing-fn-"));
    const told = JSON.stringify(state.failure?.notUndone);
    assert.match(told, new RegExp(`${endpoint} of function pricing-fn for pricing-0`));
    assertKept(fixture);
  });

  for (const [name, fault] of [
    ["cannot be deployed", { call: "functions.deploy", times: 9, effect: { kind: "refuse" } }],
    ["never becomes ready", { call: "functions.deploy", effect: { kind: "partial" } }],
  ] as const satisfies readonly (readonly [string, Fault])[]) {
    it(`undoes the wave when a function ${name}`, async () => {
      const fixture = fixtureOf();
      fixture.fleet.inject(fault);
      const state = await fixture.run();
      assert.equal(state.phase, "failed");
      assertKept(fixture);
      assert.deepEqual(await endpointsOf(fixture), []);
      assert.deepEqual(fixture.fleet.placements()["pricing"], ["host-06"]);
    });
  }

  it("is given back where the function does not serve, with its backend, and named where it does", async () => {
    const whole = fixtureOf();
    await whole.run();
    const entries = whole.store.entriesOf(RUN);
    for (const [step, isNamed] of [
      ["deploy-function", false],
      ["admit", true],
      ["drain", false],
    ] as const) {
      const isMeant = new RegExp(`/${step}/pricing-fn`);
      const at = entries.findIndex((entry) => entry.kind === "step-done" && isMeant.test(entry.id));
      assert.ok(at > 0, step);
      const fixture = fixtureOf();
      await fixture.clock.run(async () => {
        await crash(fixture, at + 1);
        // What moved to the reserve keeps that, which is told as well.
        const told = await giveBack(RUN, fixture.dependencies()).then(() => "", messageOf);
        assert.equal(/functions still stand in: pricing-fn-\w+ for pricing; reserve /.test(told), isNamed, told);
        const { endpoints = [], services } = await fixture.observe();
        assert.equal(endpoints.length, isNamed ? 1 : 0, step);
        const backends = services.flatMap((service) => service.backends.map(({ replica }) => replica));
        assert.equal(
          backends.some((replica) => replica.startsWith("pricing-fn-")),
          isNamed,
          step,
        );
      });
    }
  });

  it("ends in the same state where its process dies after any entry about the function, also while it is undone", async () => {
    for (const options of [{}, { failingHosts: ["host-06"] }]) {
      await assertSurvivesCrashes(() => fixtureOf(options), {
        steps: /pricing-fn|pricing-0/,
        least: 12,
        assertEnd: async (fixture, when) => {
          assert.deepEqual(await endpointsOf(fixture), [], when);
        },
      });
    }
  }).timeout(60_000);
});
