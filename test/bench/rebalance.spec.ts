import * as assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { BUSY, openUnevenFleet, type UnevenFleet } from "../../bench/rebalance/uneven-fleet";
import { openAgentPlatform } from "../../providers/drivers/agent-platform";
import type { RunReport } from "../../sdk/model";

const CALL_LIMIT_MS = 30_000;

describe("a rebalance of real processes", function () {
  this.timeout(120_000);
  let folder: string;
  let fleet: UnevenFleet;

  before(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), "archipelago-rebalance-"));
    fleet = await openUnevenFleet(folder, 1);
  });
  after(async () => {
    await fleet.close();
    await fs.rm(folder, { recursive: true });
  });

  async function hostsOf(workloads: readonly string[]): Promise<readonly string[]> {
    const platform = await openAgentPlatform(fleet.inventory);
    try {
      const replicas = await platform.workloads.list(AbortSignal.timeout(CALL_LIMIT_MS));
      const running = replicas.filter(({ state, workload }) => state === "healthy" && workloads.includes(workload));
      return running.map(({ host }) => host).sort();
    } finally {
      await platform.close();
    }
  }

  it("moves one of two busy services off the full host, answers all the time, and has nothing to do after it", async () => {
    assert.deepEqual(await hostsOf(BUSY), ["host-00", "host-00"]);
    let isOver = false;
    const statuses: number[] = [];
    const asking = (async (): Promise<void> => {
      while (!isOver) {
        for (const service of BUSY) {
          const answer = await fetch(fleet.endpoints[service] ?? "");
          await answer.text();
          statuses.push(answer.status);
        }
      }
    })();
    const outcome = await fleet
      .rebalance(400, () => undefined)
      .finally(() => {
        isOver = true;
      });
    await asking;
    assert.equal(outcome.phase, "done", outcome.reason);
    assert.deepEqual(await hostsOf(BUSY), ["host-00", "host-01"]);
    const failed = statuses.filter((status) => status !== 200);
    assert.deepEqual([failed, statuses.length > 20], [[], true]);
    const page = outcome.report ?? "";
    const report = JSON.parse(await fs.readFile(page.replace(/\.html$/, ".json"), "utf8")) as RunReport;
    assert.deepEqual([report.violations, report.problems], [[], []]);
    const moved = outcome.run?.waves.flatMap((wave) => wave.moves) ?? [];
    assert.equal(moved.length, 1);
    assert.ok((moved[0]?.migration?.score ?? 0) > 12);

    const again = await fleet.rebalance(400, () => undefined);
    assert.equal(again.phase, "armed");
    assert.match(again.reason, /none stands idle/);
  });
});
