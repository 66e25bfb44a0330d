import assert from "node:assert/strict";
import { Agent } from "node:http";
import { describeOnEngines } from "./engines";
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

/** A backend that follows the workload contract; its state is the test's to set. */
interface Copy extends TestBackend {
  state: "active" | "quiesced" | "standby";
}

async function createCopy(cleanup: Cleanup, name: string, state: Copy["state"]): Promise<Copy> {
  const backend = await createBackend(
    cleanup,
    (request, response) => {
      request.resume();
      if (copy.state === "active") response.end(name);
      else response.writeHead(503, { "x-archipelago-quiesced": "1" }).end();
    },
    (_request, response) => {
      response.end(JSON.stringify({ state: copy.state }));
    },
  );
  const copy: Copy = { ...backend, state };
  return copy;
}

describeOnEngines("hand-over of an exclusive service", (engine, suite) => {
  suite.timeout(20_000);
  const cleanup = new Cleanup();
  let fixture: SwitchFixture;
  let old: Copy;
  let fresh: Copy;
  let url: string;
  afterEach(() => cleanup.run());

  async function prepare(limits = {}): Promise<void> {
    fixture = await createSwitchFixture(cleanup, [{ name: "ledger", exclusive: true }], limits, engine);
    old = await createCopy(cleanup, "old", "active");
    fresh = await createCopy(cleanup, "new", "standby");
    url = fixture.url("ledger");
    await fixture.driver.setBackend("ledger", target("old", old, 1), callContext());
  }

  function target<W>(replica: string, copy: Copy, weight: W) {
    return { replica, address: copy.address, weight, health: HEALTH };
  }

  function tokenFor(ms: number, token = "t1") {
    return { token, service: "ledger", deadline: Date.now() + ms };
  }

  it("sends to the first backend, its owner, and to no other one however it is weighted", async () => {
    await prepare();
    fresh.state = "active";
    await fixture.driver.setBackend("ledger", target("new", fresh, 100), callContext());
    for (let i = 0; i < 10; i += 1) assert.equal((await callClient(url)).body, "old");
    assert.deepEqual(fresh.seen, []);
  });

  it("parks new requests and sends them to the new owner after cut-over and unpark, with the pause measured", async () => {
    await prepare();
    await fixture.driver.park("ledger", tokenFor(5000), callContext());
    const parked = Promise.all(
      Array.from({ length: 5 }, (_, i) => callClient(url, { method: "POST", body: `entry ${String(i)}` })),
    );
    await waitUntil("five requests wait", async () => (await waiting()) === 5);
    old.state = "quiesced";
    await fixture.driver.cutOver("ledger", "t1", target("new", fresh, undefined), callContext());
    assert.equal((await fixture.driver.owner("ledger", callContext().signal)).state, "cut-over");
    assert.deepEqual(fresh.seen, []);
    fresh.state = "active";
    const { pauseMs, parkedRequests } = await fixture.driver.unpark("ledger", "t1", callContext());
    assert.deepEqual(
      (await parked).map(({ body }) => body),
      ["new", "new", "new", "new", "new"],
    );
    assert.equal(parkedRequests, 5);
    assert.ok(pauseMs > 0 && pauseMs < 5000, `pause of ${String(pauseMs)} ms`);
    assert.equal(old.seen.length, 0);
    assert.deepEqual(await fixture.driver.owner("ledger", callContext().signal), {
      owner: "new",
      token: "t1",
      state: "steady",
    });
  });

  it("is reverted at its deadline: requests go to the old owner again, a later cut-over is refused", async () => {
    await prepare();
    await fixture.driver.park("ledger", tokenFor(150), callContext());
    old.state = "quiesced";
    const parked = callClient(url, { method: "POST", body: "entry" });
    await waitUntil("the deadline has passed", async () => {
      return (await fixture.driver.owner("ledger", callContext().signal)).state === "reverted";
    });
    assert.equal(old.seen.length, 0, "nothing is sent before the old owner is active again");
    old.state = "active";
    assert.equal((await parked).body, "old");
    await assert.rejects(fixture.driver.cutOver("ledger", "t1", target("new", fresh, undefined), callContext()), {
      code: "expired",
    });
    assert.equal((await fixture.driver.owner("ledger", callContext().signal)).owner, "old");
    const { pauseMs, parkedRequests } = await fixture.driver.unpark("ledger", "t1", callContext());
    assert.ok(pauseMs >= 149, `pause of ${String(pauseMs)} ms`);
    assert.equal(parkedRequests, 1);
  });

  it("goes on to the new owner by itself when it was cut over and nobody unparks", async () => {
    await prepare();
    await fixture.driver.park("ledger", tokenFor(200), callContext());
    old.state = "quiesced";
    const parked = callClient(url, { method: "POST", body: "entry" });
    await fixture.driver.cutOver("ledger", "t1", target("new", fresh, undefined), callContext());
    fresh.state = "active";
    assert.equal((await parked).body, "new");
    await waitUntil("the hand-over is over", async () => {
      return (await fixture.driver.owner("ledger", callContext().signal)).state === "steady";
    });
    assert.equal(old.seen.length, 0);
  });

  it("unparked without a cut-over goes back to the old owner, and its token is over", async () => {
    await prepare();
    await fixture.driver.park("ledger", tokenFor(5000), callContext());
    const parked = callClient(url);
    await fixture.driver.unpark("ledger", "t1", callContext());
    assert.equal((await parked).body, "old");
    await assert.rejects(fixture.driver.cutOver("ledger", "t1", target("new", fresh, undefined), callContext()), {
      code: "expired",
    });
    await assert.rejects(fixture.driver.park("ledger", tokenFor(5000), callContext()), { code: "expired" });
  });

  it("is one at a time", async () => {
    await prepare();
    await fixture.driver.park("ledger", tokenFor(5000), callContext());
    await fixture.driver.park("ledger", tokenFor(5000), callContext());
    await assert.rejects(fixture.driver.park("ledger", tokenFor(5000, "t2"), callContext()), { code: "conflict" });
    await assert.rejects(fixture.driver.removeBackend("ledger", "old", callContext()), { code: "conflict" });
  });

  it("holds no more requests than its bound and turns further ones away with 503 and Retry-After", async () => {
    await prepare({ maxWaiting: 3 });
    await fixture.driver.park("ledger", tokenFor(5000), callContext());
    const held = Promise.all([callClient(url), callClient(url), callClient(url)]);
    await waitUntil("three requests wait", async () => (await waiting()) === 3);
    const turnedAway = await callClient(url);
    assert.equal(turnedAway.status, 503);
    assert.equal(turnedAway.headers["retry-after"], "1");
    await fixture.driver.unpark("ledger", "t1", callContext());
    assert.deepEqual(
      (await held).map(({ status }) => status),
      [200, 200, 200],
    );
  });

  (engine === "embedded" ? it : undefined)?.("forgets a parked request whose client went away", async () => {
    await prepare();
    await fixture.driver.park("ledger", tokenFor(5000), callContext());
    const agent = new Agent();
    const gone = callClient(url, { agent });
    await waitUntil("one request waits", async () => (await waiting()) === 1);
    agent.destroy();
    await assert.rejects(gone);
    await waitUntil("nobody waits", async () => (await waiting()) === 0);
    await fixture.driver.unpark("ledger", "t1", callContext());
    assert.deepEqual(old.seen, []);
  });

  (engine === "embedded" ? it : undefined)?.(
    "sends a POST again that a quiesced copy refused, because that copy promises to have done nothing",
    async () => {
      await prepare();
      await callClient(url);
      old.state = "quiesced";
      const refused = callClient(url, { method: "POST", body: "entry" });
      await waitUntil("the quiesced copy refused it", () => old.seen.includes("POST /"));
      old.state = "active";
      assert.deepEqual(await refused.then(({ status, body }) => [status, body]), [200, "old"]);
    },
  );

  it("outlives a restart of the switch: ports, owner, parking and deadline stay", async () => {
    await prepare();
    await fixture.driver.park("ledger", tokenFor(700), callContext());
    old.state = "quiesced";
    await fixture.restart();
    assert.equal(fixture.url("ledger"), url);
    assert.equal((await fixture.driver.owner("ledger", callContext().signal)).state, "parked");
    const parked = callClient(url);
    await fixture.driver.cutOver("ledger", "t1", target("new", fresh, undefined), callContext());
    await fixture.restart();
    assert.equal((await parked).status, 503, "the switch that ended turns away whom it held");
    const second = callClient(url);
    fresh.state = "active";
    const { pauseMs } = await fixture.driver.unpark("ledger", "t1", callContext());
    assert.equal((await second).body, "new");
    assert.ok(pauseMs > 0);
  });

  it("refuses a hand-over of a service that is not exclusive", async () => {
    const { driver } = await createSwitchFixture(cleanup, [{ name: "front" }]);
    await assert.rejects(
      driver.park("front", { token: "t", service: "front", deadline: Date.now() + 1000 }, callContext()),
      { code: "unsupported" },
    );
  });

  async function waiting(): Promise<number> {
    const [service] = await fixture.driver.observe(callContext().signal);
    return service?.parked?.waiting ?? 0;
  }
});
