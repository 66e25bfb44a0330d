import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { startLoad, verifyLedger } from "../../bench/load";
import { describeOnEngines } from "./engines";
import { callClient, callContext, Cleanup, createSwitchFixture, HEALTH, waitUntil } from "./switch-fixture";

/** A workload process. */
interface Copy {
  readonly address: string;
  readonly url: string;
  readonly process: ChildProcess;
}

/** Folder of the sources, whatever folder they were compiled to. */
function sourceFolder(): string {
  for (let folder = __dirname; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, "examples/quickstart/workloads/ledger.mjs"))) return folder;
  }
  throw new Error("the quickstart's workloads are not there");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

describeOnEngines("the quickstart's workloads behind the switch", (engine, suite) => {
  suite.timeout(60_000);
  const cleanup = new Cleanup();
  afterEach(() => cleanup.run());

  async function startCopy(program: string, environment: Readonly<Record<string, string>> = {}): Promise<Copy> {
    const port = await freePort();
    const data = await mkdtemp(join(tmpdir(), "archipelago-copy-"));
    cleanup.add(() => rm(data, { recursive: true, force: true }));
    const child = spawn(process.execPath, [join(sourceFolder(), "examples/quickstart/workloads", program)], {
      env: { PATH: process.env["PATH"], PORT: String(port), ARCHIPELAGO_DATA: data, ...environment },
      stdio: ["ignore", "ignore", "inherit"],
    });
    cleanup.add(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    });
    const url = `http://127.0.0.1:${String(port)}`;
    await waitUntil(`${program} serves`, () =>
      callClient(`${url}/health`).then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
    return { address: `127.0.0.1:${String(port)}`, url, process: child };
  }

  it("hands the ledger over twice and a front copy moves by surge under load: nothing fails, no write is lost", async () => {
    const { driver, url } = await createSwitchFixture(
      cleanup,
      [{ name: "front" }, { name: "pricing" }, { name: "ledger", exclusive: true }],
      {},
      engine,
    );
    const toPricing = { ARCHIPELAGO_SERVICE_PRICING: url("pricing") };
    const [first, second, pricing, front, ledger, successor] = await Promise.all([
      startCopy("front.mjs", toPricing),
      startCopy("front.mjs", toPricing),
      startCopy("pricing.mjs"),
      startCopy("front.mjs", toPricing),
      startCopy("ledger.mjs", { ARCHIPELAGO_REPLICA: "ledger-1" }),
      startCopy("ledger.mjs", { ARCHIPELAGO_REPLICA: "ledger-2", ARCHIPELAGO_STANDBY: "1" }),
    ]);
    const set = (service: string, replica: string, copy: Copy, weight: number): Promise<void> =>
      driver.setBackend(service, { replica, address: copy.address, weight, health: HEALTH }, callContext());
    await set("front", "front-1", first, 1);
    await set("front", "front-2", second, 1);
    await set("pricing", "pricing-1", pricing, 1);
    await set("ledger", "ledger-1", ledger, 1);

    const load = await startLoad(
      {
        services: { front: url("front"), ledger: url("ledger") },
        ratePerSecond: 300,
        maxSeconds: 30,
        ledgerShare: 0.3,
      },
      () => undefined,
    );
    cleanup.add(() => {
      load.kill();
    });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await load.mark("window");
    const pauses = [
      await handOver("t1", ledger, "ledger-2", successor),
      await handOver("t2", successor, "ledger-1", ledger),
    ];

    await set("front", "front-3", front, 1);
    await set("front", "front-1", first, 0);
    await waitUntil("the old front copy is drained", async () => {
      const services = await driver.observe(callContext().signal);
      return services
        .flatMap(({ backends }) => backends)
        .some(({ replica, inFlight }) => replica === "front-1" && inFlight === 0);
    });
    first.process.kill("SIGTERM");
    assert.deepEqual(await once(first.process, "exit"), [0, null]);
    await driver.removeBackend("front", "front-1", callContext());
    await load.mark("after");
    await new Promise((resolve) => setTimeout(resolve, 500));
    const result = await load.stop();

    assert.deepEqual(result.failures, []);
    assert.equal(result.failed, 0);
    assert.ok(result.requests > 500 && result.slow.requests > 0);
    const verdict = await verifyLedger(url("ledger"), result.ackedLedgerIds);
    assert.ok(verdict.acknowledged > 100);
    assert.deepEqual(verdict.lost, []);
    assert.deepEqual(verdict.doubled, []);
    assert.equal(verdict.held, verdict.acknowledged);
    for (const pause of pauses) assert.ok(pause < 5000, `pause of ${String(pause)} ms`);

    async function handOver(token: string, from: Copy, replica: string, to: Copy): Promise<number> {
      const deadline = Date.now() + 5000;
      await driver.park("ledger", { token, service: "ledger", deadline }, callContext());
      const quiesced = await callClient(`${from.url}/archipelago/quiesce`, { method: "POST" });
      const snapshot = await callClient(`${from.url}/archipelago/snapshot`);
      await callClient(`${to.url}/archipelago/quiesce`, { method: "POST" });
      const restored = await callClient(`${to.url}/archipelago/restore`, { method: "POST", body: snapshot.body });
      assert.equal(hashOf(restored.body), hashOf(quiesced.body));
      await driver.cutOver("ledger", token, { replica, address: to.address, health: HEALTH }, callContext());
      await callClient(`${to.url}/archipelago/activate`, { method: "POST" });
      return (await driver.unpark("ledger", token, callContext())).pauseMs;
    }
  });

  (engine === "embedded" ? it : undefined)?.(
    "every acknowledged entry of a ledger that was killed is there after its restart",
    async () => {
      const data = await mkdtemp(join(tmpdir(), "archipelago-ledger-"));
      cleanup.add(() => rm(data, { recursive: true, force: true }));
      const ledger = await startCopy("ledger.mjs", { ARCHIPELAGO_DATA: data });
      const acknowledged: string[] = [];
      const write = async (id: string): Promise<void> => {
        const body = JSON.stringify({ id, amount: 1 });
        const answer = await callClient(`${ledger.url}/entries`, { method: "POST", body }).catch(() => undefined);
        if (answer?.status === 201) acknowledged.push(id);
      };
      const writers = Array.from({ length: 200 }, (_, i) => write(`entry-${String(i)}`));
      await waitUntil("some are acknowledged", () => acknowledged.length > 20);
      ledger.process.kill("SIGKILL");
      await Promise.all(writers);
      const again = await startCopy("ledger.mjs", { ARCHIPELAGO_DATA: data });
      assert.deepEqual((await verifyLedger(again.url, acknowledged)).lost, []);
      const audit = JSON.parse((await callClient(`${again.url}/audit`)).body) as { count: number };
      assert.ok(audit.count >= acknowledged.length);
    },
  );
});

function hashOf(body: string): string {
  return (JSON.parse(body) as { readonly sha256: string }).sha256;
}
