/** What every RunStore does. */
import { strict as assert } from "node:assert";
import { after, before, describe, it } from "mocha";
import type { Lease, RunStore } from "../../providers/journal/run-store";
import { isKind } from "../../sdk/model";
import type { JournalEntry } from "../../sdk/model";
import { DEFAULT_TIMEOUT_MS } from "./contract";
import type { ContractFixture, ContractOptions } from "./contract";

/** An empty store. */
export interface RunStoreContractFixture extends ContractFixture {
  readonly store: RunStore;
  /** The same store as another process sees it. */
  openAgain(): Promise<RunStore>;
  /** How far two processes may be apart about the store's time. @default 0 */
  readonly timeUncertaintyMs?: number;
}

/** Longer than any lease in these tests takes to lapse. */
const LEASE_MS = 400;

/** Tests a RunStore. The tests share one fixture and run in order. */
export function describeRunStore(
  name: string,
  createFixture: () => Promise<RunStoreContractFixture>,
  options: ContractOptions = {},
): void {
  describe(`journal: ${name} keeps the run store contract`, function () {
    this.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    let fixture: RunStoreContractFixture;
    before(async () => {
      fixture = await createFixture();
    });
    after(() => fixture.close());

    /** Waits until a lease of LEASE_MS has lapsed for everybody. */
    const outwaitLease = (): Promise<void> => fixture.clock.sleep(LEASE_MS + 200 + (fixture.timeUncertaintyMs ?? 0));

    const rejectsKind = (kind: string, call: Promise<unknown>): Promise<void> =>
      assert.rejects(call, (error: unknown) => isKind(error, kind));

    it("gives back the batches of a run in order", () =>
      fixture.run(async () => {
        const { store } = fixture;
        await store.append("run-a", 0, [entry("first"), entry("second")]);
        await store.append("run-a", 1, [entry('third: ä \u2028 "quoted"\n')]);
        const record = await store.read("run-a");
        assert.equal(record.run, "run-a");
        assert.equal(record.nextSeq, 2);
        assert.deepEqual(record.notices, []);
        assert.deepEqual(record.entries, [entry("first"), entry("second"), entry('third: ä \u2028 "quoted"\n')]);
      }));

    it("shows what was appended to whoever opens the store afterwards", () =>
      fixture.run(async () => {
        const other = await fixture.openAgain();
        assert.equal((await other.read("run-a")).entries.length, 3);
        await other.append("run-a", 2, [entry("fourth")]);
        assert.equal((await fixture.store.read("run-a")).entries.length, 4);
      }));

    it("refuses a sequence number that exists and changes nothing", () =>
      fixture.run(async () => {
        const { store } = fixture;
        const conflict = (error: unknown): boolean =>
          isKind(error, "StoreError") && (error as { readonly code: string }).code === "conflict";
        await assert.rejects(store.append("run-a", 1, [entry("intruder")]), conflict);
        const record = await store.read("run-a");
        assert.equal(record.nextSeq, 3);
        assert.ok(!JSON.stringify(record.entries).includes("intruder"));
      }));

    it("lets exactly one of two writers have a sequence number", () =>
      fixture.run(async () => {
        const other = await fixture.openAgain();
        const outcomes = await Promise.allSettled([
          fixture.store.append("run-race", 0, [entry("one")]),
          other.append("run-race", 0, [entry("other")]),
        ]);
        assert.equal(outcomes.filter((outcome) => outcome.status === "fulfilled").length, 1);
        assert.equal((await fixture.store.read("run-race")).entries.length, 1);
      }));

    it("lists runs, newest first", () =>
      fixture.run(async () => {
        await fixture.clock.sleep(50);
        await fixture.store.append("run-newest", 0, [{ ...entry("only"), at: 2000 }]);
        const runs = await fixture.store.list();
        assert.equal(runs[0], "run-newest");
        assert.ok(runs.includes("run-a"));
      }));

    it("keeps documents, replaces them and forgets them", () =>
      fixture.run(async () => {
        const { store } = fixture;
        assert.equal(await store.getDocument("stop/run-a"), undefined);
        await store.putDocument("stop/run-a", "one");
        await store.putDocument("stop/run-a", "two");
        assert.equal(await (await fixture.openAgain()).getDocument("stop/run-a"), "two");
        await store.deleteDocument("stop/run-a");
        assert.equal(await store.getDocument("stop/run-a"), undefined);
        await store.deleteDocument("stop/run-a");
      }));

    it("creates a document once, and lists by prefix", () =>
      fixture.run(async () => {
        const { store } = fixture;
        assert.equal(await store.createDocument("audit/b", "first"), true);
        assert.equal(await (await fixture.openAgain()).createDocument("audit/b", "second"), false);
        assert.equal(await store.getDocument("audit/b"), "first");
        assert.equal(await store.createDocument("audit/a", "{}"), true);
        assert.equal(await store.createDocument("auditor", "{}"), true);
        assert.deepEqual(await store.listDocuments("audit/"), ["audit/a", "audit/b"]);
        assert.deepEqual(await store.listDocuments("none/"), []);
      }));

    it("tells its time", () =>
      fixture.run(async () => {
        const before = await fixture.store.now();
        await fixture.clock.sleep(100);
        assert.ok((await fixture.store.now()) > before);
      }));

    it("gives a lease to one owner, who may take it again", () =>
      fixture.run(async () => {
        const { leases } = fixture.store;
        const lease = await leases.acquire("host/a", "one", 60_000);
        assert.equal(lease.owner, "one");
        const other = (await fixture.openAgain()).leases;
        await assert.rejects(other.acquire("host/a", "two", 60_000), (error: unknown) => {
          assert.ok(isKind(error, "LeaseHeldError"), String(error));
          assert.equal((error as { readonly owner: string }).owner, "one");
          return true;
        });
        const again = await leases.acquire("host/a", "one", 60_000);
        assert.ok(again.epoch >= lease.epoch);
        const seen = await other.inspect("host/a");
        assert.equal(seen?.owner, "one");
        assert.equal(seen.epoch, again.epoch);
      }));

    it("gives a lapsed lease to the next owner under a higher epoch, and tells the old one", () =>
      fixture.run(async () => {
        const { leases } = fixture.store;
        const old = await leases.acquire("host/b", "one", LEASE_MS);
        await outwaitLease();
        await rejectsKind("LeaseLostError", leases.renew(old, LEASE_MS));
        const taken = await leases.acquire("host/b", "two", 60_000);
        assert.ok(taken.epoch > old.epoch);
        await rejectsKind("LeaseLostError", leases.renew(old, LEASE_MS));
        await leases.release(old);
        assert.equal((await leases.inspect("host/b"))?.owner, "two", "a lost lease must be left alone");
      }));

    it("renews a lease beyond its first expiry under the same epoch", () =>
      fixture.run(async () => {
        const { leases } = fixture.store;
        const first = await leases.acquire("host/c", "one", LEASE_MS);
        const renewed = await leases.renew(first, 60_000);
        assert.equal(renewed.epoch, first.epoch);
        assert.ok(renewed.expiresAt > first.expiresAt);
        await outwaitLease();
        await rejectsKind("LeaseHeldError", leases.acquire("host/c", "two", LEASE_MS));
      }));

    it("frees a released lease, and its epochs go on growing", () =>
      fixture.run(async () => {
        const { leases } = fixture.store;
        const first = await leases.acquire("host/d", "one", 60_000);
        await leases.release(first);
        assert.equal(await leases.inspect("host/d"), undefined);
        const second = await leases.acquire("host/d", "two", 60_000);
        assert.ok(second.epoch > first.epoch);
      }));

    it("gives a free lease to exactly one of two who ask at once", () =>
      fixture.run(async () => {
        const other = await fixture.openAgain();
        const outcomes = await Promise.allSettled([
          fixture.store.leases.acquire("host/race", "one", 60_000),
          other.leases.acquire("host/race", "two", 60_000),
        ]);
        const winners = outcomes.flatMap((outcome): readonly Lease[] =>
          outcome.status === "fulfilled" ? [outcome.value] : [],
        );
        assert.equal(winners.length, 1);
        assert.equal((await fixture.store.leases.inspect("host/race"))?.owner, winners[0]?.owner);
      }));
  });
}

function entry(text: string): JournalEntry {
  return { v: 1, at: 1000, epoch: 1, kind: "notice", text };
}
