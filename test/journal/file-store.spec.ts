import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isKind, StoreError, type JournalEntry } from "../../sdk/model";
import { systemClock, type Clock } from "../../providers/clock";
import { hashBatch, renderBatch } from "../../providers/journal/batch-file";
import { openFileStore, parseFileUrl } from "../../providers/journal/file-store";
import { openRunStore, requireSharedStore } from "../../providers/journal/open-store";
import type { RunStore } from "../../providers/journal/run-store";
import type { FileSystem } from "../../providers/journal/store-files";
import { GOOD_RUN, stamp } from "./entries";

const ENTRIES = stamp(GOOD_RUN);

function entry(index: number): readonly JournalEntry[] {
  return ENTRIES.slice(index, index + 1);
}

/** A file system whose given call fails with a code, `skip` times not. */
function failing(call: "link" | "open" | "mkdir", code: string, skip = 0): FileSystem {
  let left = skip;
  return {
    ...fs,
    [call]: (...args: readonly unknown[]) => {
      if (left-- > 0) return (fs[call] as (...all: readonly unknown[]) => unknown)(...args);
      return Promise.reject(Object.assign(new Error(`${code}: made to fail`), { code }));
    },
  };
}

async function failureOf(action: Promise<unknown>): Promise<StoreError> {
  const error: unknown = await action.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StoreError, `expected a StoreError, got ${String(error)}`);
  assert.ok(error.remedy, "an error of the store says what to do");
  return error;
}

describe("file store", () => {
  let folder: string;
  let store: RunStore;

  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), "archipelago-store-"));
    store = await openFileStore(`file:${folder}/store`);
  });

  afterEach(async () => {
    await fs.rm(folder, { recursive: true });
  });

  async function appendThree(): Promise<void> {
    for (const seq of [0, 1, 2]) await store.append("run", seq, entry(seq));
  }

  const batch = (seq: number): string => join(folder, "store", "runs", "run", `${String(seq).padStart(8, "0")}.json`);

  it("writes nothing when it is opened and read", async () => {
    assert.deepEqual(await store.read("run"), { run: "run", entries: [], nextSeq: 0, notices: [] });
    assert.deepEqual(await store.list(), []);
    assert.equal(await store.getDocument("stop"), undefined);
    assert.deepEqual(await fs.readdir(folder), []);
  });

  it("gives another process's store exactly what was appended", async () => {
    await store.append("run", 0, ENTRIES.slice(0, 4));
    await store.append("run", 1, ENTRIES.slice(4));
    const other = await openFileStore(`file:${folder}/store`);
    assert.deepEqual(await other.read("run"), { run: "run", entries: ENTRIES, nextSeq: 2, notices: [] });
  });

  it("keeps what was appended at once in order, with one sync of the folder for all", async () => {
    let folderSyncs = 0;
    const counting: FileSystem = {
      ...fs,
      open: async (...args: Parameters<typeof fs.open>) => {
        if (args[1] === "r") folderSyncs += 1;
        return fs.open(...args);
      },
    };
    const counted = await openFileStore(`file:${folder}/counted`, { fileSystem: counting });
    await counted.append("run", 0, entry(0));
    folderSyncs = 0;
    await Promise.all(ENTRIES.slice(1).map((each, index) => counted.append("run", index + 1, [each])));
    assert.ok(folderSyncs <= 2, `at most the first call goes alone, but there were ${String(folderSyncs)} syncs`);
    assert.deepEqual((await counted.read("run")).entries, ENTRIES);
  });

  it("leaves no temporary file behind", async () => {
    await appendThree();
    await failureOf(store.append("run", 1, entry(1)));
    await store.putDocument("stop", "{}");
    await store.now();
    const names = await fs.readdir(join(folder, "store"), { recursive: true });
    assert.deepEqual(
      names.filter((name) => name.includes(".new-")),
      [],
    );
  });

  it("refuses a taken number and changes nothing", async () => {
    await appendThree();
    const before = await fs.readFile(batch(1), "utf8");
    const error = await failureOf(store.append("run", 1, entry(5)));
    assert.equal(error.code, "conflict");
    assert.equal(await fs.readFile(batch(1), "utf8"), before);
    await store.append("run", 3, entry(3));
    assert.equal((await store.read("run")).nextSeq, 4);
  });

  it("refuses a number that leaves a gap", async () => {
    await appendThree();
    assert.equal((await failureOf(store.append("run", 4, entry(4)))).code, "conflict");
    assert.equal((await store.read("run")).nextSeq, 3);
  });

  it("fails what was called behind a lost append, so that nobody writes past another owner", async () => {
    await appendThree();
    const other = await openFileStore(`file:${folder}/store`);
    await other.append("run", 3, entry(3));
    const results = await Promise.allSettled([3, 4, 5].map((seq) => store.append("run", seq, entry(seq))));
    assert.deepEqual(
      results.map((result) => result.status),
      ["rejected", "rejected", "rejected"],
    );
    assert.equal((await other.read("run")).nextSeq, 4);
  });

  it("leaves a torn last batch out with a notice, and the next append sets it aside", async () => {
    await appendThree();
    const whole = await fs.readFile(batch(2), "utf8");
    await fs.writeFile(batch(2), whole.slice(0, whole.length / 2));
    const reopened = await openFileStore(`file:${folder}/store`);
    const record = await reopened.read("run");
    assert.equal(record.nextSeq, 2);
    assert.deepEqual(record.entries, ENTRIES.slice(0, 2));
    assert.equal(record.notices.length, 1);
    assert.match(record.notices[0] ?? "", /00000002\.json was torn/);
    await reopened.append("run", 2, entry(3));
    assert.deepEqual((await reopened.read("run")).entries, [...ENTRIES.slice(0, 2), ...entry(3)]);
    assert.equal(await fs.readFile(`${batch(2)}.torn`, "utf8"), whole.slice(0, whole.length / 2));
  });

  it("takes an empty last batch as torn too", async () => {
    await appendThree();
    await fs.writeFile(batch(2), "");
    assert.match((await store.read("run")).notices[0] ?? "", /it is empty/);
  });

  it("names the file and the way out when a batch before the last is damaged", async () => {
    await appendThree();
    const whole = await fs.readFile(batch(1), "utf8");
    await fs.writeFile(batch(1), whole.replace("the window is open", "the window is 0pen"));
    const error = await failureOf(store.read("run"));
    assert.equal(error.code, "corrupt");
    assert.ok(error.message.includes(batch(1)));
    assert.match(error.message, /checksum.*restore that file from a backup/s);
  });

  it("finds a missing batch and one that belongs to another place", async () => {
    await appendThree();
    await fs.copyFile(batch(0), batch(1));
    assert.match((await failureOf(store.read("run"))).message, /it is batch 0 of run run/);
    await fs.rm(batch(1));
    assert.match((await failureOf(store.read("run"))).message, /00000001\.json is damaged: it is missing/);
  });

  it("refuses a format of another major version, also in the last batch", async () => {
    await appendThree();
    const whole = await fs.readFile(batch(2), "utf8");
    await fs.writeFile(batch(2), whole.replace('{"v":1', '{"v":2'));
    const error = await failureOf(store.read("run"));
    assert.equal(error.code, "version");
    assert.match(error.message, /format 2/);
    assert.equal((await failureOf(store.append("run", 2, entry(3)))).code, "conflict");
  });

  it("says what to do when the disk is full, access is denied or the file system fails", async () => {
    const expectations = [
      { call: "open", code: "ENOSPC", expected: "full" },
      { call: "open", code: "EDQUOT", expected: "full" },
      { call: "mkdir", code: "EACCES", expected: "denied" },
      { call: "open", code: "EROFS", expected: "denied" },
      { call: "link", code: "EPERM", expected: "denied" },
      { call: "link", code: "EIO", expected: "unavailable" },
    ] as const;
    for (const { call, code, expected } of expectations) {
      const broken = await openFileStore(`file:${folder}/${code}`, { fileSystem: failing(call, code) });
      const error = await failureOf(broken.append("run", 0, entry(0)));
      assert.equal(error.code, expected, code);
      assert.match(error.message, new RegExp(code));
      assert.doesNotMatch(error.message, /\.new-/, "it names what the user knows");
    }
  });

  it("keeps what it acknowledged when the disk fills up in the middle, and goes on when there is space again", async () => {
    await appendThree();
    const full = await openFileStore(`file:${folder}/store`, { fileSystem: failing("open", "ENOSPC") });
    assert.equal((await failureOf(full.append("run", 3, entry(3)))).code, "full");
    assert.equal((await store.read("run")).nextSeq, 3);
    await store.append("run", 3, entry(3));
    assert.deepEqual((await store.read("run")).entries, ENTRIES.slice(0, 4));
  });

  it("lists runs newest first", async () => {
    const at = (ms: number): readonly JournalEntry[] => entry(0).map((each) => ({ ...each, at: ms }));
    await store.append("b/old", 0, at(1000));
    await store.append("a/new", 0, at(3000));
    await store.append("c/middle", 0, at(2000));
    assert.deepEqual(await store.list(), ["a/new", "c/middle", "b/old"]);
  });

  it("keeps any name apart, and refuses one that no file system takes", async () => {
    for (const name of ["..", ".", ".hidden", "a/b", "a%2Fb", "ä ö", "x~y'(z)*"]) await store.putDocument(name, name);
    for (const name of ["..", ".", ".hidden", "a/b", "a%2Fb", "ä ö", "x~y'(z)*"]) {
      assert.equal(await store.getDocument(name), name);
    }
    assert.deepEqual(await fs.readdir(folder), ["store"]);
    assert.equal((await failureOf(store.putDocument("x".repeat(300), ""))).code, "denied");
  });

  it("replaces and deletes documents", async () => {
    await store.putDocument("heartbeat", "1");
    await store.putDocument("heartbeat", "2");
    assert.equal(await store.getDocument("heartbeat"), "2");
    await store.deleteDocument("heartbeat");
    await store.deleteDocument("heartbeat");
    assert.equal(await store.getDocument("heartbeat"), undefined);
  });

  it("keeps what it stores from other users", async () => {
    await appendThree();
    assert.equal((await fs.stat(batch(0))).mode & 0o777, 0o600);
    assert.equal((await fs.stat(join(folder, "store"))).mode & 0o777, 0o700);
  });

  it("tells the time of its file system", async () => {
    const before = Date.now();
    const now = await store.now();
    // The kernel stamps files with its coarse clock, which may lag by a tick.
    assert.ok(now >= before - 50 && now <= Date.now() + 50, `${String(now)} against ${String(before)}`);
  });

  it("gives no lease while this machine's clock is an hour off the file system's, as on a network folder", async () => {
    const machineClock: Clock = { ...systemClock, now: () => Date.now() + 3_600_000 };
    const late = await openFileStore(`file:${folder}/store`, { machineClock });
    const error = await failureOf(late.leases.acquire("host/a", "one", 60_000));
    assert.equal(error.code, "denied");
    assert.match(error.message, /this machine's clock \(.*\) is 60 minutes ahead of the store's.*set the clock/);
    assert.equal(await store.leases.inspect("host/a"), undefined);
  });

  it("names the entry that was edited, also in the last batch, and changes nothing", async () => {
    await store.append("run", 0, ENTRIES.slice(0, 2));
    await store.append("run", 1, ENTRIES.slice(2, 6));
    const whole = await fs.readFile(batch(1), "utf8");
    const edited = whole.replace('"operation":"op-1"', '"operation":"op-2"');
    assert.notEqual(edited, whole);
    await fs.writeFile(batch(1), edited);
    const reopened = await openFileStore(`file:${folder}/store`);
    const error = await failureOf(reopened.read("run"));
    assert.equal(error.code, "corrupt");
    assert.match(
      error.message,
      /00000001\.json is damaged: .*entry 4 \(step-started of w1\/host-01\/update\) changed after it was/,
    );
    assert.equal((await failureOf(reopened.append("run", 2, entry(6)))).code, "corrupt");
    assert.equal(await fs.readFile(batch(1), "utf8"), edited);
  });

  it("finds a batch that was edited with fitting checksums, by the one behind it", async () => {
    await appendThree();
    const forged = renderBatch("run", 1, entry(4), hashBatch(await fs.readFile(batch(0), "utf8")));
    await fs.writeFile(batch(1), forged);
    const error = await failureOf((await openFileStore(`file:${folder}/store`)).read("run"));
    assert.equal(error.code, "corrupt");
    assert.match(
      error.message,
      /00000002\.json is damaged: it was written behind another .*00000001\.json, which was edited/,
    );
  });

  it("finds a batch that was taken out although the later ones were numbered anew", async () => {
    await appendThree();
    await fs.rm(batch(1));
    // Whoever renumbers the last batch can make its checksum fit, but not what it says of the one before.
    const first = await fs.readFile(batch(0), "utf8");
    const last = JSON.parse(await fs.readFile(batch(2), "utf8")) as { readonly previous: string };
    await fs.rm(batch(2));
    await fs.writeFile(batch(1), renderBatch("run", 1, entry(2), last.previous));
    assert.notEqual(last.previous, hashBatch(first));
    const error = await failureOf((await openFileStore(`file:${folder}/store`)).read("run"));
    assert.match(error.message, /00000001\.json is damaged: it was written behind another/);
    await fs.writeFile(
      batch(1),
      renderBatch("run", 1, entry(2), hashBatch(first)).replace(/"previous":"[0-9a-f]+",/, ""),
    );
    assert.match((await failureOf(store.read("run"))).message, /its link to the batch before was removed/);
  });
});

describe("run store URLs", () => {
  it("reads absolute, relative and home folders", () => {
    assert.equal(parseFileUrl("file:/var/store"), "/var/store");
    assert.equal(parseFileUrl("file:///var/store"), "/var/store");
    assert.equal(parseFileUrl("file:store"), join(process.cwd(), "store"));
    assert.equal(parseFileUrl("file://./store"), join(process.cwd(), "store"));
    assert.match(parseFileUrl("file:~/store"), /^\/.*\/store$/);
    assert.equal(parseFileUrl("file:/var/store?shared=true"), "/var/store");
  });

  it("says for each URL that cannot be opened what to write instead", async () => {
    for (const [url, pattern] of [
      ["gs://bucket", /Google Cloud Storage is not supported yet; use s3:.*or file:/],
      ["azblob://container", /Azure Blob Storage is not supported yet; use s3:.*or file:/],
      ["ftp://host", /scheme file: or s3:; use s3:.*or file:/],
      ["s3:bucket", /must name a bucket of 3 to 63.*write it like s3:/],
      ["s3://b", /must name a bucket of 3 to 63/],
      ["s3://key:secret@bucket/x", /\*\*\*@bucket.*must hold no credentials/],
      ["s3://bucket?regoin=eu", /no parameter "regoin"; did you mean region\?/],
      ["s3://bucket?endpoint=minio:9000&pathStyle=1", /endpoint must be.*; it pathStyle must be true or false/],
      ["store", /write it like file:store/],
      ["file:", /write it like file:/],
      ["file:/x?sharded=true", /write it like file:/],
      ["file:/dev/null", /a file is where a folder is needed/],
    ] as const) {
      await assert.rejects(openRunStore(url), (error: unknown) => {
        assert.ok(isKind(error, "StoreError"));
        assert.match(String(error), pattern);
        return true;
      });
    }
  });

  it("refuses a folder of one machine for hosts on others unless the user says that it is shared", () => {
    assert.throws(
      () => {
        requireSharedStore("file:/var/store", false);
      },
      (error: unknown) =>
        error instanceof StoreError && error.code === "denied" && error.message.includes("?shared=true"),
    );
    requireSharedStore("file:/var/store", true);
    requireSharedStore("file:/mnt/store?shared=true", false);
    requireSharedStore("s3://bucket", false);
  });
});
