import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent } from "node:http";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import {
  callClient,
  callContext,
  Cleanup,
  createBackend,
  createSwitchFixture,
  HEALTH,
  waitUntil,
} from "./switch-fixture";
import type { SwitchFixture, TestBackend } from "./switch-fixture";

describe("requests that meet a broken backend", () => {
  const cleanup = new Cleanup();
  afterEach(() => cleanup.run());

  async function add(fixture: SwitchFixture, replica: string, backend: TestBackend, weight = 1): Promise<void> {
    await fixture.driver.setBackend(
      "front",
      { replica, address: backend.address, weight, health: { ...HEALTH, intervalMs: 10_000 } },
      callContext(),
    );
  }

  it("a GET whose backend breaks off before the answer is answered by another one", async () => {
    const fixture = await createSwitchFixture(cleanup, [{ name: "front" }]);
    const broken = await createBackend(cleanup, (request) => request.socket.destroy());
    const good = await createBackend(cleanup, (_request, response) => response.end("good"));
    await add(fixture, "a", broken);
    await add(fixture, "b", good);
    for (let i = 0; i < 6; i += 1) assert.equal((await callClient(fixture.url("front"))).body, "good");
    assert.ok(broken.seen.length > 0);
  });

  it("a POST that was written to a live connection is never sent again", async () => {
    const fixture = await createSwitchFixture(cleanup, [{ name: "front" }]);
    const broken = await createBackend(cleanup, (request) => request.socket.destroy());
    const good = await createBackend(cleanup, (_request, response) => response.end("good"));
    await add(fixture, "a", broken);
    await add(fixture, "b", good, 0);
    const answer = await callClient(fixture.url("front"), { method: "POST", body: "once" });
    assert.equal(answer.status, 502);
    assert.deepEqual([...broken.seen, ...good.seen], ["POST /"]);
  });

  it("a POST whose connection was refused goes to another backend, body and all", async () => {
    const fixture = await createSwitchFixture(cleanup, [{ name: "front" }]);
    const bodies: string[] = [];
    const down = await createBackend(cleanup, (_request, response) => response.end());
    const good = await createBackend(cleanup, (request, response) => {
      request.setEncoding("utf8").on("data", (text: string) => bodies.push(text));
      request.on("end", () => response.end("good"));
    });
    await add(fixture, "a", down, 100);
    await add(fixture, "b", good);
    await down.kill();
    const answer = await callClient(fixture.url("front"), { method: "POST", body: "entry" });
    assert.equal(answer.body, "good");
    assert.deepEqual(bodies, ["entry"]);
    const [service] = await fixture.driver.observe(callContext().signal);
    assert.equal(service?.backends.find(({ replica }) => replica === "a")?.healthy, false);
  });

  it("a GET on a kept connection that the backend has just closed is sent again to the same backend", async () => {
    const fixture = await createSwitchFixture(cleanup, [{ name: "front" }]);
    const used = new Set<object>();
    // Answers the first request of each connection and breaks the connection at the second.
    const once = await createBackend(cleanup, (request, response) => {
      if (used.has(request.socket)) request.socket.destroy();
      else response.end("answer");
      used.add(request.socket);
    });
    await add(fixture, "a", once);
    for (let i = 0; i < 6; i += 1) assert.equal((await callClient(fixture.url("front"))).body, "answer");
    assert.ok(once.seen.length > 6, "connections were kept");
  });

  it("an answer that breaks off in its middle reaches the client as broken, not as whole", async () => {
    const fixture = await createSwitchFixture(cleanup, [{ name: "front" }]);
    const torn = await createBackend(cleanup, (_request, response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("half", () => response.destroy());
    });
    await add(fixture, "a", torn);
    await assert.rejects(callClient(fixture.url("front")));
    assert.equal(torn.seen.length, 1);
    const [traffic] = await fixture.driver.trafficSince(0, callContext().signal);
    assert.equal(
      traffic?.buckets.reduce((sum, bucket) => sum + bucket.failed, 0),
      1,
    );
  });

  it("waits for a backend instead of failing, and gives up with 503 after its bound", async () => {
    const fixture = await createSwitchFixture(cleanup, [{ name: "front" }], { maxWaitMs: 400 });
    const late = callClient(fixture.url("front"));
    const good = await createBackend(cleanup, (_request, response) => response.end("good"));
    await add(fixture, "a", good);
    assert.equal((await late).body, "good");
    await fixture.driver.removeBackend("front", "a", callContext());
    const answer = await callClient(fixture.url("front"));
    assert.equal(answer.status, 503);
    assert.equal(answer.headers["retry-after"], "1");
  });

  it("a backend that is silent for too long is answered for with 504", async () => {
    const fixture = await createSwitchFixture(cleanup, [{ name: "front" }], { backendSilenceMs: 100 });
    const silent = await createBackend(cleanup, () => undefined);
    await add(fixture, "a", silent);
    assert.equal((await callClient(fixture.url("front"))).status, 504);
    assert.equal(silent.seen.length, 1);
  });

  it("a client that goes away ends the request at the backend and is no longer counted under way", async () => {
    const fixture = await createSwitchFixture(cleanup, [{ name: "front" }]);
    let isAborted = false;
    const slow = await createBackend(cleanup, (request) => {
      request.socket.on("close", () => {
        isAborted = true;
      });
    });
    await add(fixture, "a", slow);
    const agent = new Agent();
    const gone = callClient(fixture.url("front"), { agent });
    await waitUntil("the request is under way", () => slow.seen.length === 1);
    agent.destroy();
    await assert.rejects(gone);
    await waitUntil("the backend's connection is closed", () => isAborted);
    const [service] = await fixture.driver.observe(callContext().signal);
    assert.equal(service?.backends[0]?.inFlight, 0);
  });

  it("no GET fails while one of two backends is killed under load", async () => {
    const fixture = await createSwitchFixture(cleanup, [{ name: "front" }]);
    const answerSoon = (response: { end(text: string): unknown }, text: string): void => {
      setTimeout(() => response.end(text), 5);
    };
    const a = await createBackend(cleanup, (_request, response) => {
      answerSoon(response, "a");
    });
    const b = await createBackend(cleanup, (_request, response) => {
      answerSoon(response, "b");
    });
    await add(fixture, "a", a);
    await add(fixture, "b", b);
    const agent = new Agent({ keepAlive: true });
    cleanup.add(() => {
      agent.destroy();
    });
    let answered = 0;
    const client = async (): Promise<void> => {
      for (let i = 0; i < 40; i += 1) {
        assert.equal((await callClient(fixture.url("front"), { agent })).status, 200);
        answered += 1;
      }
    };
    const clients = Promise.all(Array.from({ length: 20 }, client));
    await waitUntil("both backends are busy", () => a.seen.length > 50 && b.seen.length > 50);
    await a.kill();
    await clients;
    assert.equal(answered, 800);
    assert.ok(a.seen.length < 400, "it was killed in the middle");
    const [traffic] = await fixture.driver.trafficSince(0, callContext().signal);
    assert.equal(
      traffic?.buckets.reduce((sum, bucket) => sum + bucket.failed, 0),
      0,
    );
    assert.equal(
      traffic.buckets.reduce((sum, bucket) => sum + bucket.requests, 0),
      800,
    );
  });

  it("an answer that is not valid HTTP becomes a 502, and the switch goes on", async () => {
    const fixture = await createSwitchFixture(cleanup, [{ name: "front" }]);
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", (chunk) => {
        const isCheck = chunk.toString().startsWith("GET /health");
        socket.end(`HTTP/1.1 ${isCheck ? "200 OK" : "099 Odd"}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanup.add(() => server.close());
    const address = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    await fixture.driver.setBackend("front", { replica: "a", address, weight: 1, health: HEALTH }, callContext());
    assert.equal((await callClient(fixture.url("front"))).status, 502);
    assert.equal((await callClient(fixture.url("front"))).status, 502);
    const [service] = await fixture.driver.observe(callContext().signal);
    assert.equal(service?.backends[0]?.inFlight, 0);
  });

  it("a broken request of a client is answered with 400 and reaches no backend", async () => {
    const fixture = await createSwitchFixture(cleanup, [{ name: "front" }]);
    const good = await createBackend(cleanup, (_request, response) => response.end("good"));
    await add(fixture, "a", good);
    const socket = connect(Number(new URL(fixture.url("front")).port), "127.0.0.1");
    const text = await new Promise<string>((resolve) => {
      let received = "";
      socket.on("data", (chunk) => (received += chunk.toString()));
      socket.on("close", () => {
        resolve(received);
      });
      socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    });
    assert.match(text, /^HTTP\/1.1 400 /);
    assert.deepEqual(good.seen, []);
  });
});
