import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LeaseHeldError, LeaseLostError } from "../../sdk/model";
import type { Clock } from "../../providers/clock";
import { openFileStore } from "../../providers/journal/file-store";
import type { LeaseStore } from "../../providers/journal/run-store";

const HOST = "host/host-01";

describe("file leases", () => {
  let folder: string;
  let nowMs: number;
  let leases: LeaseStore;
  const clock: Clock = { now: () => nowMs, monotonic: () => nowMs, sleep: () => Promise.resolve() };

  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), "archipelago-leases-"));
    nowMs = 1_000_000;
    leases = (await openFileStore(`file:${folder}`, { clock })).leases;
  });

  afterEach(async () => {
    await fs.rm(folder, { recursive: true });
  });

  const versionsFolder = (): string => join(folder, "leases", "host%2Fhost-01");

  it("belongs to its owner until it lapses, by the store's time", async () => {
    const lease = await leases.acquire(HOST, "a", 1000);
    assert.equal(lease.expiresAt, nowMs + 1000);
    await assert.rejects(leases.acquire(HOST, "b", 1000), (error: unknown) => {
      assert.ok(error instanceof LeaseHeldError);
      assert.equal(error.owner, "a");
      assert.equal(error.expiresAt, lease.expiresAt);
      return true;
    });
    nowMs += 999;
    assert.deepEqual(await leases.inspect(HOST), lease);
    nowMs += 1;
    assert.equal(await leases.inspect(HOST), undefined);
    const next = await leases.acquire(HOST, "b", 1000);
    assert.ok(next.epoch > lease.epoch);
    await assert.rejects(leases.renew(lease, 1000), LeaseLostError);
  });

  it("keeps its epoch while the same owner renews it or takes it again", async () => {
    const lease = await leases.acquire(HOST, "a", 1000);
    nowMs += 500;
    const renewed = await leases.renew(lease, 1000);
    assert.deepEqual(renewed, { ...lease, expiresAt: nowMs + 1000 });
    const again = await leases.acquire(HOST, "a", 5000);
    assert.equal(again.epoch, lease.epoch);
    assert.equal(again.expiresAt, nowMs + 5000);
  });

  it("is lost when it lapsed, even if nobody else wanted it", async () => {
    const lease = await leases.acquire(HOST, "a", 1000);
    nowMs += 1000;
    await assert.rejects(leases.renew(lease, 1000), /lapsed at/);
    assert.ok((await leases.acquire(HOST, "a", 1000)).epoch > lease.epoch);
  });

  it("is free after its release, and a lost lease releases nothing", async () => {
    const first = await leases.acquire(HOST, "a", 1000);
    await leases.release(first);
    await assert.rejects(leases.renew(first, 1000), /given back/);
    const second = await leases.acquire(HOST, "b", 1000);
    await leases.release(first);
    assert.deepEqual(await leases.inspect(HOST), second);
    await leases.release({ ...second, resource: "host/never-taken" });
  });

  it("keeps leases of different resources apart", async () => {
    await leases.acquire(HOST, "a", 1000);
    assert.equal((await leases.acquire("pool/reserve", "b", 1000)).owner, "b");
  });

  it("grows its epoch with every change of owner, also after old versions were pruned", async () => {
    let epoch = 0;
    for (let round = 0; round < 60; round += 1) {
      const lease = await leases.acquire(HOST, round % 2 === 0 ? "a" : "b", 1000);
      assert.ok(lease.epoch > epoch);
      epoch = lease.epoch;
      await leases.release(lease);
    }
    const kept = await fs.readdir(versionsFolder());
    assert.ok(kept.length <= 32, `${String(kept.length)} versions are kept`);
  });

  it("gives nothing to a late process that fills the place of a pruned version", async () => {
    for (let round = 0; round < 40; round += 1) await leases.release(await leases.acquire(HOST, "a", 1000));
    const current = await leases.acquire(HOST, "a", 1000);
    // What a process sees that listed the versions long ago, when number 3 was the highest and free.
    const versions = (await fs.readdir(versionsFolder())).sort();
    const stale = await fs.readFile(join(versionsFolder(), versions[1] ?? ""), "utf8");
    let isFirstListing = true;
    const late = await openFileStore(`file:${folder}`, {
      clock,
      fileSystem: {
        ...fs,
        readdir: (async (path: string) => {
          if (!isFirstListing || !path.endsWith("host-01")) return fs.readdir(path);
          isFirstListing = false;
          await fs.writeFile(join(versionsFolder(), "00000003.json"), stale);
          return ["00000003.json"];
        }) as unknown as typeof fs.readdir,
      },
    });
    await assert.rejects(late.leases.acquire(HOST, "b", 1000), LeaseHeldError);
    assert.deepEqual(await leases.inspect(HOST), current);
    assert.ok(!(await fs.readdir(versionsFolder())).includes("00000004.json"));
  });

  it("counts a damaged version as held for a while, and goes on above its epoch", async () => {
    const lease = await leases.acquire(HOST, "a", 1000);
    const [name] = await fs.readdir(versionsFolder());
    const path = join(versionsFolder(), name ?? "");
    await fs.writeFile(path, "");
    nowMs = Date.now();
    await assert.rejects(leases.acquire(HOST, "b", 1000), /unknown owner \(.*is damaged\)/);
    nowMs += 16 * 60_000;
    assert.ok((await leases.acquire(HOST, "b", 1000)).epoch > lease.epoch);
  });

  it("goes to one of many who take it at once", async () => {
    const stores = await Promise.all(Array.from({ length: 8 }, () => openFileStore(`file:${folder}`, { clock })));
    const results = await Promise.allSettled(
      stores.map((store, index) => store.leases.acquire(HOST, `owner-${String(index)}`, 1000)),
    );
    const won = results.filter((result) => result.status === "fulfilled");
    assert.equal(won.length, 1);
    for (const result of results) {
      if (result.status === "rejected") assert.ok(result.reason instanceof LeaseHeldError);
    }
  });
});
