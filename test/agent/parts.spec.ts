import { strict as assert } from "node:assert";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { after, before, describe, it } from "mocha";
import { parseAgentConfig } from "../../providers/agent/agent-config";
import { CallLedger } from "../../providers/agent/call-ledger";
import { Cordon } from "../../providers/agent/cordon";
import { matchesGlob } from "../../providers/agent/glob";
import { isRunning, readProcess } from "../../providers/agent/process-table";
import type { Clock } from "../../providers/clock";
import { eventually } from "./agent-fixture";

describe("agent: parts", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "archipelago-parts-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  describe("glob", () => {
    it("matches every text with itself and with a star in place of any part", () => {
      fc.assert(
        fc.property(fc.string(), fc.string(), fc.string(), (head, middle, tail) => {
          const plain = (text: string): string => text.replace(/[*?]/g, "x");
          const [a, b, c] = [plain(head), plain(middle), plain(tail)];
          assert.ok(matchesGlob(a, a));
          assert.ok(matchesGlob(a + b + c, `${a}*${c}`));
        }),
      );
    });

    it("takes everything else literally, and a question mark for one character", () => {
      assert.ok(matchesGlob("v1.2 (final) [x]", "v1.? (final) [x]"));
      assert.ok(!matchesGlob("v1x2", "v1.2"));
      assert.ok(!matchesGlob("v10", "v1"));
      assert.ok(matchesGlob("two\nlines", "two*"));
    });

    it("stays quick with many stars", () => {
      const start = performance.now();
      assert.ok(!matchesGlob("a".repeat(2000), `${"*".repeat(200)}b`));
      assert.ok(performance.now() - start < 1000);
    });
  });

  describe("call ledger", () => {
    it("forgets the oldest results beyond its bound, never an epoch, and stays small on disk", async () => {
      const path = join(folder, "ledger", "calls.log");
      const ledger = await CallLedger.open(path);
      await ledger.admitEpoch("host", 3);
      await Promise.all(
        Array.from({ length: 9000 }, (_, index) =>
          ledger.record({ key: `k${String(index)}`, route: "r", result: index }),
        ),
      );
      await ledger.close();
      const again = await CallLedger.open(path);
      assert.equal(again.callOf("k0"), undefined);
      assert.equal(again.callOf("k8999")?.result, 8999);
      assert.equal(again.epochOf("host"), 3);
      assert.equal(await again.admitEpoch("host", 2), false);
      await again.close();
      assert.ok((await readFile(path, "utf8")).split("\n").length < 4200);
    }).timeout(60_000);
  });

  describe("cordon", () => {
    it("lapses by itself at its expiry", async () => {
      let now = 1000;
      const clock: Clock = { now: () => now, monotonic: () => now, sleep: () => Promise.resolve() };
      const cordon = new Cordon("host-01", join(folder, "cordon.json"), clock);
      await cordon.put({ owner: "a", expiresAt: 2000 });
      assert.deepEqual(cordon.observe(), { owner: "a", expiresAt: 2000 });
      await assert.rejects(cordon.put({ owner: "b", expiresAt: 3000 }), /cordoned by a until/);
      now = 2000;
      assert.equal(cordon.observe(), undefined);
      await cordon.put({ owner: "b", expiresAt: 3000 });
      const restarted = new Cordon("host-01", join(folder, "cordon.json"), clock);
      await restarted.recover();
      assert.deepEqual(restarted.observe(), { owner: "b", expiresAt: 3000 });
    });
  });

  describe("process table", () => {
    it("knows this process, and not one that would have its pid at another time", () => {
      const self = readProcess(process.pid);
      assert.ok(self && isRunning(self));
      assert.equal(isRunning({ pid: self.pid, startTicks: self.startTicks + 1 }), false);
      assert.equal(isRunning(undefined), false);
      assert.ok(self.residentBytes > 2 ** 20);
    });

    const hasPython = spawnSync("python3", ["--version"]).status === 0;
    const title = "takes a process for running while any of its threads is there";
    (hasPython ? it : it.skip)(hasPython ? title : `${title} (skipped: there is no python3)`, async () => {
      const program =
        "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(30,)).start(); " +
        "print('ready', flush=True); ctypes.CDLL(None).pthread_exit(None)";
      const child = spawn("python3", ["-c", program], { stdio: ["ignore", "pipe", "ignore"] });
      try {
        await once(child.stdout, "data");
        const state = (): string =>
          /\) (\w)/.exec(readFileSync(`/proc/${String(child.pid)}/stat`, "latin1"))?.[1] ?? "gone";
        await eventually("the first thread is gone", () => Promise.resolve(state() === "Z"));
        assert.ok(readProcess(child.pid ?? 0));
      } finally {
        child.kill("SIGKILL");
      }
    });
  });

  describe("configuration", () => {
    it("reports all mistakes at once", () => {
      assert.throws(
        () => parseAgentConfig('{"role": "boss", "listen": {"port": -1}, "capacity": {}, "immutable": true}', "/"),
        /listen\.port[^]*capacity[^]*immutable[^]*host[^]*role \("boss"\) must be one of member, standby/,
      );
    });
  });

  describe("program", () => {
    const run = (...parameters: string[]) => {
      const entry = join(__dirname, "..", "..", "providers", "agent", "main.js");
      const { status, stdout, stderr } = spawnSync(process.execPath, [entry, ...parameters], { encoding: "utf8" });
      return { status, stdout, stderr };
    };

    it("shows its usage and its version", () => {
      assert.match(run("--help").stdout, /archipelago-agent serve --config FILE/);
      assert.match(run("--version").stdout, /^\d+\.\d+\.\d+\n$/);
    }).timeout(20_000);

    it("tells mistakes in one line, without a stack trace", () => {
      assert.deepEqual(run("serve"), { status: 2, stdout: "", stderr: "serve needs --config FILE\n" });
      assert.equal(run("dance").status, 2);
      assert.equal(run("serve", "--fast").status, 2);
      const missing = run("serve", "--config", "/no/such/file.json");
      assert.equal(missing.status, 1);
      assert.match(missing.stderr, /^archipelago-agent: config \("\/no\/such\/file.json"\) must be a readable file/);
      assert.equal(missing.stderr.trim().split("\n").length, 1);
    }).timeout(20_000);
  });
});
