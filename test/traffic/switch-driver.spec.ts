import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../providers/clock";
import { createFleetAuthority, issueCertificate } from "../../providers/drivers/certificates";
import { createControlClient } from "../../providers/drivers/control-client";
import { createSwitchTrafficDriver } from "../../providers/drivers/traffic/switch-driver";
import type { TrafficEngine } from "../../sdk/model";
import { describeTrafficDriver } from "../drivers/traffic-contract";
import type { TrafficContractFixture } from "../drivers/traffic-contract";
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

describeOnEngines("traffic driver", (engine) => {
  describeTrafficDriver(`a switch (${engine})`, () => createContractFixture(engine));
});

async function createContractFixture(engine: TrafficEngine): Promise<TrafficContractFixture> {
  const cleanup = new Cleanup();
  const services = [{ name: "front" }, { name: "ledger", exclusive: true }];
  const fixture = await createSwitchFixture(cleanup, services, {}, engine);
  const { driver } = fixture;
  const live = async (replica: string) => {
    const backend = await createBackend(cleanup, (_request, response) => {
      setTimeout(() => response.end(replica), 300);
    });
    return { ...backend, replica };
  };
  const [front, spare, owner, successor] = await Promise.all(["front-1", "front-2", "ledger-1", "ledger-2"].map(live));
  assert.ok(front && spare && owner && successor);
  const given = ({ replica, address }: { replica: string; address: string }) => ({ replica, address });
  await driver.setBackend("front", { ...given(front), weight: 1, health: HEALTH }, callContext());
  await driver.setBackend("ledger", { ...given(owner), weight: 1, health: HEALTH }, callContext());
  return {
    driver,
    clock: systemClock,
    health: HEALTH,
    plain: { service: "front", backend: given(front), spare: given(spare) },
    exclusive: { service: "ledger", owner: given(owner), successor: given(successor) },
    keepBusy: async () => {
      const before = front.seen.length;
      void callClient(fixture.url("front"));
      void callClient(fixture.url("front"));
      await waitUntil("a request is under way", () => front.seen.length > before);
    },
    run: (body) => body(),
    close: () => cleanup.run(),
  };
}

describe("control of the switch", () => {
  const cleanup = new Cleanup();
  afterEach(() => cleanup.run());

  it("refuses an older epoch of the same run and lets another run begin with its own", async () => {
    const { driver } = await createSwitchFixture(cleanup, [{ name: "front" }]);
    const backend = { replica: "a", address: "127.0.0.1:9", weight: 0, health: HEALTH };
    await driver.setBackend("front", backend, callContext({ owner: "run-1", epoch: 5 }));
    await assert.rejects(driver.removeBackend("front", "a", callContext({ owner: "run-1", epoch: 4 })), {
      code: "stale-epoch",
    });
    await driver.removeBackend("front", "a", callContext({ owner: "run-2", epoch: 1 }));
    assert.deepEqual((await driver.observe(callContext().signal))[0]?.backends, []);
  });

  it("answers a repeated key with the recorded result, also after a restart", async () => {
    const fixture = await createSwitchFixture(cleanup, [{ name: "front" }]);
    const backend = { replica: "a", address: "127.0.0.1:9", weight: 1, health: HEALTH };
    const repeated = callContext();
    await fixture.driver.setBackend("front", backend, repeated);
    await fixture.driver.setBackend("front", { ...backend, weight: 2 }, callContext());
    await fixture.restart();
    await fixture.driver.setBackend("front", backend, repeated);
    const [service] = await fixture.driver.observe(callContext().signal);
    assert.equal(service?.backends[0]?.weight, 2);
  });

  it("keeps ports, backends and weights across a restart and serves at once", async () => {
    const fixture = await createSwitchFixture(cleanup, [{ name: "front" }, { name: "pricing" }]);
    const { driver, url } = fixture;
    const backend = await createBackend(cleanup, (_request, response) => response.end("answer"));
    const given = { replica: "a", address: backend.address, weight: 7, health: HEALTH };
    await driver.setBackend("front", given, callContext());
    const before = [url("front"), url("pricing"), fixture.running().controlUrl];
    await fixture.restart();
    assert.deepEqual([url("front"), url("pricing"), fixture.running().controlUrl], before);
    assert.equal((await callClient(url("front"))).body, "answer");
    const [service] = await driver.observe(callContext().signal);
    assert.equal(service?.backends[0]?.weight, 7);
  });

  it("names what is wrong with a service, a backend and a certificate", async () => {
    const { driver, running, directory } = await createSwitchFixture(cleanup, [{ name: "front" }]);
    const backend = { replica: "a", address: "127.0.0.1:9", weight: 1, health: HEALTH };
    await assert.rejects(driver.setBackend("frnt", backend, callContext()), {
      code: "not-found",
      message: /frnt: is not a service of this switch; known services: front/,
    });
    await assert.rejects(driver.setBackend("front", { ...backend, address: "nowhere" }, callContext()), {
      code: "refused",
      message: /address of a \("nowhere"\) must be host:port/,
    });
    await assert.rejects(driver.setBackend("front", { ...backend, weight: -1 }, callContext()), { code: "refused" });
    const strangers = join(directory, "strangers");
    await createFleetAuthority(strangers);
    const tls = await issueCertificate(strangers, { name: "stranger", role: "client", addresses: [] });
    const stranger = createSwitchTrafficDriver({ url: running().controlUrl, tls });
    cleanup.add(() => {
      stranger.close();
    });
    await assert.rejects(stranger.observe(callContext().signal), { code: "unauthorized" });
  });

  it("counts no read as mutating", async () => {
    const { driver, running, tls } = await createSwitchFixture(cleanup, [{ name: "front" }]);
    const { signal } = callContext();
    await driver.observe(signal);
    await driver.trafficSince(0, signal);
    await driver.owner("front", signal);
    const client = createControlClient({ url: running().controlUrl, tls, subject: "switch" });
    cleanup.add(() => {
      client.close();
    });
    assert.deepEqual(await client.read("counters", {}, signal), { reads: 3, mutations: 0 });
  });

  it("tells requests per second of each backend", async () => {
    const { driver, url } = await createSwitchFixture(cleanup, [{ name: "front" }]);
    const backend = await createBackend(cleanup, (_request, response) => response.end());
    await driver.setBackend(
      "front",
      { replica: "a", address: backend.address, weight: 1, health: HEALTH },
      callContext(),
    );
    for (let i = 0; i < 10; i += 1) await callClient(url("front"));
    await waitUntil("the second is over", async () => (await driver.rates(callContext().signal))["front"]?.["a"] === 1);
  });
});
