import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Agent, request as httpRequest } from "node:http";
import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import { callClient, callContext, Cleanup, createBackend, createSwitchFixture, HEALTH } from "./switch-fixture";
import type { SwitchFixture, TestBackend } from "./switch-fixture";

const MIB = 2 ** 20;

describe("what passes the switch", () => {
  const cleanup = new Cleanup();
  let fixture: SwitchFixture;
  beforeEach(async () => {
    fixture = await createSwitchFixture(cleanup, [{ name: "front" }]);
  });
  afterEach(() => cleanup.run());

  async function add(backend: TestBackend): Promise<void> {
    const replica = { replica: "a", address: backend.address, weight: 1, health: HEALTH };
    await fixture.driver.setBackend("front", replica, callContext());
  }

  it("paths that are refused are answered by the switch, with when to come again, and are no failures", async () => {
    const backend = await createBackend(cleanup, (_, response) => response.end("done"));
    await add(backend);
    await fixture.driver.refuse?.("front", ["/reports"], callContext());
    const url = fixture.url("front");
    for (const path of ["/reports", "/reports/7", "/reports?day=1"]) {
      const answer = await callClient(`${url}${path}`);
      assert.deepEqual([answer.status, answer.headers["retry-after"]], [503, "60"], path);
    }
    assert.equal((await callClient(`${url}/reportsx`)).status, 200);
    await fixture.restart();
    assert.equal(
      (await callClient(`${fixture.url("front")}/reports`)).status,
      503,
      "also by a switch that was restarted",
    );
    await fixture.driver.refuse?.("front", [], callContext());
    assert.equal((await callClient(`${fixture.url("front")}/reports`)).status, 200);
    assert.deepEqual(backend.seen, ["GET /reportsx", "GET /reports"]);
    const traffic = await fixture.driver.trafficSince(0, new AbortController().signal);
    assert.ok(traffic.every(({ buckets }) => buckets.every(({ failed }) => failed === 0)));
  });

  it("end-to-end headers pass with repetitions, hop-by-hop ones do not, the client's address is added", async () => {
    let seen: string[] = [];
    const backend = await createBackend(cleanup, (request, response) => {
      seen = request.rawHeaders;
      response.writeHead(207, "Many", [
        "Set-Cookie",
        "a=1",
        "Set-Cookie",
        "b=2",
        "X-Secret",
        "1",
        "Connection",
        "X-Secret",
      ]);
      response.end("done");
    });
    await add(backend);
    const answer = await callClient(`${fixture.url("front")}/path?query=1`, {
      headers: {
        host: "shop.example",
        "x-many": ["1", "2"],
        "x-forwarded-for": "10.0.0.1",
        te: "trailers",
        "x-private": "1",
        connection: "close, x-private",
      },
    });
    assert.deepEqual(backend.seen, ["GET /path?query=1"]);
    assert.equal(headerOf(seen, "host"), "shop.example");
    assert.equal(headerOf(seen, "x-forwarded-for"), "10.0.0.1, 127.0.0.1");
    assert.deepEqual(
      seen.filter((_, i) => seen[i - 1]?.toLowerCase() === "x-many" && i % 2 === 1),
      ["1", "2"],
    );
    assert.equal(headerOf(seen, "x-private"), undefined);
    assert.equal(headerOf(seen, "te"), undefined);
    assert.equal(answer.status, 207);
    assert.deepEqual(answer.headers["set-cookie"], ["a=1", "b=2"]);
    assert.equal(answer.headers["x-secret"], undefined);
  });

  it("HEAD, 204 and an empty POST keep their framing", async () => {
    const backend = await createBackend(cleanup, (request, response) => {
      if (request.method === "HEAD") response.writeHead(200, { "content-length": 1234 }).end();
      else response.writeHead(204, { "x-length": request.headers["content-length"] ?? "none" }).end();
    });
    await add(backend);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    cleanup.add(() => {
      agent.destroy();
    });
    const head = await callClient(fixture.url("front"), { method: "HEAD", agent });
    assert.deepEqual([head.status, head.headers["content-length"], head.body], [200, "1234", ""]);
    const empty = await callClient(fixture.url("front"), { method: "POST", agent });
    assert.deepEqual([empty.status, empty.headers["x-length"]], [204, "0"]);
    const deleted = await callClient(fixture.url("front"), { method: "DELETE", agent });
    assert.deepEqual([deleted.status, deleted.headers["x-length"]], [204, "none"]);
  });

  it("answers Expect: 100-continue itself and passes the body on", async () => {
    const backend = await createBackend(cleanup, (request, response) => {
      assert.equal(request.headers.expect, undefined);
      request.pipe(response);
    });
    await add(backend);
    const body = await new Promise<string>((resolve, reject) => {
      const call = httpRequest(fixture.url("front"), {
        method: "POST",
        headers: { expect: "100-continue" },
        agent: false,
      });
      call.on("continue", () => call.end("after the word"));
      call.on("error", reject);
      call.on("response", (answer) => {
        answer.setEncoding("utf8").on("data", resolve);
      });
      call.flushHeaders();
    });
    assert.equal(body, "after the word");
  });

  it("refuses headers that are too large with 431", async () => {
    const backend = await createBackend(cleanup, (_request, response) => response.end());
    await add(backend);
    const answer = await callClient(fixture.url("front"), { headers: { "x-large": "x".repeat(40_000) } });
    assert.equal(answer.status, 431);
    assert.deepEqual(backend.seen, []);
  });

  it("an early answer ends a request whose body nobody wants", async () => {
    const backend = await createBackend(cleanup, (_request, response) => {
      response.writeHead(413, { connection: "close" }).end("too large");
    });
    await add(backend);
    const status = await new Promise<number>((resolve) => {
      const socket = connect(Number(new URL(fixture.url("front")).port), "127.0.0.1");
      socket.on("error", () => undefined);
      socket.on("data", (chunk) => {
        resolve(Number(chunk.toString().slice(9, 12)));
        socket.destroy();
      });
      socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${String(100 * MIB)}\r\n\r\nbeginning`);
    });
    assert.equal(status, 413);
  });

  it("streams 50 MiB both ways, byte for byte", async () => {
    const backend = await createBackend(cleanup, (request, response) => {
      request.pipe(response);
    });
    await add(backend);
    const block = randomBytes(MIB);
    const sent = createHash("sha256");
    const received = createHash("sha256");
    let bytes = 0;
    await new Promise<void>((resolve, reject) => {
      const call = httpRequest(fixture.url("front"), { method: "POST", agent: false });
      call.on("error", reject);
      call.on("response", (answer: IncomingMessage) => {
        answer.on("error", reject);
        answer.on("data", (chunk: Buffer) => {
          received.update(chunk);
          bytes += chunk.length;
        });
        answer.on("end", resolve);
      });
      let left = 50;
      const writeMore = (): void => {
        while (left > 0) {
          left -= 1;
          sent.update(block);
          if (!call.write(block)) {
            call.once("drain", writeMore);
            return;
          }
        }
        call.end();
      };
      writeMore();
    });
    assert.equal(bytes, 50 * MIB);
    assert.equal(received.digest("hex"), sent.digest("hex"));
  });

  it("holds a fast backend back while its client does not read", async () => {
    let written = 0;
    const backend = await createBackend(cleanup, (_request, response) => {
      const block = Buffer.alloc(MIB);
      const writeMore = (): void => {
        while (written < 50 * MIB) {
          written += block.length;
          if (!response.write(block)) {
            response.once("drain", writeMore);
            return;
          }
        }
        response.end();
      };
      writeMore();
    });
    await add(backend);
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      httpRequest(fixture.url("front"), { agent: false }, resolve).on("error", reject).end();
    });
    const stalledAt = await untilSteady(() => written);
    assert.ok(stalledAt < 30 * MIB, `${String(stalledAt / MIB)} MiB were buffered on the way`);
    let received = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) received += chunk.length;
    assert.equal(received, 50 * MIB);
  });

  it("holds a fast client back while its backend does not read", async () => {
    let resume = (): void => undefined;
    const backend = await createBackend(cleanup, (request, response) => {
      request.pause();
      resume = () => {
        let received = 0;
        request.on("data", (chunk: Buffer) => (received += chunk.length));
        request.on("end", () => response.end(String(received)));
        request.resume();
      };
    });
    await add(backend);
    let written = 0;
    const answer = new Promise<string>((resolve, reject) => {
      const call = httpRequest(fixture.url("front"), { method: "POST", agent: false });
      call.on("error", reject);
      call.on("response", (received) => {
        received.setEncoding("utf8").on("data", resolve);
      });
      const block = Buffer.alloc(MIB);
      const writeMore = (): void => {
        while (written < 50 * MIB) {
          written += block.length;
          if (!call.write(block)) {
            call.once("drain", writeMore);
            return;
          }
        }
        call.end();
      };
      writeMore();
    });
    const stalledAt = await untilSteady(() => written);
    assert.ok(stalledAt < 30 * MIB, `${String(stalledAt / MIB)} MiB were buffered on the way`);
    resume();
    assert.equal(await answer, String(50 * MIB));
  });

  it("counts slow requests apart from the latency of the others", async () => {
    const backend = await createBackend(cleanup, (_request, response) => response.end());
    await add(backend);
    for (let i = 0; i < 3; i += 1) await callClient(fixture.url("front"));
    await callClient(fixture.url("front"), { headers: { "x-archipelago-slow": "1" } });
    const [traffic] = await fixture.driver.trafficSince(0, callContext().signal);
    const sum = (value: (bucket: NonNullable<typeof traffic>["buckets"][number]) => number): number =>
      (traffic?.buckets ?? []).reduce((total, bucket) => total + value(bucket), 0);
    assert.equal(
      sum((bucket) => bucket.requests),
      4,
    );
    assert.equal(
      sum((bucket) => bucket.histogram.reduce((a, b) => a + b, 0)),
      3,
    );
  });
});

function headerOf(raw: readonly string[], name: string): string | undefined {
  const index = raw.findIndex((text, i) => i % 2 === 0 && text.toLowerCase() === name);
  return index < 0 ? undefined : raw[index + 1];
}

/** The value once it has not changed for a while. */
async function untilSteady(read: () => number): Promise<number> {
  for (let before = -1; ;) {
    const now = read();
    if (now === before && now > 0) return now;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}
