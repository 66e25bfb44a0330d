/**
 * What every traffic engine does with real connections: keep-alive, streams, slow requests, upgrades. The rules of the
 * control API are in traffic-contract.ts.
 */
import assert from "node:assert/strict";
import { Agent, request as httpRequest } from "node:http";
import type { TrafficEngine, Service } from "../../sdk/model";
import {
  callClient,
  callContext,
  Cleanup,
  createBackend,
  createSwitchFixture,
  HEALTH,
  waitUntil,
} from "../traffic/switch-fixture";
import type { SwitchFixture, TestBackend } from "../traffic/switch-fixture";
import { echoWebSockets, openWebSocket } from "../traffic/web-socket";

/** How long a drain leaves upgraded connections open here. */
const DRAIN_MS = 300;

/** Tests an engine with real connections. */
export function describeLiveTraffic(engine: TrafficEngine, suite: Mocha.Suite): void {
  suite.timeout(30_000);
  const cleanup = new Cleanup();
  afterEach(() => cleanup.run());

  const start = (): Promise<SwitchFixture> =>
    createSwitchFixture(cleanup, [{ name: "front" }, { name: "ledger", exclusive: true }], {}, engine);

  async function give(
    { driver }: SwitchFixture,
    service: string,
    replica: string,
    { address }: TestBackend,
    change: { readonly weight?: number; readonly closeUpgradesAt?: number } = {},
  ): Promise<void> {
    await driver.setBackend(service, { replica, address, weight: 1, health: HEALTH, ...change }, callContext());
    await waitUntil(`${replica} is healthy`, async () => (await look({ driver }, service, replica))?.healthy === true);
  }

  async function look(
    { driver }: Pick<SwitchFixture, "driver">,
    service: string,
    replica: string,
  ): Promise<Service["backends"][number] | undefined> {
    const services = await driver.observe(callContext().signal);
    return services.find(({ name }) => name === service)?.backends.find((backend) => backend.replica === replica);
  }

  it("spreads the requests of one kept connection by weight", async () => {
    const fixture = await start();
    const named = (name: string) => createBackend(cleanup, (_request, response) => response.end(name));
    await give(fixture, "front", "a", await named("a"), { weight: 1 });
    await give(fixture, "front", "b", await named("b"), { weight: 3 });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    cleanup.add(() => {
      agent.destroy();
    });
    const bodies: string[] = [];
    for (let i = 0; i < 20; i += 1) bodies.push((await callClient(fixture.url("front"), { agent })).body);
    const ofA = bodies.filter((body) => body === "a").length;
    assert.ok(ofA >= 4 && ofA <= 6, `${String(ofA)} of 20 went to a`);
    assert.equal(Object.values(agent.freeSockets).flat().length, 1, "one connection was kept");
  });

  it("streams bodies both ways while they come", async () => {
    const fixture = await start();
    const backend = await createBackend(cleanup, (request, response) => {
      response.writeHead(200);
      request.on("data", (chunk: Buffer) => response.write(`got ${chunk.toString()};`));
      request.on("end", () => response.end("end"));
    });
    await give(fixture, "front", "a", backend);
    const call = httpRequest(fixture.url("front"), { method: "POST", agent: false });
    let text = "";
    const ended = new Promise<void>((resolve, reject) => {
      call.on("error", reject);
      call.on("response", (answer) => {
        answer.on("data", (chunk: Buffer) => (text += chunk.toString()));
        answer.on("end", resolve);
      });
    });
    call.write("one");
    await waitUntil("the answer to the first part is here", () => text === "got one;");
    call.write("two");
    await waitUntil("the answer to the second part is here", () => text === "got one;got two;");
    call.end();
    await ended;
    assert.equal(text, "got one;got two;end");
  });

  it("lets a slow request end at a backend that drains, while new ones go elsewhere", async () => {
    const fixture = await start();
    let finish: (() => void) | undefined;
    const slow = await createBackend(cleanup, (_request, response) => {
      finish = () => response.end("slow");
    });
    const other = await createBackend(cleanup, (_request, response) => response.end("other"));
    await give(fixture, "front", "slow", slow);
    const underWay = callClient(fixture.url("front"));
    await waitUntil("the request is under way", () => finish !== undefined);
    await give(fixture, "front", "other", other);
    await give(fixture, "front", "slow", slow, { weight: 0, closeUpgradesAt: Date.now() });
    for (let i = 0; i < 5; i += 1) assert.equal((await callClient(fixture.url("front"))).body, "other");
    assert.equal((await look(fixture, "front", "slow"))?.inFlight, 1);
    finish?.();
    assert.equal((await underWay).body, "slow");
    await waitUntil("it is drained", async () => (await look(fixture, "front", "slow"))?.inFlight === 0);
  });

  it("holds a request while no backend could take it", async () => {
    const fixture = await start();
    const waiting = callClient(fixture.url("front"), { method: "POST", body: "entry" });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await give(fixture, "front", "a", await createBackend(cleanup, (_request, response) => response.end("late")));
    assert.deepEqual(await waiting.then(({ status, body }) => [status, body]), [200, "late"]);
  });

  it("passes a WebSocket both ways, waits for it in a drain, then closes it and says so", async () => {
    const fixture = await start();
    const backend = await createBackend(cleanup, (_request, response) => response.end());
    const { closes } = echoWebSockets(backend.server, "a");
    await give(fixture, "front", "a", backend);
    const { status, ws } = await openWebSocket(fixture.url("front"));
    assert.equal(status, 101);
    assert.equal(await ws.ask("hello"), "hello of a");
    assert.equal((await look(fixture, "front", "a"))?.inFlight, 1);

    const closeUpgradesAt = Date.now() + DRAIN_MS;
    await give(fixture, "front", "a", backend, { weight: 0, closeUpgradesAt });
    assert.equal(await ws.ask("still here"), "still here of a");
    const closeStatus = await ws.closed;
    assert.ok(Date.now() >= closeUpgradesAt, "it was not closed earlier");
    await waitUntil("it is drained", async () => (await look(fixture, "front", "a"))?.inFlight === 0);
    assert.equal((await look(fixture, "front", "a"))?.closedUpgrades, 1);
    // HAProxy does not know WebSockets: it closes the connection.
    assert.equal(closeStatus, engine === "embedded" ? 1001 : 0);
    if (engine === "embedded") await waitUntil("the backend was told, too", () => closes.includes(1001));
  });

  it("closes WebSockets of an exclusive service when it is parked; a new one waits for the new owner", async () => {
    const fixture = await start();
    const { driver } = fixture;
    const [old, fresh] = await Promise.all(
      ["old", "new"].map(async (name) => {
        const backend = await createBackend(cleanup, (_request, response) => response.end(name));
        return { ...backend, ...echoWebSockets(backend.server, name) };
      }),
    );
    assert.ok(old && fresh);
    await give(fixture, "ledger", "old", old);
    const { ws } = await openWebSocket(fixture.url("ledger"));
    assert.equal(await ws.ask("write"), "write of old");
    const token = { token: "t1", service: "ledger", deadline: Date.now() + 10_000 };
    await driver.park("ledger", token, callContext());
    await ws.closed;
    await waitUntil("the owner is idle", async () => (await look(fixture, "ledger", "old"))?.inFlight === 0);
    const again = openWebSocket(fixture.url("ledger"));
    const to = { replica: "new", address: fresh.address, health: HEALTH };
    await driver.cutOver("ledger", "t1", to, callContext());
    await driver.unpark("ledger", "t1", callContext());
    const second = await again;
    assert.equal(await second.ws.ask("write"), "write of new");
    assert.equal(old.open.size, 0);
    second.ws.socket.destroy();
    await waitUntil("it has ended", async () => (await look(fixture, "ledger", "new"))?.inFlight === 0);
  });

  it("passes on a backend's answer to an upgrade that it does not want", async () => {
    const fixture = await start();
    const backend = await createBackend(cleanup, (_request, response) => response.end("plain"));
    backend.server.on("upgrade", (_request, socket) => {
      // Whoever got the whole answer may reset the connection.
      socket.on("error", () => socket.destroy());
      socket.end("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno");
    });
    await give(fixture, "front", "a", backend);
    const { status, ws } = await openWebSocket(fixture.url("front"));
    assert.equal(status, 426);
    ws.socket.destroy();
    await waitUntil("it has ended", async () => (await look(fixture, "front", "a"))?.inFlight === 0);
  });
}
