import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { CallContext } from "../../providers/drivers/contracts";
import {
  createMemoryFleet,
  createVirtualClock,
  eventsOf,
  SAMPLE_OPENING_MS,
  sampleFleet,
} from "../../providers/testing";
import type { MemoryFleet, VirtualClock } from "../../providers/testing";

const SIGNAL = new AbortController().signal;
const HEALTH = { path: "/healthz", intervalMs: 500, timeoutMs: 250 };

function createFixture(seed = 1): { readonly clock: VirtualClock; readonly fleet: MemoryFleet } {
  const clock = createVirtualClock(SAMPLE_OPENING_MS);
  return { clock, fleet: createMemoryFleet(sampleFleet(), clock, seed) };
}

function context(key: string, epoch = 1): CallContext {
  return { key, epoch, owner: "run-1", signal: SIGNAL };
}

/** Surges pricing from host-01 to host-03. */
async function surgePricing({ clock, fleet }: { clock: VirtualClock; fleet: MemoryFleet }): Promise<void> {
  const { workloads, traffic } = fleet.platform;
  const spec = await workloads.describe("host-01", "pricing-0", SIGNAL);
  const copy = await workloads.start("host-03", { ...spec, replica: "pricing-1" }, context("start"));
  await clock.sleep(5000);
  await traffic.setBackend(
    "pricing",
    { replica: copy.id, address: copy.address ?? "", weight: 1, health: HEALTH },
    context("admit"),
  );
  const service = (await traffic.observe(SIGNAL)).find((candidate) => candidate.name === "pricing");
  const old = service?.backends.find((backend) => backend.replica === "pricing-0");
  assert.ok(old);
  await traffic.setBackend("pricing", { ...old, weight: 0, health: HEALTH }, context("drain"));
  await clock.sleep(3000);
  await workloads.stop("host-01", "pricing-0", 1000, context("stop"));
  await traffic.removeBackend("pricing", "pricing-0", context("remove"));
}

/** Hands the ledger over from host-02 to host-04. */
async function handOverLedger({ clock, fleet }: { clock: VirtualClock; fleet: MemoryFleet }): Promise<number> {
  const { workloads, traffic } = fleet.platform;
  const spec = await workloads.describe("host-02", "ledger-0", SIGNAL);
  const copy = await workloads.start("host-04", { ...spec, replica: "ledger-1", standby: true }, context("start"));
  await clock.sleep(5000);
  const token = { token: "t1", service: "ledger", deadline: clock.now() + 2000 };
  await traffic.park("ledger", token, context("park"));
  await workloads.quiesce("host-02", "ledger-0", token, context("quiesce"));
  const state = await workloads.snapshot("host-02", "ledger-0", context("snapshot"));
  const restored = await workloads.restore(
    "host-04",
    "ledger-1",
    { host: "host-02", replica: "ledger-0", state },
    token,
    context("restore"),
  );
  assert.equal(restored.sha256, state.sha256);
  await traffic.cutOver(
    "ledger",
    "t1",
    { replica: "ledger-1", address: copy.address ?? "", health: HEALTH },
    context("cut-over"),
  );
  await workloads.activate("host-04", "ledger-1", context("activate"));
  const { pauseMs } = await traffic.unpark("ledger", "t1", context("unpark"));
  await clock.sleep(5000);
  await workloads.stop("host-02", "ledger-0", 1000, context("stop"));
  return pauseMs;
}

describe("testing: the in-memory fleet", () => {
  it("surges a workload without a failed request or a moment below its budget", async () => {
    const fixture = createFixture();
    await fixture.clock.run(() => surgePricing(fixture));
    assert.deepEqual(fixture.fleet.placements()["pricing"], ["host-03"]);
    assert.deepEqual(eventsOf(fixture.fleet.events, "requests-failed"), []);
    const availability = eventsOf(fixture.fleet.events, "availability").filter((event) => event.workload === "pricing");
    assert.deepEqual(
      availability.map((event) => event.available),
      [1, 2, 1],
    );
  });

  it("hands an exclusive workload over without losing an acknowledged write", async () => {
    const fixture = createFixture();
    const pauseMs = await fixture.clock.run(() => handOverLedger(fixture));
    assert.ok(pauseMs > 200 && pauseMs < 2000, `pause of ${String(pauseMs)} ms`);
    assert.ok(fixture.fleet.acknowledgedWrites("ledger") > 50);
    assert.equal(fixture.fleet.lostWrites("ledger"), 0);
    assert.deepEqual(eventsOf(fixture.fleet.events, "writes-lost"), []);
    assert.deepEqual(eventsOf(fixture.fleet.events, "dual-writers"), []);
    assert.deepEqual(eventsOf(fixture.fleet.events, "requests-failed"), []);
  });

  it("gives the same events for the same seed and others for another", async () => {
    const runOnce = async (seed: number): Promise<string> => {
      const fixture = createFixture(seed);
      await fixture.clock.run(() => handOverLedger(fixture));
      await fixture.clock.run(() => surgePricing(fixture));
      return JSON.stringify(fixture.fleet.events);
    };
    assert.equal(await runOnce(7), await runOnce(7));
    assert.notEqual(await runOnce(7), await runOnce(8));
  });
});
