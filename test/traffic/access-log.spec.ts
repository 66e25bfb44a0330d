import { strict as assert } from "node:assert";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AccessLogWriter, type AccessLine } from "../../providers/drivers/traffic/switch/access-log-writer";
import { createSwitchTrafficDriver } from "../../providers/drivers/traffic/switch-driver";
import { parseSwitchConfig } from "../../providers/drivers/traffic/switch/config";
import { readAccessLog } from "../../providers/observe/access-log";
import { callClient, callContext, Cleanup, createBackend, createSwitchFixture, HEALTH } from "./switch-fixture";

const AT_MS = Date.UTC(2026, 2, 7, 2);

function line(change: Partial<AccessLine> = {}): AccessLine {
  return {
    ...{ atMs: AT_MS, service: "front", method: "GET", target: "/items/7?token=secret", status: 200 },
    ...{ latencyMs: 12.4, who: "session=ada" },
    ...change,
  };
}

describe("the access log of the switch", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "archipelago-access-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("says who asked for what and when, without names and queries, as users of an island are read", async () => {
    const file = join(folder, "logs", "access.log");
    const log = new AccessLogWriter(file);
    log.record(line());
    log.record(line({ atMs: AT_MS + 1000, target: "/cart" }));
    log.record(line({ atMs: AT_MS + 2000, target: "/cart", who: "session=bob" }));
    await log.close();
    const text = await readFile(file, "utf8");
    assert.doesNotMatch(text, /ada|bob|secret/);
    const visits = await readAccessLog(file, AT_MS + 60_000);
    assert.deepEqual(
      visits.map(({ atMs, session }) => [atMs - AT_MS, session]),
      [
        [0, "1"],
        [1000, "1"],
        [2000, "2"],
      ],
    );
  });

  it("begins a new file when one is full, keeps the one before, and no more", async () => {
    const file = join(folder, "access.log");
    const log = new AccessLogWriter(file, 400);
    for (let batch = 0; batch < 6; batch += 1) {
      log.record(line({ atMs: AT_MS + batch }));
      await log.close();
    }
    for (const name of [file, `${file}.1`]) assert.ok((await stat(name)).size <= 400);
    await assert.rejects(stat(`${file}.2`));
    assert.equal(log.lost, 0);
  });

  it("leaves lines out rather than growing without bound or failing where it cannot be written", async () => {
    const log = new AccessLogWriter(join(folder, "no", "\0"));
    for (let count = 0; count < 20_000; count += 1) log.record(line());
    assert.ok(log.lost > 0, "beyond a mebibyte");
    await log.close();
    assert.equal(log.lost, 20_000);
  });

  it("is written by a switch for every request that it answered", async () => {
    const cleanup = new Cleanup();
    try {
      const fixture = await createSwitchFixture(cleanup, [{ name: "front" }]);
      const config = JSON.parse(await readFile(fixture.configFile, "utf8")) as object;
      await writeFile(fixture.configFile, JSON.stringify({ ...config, accessLog: "access.log" }));
      await fixture.restart();
      const backend = await createBackend(cleanup, (_request, response) => response.end("ok"));
      const driver = createSwitchTrafficDriver({ url: fixture.running().controlUrl, tls: fixture.tls });
      cleanup.add(() => {
        driver.close();
      });
      const { address } = backend;
      await driver.setBackend("front", { replica: "front-0", address, weight: 1, health: HEALTH }, callContext());
      for (const cookie of ["session=ada", "session=ada", "session=bob"])
        await callClient(`${fixture.url("front")}/cart?item=1`, { headers: { cookie } });
      await fixture.running().close(0);
      const visits = await readAccessLog(join(fixture.directory, "access.log"), Date.now() + 60_000);
      assert.deepEqual(
        visits.map(({ session, endpoint }) => `${session} ${endpoint}`),
        ["1 /cart", "1 /cart", "2 /cart"],
      );
    } finally {
      await cleanup.run();
    }
  });

  it("is refused where HAProxy moves the requests", () => {
    const tls = { ca: "ca", certificate: "cert", key: "key" };
    const config = { tls, controlPort: 0, stateFile: "state", services: [{ name: "front", port: 0 }] };
    const text = JSON.stringify({ ...config, engine: "haproxy", accessLog: "access.log" });
    assert.throws(() => parseSwitchConfig(text, folder), /accessLog .* embedded engine only; leave it out/);
    const { accessLog } = parseSwitchConfig(JSON.stringify({ ...config, accessLog: "access.log" }), folder);
    assert.equal(accessLog, join(folder, "access.log"));
  });
});
