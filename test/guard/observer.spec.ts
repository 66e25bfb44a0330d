import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { CallContext } from "../../providers/drivers/contracts";
import { observeContinuously } from "../../providers/guard/observer";
import type { ObserverResult } from "../../providers/guard/observer";
import {
  createMemoryFleet,
  createMemoryRunStore,
  createVirtualClock,
  SAMPLE_OPENING_MS,
  sampleFleet,
} from "../../providers/testing";
import { NO_ABORT } from "../drivers/contract";

function createFixture() {
  const clock = createVirtualClock(SAMPLE_OPENING_MS);
  const fleet = createMemoryFleet(sampleFleet(), clock, 1);
  const store = createMemoryRunStore(clock);
  const watchDuring = (task: () => Promise<void>): Promise<ObserverResult> =>
    clock.run(async () => {
      const stop = new AbortController();
      const watching = observeContinuously({
        platform: fleet.platform,
        clock,
        everyMs: 200,
        signal: stop.signal,
        probe: { probe: "version", expect: "v2" },
        leases: { store: store.leases, resources: ["host/host-01"] },
      });
      await task();
      stop.abort();
      return watching;
    });
  return { clock, fleet, store, watchDuring };
}

function contextOf(key: string): CallContext {
  return { key, epoch: 1, owner: "run-1", signal: NO_ABORT };
}

describe("guard: the observer", () => {
  it("changes nothing and keeps only what changes", async () => {
    const { clock, fleet, watchDuring } = createFixture();
    const seen = await watchDuring(() => clock.sleep(60_000));
    assert.equal(fleet.calls.mutations.size, 0);
    assert.ok(seen.samples > 200);
    assert.equal(seen.missed, 0);
    const front = seen.availability.filter((sample) => sample.workload === "front");
    assert.equal(front.length, 2, "the first and the last");
    assert.equal(front[0]?.serving.length, 6);
    assert.equal(seen.last?.probes?.["host-01"], "v1");
  });

  it("sees what the fleet itself has logged", async () => {
    const { clock, fleet, watchDuring } = createFixture();
    const { traffic } = fleet.platform;
    const seen = await watchDuring(async () => {
      await clock.sleep(1000);
      const service = (await traffic.observe(NO_ABORT)).find((candidate) => candidate.name === "front");
      const backend = service?.backends[0];
      assert.ok(backend);
      const health = { path: "/", intervalMs: 500, timeoutMs: 250 };
      await traffic.setBackend("front", { ...backend, weight: 0, health }, contextOf("drain"));
      await clock.sleep(1000);
      await fleet.platform.hosts.reboot("host-02", contextOf("reboot"));
      await clock.sleep(60_000);
    });
    const counts = (
      samples: readonly { readonly workload: string; readonly serving: readonly unknown[] }[],
      name: string,
    ) =>
      samples
        .filter((sample) => sample.workload === name)
        .map((sample) => sample.serving.length)
        .filter((count, index, all) => count !== all[index - 1]);
    for (const workload of ["front", "pricing", "ledger", "reports"]) {
      assert.deepEqual(
        counts(seen.availability, workload),
        counts(fleet.observations().availability, workload),
        workload,
      );
    }
  });

  it("measures a pause as no longer than it was", async () => {
    const { clock, fleet, watchDuring } = createFixture();
    const { traffic } = fleet.platform;
    const seen = await watchDuring(async () => {
      const token = { token: "t", service: "ledger", deadline: clock.now() + 5000 };
      await traffic.park("ledger", token, contextOf("park"));
      await clock.sleep(1500);
      await traffic.unpark("ledger", "t", contextOf("unpark"));
      await clock.sleep(1000);
    });
    const [pause] = seen.pauses;
    assert.equal(pause?.workload, "ledger");
    assert.ok(pause.pauseMs > 1000 && pause.pauseMs <= 1510, String(pause.pauseMs));
  });

  it("tells two hand-overs apart that follow each other between two looks", async () => {
    const { clock, fleet, watchDuring } = createFixture();
    const { traffic } = fleet.platform;
    const seen = await watchDuring(async () => {
      for (const token of ["first", "second"]) {
        const deadline = clock.now() + 5000;
        await traffic.park("ledger", { token, service: "ledger", deadline }, contextOf(`park ${token}`));
        await clock.sleep(2000);
        await traffic.unpark("ledger", token, contextOf(`unpark ${token}`));
      }
      await clock.sleep(1000);
    });
    assert.equal(seen.pauses.length, 2);
    for (const { pauseMs } of seen.pauses) assert.ok(pauseMs > 1000 && pauseMs <= 2010, String(pauseMs));
  });

  it("counts samples without an answer and goes on", async () => {
    const { clock, fleet, watchDuring } = createFixture();
    fleet.inject({ call: "traffic.observe", nth: 3, times: 4, effect: { kind: "refuse" } });
    fleet.inject({ call: "hosts.list", nth: 20, effect: { kind: "slow", ms: 60_000 } });
    const seen = await watchDuring(() => clock.sleep(120_000));
    assert.equal(seen.missed, 5);
    assert.ok(seen.samples > 100);
  });

  it("notes each owner of a lease", async () => {
    const { clock, store, watchDuring } = createFixture();
    const seen = await watchDuring(async () => {
      await store.leases.acquire("host/host-01", "one", 5000);
      await clock.sleep(10_000);
      await store.leases.acquire("host/host-01", "two", 5000);
      await clock.sleep(1000);
    });
    assert.deepEqual(
      seen.leases.map((lease) => [lease.owner, lease.epoch]),
      [
        ["one", 1],
        ["two", 2],
      ],
    );
  });
});
