import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { hostResource, RunLeases, runResource } from "../../providers/runner/leases";
import type { MemoryRunStore, VirtualClock } from "../../providers/testing";
import { createMemoryRunStore, createVirtualClock } from "../../providers/testing";
import { isKind } from "../../sdk/model";

const TTL_MS = 15_000;
const RUN = runResource("run-1");
const HOST = hostResource("fleet", "host-01");

function createLeases(
  owner = "one",
  clock: VirtualClock = createVirtualClock(1_000_000),
  store: MemoryRunStore = createMemoryRunStore(clock),
): { clock: VirtualClock; store: MemoryRunStore; leases: RunLeases } {
  const names = { run: "run-1", platform: "fleet" };
  return { clock, store, leases: new RunLeases(store.leases, clock, owner, names, TTL_MS) };
}

describe("runner: leases", () => {
  it("are renewed for as long as they are needed, and free right after", async () => {
    const { clock, store, leases } = createLeases();
    await clock.run(() => leases.acquire([RUN, HOST]));
    await clock.advance(10 * TTL_MS);
    leases.assertHeld();
    assert.equal(store.liveLeases().length, 2);
    await clock.run(() => leases.release());
    assert.deepEqual(store.liveLeases(), []);
    await clock.advance(10 * TTL_MS);
    assert.equal(clock.pendingTimers, 0);
  });

  it("have an epoch that grows with every owner", async () => {
    const { clock, store, leases } = createLeases();
    await clock.run(() => leases.acquire([RUN, HOST]));
    assert.equal(leases.epochOf("run"), 1);
    await clock.run(() => leases.release());
    const other = createLeases("two", clock, store).leases;
    await clock.run(() => other.acquire([RUN, HOST]));
    assert.equal(other.epochOf({ host: "host-01" }), 2);
    assert.throws(() => other.epochOf({ host: "host-99" }), /was not taken/);
    await clock.run(() => other.release());
  });

  it("are not taken from an owner that still has them", async () => {
    const { clock, store, leases } = createLeases();
    await clock.run(() => leases.acquire([HOST]));
    const other = createLeases("two", clock, store).leases;
    await assert.rejects(
      clock.run(() => other.acquire([RUN, HOST])),
      (error) => isKind(error, "LeaseHeldError") && String(error).includes("one"),
    );
    await clock.run(() => other.release());
    await clock.run(() => leases.release());
  });

  it("count as lost when another owner has them, with the reason", async () => {
    const { clock, store, leases } = createLeases();
    await clock.run(() => leases.acquire([RUN]));
    store.stealLease(RUN, "thief", TTL_MS);
    await clock.advance(TTL_MS / 3 + 1);
    assert.equal(leases.signal.aborted, true);
    assert.match(String(leases.signal.reason), /thief has it now/);
    assert.throws(() => {
      leases.assertHeld();
    }, /thief/);
    await clock.run(() => leases.release());
    assert.equal(store.liveLeases()[0]?.owner, "thief");
  });

  it("are asked for a longer time while renewing is slow, so that they do not run out, and not for ever", async () => {
    const { clock, store, leases } = createLeases();
    let takesMs = 6000;
    const asked: number[] = [];
    const renew = store.leases.renew.bind(store.leases);
    store.leases.renew = async (lease, ttlMs) => {
      asked.push(ttlMs);
      await clock.sleep(takesMs);
      return renew(lease, ttlMs);
    };
    await clock.run(() => leases.acquire([RUN, HOST]));
    for (let second = 0; second < 120; second++) {
      await clock.advance(1000);
      leases.assertHeld();
    }
    assert.equal(Math.max(...asked), 36_000, "six times what a renewal takes");
    takesMs = 200_000;
    await clock.advance(36_000);
    assert.throws(() => {
      leases.assertHeld();
    }, /not renewed for/);
    await clock.run(() => leases.release());

    const again = createLeases("two", clock, store).leases;
    takesMs = 10;
    await clock.advance(4 * TTL_MS);
    await clock.run(() => again.acquire([RUN]));
    await clock.advance(10 * TTL_MS);
    assert.equal(asked.at(-1), TTL_MS);
    again.assertHeld();
    await clock.run(() => again.release());
  });

  it("count as lost when the store has not answered for their whole time, and not before", async () => {
    const { clock, store, leases } = createLeases();
    await clock.run(() => leases.acquire([RUN]));
    store.fail({ call: "renew", times: 1000, code: "unavailable" });
    await clock.advance(TTL_MS - 1);
    leases.assertHeld();
    await clock.advance(2);
    assert.throws(() => {
      leases.assertHeld();
    }, /not renewed/);
    await clock.run(() => leases.release());
  });

  it("count as lost when the wall clock jumps either way by more than a quarter of their time", async () => {
    for (const jumpMs of [TTL_MS / 4 + 2, -(TTL_MS / 4 + 2)]) {
      const { clock, leases } = createLeases();
      await clock.run(() => leases.acquire([RUN]));
      clock.shiftWallTime(jumpMs / 2);
      leases.assertHeld();
      clock.shiftWallTime(jumpMs / 2);
      assert.throws(() => {
        leases.assertHeld();
      }, /wall time moved/);
      await clock.run(() => leases.release());
    }
  });
});
