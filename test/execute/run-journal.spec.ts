import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { RunJournal } from "../../providers/execute/run-journal";
import type { MemoryRunStore, VirtualClock } from "../../providers/testing";
import { createMemoryRunStore, createVirtualClock } from "../../providers/testing";
import { isKind } from "../../sdk/model";
import type { JournalEvent } from "../../sdk/model";
import { createRunFixture, RUN } from "../runner/run-fixture";

const DECISION: JournalEvent = { kind: "decision", text: "a decision" };

/** A journal of a run that was created and nothing else. */
async function openJournal(): Promise<{ clock: VirtualClock; store: MemoryRunStore; journal: RunJournal }> {
  const { clock, store } = await createArmed();
  return { clock, store, journal: await RunJournal.open(store, RUN, clock, 1) };
}

async function createArmed(): Promise<{ clock: VirtualClock; store: MemoryRunStore }> {
  const fixture = createRunFixture();
  await fixture.clock.run(() => fixture.arm());
  return fixture;
}

describe("execute: the run's journal", () => {
  it("is empty for a run that was never created", async () => {
    const clock = createVirtualClock(0);
    const journal = await RunJournal.open(createMemoryRunStore(clock), "none", clock, 1);
    assert.equal(journal.isEmpty, true);
  });

  it("stores what is written at once in one batch, and shows it only once it is stored", async () => {
    const { store, journal } = await openJournal();
    const before = (await store.read(RUN)).nextSeq;
    const first = journal.write(DECISION);
    const others = [journal.write(DECISION, DECISION), journal.write(DECISION)];
    assert.equal(journal.state().decisions.length, 0);
    await first;
    await Promise.all(others);
    assert.equal(journal.state().decisions.length, 4);
    // The first goes out at once; what came while it was on its way goes together.
    assert.equal((await store.read(RUN)).nextSeq, before + 2);
  });

  it("repeats an append that was not answered, and knows its own batch again", async () => {
    for (const isDone of [true, false]) {
      const { clock, store, journal } = await openJournal();
      store.fail({ call: "append", times: 2, code: "unavailable", isDone });
      await clock.run(() => journal.write(DECISION));
      await clock.run(() => journal.write(DECISION));
      assert.equal((await RunJournal.open(store, RUN, clock, 1)).state().decisions.length, 2);
    }
  });

  it("takes the batch of another owner for a lost lease, and writes nothing after it", async () => {
    const { clock, store, journal } = await openJournal();
    const other = await RunJournal.open(store, RUN, clock, 2);
    await other.write(DECISION);
    const before = store.dump();
    await assert.rejects(journal.write(DECISION), (error) => isKind(error, "LeaseLostError"));
    await assert.rejects(journal.write(DECISION), (error) => isKind(error, "LeaseLostError"));
    assert.equal(store.dump(), before);
  });

  it("takes another owner's batch for a lost lease also when its own append was not answered", async () => {
    const { clock, store, journal } = await openJournal();
    const other = await RunJournal.open(store, RUN, clock, 2);
    store.fail({ call: "append", times: 1, code: "unavailable" });
    const write = journal.write(DECISION);
    await assert.rejects(
      clock.run(async () => {
        await other.write({ kind: "decision", text: "another decision" });
        await write;
      }),
      (error) => isKind(error, "LeaseLostError"),
    );
  });

  it("stops when the store is full", async () => {
    const { store, journal } = await openJournal();
    store.fail({ call: "append", code: "full" });
    await assert.rejects(journal.write(DECISION), (error) => isKind(error, "StoreError"));
    await assert.rejects(journal.write(DECISION), (error) => isKind(error, "StoreError"));
  });
});
