import { strict as assert } from "node:assert";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import fc from "fast-check";
import { describe, it } from "mocha";
import { appendAudit, readAudit, type AuditEvent } from "../../providers/guard/audit-log";
import { openRunStore } from "../../providers/journal/open-store";
import { createMemoryRunStore, createVirtualClock, type MemoryRunStore } from "../../providers/testing";

function event(what: AuditEvent["what"] = "pause", who = "ada"): AuditEvent {
  return { who, what, subject: "kernel-1", why: "a reason" };
}

function createStore(): MemoryRunStore {
  return createMemoryRunStore(createVirtualClock(Date.UTC(2026, 10, 24)));
}

async function fill(store: MemoryRunStore, count: number): Promise<readonly string[]> {
  for (let n = 0; n < count; n++) await appendAudit(store, event(n % 2 === 0 ? "pause" : "resume"));
  return store.listDocuments("audit/");
}

describe("guard: audit log", () => {
  it("keeps who, what, whom and why, in order, and is whole", async () => {
    const store = createStore();
    await appendAudit(store, event("pause"));
    await appendAudit(store, { ...event("resume", "bob"), entry: 17 });
    const { entries, problems, head } = await readAudit(store);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      entries.map(({ n, who, what, subject, why, entry }) => [n, who, what, subject, why, entry]),
      [
        [1, "ada", "pause", "kernel-1", "a reason", undefined],
        [2, "bob", "resume", "kernel-1", "a reason", 17],
      ],
    );
    assert.equal(entries[1]?.previous, entries[0]?.hash);
    assert.deepEqual(head, { n: 2, hash: entries[1]?.hash });
  });

  it("is whole when empty, and reading writes nothing", async () => {
    const store = createStore();
    const before = store.dump();
    assert.deepEqual(await readAudit(store), { entries: [], problems: [], head: undefined });
    assert.equal(store.dump(), before);
  });

  it("finds any entry that was taken out, the newest included", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 8 }), fc.nat(), async (count, pick) => {
        const store = createStore();
        const names = await fill(store, count);
        const name = names[pick % count] ?? "";
        await store.deleteDocument(name);
        const { problems } = await readAudit(store);
        assert.ok(problems.includes(`${name} is missing`), problems.join("; "));
      }),
      { numRuns: 50 },
    );
  });

  it("finds any entry whose text was changed", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 6 }), fc.nat(), async (count, pick) => {
        const store = createStore();
        const names = await fill(store, count);
        const name = names[pick % count] ?? "";
        const content = (await store.getDocument(name)) ?? "";
        await store.putDocument(name, content.replace('"ada"', '"eve"'));
        const { problems } = await readAudit(store);
        assert.ok(problems.includes(`${name} was changed`), problems.join("; "));
      }),
      { numRuns: 50 },
    );
  });

  it("finds an entry that was replaced by one with a right hash of its own", async () => {
    const store = createStore();
    const names = await fill(store, 3);
    const other = createStore();
    await appendAudit(other, event("pause", "eve"));
    await store.putDocument(names[0] ?? "", (await other.getDocument("audit/0000000001")) ?? "");
    const { problems } = await readAudit(store);
    assert.deepEqual(problems, ["audit/0000000002 does not follow audit/0000000001: one of them was replaced"]);
  });

  it("goes on after a process that died before it told where the log ends", async () => {
    const store = createStore();
    await appendAudit(store, event());
    store.fail({ call: "putDocument", code: "unavailable" });
    await assert.rejects(appendAudit(store, event("resume")));
    await appendAudit(store, event("cancel"));
    const { entries, problems } = await readAudit(store);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      entries.map(({ what }) => what),
      ["pause", "resume", "cancel"],
    );
  });

  it("makes one chain of what many write at once, in a folder too", async () => {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), "archipelago-audit-"));
    try {
      for (const store of [createStore(), await openRunStore(`file:${folder}`)]) {
        await Promise.all(Array.from({ length: 12 }, (_, index) => appendAudit(store, event("pause", String(index)))));
        const { entries, problems } = await readAudit(store);
        assert.deepEqual(problems, []);
        assert.equal(new Set(entries.map(({ who }) => who)).size, 12);
      }
    } finally {
      await fs.rm(folder, { recursive: true, force: true });
    }
  });

  it("refuses to go on behind an entry that cannot be read", async () => {
    const store = createStore();
    await fill(store, 2);
    await store.putDocument("audit/0000000003", "{");
    await assert.rejects(appendAudit(store, event()), /audit\/0000000003 cannot be read/);
    assert.deepEqual((await readAudit(store)).problems, ["audit/0000000003 cannot be read"]);
  });
});
