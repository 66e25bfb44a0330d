import { strict as assert } from "node:assert";
import { appendFile, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, afterEach, before, beforeEach, describe, it } from "mocha";
import { createControlServer, type ControlServer } from "../../providers/agent/control-server";
import { openSnapshot } from "../../providers/agent/peer";
import { createFleetAuthority, issueCertificate, type TlsFiles } from "../../providers/drivers/certificates";
import type { CallContext } from "../../providers/drivers/contracts";
import { createControlClient, type ControlClient } from "../../providers/drivers/control-client";
import { DriverError, isKind, type DriverErrorCode, type Json } from "../../sdk/model";

const NO_ABORT = new AbortController().signal;

describe("agent: control server and client", function () {
  this.timeout(20_000);
  let folder: string;
  let server: ControlServer;
  let url: string;
  let tls: {
    readonly agent: TlsFiles;
    readonly peer: TlsFiles;
    readonly client: TlsFiles;
    readonly stranger: TlsFiles;
  };
  let client: ControlClient;
  let effects: Json[];
  let given: string[];
  let gate: Promise<void>;
  let failure: Error | undefined;
  let count = 0;

  const context = (overrides: Partial<CallContext> = {}): CallContext => {
    count += 1;
    return { key: `key-${String(count)}`, epoch: 5, owner: "run-1", signal: NO_ABORT, ...overrides };
  };

  async function open(): Promise<void> {
    server = createControlServer({
      subject: "host-01",
      tls: tls.agent,
      host: "127.0.0.1",
      port: 0,
      stateFile: join(folder, "state", "calls.log"),
      reads: {
        echo: { answer: (args) => Promise.resolve({ ...args }) },
        slow: {
          answer: async ({ id = "" }, _, signal) => {
            const gone = Promise.withResolvers<undefined>();
            signal.addEventListener("abort", () => {
              gone.resolve(undefined);
            });
            await Promise.race([gate, gone.promise]);
            if (signal.aborted) given.push(`${id} given up`);
            return id;
          },
        },
        open: { roles: ["client", "agent"], answer: () => Promise.resolve("for agents too") },
        "snapshot-content": {
          roles: ["agent"],
          answer: (args) => Promise.resolve(Readable.from(["state of ", args["id"] ?? ""])),
        },
      },
      mutations: {
        change: {
          resource: () => "host",
          apply: async (args) => {
            await gate;
            if (failure) throw failure;
            effects.push(args);
            return { effect: effects.length };
          },
        },
        other: { resource: (_, { owner }) => `run/${owner}`, apply: () => Promise.resolve("other") },
      },
    });
    url = await server.listen();
    client = createControlClient({ url, tls: tls.client, subject: "host-01", serverName: "host-01" });
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "archipelago-control-"));
    const strangers = join(folder, "strangers");
    const own = join(folder, "tls");
    await Promise.all([createFleetAuthority(own), createFleetAuthority(strangers)]);
    tls = {
      agent: await issueCertificate(own, { name: "host-01", role: "agent", addresses: ["127.0.0.1"] }),
      peer: await issueCertificate(own, { name: "host-02", role: "agent", addresses: ["127.0.0.1"] }),
      client: await issueCertificate(own, { name: "controller", role: "client", addresses: [] }),
      stranger: await issueCertificate(strangers, { name: "controller", role: "client", addresses: [] }),
    };
  });
  after(() => rm(folder, { recursive: true, force: true }));
  beforeEach(async () => {
    effects = [];
    given = [];
    gate = Promise.resolve();
    failure = undefined;
    await open();
  });
  afterEach(async () => {
    client.close();
    await server.close();
    await rm(join(folder, "state"), { recursive: true, force: true });
  });

  it("keeps private keys readable by their owner only", async () => {
    for (const { key } of [tls.agent, tls.client]) assert.equal((await stat(key)).mode & 0o777, 0o600);
    assert.equal((await stat(join(folder, "tls"))).mode & 0o777, 0o700);
  });

  it("keeps authority and certificates that exist", async () => {
    const before = await readFile(tls.client.certificate, "utf8");
    await createFleetAuthority(join(folder, "tls"));
    const again = await issueCertificate(join(folder, "tls"), { name: "controller", role: "client", addresses: [] });
    assert.equal(await readFile(again.certificate, "utf8"), before);
  });

  it("refuses a caller without a certificate, and says what is needed", async () => {
    const ca = await readFile(tls.client.ca);
    const answer = await new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      const call = httpsRequest(new URL("/v1/echo", url), { ca, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => {
          resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString() });
        });
      });
      call.on("error", reject);
      call.end();
    });
    assert.equal(answer.status, 401);
    assert.match(answer.body, /refuses callers without a certificate/);
    assert.equal(server.counters().reads, 0);
  });

  it("refuses a certificate of another fleet's authority", async () => {
    const stranger = createControlClient({ url, tls: { ...tls.stranger, ca: tls.client.ca }, subject: "host-01" });
    await rejects(stranger.mutate("change", {}, context()), "unauthorized", /refuses this certificate/);
    assert.deepEqual(effects, []);
  });

  it("does not trust a server of another fleet", async () => {
    const stranger = createControlClient({ url, tls: { ...tls.client, ca: tls.stranger.ca }, subject: "host-01" });
    await rejects(stranger.read("echo", {}, NO_ABORT), "unauthorized", /do not trust each other/);
  });

  it("does not talk to another host of the fleet than the one it means", async () => {
    const misled = createControlClient({ url, tls: tls.client, subject: "host-02", serverName: "host-02" });
    await rejects(misled.mutate("change", {}, context()), "unauthorized", /certificate is of host-01, not of host-02/);
    assert.deepEqual(effects, []);
  });

  it("lets an agent's certificate read what is for agents, and nothing else", async () => {
    const peer = createControlClient({ url, tls: tls.peer, subject: "host-01" });
    assert.equal(await peer.read("open", {}, NO_ABORT), "for agents too");
    await rejects(peer.read("echo", {}, NO_ABORT), "unauthorized", /not for agent host-02/);
    await rejects(peer.mutate("change", {}, context()), "unauthorized", /not for agent host-02/);
    assert.deepEqual(effects, []);
    peer.close();
  });

  it("streams bytes to another agent", async () => {
    const content = await openSnapshot({ tls: tls.peer }, { name: "host-01", url }, "s-1");
    assert.equal((await content.toArray()).join(""), "state of s-1");
    await assert.rejects(openSnapshot({ tls: tls.peer }, { name: "host-03", url }, "s-1"), /not of host-03/);
  });

  it("answers a repeated key with the recorded result, also after a restart", async () => {
    const call = context();
    const first = await client.mutate("change", { n: 1 }, call);
    assert.deepEqual(await client.mutate("change", { n: 2 }, call), first);
    client.close();
    await server.close();
    await open();
    assert.deepEqual(await client.mutate("change", { n: 3 }, call), first);
    assert.deepEqual(effects, [{ n: 1 }]);
  });

  it("joins a call with a key that is under way", async () => {
    const opened = Promise.withResolvers<undefined>();
    gate = opened.promise.then(() => undefined);
    const call = context();
    const both = Promise.all([client.mutate("change", { n: 1 }, call), client.mutate("change", { n: 1 }, call)]);
    while (server.counters().mutations < 2) await new Promise(setImmediate);
    opened.resolve(undefined);
    const [first, second] = await both;
    assert.deepEqual(first, second);
    assert.equal(effects.length, 1);
  });

  it("refuses a key that was used for another call", async () => {
    const call = context();
    await client.mutate("change", {}, call);
    await rejects(client.mutate("other", {}, call), "conflict", /was used for change/);
  });

  it("refuses an older epoch without an effect, also with a recorded key and after a restart", async () => {
    const old = context({ epoch: 5 });
    await client.mutate("change", { n: 1 }, old);
    await client.mutate("change", { n: 2 }, context({ epoch: 7 }));
    await rejects(client.mutate("change", { n: 3 }, context({ epoch: 6 })), "stale-epoch", /epoch 7 was seen/);
    await rejects(client.mutate("change", { n: 1 }, old), "stale-epoch", /epoch 7 was seen/);
    client.close();
    await server.close();
    await open();
    await rejects(client.mutate("change", { n: 4 }, context({ epoch: 6 })), "stale-epoch", /epoch 7 was seen/);
    assert.deepEqual(effects, [{ n: 1 }, { n: 2 }]);
    assert.deepEqual(await client.read("fence", { resource: "host" }, NO_ABORT), { epoch: 7 });
  });

  it("fences each resource by itself", async () => {
    await client.mutate("other", {}, context({ epoch: 9, owner: "run-1" }));
    assert.equal(await client.mutate("other", {}, context({ epoch: 1, owner: "run-2" })), "other");
  });

  it("keeps epoch and results when the last line was torn by a crash", async () => {
    const call = context({ epoch: 8 });
    const first = await client.mutate("change", {}, call);
    client.close();
    await server.close();
    await appendFile(join(folder, "state", "calls.log"), '{"kind":"epoch","resource":"host","epo');
    await open();
    assert.deepEqual(await client.mutate("change", {}, call), first);
    await rejects(client.mutate("change", {}, context({ epoch: 7 })), "stale-epoch", /epoch 8 was seen/);
  });

  it("carries code, remedy and output of an error over, and forgets it, so that the key may be tried again", async () => {
    const call = context();
    failure = new DriverError("refused", "host-01", "has no room", { remedy: "free some", output: "0 bytes left" });
    await assert.rejects(client.mutate("change", {}, call), (error: unknown) => {
      assert.ok(error instanceof DriverError);
      assert.equal(error.code, "refused");
      assert.equal(error.message, "host-01: has no room; free some");
      assert.equal(error.remedy, "free some");
      assert.equal(error.output, "0 bytes left");
      return true;
    });
    failure = undefined;
    assert.deepEqual(await client.mutate("change", {}, call), { effect: 1 });
  });

  it("turns an error that is none of ours into failed, without a stack trace", async () => {
    failure = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    await rejects(client.mutate("change", {}, context()), "failed", /^host-01: ENOSPC: no space left on device$/);
  });

  it("answers reads that are asked for together each by itself, a slow one last", async () => {
    const opened = Promise.withResolvers<undefined>();
    gate = opened.promise.then(() => undefined);
    const order: string[] = [];
    const note = (name: string) => (result: unknown) => order.push(`${name}: ${JSON.stringify(result)}`);
    const asked = [
      client.read("slow", { id: "first" }, NO_ABORT).then(note("slow")),
      client.read("echo", { text: "a & b", number: 7 }, NO_ABORT).then(note("echo")),
      client.read("snapshot-content", { id: "x" }, NO_ABORT).catch((error: unknown) => note("stream")(String(error))),
      client.read("nothing", {}, NO_ABORT).catch((error: unknown) => note("nothing")(String(error))),
    ];
    await Promise.all(asked.slice(1));
    opened.resolve(undefined);
    await asked[0];
    assert.deepEqual(order.slice(0, 3).sort(), [
      'echo: {"text":"a & b","number":"7"}',
      'nothing: "DriverError: host-01: has no call GET nothing"',
      'stream: "DriverError: host-01: snapshot-content is not for client controller; call with a certificate of role agent"',
    ]);
    assert.equal(order[3], 'slow: "first"');
    assert.equal(server.counters().reads, 2);
  });

  it("asks for long things at the same moment in requests of their own, which a server takes", async () => {
    // Every character of it is three in a URL.
    const texts = ["a", "b", "c", "d"].map((mark) => mark + '"'.repeat(4_000));
    // At once: what is tried again comes at other moments.
    const answers = await Promise.all(texts.map((text) => client.read("echo", { text }, NO_ABORT, { attempts: 1 })));
    assert.deepEqual(
      answers,
      texts.map((text) => ({ text })),
    );
  });

  it("gives up a read at its deadline or its caller's abort, those beside it none the less answered", async () => {
    gate = new Promise(() => undefined);
    const abort = new AbortController();
    const once = { attempts: 1 };
    const asked = [
      rejects(client.read("slow", { id: "late" }, NO_ABORT, { ...once, timeoutMs: 50 }), "timeout", /within 50 ms/),
      rejects(client.read("slow", { id: "aborted" }, abort.signal, once), "unreachable", /aborted/),
      client.read("echo", {}, NO_ABORT).then(() => {
        abort.abort();
      }),
    ];
    await Promise.all(asked);
    while (given.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(given.sort(), ["aborted given up", "late given up"]);
    // And the next reads are answered as ever.
    assert.deepEqual(await Promise.all([client.read("echo", {}, NO_ABORT), client.read("open", {}, NO_ABORT)]), [
      {},
      "for agents too",
    ]);
  });

  it("counts reads and mutating calls apart, and does not count being asked for the counters", async () => {
    await client.read("echo", { a: 1 }, NO_ABORT);
    await client.read("echo", { a: 2 }, NO_ABORT);
    await client.mutate("change", {}, context());
    await client.read("counters", {}, NO_ABORT);
    assert.deepEqual(await client.read("counters", {}, NO_ABORT), { reads: 2, mutations: 1 });
  });

  it("refuses calls it does not have, and bodies that are no calls", async () => {
    await rejects(client.read("nonsense", {}, NO_ABORT), "unsupported", /has no call GET nonsense/);
    await rejects(client.mutate("change", {}, context({ key: "" })), "refused", /must carry key, epoch and owner/);
    await rejects(client.mutate("change", "x".repeat(2 ** 21), context()), ["refused", "unreachable"], /./);
    assert.deepEqual(effects, []);
  });

  it("gives up on a silent server at the deadline, and says unreachable when nobody listens", async () => {
    const silence = Promise.withResolvers<undefined>();
    gate = silence.promise.then(() => undefined);
    const call = client.mutate("change", {}, context(), { timeoutMs: 200, attempts: 2 });
    await rejects(call, "timeout", /within 200 ms/);
    silence.resolve(undefined);
    const nobody = createControlClient({ url: "https://127.0.0.1:9", tls: tls.client, subject: "host-09" });
    await rejects(nobody.read("echo", {}, NO_ABORT), "unreachable", /ECONNREFUSED/);
  });

  it("names a certificate file that is missing", async () => {
    const lost = createControlClient({
      url,
      tls: { ...tls.client, key: join(folder, "lost.pem") },
      subject: "host-01",
    });
    await rejects(lost.read("echo", {}, NO_ABORT), "unauthorized", /lost\.pem/);
  });
});

async function rejects(
  call: Promise<unknown>,
  code: DriverErrorCode | readonly DriverErrorCode[],
  message: RegExp,
): Promise<void> {
  await assert.rejects(call, (error: unknown) => {
    assert.ok(isKind(error, "DriverError"), String(error));
    const driverError = error as DriverError;
    assert.ok([code].flat().includes(driverError.code), `${driverError.code}: ${driverError.message}`);
    assert.match(driverError.message, message);
    return true;
  });
}
