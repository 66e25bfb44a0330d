import assert from "node:assert/strict";
import { isKind, LeaseLostError, StoreError, type JournalEntry } from "../../sdk/model";
import { systemClock, type Clock } from "../../providers/clock";
import type { RunStore } from "../../providers/journal/run-store";
import { openS3Store } from "../../providers/journal/s3-store";
import { parseS3Url } from "../../providers/journal/s3-url";
import { GOOD_RUN, stamp } from "./entries";
import { setEnvironment, TEST_CREDENTIALS } from "./moto";
import { ScriptedS3, type ScriptedFault } from "./scripted-s3";

const ENTRIES = stamp(GOOD_RUN);
const HOUR_MS = 3_600_000;

function entry(index: number): readonly JournalEntry[] {
  return ENTRIES.slice(index, index + 1);
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

describe("S3 store", function () {
  this.timeout(60_000);
  let server: ScriptedS3;
  let url: string;
  let store: RunStore;
  let restore: () => void;

  before(() => {
    restore = setEnvironment(TEST_CREDENTIALS);
  });
  after(() => {
    restore();
  });

  beforeEach(async () => {
    server = new ScriptedS3();
    url = `s3://bucket/fleet?endpoint=${encodeURIComponent(await server.listen())}`;
    store = openS3Store(url);
  });

  afterEach(() => server.close());

  const writes = (): readonly string[] => server.calls.filter((call) => call.startsWith("PUT"));

  it("writes nothing and asks nothing when it is opened", () => {
    assert.deepEqual(server.calls, []);
  });

  it("takes a write whose answer was lost for its own", async () => {
    let lost = 0;
    server.script = (method, key) => (method === "PUT" && key.includes("runs/") && lost++ === 0 ? "lost" : undefined);
    await store.append("run", 0, entry(0));
    assert.equal(lost, 2, "the write was repeated");
    assert.deepEqual((await store.read("run")).entries, entry(0));
    lost = 0;
    server.script = (method, key) => (method === "PUT" && key.includes("leases/") && lost++ === 0 ? "lost" : undefined);
    const lease = await store.leases.acquire("host/a", "one", 60_000);
    assert.equal(lease.epoch, 1);
    lost = 0;
    assert.equal((await store.leases.renew(lease, 60_000)).epoch, 1);
  });

  it("does not take another's batch for its own, however the answer was lost", async () => {
    const other = openS3Store(url);
    await other.append("run", 0, entry(0));
    let refused = 0;
    server.script = (method, key) =>
      method === "PUT" && key.includes("runs/") && refused++ === 0 ? { status: 503, code: "SlowDown" } : undefined;
    assert.equal((await failureOf(store.append("run", 0, entry(0)))).code, "conflict");
    assert.equal(refused, 2);
  });

  it("repeats a write that S3 answers with 409 because another one met it", async () => {
    let conflicts = 0;
    server.script = (method, key) =>
      method === "PUT" && key.includes("leases/") && conflicts++ < 2
        ? { status: 409, code: "ConditionalRequestConflict" }
        : undefined;
    assert.equal((await store.leases.acquire("host/a", "one", 60_000)).owner, "one");
    assert.equal(conflicts, 3);
  });

  it("refuses a server that ignores conditions, before it relies on one", async () => {
    server.honoursConditions = false;
    const error = await failureOf(store.leases.acquire("host/a", "one", 60_000));
    assert.equal(error.code, "denied");
    assert.match(error.message, /ignores If-None-Match on PUT.*use Amazon S3/);
    assert.equal((await failureOf(store.append("run", 0, entry(0)))).code, "denied");
    assert.ok(![...server.objects.keys()].some((key) => /leases|runs/.test(key)));
  });

  for (const { title, hours } of [
    { title: "behind", hours: 1 },
    { title: "ahead of", hours: -1 },
  ]) {
    it(`writes nothing while this machine's clock is an hour ${title} the store's`, async () => {
      server.aheadMs = hours * HOUR_MS;
      for (const call of [
        () => store.append("run", 0, entry(0)),
        () => store.leases.acquire("host/a", "one", 60_000),
        () => store.putDocument("stop", "{}"),
        () => store.now(),
      ]) {
        const error = await failureOf(call());
        assert.equal(error.code, "denied");
        assert.match(
          error.message,
          new RegExp(`this machine's clock \\(.*\\) is 60 minutes ${title} the store's.*set the clock`),
        );
      }
      assert.deepEqual(writes(), []);
    });
  }

  it("says what to do about each refusal and failure of S3", async () => {
    const expectations: readonly (ScriptedFault & { readonly expected: StoreError["code"]; readonly says: RegExp })[] =
      [
        {
          status: 403,
          code: "AccessDenied",
          expected: "denied",
          says: /allow s3:GetObject.*arn:aws:s3:::bucket\/fleet\/\*.*s3:ListBucket/,
        },
        {
          status: 403,
          code: "InvalidAccessKeyId",
          expected: "denied",
          says: /access is denied \(InvalidAccessKeyId\)/,
        },
        { status: 400, code: "ExpiredToken", expected: "denied", says: /credentials have expired.*sign in again/ },
        { status: 404, code: "NoSuchBucket", expected: "unavailable", says: /no bucket bucket; create it/ },
        {
          status: 301,
          code: "PermanentRedirect",
          headers: { "x-amz-bucket-region": "eu-central-1" },
          expected: "unavailable",
          says: /in another region; add \?region=eu-central-1/,
        },
        { status: 501, code: "NotImplemented", expected: "denied", says: /does not know conditional writes/ },
        { status: 507, code: "InsufficientStorage", expected: "full", says: /no space is left/ },
        { status: 503, code: "SlowDown", expected: "unavailable", says: /failed with status 503.*run again/ },
      ];
    for (const { expected, says, ...fault } of expectations) {
      server.script = () => fault;
      for (const call of [
        (tried: RunStore) => tried.append("run", 0, entry(0)),
        (tried: RunStore) => tried.leases.acquire("host/a", "one", 60_000),
        (tried: RunStore) => tried.list(),
        // What may pass is tried again, which takes its time.
      ].slice(fault.status >= 500 ? 2 : 0)) {
        const error = await failureOf(call(openS3Store(url)));
        assert.equal(error.code, expected, fault.code);
        assert.match(error.message, says);
      }
    }
    assert.equal(server.objects.size, 0);
  });

  it("says so when nothing answers, when there are no credentials and when the region is unknown", async () => {
    const nobody = openS3Store("s3://bucket?endpoint=http%3A%2F%2F127.0.0.1%3A9");
    const unreachable = await failureOf(nobody.leases.acquire("host/a", "one", 60_000));
    assert.equal(unreachable.code, "unavailable");
    assert.match(unreachable.message, /no answer .*check the network and http:\/\/127\.0\.0\.1:9/);
    const giveBack = setEnvironment({
      AWS_ACCESS_KEY_ID: "",
      AWS_SECRET_ACCESS_KEY: "",
      AWS_PROFILE: "no-such-profile",
      HOME: "/nonexistent",
    });
    try {
      const anonymous = await failureOf(openS3Store(url).getDocument("stop"));
      assert.equal(anonymous.code, "denied");
      assert.match(anonymous.message, /no AWS credentials were found.*AWS_PROFILE/);
      const nowhere = await failureOf(openS3Store("s3://bucket").getDocument("stop"));
      assert.match(nowhere.message, /region is not known.*\?region=/);
    } finally {
      giveBack();
    }
  });

  it("names the entry of a batch that was edited, also in the last batch", async () => {
    await store.append("run", 0, ENTRIES.slice(0, 3));
    const [key, object] = [...server.objects].find(([name]) => name.includes("runs/")) ?? ["", undefined];
    assert.ok(object);
    const edited = object.text.replace('"kind":"phase","phase":"running"', '"kind":"phase","phase":"done"');
    assert.notEqual(edited, object.text);
    server.objects.set(key, { ...object, text: edited });
    const error = await failureOf(openS3Store(url).read("run"));
    assert.equal(error.code, "corrupt");
    assert.match(
      error.message,
      /journal file s3:\/\/bucket\/fleet\/runs\/run\/00000000\.json is damaged: .*entry 1 \(phase\) changed/,
    );
    assert.equal((await failureOf(openS3Store(url).append("run", 1, entry(3)))).code, "corrupt");
  });

  it("asks only for batches that it has not read, and notices when the newest were removed", async () => {
    for (const seq of [0, 1, 2]) await store.append("run", seq, entry(seq));
    const reader = openS3Store(url);
    assert.equal((await reader.read("run")).nextSeq, 3);
    await store.append("run", 3, entry(3));
    server.calls.length = 0;
    const [first, second] = await Promise.all([reader.read("run"), reader.read("run")]);
    assert.deepEqual([first.entries, second.entries], [ENTRIES.slice(0, 4), ENTRIES.slice(0, 4)]);
    assert.deepEqual(
      server.calls.filter((call) => call.includes("runs/")),
      ["GET fleet/runs/run/00000003.json"],
    );
    server.objects.delete("fleet/runs/run/00000003.json");
    const error = await failureOf(reader.read("run"));
    assert.equal(error.code, "corrupt");
    assert.match(error.message, /00000003\.json is damaged: it is missing, but it was there before/);
  });

  it("names a lease that was edited, and gives it to nobody", async () => {
    await store.leases.acquire("host/a", "one", 60_000);
    const [key, object] = [...server.objects].find(([name]) => name.includes("leases/")) ?? ["", undefined];
    assert.ok(object);
    server.objects.set(key, { ...object, text: object.text.replace('"one"', '"two"') });
    const error = await failureOf(openS3Store(url).leases.acquire("host/a", "two", 60_000));
    assert.equal(error.code, "corrupt");
    assert.match(
      error.message,
      /lease file s3:\/\/bucket\/fleet\/leases\/host%2Fa\.json is damaged.*restore an earlier version/,
    );
  });

  it("fails what was called behind a lost append, so that nobody writes past another owner", async () => {
    await store.append("run", 0, entry(0));
    await openS3Store(url).append("run", 1, entry(1));
    const results = await Promise.allSettled([1, 2, 3].map((seq) => store.append("run", seq, entry(seq))));
    assert.deepEqual(
      results.map(({ status }) => status),
      ["rejected", "rejected", "rejected"],
    );
    assert.equal((await store.read("run")).nextSeq, 2);
    assert.equal((await failureOf(store.append("run", 4, entry(4)))).code, "conflict");
    await store.append("run", 2, entry(2));
    assert.deepEqual((await store.read("run")).entries, ENTRIES.slice(0, 3));
  });

  it("asks for the time again after this machine slept, before it judges a lease", async () => {
    let wallAheadMs = 0;
    const clock: Clock = { ...systemClock, now: () => Date.now() + wallAheadMs };
    const sleeper = openS3Store(url, clock);
    const lease = await sleeper.leases.acquire("host/a", "one", 60_000);
    // The machine sleeps for two minutes: monotonic time stands still, wall and store time go on.
    wallAheadMs = 120_000;
    server.aheadMs = 120_000;
    await assert.rejects(sleeper.leases.renew(lease, 60_000), (error: unknown) => {
      assert.ok(error instanceof LeaseLostError);
      return error.message.includes("it lapsed at");
    });
    const taken = await openS3Store(url, clock).leases.acquire("host/a", "two", 60_000);
    assert.equal(taken.epoch, lease.epoch + 1);
    await assert.rejects(sleeper.leases.renew(lease, 60_000), (error: unknown) => isKind(error, "LeaseLostError"));
  });

  it("needs one request to renew a lease that nobody else changed", async () => {
    const lease = await store.leases.acquire("host/a", "one", 60_000);
    server.calls.length = 0;
    await store.leases.renew(lease, 60_000);
    assert.deepEqual(server.calls, ["PUT fleet/leases/host%2Fa.json"]);
    await store.leases.release(lease);
    assert.equal(server.calls.length, 2);
    assert.equal(await store.leases.inspect("host/a"), undefined);
  });

  it("reads bucket, prefix, region and endpoint of its URL", () => {
    assert.deepEqual(parseS3Url("s3://bucket/a/b/?region=eu-central-1"), {
      url: "s3://bucket/a/b?region=eu-central-1",
      bucket: "bucket",
      prefix: "a/b/",
      region: "eu-central-1",
      isPathStyle: false,
    });
    assert.equal(parseS3Url("s3://bucket").prefix, "");
    assert.equal(parseS3Url("s3://bucket?endpoint=http://minio:9000").isPathStyle, true);
    assert.equal(parseS3Url("s3://bucket?endpoint=http://minio:9000&pathStyle=false").isPathStyle, false);
  });
});
