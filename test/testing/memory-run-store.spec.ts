import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { createMemoryRunStore, createVirtualClock } from "../../providers/testing";
import { isKind } from "../../sdk/model";
import type { JournalEntry } from "../../sdk/model";

const ENTRY: JournalEntry = { v: 1, at: 0, epoch: 1, kind: "notice", text: "entry" };

function failsWith(code: string): (error: unknown) => boolean {
  return (error) => isKind(error, "StoreError") && (error as { readonly code: string }).code === code;
}

describe("testing: the in-memory run store", () => {
  it("fails the calls that the script names, and only those", async () => {
    const store = createMemoryRunStore(createVirtualClock(0));
    store.fail({ call: "append", skip: 1, times: 2, code: "unavailable" });
    await store.append("run-1", 0, [ENTRY]);
    await assert.rejects(store.append("run-1", 1, [ENTRY]), failsWith("unavailable"));
    await assert.rejects(store.append("run-1", 1, [ENTRY]), failsWith("unavailable"));
    await store.append("run-1", 1, [ENTRY]);
    assert.equal(store.entriesOf("run-1").length, 2);
  });

  it("can store and lose only the answer", async () => {
    const store = createMemoryRunStore(createVirtualClock(0));
    store.fail({ call: "append", code: "unavailable", isDone: true });
    await assert.rejects(store.append("run-1", 0, [ENTRY]), failsWith("unavailable"));
    assert.equal(store.entriesOf("run-1").length, 1);
    await assert.rejects(store.append("run-1", 0, [ENTRY]), failsWith("conflict"));
  });

  it("is full or conflicting when told so", async () => {
    const store = createMemoryRunStore(createVirtualClock(0));
    store.fail({ call: "append", code: "full" });
    store.fail({ call: "append", code: "conflict" });
    await assert.rejects(store.append("run-1", 0, [ENTRY]), failsWith("full"));
    await assert.rejects(store.append("run-1", 0, [ENTRY]), failsWith("conflict"));
    await store.append("run-1", 0, [ENTRY]);
  });

  it("lets a test take a lease away", async () => {
    const store = createMemoryRunStore(createVirtualClock(0));
    const lease = await store.leases.acquire("run/run-1", "one", 1000);
    const stolen = store.stealLease("run/run-1", "two", 1000);
    assert.equal(stolen.epoch, lease.epoch + 1);
    await assert.rejects(store.leases.renew(lease, 1000), (error: unknown) => isKind(error, "LeaseLostError"));
    assert.deepEqual(store.liveLeases(), [stolen]);
  });

  it("shows in its dump whether anything was written", async () => {
    const store = createMemoryRunStore(createVirtualClock(0));
    await store.append("run-1", 0, [ENTRY]);
    const before = store.dump();
    await store.read("run-1");
    await store.getDocument("none");
    assert.equal(store.dump(), before);
    await store.putDocument("one", "text");
    assert.notEqual(store.dump(), before);
  });
});
