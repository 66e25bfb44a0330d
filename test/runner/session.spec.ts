import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { carryOut, createRun, endRun, giveBack, readRun } from "../../providers/runner/run";
import { hostResource, LEASE_TTL_MS, runResource } from "../../providers/runner/leases";
import { eventsOf } from "../../providers/testing";
import { InterruptedError, isKind } from "../../sdk/model";
import { assertKept, createRunFixture, describeEnd, quickFleet, quickSpec, RUN } from "./run-fixture";
import type { RunFixture } from "./run-fixture";

function createQuickFixture(): RunFixture {
  return createRunFixture({ fleet: quickFleet(), spec: quickSpec() });
}

/** Times at which effects took place. */
function effectTimes({ fleet }: RunFixture): readonly number[] {
  return eventsOf(fleet.events, "effect").map((event) => event.atMs);
}

describe("runner: leases and stopping", () => {
  it("reserves before the first cordon, and cordons nothing when the reserve is not to be had", async () => {
    const good = createQuickFixture();
    await good.run();
    const calls = eventsOf(good.fleet.events, "effect").map((event) => event.call);
    assert.ok(calls.includes("capacity.reserve"));
    assert.ok(calls.indexOf("capacity.reserve") < calls.indexOf("hosts.cordon"));

    const bad = createQuickFixture();
    await bad.clock.run(() => bad.arm());
    bad.fleet.inject({ call: "capacity.reserve", effect: { kind: "refuse", message: "the pool is empty" } });
    const state = await bad.carryOn();
    assert.equal(state.phase, "failed");
    assert.equal(state.failure?.step, "reserve");
    assert.equal(state.failure.subject, "standby-01");
    assert.ok(!eventsOf(bad.fleet.events, "effect").some((event) => event.call === "hosts.cordon"));
    assertKept(bad);
  });

  it("stops at a step border when told to, keeps its state, and goes on to the same end", async () => {
    const whole = createQuickFixture();
    await whole.run();
    for (const afterMs of [1, 3000, 9000, 20_000]) {
      const fixture = createQuickFixture();
      await fixture.clock.run(() => fixture.arm());
      const stop = new AbortController();
      fixture.clock.after(afterMs, () => {
        stop.abort();
      });
      await assert.rejects(
        fixture.clock.run(() => carryOut(RUN, fixture.dependencies(undefined, stop.signal))),
        InterruptedError,
      );
      const stopped = await readRun(fixture.store, RUN);
      assert.ok(stopped && (stopped.phase === "running" || stopped.phase === "armed"));
      assert.ok(!stopped.steps.some(({ status, step }) => status !== "done" && step.kind !== "soak"));
      assert.deepEqual(fixture.store.liveLeases(), []);
      assert.equal((await fixture.carryOn()).phase, "done");
      assertKept(fixture);
      assert.deepEqual(await describeEnd(fixture), await describeEnd(whole));
    }
  });

  it("stops when the store says so, with the reason", async () => {
    const fixture = createQuickFixture();
    await fixture.clock.run(() => fixture.arm());
    const stopAt = fixture.clock.now() + 5000;
    const deps = {
      ...fixture.dependencies(),
      stopRequested: () => Promise.resolve(fixture.clock.now() >= stopAt ? "paused by anna" : undefined),
    };
    await assert.rejects(
      fixture.clock.run(() => carryOut(RUN, deps)),
      /paused by anna/,
    );
    assert.equal((await fixture.carryOn()).phase, "done");
    assertKept(fixture);
  });

  it("has no effect any more once its lease is lost, and whoever took it carries the run on", async () => {
    for (const resource of [runResource(RUN), hostResource("sample", "host-05")]) {
      const fixture = createQuickFixture();
      await fixture.clock.run(() => fixture.arm());
      let stolenAt = 0;
      fixture.clock.after(8000, () => {
        stolenAt = fixture.clock.now();
        fixture.store.stealLease(resource, "thief", 2000);
      });
      await assert.rejects(fixture.carryOn(), (error) => isKind(error, "LeaseLostError"));
      // One renewal interval, and calls that were on the wire.
      const last = Math.max(...effectTimes(fixture));
      assert.ok(last <= stolenAt + LEASE_TTL_MS / 3 + 1000, `an effect ${String(last - stolenAt)} ms after the loss`);
      await fixture.clock.run(() => fixture.clock.sleep(LEASE_TTL_MS));
      const state = await fixture.carryOn();
      assert.equal(state.phase, "done");
      assertKept(fixture);
    }
  });

  it("stops when wall time jumps, for its leases can no longer be proven", async () => {
    const fixture = createQuickFixture();
    await fixture.clock.run(() => fixture.arm());
    fixture.clock.after(8000, () => {
      fixture.clock.shiftWallTime(60_000);
    });
    await assert.rejects(fixture.carryOn(), /wall time moved/);
    await fixture.clock.run(() => fixture.clock.sleep(LEASE_TTL_MS));
    assert.equal((await fixture.carryOn()).phase, "done");
  });

  it("outlives a store that does not answer for a moment, and stops when it stays away", async () => {
    const short = createQuickFixture();
    await short.clock.run(() => short.arm());
    short.store.fail({ call: "append", skip: 20, times: 2, code: "unavailable", isDone: true });
    short.store.fail({ call: "renew", skip: 30, times: 5, code: "unavailable" });
    assert.equal((await short.carryOn()).phase, "done");
    assertKept(short);

    const long = createQuickFixture();
    await long.clock.run(() => long.arm());
    long.store.fail({ call: "append", skip: 20, times: 100, code: "full" });
    await assert.rejects(long.carryOn(), (error) => isKind(error, "StoreError"));
    const last = Math.max(...effectTimes(long));
    await long.clock.run(() => long.clock.sleep(60_000));
    assert.equal(Math.max(...effectTimes(long)), last);
  });

  it("stops when its credentials are refused, undoes nothing with them, and goes on with good ones", async () => {
    for (const call of ["hosts.startUpdate", "workloads.start", "hosts.list"]) {
      const fixture = createQuickFixture();
      await fixture.clock.run(() => fixture.arm());
      fixture.fleet.inject({ call, nth: 2, effect: { kind: "refuse", code: "unauthorized" } });
      await assert.rejects(
        fixture.carryOn(),
        (error) => isKind(error, "InterruptedError") && String(error).includes("credentials are refused"),
      );
      const stopped = await readRun(fixture.store, RUN);
      assert.equal(stopped?.failure, undefined);
      assert.deepEqual(fixture.store.liveLeases(), [], "the next owner need not wait");
      const effects = effectTimes(fixture).length;
      await fixture.clock.run(() => fixture.clock.sleep(60_000));
      assert.equal(effectTimes(fixture).length, effects);
      assert.equal((await fixture.carryOn()).phase, "done");
      assertKept(fixture);
    }
  });

  it("says what is wrong when the hosts were worked on from another run store", async () => {
    const other = createQuickFixture();
    await other.clock.run(() => other.arm());
    other.fleet.inject({ call: "hosts.cordon", effect: { kind: "refuse", code: "stale-epoch" } });
    await assert.rejects(
      other.carryOn(),
      (error) =>
        isKind(error, "StoreError") && /no newer owner is in run store.*another run store/s.test(String(error)),
    );
  });

  it("names the owner when another process has the run or one of its hosts", async () => {
    const fixture = createQuickFixture();
    await fixture.clock.run(() => fixture.arm());
    fixture.store.stealLease(hostResource("sample", "host-03"), "other-run", 60_000);
    await assert.rejects(
      fixture.carryOn(),
      (error) => isKind(error, "LeaseHeldError") && String(error).includes("other-run"),
    );
    assert.equal(eventsOf(fixture.fleet.events, "effect").length, 0);
    await fixture.clock.run(() => fixture.clock.sleep(60_000));
    assert.equal((await fixture.carryOn()).phase, "done");
  });

  it("fences off the earlier owner of a run that it takes over", async () => {
    const fixture = createQuickFixture();
    await fixture.clock.run(() => fixture.arm());
    const first = fixture.createProcess();
    first.crashAfterEntries(30);
    await assert.rejects(fixture.clock.run(() => first.run(() => carryOut(RUN, fixture.dependencies(first)))));
    await fixture.clock.run(() => fixture.clock.sleep(LEASE_TTL_MS));
    await fixture.carryOn();
    const fenced = eventsOf(fixture.fleet.events, "effect").filter((event) => event.call === "hosts.fenceOff");
    assert.deepEqual(
      [...new Set(fenced.map((event) => event.subject))].filter((host) => host.startsWith("host")).length,
      6,
    );
    assert.ok(fenced.every((event) => event.epoch === 2));
  });

  it("does nothing a second time", async () => {
    const fixture = createQuickFixture();
    await fixture.run();
    const before = fixture.store.entriesOf(RUN);
    assert.equal((await fixture.carryOn()).phase, "done");
    assert.deepEqual(fixture.store.entriesOf(RUN), before);

    const effects = effectTimes(fixture).length;
    const state = await fixture.clock.run(async () => {
      const earlier = await readRun(fixture.store, RUN);
      assert.ok(earlier);
      const { plan, bundle } = earlier;
      await createRun(fixture.dependencies(), { runId: "kernel-2", spec: fixture.spec, plan, bundle, phase: "armed" });
      return carryOut("kernel-2", fixture.dependencies());
    });
    assert.equal(state.phase, "done");
    assert.deepEqual(state.steps, []);
    assert.equal(effectTimes(fixture).length, effects);
  });

  it("gives back what an interrupted run holds, without touching workloads", async () => {
    const fixture = createQuickFixture();
    await fixture.clock.run(() => fixture.arm());
    const stop = new AbortController();
    // After the reserve is there and the canary is cordoned, before a copy has moved to the reserve.
    const deps = fixture.dependencies(undefined, stop.signal);
    const { hosts } = deps.platform;
    const stopping = {
      ...hosts,
      cordon: async (...args: Parameters<typeof hosts.cordon>) => {
        await hosts.cordon(...args);
        stop.abort();
      },
    };
    const platform = { ...deps.platform, hosts: Object.assign(Object.create(hosts) as typeof hosts, stopping) };
    await assert.rejects(
      fixture.clock.run(() => carryOut(RUN, { ...deps, platform })),
      InterruptedError,
    );
    const placements = fixture.fleet.placements();
    await fixture.clock.run(async () => {
      await giveBack(RUN, fixture.dependencies());
      await endRun(RUN, "cancelled", "its resource was deleted", fixture.dependencies());
    });
    const fleet = await fixture.clock.run(() => fixture.observe());
    assert.deepEqual(
      fleet.hosts.filter((host) => host.cordoned !== undefined || host.reserved !== undefined),
      [],
    );
    assert.deepEqual(fixture.fleet.placements(), placements);
    assert.equal((await readRun(fixture.store, RUN))?.phase, "cancelled");
    assert.deepEqual(fixture.store.liveLeases(), []);
  });
});
