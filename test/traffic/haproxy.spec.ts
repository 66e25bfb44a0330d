import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import fc from "fast-check";
import { DEFAULT_LIMITS } from "../../providers/drivers/traffic/switch/config";
import {
  HAPROXY_FILES,
  healthMap,
  renderHaproxyConfig,
} from "../../providers/drivers/traffic/switch/haproxy/haproxy-config";
import { findHaproxy } from "../../providers/drivers/traffic/switch/haproxy/haproxy-process";
import { renderHoldScript } from "../../providers/drivers/traffic/switch/haproxy/hold-script";
import { parseLogLine } from "../../providers/drivers/traffic/switch/haproxy/request-log";
import { findTunnels, parseServers } from "../../providers/drivers/traffic/switch/haproxy/runtime-api";
import {
  replicaOf,
  scaleWeights,
  serverName,
  splitAddress,
} from "../../providers/drivers/traffic/switch/haproxy/server-name";
import { HAS_HAPROXY } from "./engines";
import {
  callClient,
  callContext,
  Cleanup,
  createBackend,
  createSwitchFixture,
  HEALTH,
  waitUntil,
} from "./switch-fixture";

const SKIPPED = HAS_HAPROXY ? "" : " (skipped: the Debian package haproxy is not installed)";
const itWithHaproxy = HAS_HAPROXY ? it : it.skip;

describe("HAProxy of a switch", function () {
  this.timeout(30_000);
  const cleanup = new Cleanup();
  afterEach(() => cleanup.run());

  it("names of servers hold any id and give it back", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (replica) => {
        assert.match(serverName(replica), /^[A-Za-z0-9._:-]*$/);
        assert.equal(replicaOf(serverName(replica)), replica);
      }),
    );
    assert.equal(serverName("front-0"), "front-0");
    assert.deepEqual(splitAddress("[::1]:80"), { host: "::1", port: 80 });
  });

  it("weights keep their proportion within HAProxy's bounds, and none becomes 0", () => {
    assert.deepEqual(scaleWeights([1, 3, 0]), [1, 3, 0]);
    assert.deepEqual(scaleWeights([0.5, 1]), [128, 256]);
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true })), (weights) => {
        for (const [i, scaled] of scaleWeights(weights).entries()) {
          assert.ok(Number.isInteger(scaled) && scaled <= 256);
          assert.equal(scaled === 0, weights[i] === 0);
        }
      }),
    );
  });

  it("a line of the log tells who answered, how long it took, and whose fault an end was", () => {
    const parse = (text: string) => parseLogLine(`archipelago be.front front-0 ${text} checkout 120 900 GET /`);
    const good = {
      backend: "be.front",
      server: "front-0",
      latencyMs: 12,
      isFailed: false,
      isSlow: false,
      isGone: false,
      method: "GET",
      target: "/",
      caller: "checkout",
      bytes: 1020,
    };
    assert.deepEqual(parse("200 12 -- -"), good);
    assert.deepEqual(parse("200 12 -- 1"), { ...good, isSlow: true });
    assert.deepEqual(parse("503 12 -- -"), { ...good, isFailed: true });
    assert.deepEqual(parse("200 12 SD -"), { ...good, isFailed: true });
    assert.deepEqual(parse("200 12 CD -"), { ...good, isGone: true });
    assert.deepEqual(parse("101 12 SD -"), { ...good, isSlow: true });
    assert.equal(parseLogLine("Server be.front/front-0 is UP"), undefined);
  });

  it("a draining server is up, one without a check is not known, tunnels are told from requests", () => {
    const csv = [
      "# pxname,svname,scur,status,check_status,type,addr,uweight,",
      "be.front,a,2,DRAIN,L7OK,2,127.0.0.1:1,0,",
      "be.front,b,0,DOWN,INI,2,127.0.0.1:2,1,",
      "be.front,BACKEND,0,UP,,1,,1,",
    ].join("\n");
    const [a, b, ...rest] = parseServers(csv);
    assert.deepEqual([a?.isUp, a?.isChecked, a?.inFlight, a?.weight], [true, true, 2, 0]);
    assert.deepEqual([b?.isUp, b?.isChecked], [false, false]);
    assert.deepEqual(rest, []);
    const sessions = [
      "0x1a: [24/Nov/2026] id=1",
      "  backend=be.front (id=3 mode=http)",
      "  server=a (id=1)",
      "  txn=0x1 req.st=MSG_TUNNEL rsp.st=MSG_TUNNEL",
      "0x1b: [24/Nov/2026] id=2",
      "  backend=be.front (id=3 mode=http)",
      "  server=a (id=1)",
      "  txn=0x1 req.st=MSG_DONE rsp.st=MSG_DATA",
    ].join("\n");
    assert.deepEqual(findTunnels(sessions, "be.front"), ["0x1a"]);
    assert.deepEqual(findTunnels(sessions, "be.front", "b"), []);
    assert.deepEqual(findTunnels(sessions, "be.ledger"), []);
  });

  itWithHaproxy(`its own check finds nothing wrong in the configuration${SKIPPED}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), "archipelago-haproxy-"));
    cleanup.add(() => rm(folder, { recursive: true, force: true }));
    const services = [
      { name: "front", port: 1, exclusive: false },
      { name: "ledger-2.b", port: 2, exclusive: true },
    ];
    await writeFile(join(folder, HAPROXY_FILES.config), renderHaproxyConfig(services, DEFAULT_LIMITS, { log: 3 }));
    await writeFile(join(folder, HAPROXY_FILES.script), renderHoldScript(services, DEFAULT_LIMITS));
    for (const { name } of services) await writeFile(join(folder, healthMap(name)), "# none\n");
    const program = (await findHaproxy()) ?? "";
    await promisify(execFile)(program, ["-c", "-f", HAPROXY_FILES.config], { cwd: folder });
  });

  itWithHaproxy(`is started again with all its servers when it dies${SKIPPED}`, async () => {
    const { driver, url, directory } = await createSwitchFixture(cleanup, [{ name: "front" }], {}, "haproxy");
    const backend = await createBackend(cleanup, (_request, response) => response.end("answer"));
    await driver.setBackend(
      "front",
      { replica: "a", address: backend.address, weight: 1, health: HEALTH },
      callContext(),
    );
    const { RuntimeApi } = await import("../../providers/drivers/traffic/switch/haproxy/runtime-api.js");
    const api = new RuntimeApi(join(directory, "haproxy"));
    const pid = await api.pid();
    assert.ok(pid !== undefined);
    process.kill(pid, "SIGKILL");
    await waitUntil("another one serves", async () => {
      const now = await api.pid();
      return now !== undefined && now !== pid;
    });
    assert.equal((await callClient(url("front"))).body, "answer");
    api.close();
  });
});
