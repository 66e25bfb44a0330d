import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, it } from "mocha";
import { readProcess } from "../../providers/agent/process-table";
import { ThreadTable } from "../../providers/agent/thread-use";

/** Two threads of a program that both have much to do. */
const BUSY = `
  const { Worker, isMainThread } = require("node:worker_threads");
  if (isMainThread) new Worker(process.argv[1], { eval: true, argv: [process.argv[1]] });
  for (;;);
`;
const LOOKS = 400;

describe("agent: threads of a copy", () => {
  it("are told with their share of its CPU, the busiest first, and remembered for a while", async () => {
    const child = spawn(process.execPath, ["-e", `process.argv[1] = ${JSON.stringify(BUSY)}; eval(process.argv[1])`]);
    try {
      let now = 0;
      const table = new ThreadTable(() => now);
      const identity = { pid: child.pid ?? -1, startTicks: readProcess(child.pid ?? -1)?.startTicks ?? 0 };
      let threads = table.read(identity);
      for (let look = 0; look < LOOKS && threads === undefined; look += 1) {
        await sleep(25);
        now += 60_000;
        threads = table.read(identity);
      }
      assert.ok(threads !== undefined && threads.length >= 2);
      const shares = threads.map(({ share }) => share);
      assert.deepEqual(
        [...shares].sort((a, b) => b - a),
        shares,
      );
      assert.ok(shares.reduce((sum, share) => sum + share, 0) <= 1.01 * 1.05);
      for (const { id } of threads) assert.match(id, /^.+\/\d+$/);
      assert.equal(table.read(identity), threads);
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("of a process that is gone are none", () => {
    assert.equal(new ThreadTable(() => 0).read({ pid: 2 ** 22 + 1, startTicks: 1 }), undefined);
  });
});
