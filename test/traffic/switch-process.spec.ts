import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describeOnEngines } from "./engines";
import { callClient, callContext, Cleanup, createBackend, createSwitchFixture, HEALTH } from "./switch-fixture";

describeOnEngines("the switch as a process", (engine, suite) => {
  suite.timeout(30_000);
  const cleanup = new Cleanup();
  afterEach(() => cleanup.run());

  /** Starts `archipelago-agent switch` and waits until it serves. */
  async function startProcess(configFile: string): Promise<ChildProcess> {
    const program = join(__dirname, "../../providers/agent/main.js");
    const child = spawn(process.execPath, [program, "switch", "--config", configFile], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    cleanup.add(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    });
    assert.ok(child.stdout);
    await once(child.stdout, "data");
    return child;
  }

  it("is back with the same ports, backends and parked hand-over after it was killed, and ends on SIGTERM", async () => {
    const { driver, url, running, configFile } = await createSwitchFixture(
      cleanup,
      [{ name: "front" }, { name: "ledger", exclusive: true }],
      {},
      engine,
    );
    await running().close(0);
    const backend = await createBackend(cleanup, (_request, response) => response.end("answer"));
    const given = { replica: "a", address: backend.address, weight: 1, health: HEALTH };
    const first = await startProcess(configFile);
    await driver.setBackend("front", given, callContext());
    await driver.setBackend("ledger", given, callContext());
    const token = { token: "t1", service: "ledger", deadline: Date.now() + 20_000 };
    await driver.park("ledger", token, callContext());
    first.kill("SIGKILL");
    await once(first, "exit");

    const second = await startProcess(configFile);
    assert.equal((await callClient(url("front"))).body, "answer");
    assert.equal((await driver.owner("ledger", callContext().signal)).state, "parked");
    const parked = callClient(url("ledger"));
    const { pauseMs } = await driver.unpark("ledger", "t1", callContext());
    assert.equal((await parked).body, "answer");
    assert.ok(pauseMs > 0);
    driver.close();
    second.kill("SIGTERM");
    assert.deepEqual(await once(second, "exit"), [0, null]);
  });
});
