import assert from "node:assert/strict";
import { join } from "node:path";
import { createLocalFleet } from "../../providers/drivers/local-fleet";
import { fleetLayout, readJson } from "../../providers/drivers/local-fleet/layout";
import { loadInventory } from "../../providers/drivers/inventory";
import { RuntimeApi } from "../../providers/drivers/traffic/switch/haproxy/runtime-api";
import { readProcess, type ProcessIdentity } from "../../providers/agent/process-table";
import { HAS_HAPROXY } from "../traffic/engines";
import { callClient } from "../traffic/switch-fixture";
import { eventually } from "../agent/agent-fixture";
import { fixtureHost, fixtureWorkload, FLEET_TEST_MS, startTestLocalFleet } from "./agent-fleet-fixture";

describe("a local fleet whose traffic goes through HAProxy", function () {
  this.timeout(FLEET_TEST_MS);

  const title = "serves on while its switch is dead, is taken over by the next one, and ends with the fleet";
  if (!HAS_HAPROXY) {
    it.skip(`${title} (skipped: the Debian package haproxy is not installed)`);
    return;
  }
  it(title, async () => {
    const hosts = [fixtureHost("host-01", "zone-a"), fixtureHost("host-02", "zone-b")];
    const workloads = [fixtureWorkload("plain", 2), fixtureWorkload("ledger", 1, true)];
    const { spec, record, base, platform } = await startTestLocalFleet(hosts, workloads, { traffic: "haproxy" });
    let haproxy: number | undefined;
    try {
      assert.equal((await loadInventory(record.inventory)).switch?.engine, "haproxy");
      const layout = fleetLayout(spec.directory);
      const api = new RuntimeApi(join(layout.switch.config, "..", "haproxy"));
      haproxy = await api.pid();
      assert.ok(haproxy !== undefined);
      const url = `${record.endpoints["plain"] ?? ""}/health`;
      const ledgerUrl = `${record.endpoints["ledger"] ?? ""}/health`;
      assert.equal((await callClient(url)).status, 200);

      const { pid } = (await readJson(layout.switch.process)) as ProcessIdentity;
      process.kill(pid, "SIGKILL");
      await eventually("the switch is dead", () => Promise.resolve(readProcess(pid) === undefined));
      assert.equal((await callClient(url)).status, 200);
      assert.equal((await callClient(ledgerUrl)).status, 200);

      await createLocalFleet(spec);
      assert.equal(await api.pid(), haproxy);
      const services = await platform.traffic.observe(new AbortController().signal);
      const plain = services.find(({ name }) => name === "plain");
      assert.deepEqual(
        plain?.backends.map(({ healthy }) => healthy),
        [true, true],
      );
      api.close();
    } finally {
      await base.close();
    }
    assert.equal(readProcess(haproxy), undefined);
  });
});
