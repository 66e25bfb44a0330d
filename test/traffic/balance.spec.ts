import assert from "node:assert/strict";
import { Agent } from "node:http";
import fc from "fast-check";
import { chooseWeighted } from "../../providers/drivers/traffic/switch/weighted-choice";
import {
  callClient,
  callContext,
  Cleanup,
  createBackend,
  createSwitchFixture,
  HEALTH,
  waitUntil,
} from "./switch-fixture";

describe("weighted choice", () => {
  it("chooses each candidate exactly in proportion to its weight over one cycle", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 6 }), (weights) => {
        const candidates = weights.map((weight, index) => ({ index, weight, credit: 0 }));
        const cycle = weights.reduce((sum, weight) => sum + weight, 0);
        const turns = weights.map(() => 0);
        for (let turn = 0; turn < cycle; turn += 1) {
          const chosen = chooseWeighted(candidates, () => true);
          assert.ok(chosen);
          turns[chosen.index] = (turns[chosen.index] ?? 0) + 1;
        }
        assert.deepEqual(turns, weights);
      }),
    );
  });

  it("chooses nobody when nobody is usable", () => {
    assert.equal(
      chooseWeighted([{ weight: 1, credit: 0 }], () => false),
      undefined,
    );
  });
});

describe("traffic to several backends", () => {
  const cleanup = new Cleanup();
  afterEach(() => cleanup.run());

  it("is spread by weight", async () => {
    const { driver, url } = await createSwitchFixture(cleanup, [{ name: "front" }]);
    const a = await createBackend(cleanup, (_request, response) => response.end("a"));
    const b = await createBackend(cleanup, (_request, response) => response.end("b"));
    await driver.setBackend("front", { replica: "a", address: a.address, weight: 3, health: HEALTH }, callContext());
    await driver.setBackend("front", { replica: "b", address: b.address, weight: 1, health: HEALTH }, callContext());
    for (let i = 0; i < 40; i += 1) assert.equal((await callClient(url("front"))).status, 200);
    assert.equal(a.seen.length, 30);
    assert.equal(b.seen.length, 10);
  });

  it("drains a backend of weight 0: what is under way ends there, nothing new comes, no idle connection stays", async () => {
    const { driver, url } = await createSwitchFixture(cleanup, [{ name: "front" }]);
    let release = (): void => undefined;
    const slow = await createBackend(cleanup, (request, response) => {
      if (request.url === "/slow") release = () => response.end("slow");
      else response.end("quick");
    });
    const other = await createBackend(cleanup, (_request, response) => response.end("other"));
    const agent = new Agent({ keepAlive: true });
    cleanup.add(() => {
      agent.destroy();
    });
    const old = { replica: "old", address: slow.address, health: HEALTH };
    await driver.setBackend("front", { ...old, weight: 1 }, callContext());
    await callClient(`${url("front")}/`, { agent });
    const underWay = callClient(`${url("front")}/slow`, { agent });
    await waitUntil("the slow request is under way", () => slow.seen.includes("GET /slow"));
    const fresh = { replica: "new", address: other.address, weight: 1, health: HEALTH };
    await driver.setBackend("front", fresh, callContext());
    await driver.setBackend("front", { ...old, weight: 0 }, callContext());
    const seenBefore = slow.seen.length;
    for (let i = 0; i < 20; i += 1) assert.equal((await callClient(url("front"), { agent })).body, "other");
    assert.equal(slow.seen.length, seenBefore);
    const [service] = await driver.observe(callContext().signal);
    assert.deepEqual(
      service?.backends.map(({ replica, inFlight, weight }) => [replica, inFlight, weight]),
      [
        ["new", 0, 1],
        ["old", 1, 0],
      ],
    );
    release();
    assert.equal((await underWay).body, "slow");
    await waitUntil("nothing is under way", async () => {
      const [now] = await driver.observe(callContext().signal);
      return now?.backends.every(({ inFlight }) => inFlight === 0) === true;
    });
    await waitUntil("no connection to the drained backend is left", async () => {
      const connections = await new Promise<number>((resolve, reject) => {
        slow.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
      });
      // A health check may be there for a moment.
      return connections === 0;
    });
  });
});
