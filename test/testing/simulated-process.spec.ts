import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import {
  createMemoryFleet,
  createMemoryRunStore,
  createSimulatedProcess,
  createVirtualClock,
  eventsOf,
  SAMPLE_OPENING_MS,
  sampleFleet,
  SimulatedCrash,
} from "../../providers/testing";
import type { JournalEntry } from "../../sdk/model";

const SIGNAL = new AbortController().signal;

function createFixture() {
  const clock = createVirtualClock(SAMPLE_OPENING_MS);
  const store = createMemoryRunStore(clock);
  const fleet = createMemoryFleet(sampleFleet(), clock, 1);
  const owner = createSimulatedProcess("runner-1", clock);
  return { clock, store, fleet, owner, platform: fleet.asProcess(owner), ownStore: store.asProcess(owner) };
}

function entry(text: string): JournalEntry {
  return { v: 1, at: SAMPLE_OPENING_MS, epoch: 1, kind: "notice", text };
}

function contextOf(key: string) {
  return { key, epoch: 1, owner: "run-1", signal: SIGNAL };
}

describe("testing: simulated processes", () => {
  it("crash after the n-th entry is stored, and the writer never hears of it", async () => {
    const { clock, store, owner, ownStore } = createFixture();
    owner.crashAfterEntries(3);
    const seen: string[] = [];
    const write = async (): Promise<void> => {
      try {
        await ownStore.append("run-1", 0, [entry("one")]);
        seen.push("first");
        await ownStore.append("run-1", 1, [entry("two"), entry("three")]);
        seen.push("second");
      } finally {
        seen.push("finally");
      }
    };
    await assert.rejects(
      clock.run(() => owner.run(write)),
      (error: unknown) => error instanceof SimulatedCrash && error.message.includes("runner-1"),
    );
    await clock.advance(60_000);
    assert.deepEqual(seen, ["first"]);
    assert.equal(store.entriesOf("run-1").length, 3);
    assert.equal(owner.isAlive, false);
  });

  it("have no effect after their death", async () => {
    const { clock, fleet, store, owner, platform, ownStore } = createFixture();
    const mark = { owner: "run-1", expiresAt: SAMPLE_OPENING_MS + 60_000 };
    const work = async (): Promise<void> => {
      await platform.hosts.cordon("host-01", mark, contextOf("one"));
      await owner.clock.sleep(1000);
      await platform.hosts.cordon("host-02", mark, contextOf("two"));
      await ownStore.append("run-1", 0, [entry("never")]);
    };
    clock.after(500, () => {
      owner.kill();
    });
    await assert.rejects(
      clock.run(() => owner.run(work)),
      SimulatedCrash,
    );
    void platform.hosts.cordon("host-03", mark, contextOf("three"));
    await clock.advance(60_000);
    assert.deepEqual(
      eventsOf(fleet.events, "effect").map((event) => event.key),
      ["one"],
    );
    assert.deepEqual(await store.list(), []);
  });

  it("leave a call on the wire that was sent before the death", async () => {
    const { clock, fleet, owner, platform } = createFixture();
    const work = (): Promise<unknown> =>
      platform.hosts.reboot("host-06", contextOf("reboot")).then(() => assert.fail("a dead process hears nothing"));
    clock.after(1, () => {
      owner.kill();
    });
    await assert.rejects(
      clock.run(() => owner.run(work)),
      SimulatedCrash,
    );
    await clock.advance(10);
    assert.equal(eventsOf(fleet.events, "effect").length, 1);
  });

  it("run to their end when nothing kills them", async () => {
    const { clock, owner, platform } = createFixture();
    const hosts = await clock.run(() => owner.run(() => platform.hosts.list(SIGNAL)));
    assert.equal(hosts.length, 7);
    assert.equal(platform.name, "sample");
  });
});
