import assert from "node:assert/strict";
import { renderWorkload } from "../../providers/cli/workload-declaration";
import { normalizeWorkload, workloadsRule } from "../../sdk/arguments";
import type { Mistake, Workload, WorkloadPolicy } from "../../sdk/model";

/** What the rules of arguments make of a declaration as a program has it. */
function read(text: string): WorkloadPolicy {
  const mistakes: Mistake[] = [];
  // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call
  const written = new Function(`return ${text};`)() as unknown;
  const [workload] = workloadsRule([written], "workloads", mistakes) ?? [];
  assert.ok(workload, JSON.stringify(mistakes));
  return normalizeWorkload(workload);
}

const request = { cpuMillis: 500, memoryBytes: 2 ** 28 };

describe("the declaration of a workload", () => {
  it("holds every rule that was declared, and is read as what it was made from", () => {
    const full: WorkloadPolicy = {
      name: "check-out",
      criticality: "critical",
      copies: 6,
      exclusive: false,
      maxPauseMs: 2000,
      maxUnavailable: 1,
      boost: 0.2,
      transferBytes: 4 * 2 ** 30,
      devices: { gpu: 1, "fp-ga": 2 / 7 },
      within: { zones: ["a", "b"], labels: { security: ["restricted"] } },
      moves: "zone",
      spread: { over: "zone", atLeast: 2 },
      apartFrom: ["batch"],
      process: {
        command: ["node", "front.mjs", 'with "quotes"'],
        port: 8080,
        health: { path: "/ok", intervalMs: 1500, timeoutMs: 250 },
        environment: { MODE: "fast" },
      },
      hooks: { beforeMove: "/before", afterMove: "/after" },
      dependsOn: [{ workload: "ledger" }, { workload: "cache", callsPerRequest: 1.5, lagMs: 30_000, within: "rack" }],
      functions: [{ path: "/reports", criticality: "sheddable" }],
      burst: { function: "front-fn", requestsPerSecond: 500, coldStartMs: 5000, cpuMsPerRequest: 12 },
    };
    const workload: Workload = { ...full, copies: 6, maxUnavailable: 1, island: "shop", request };
    assert.deepEqual(read(renderWorkload(workload)), full);
  });

  it("is short where little was declared, and has no budget where copies end by themselves", () => {
    const plain: Workload = {
      name: "front",
      island: "shop",
      criticality: "normal",
      copies: 2,
      exclusive: false,
      maxPauseMs: 2000,
      maxUnavailable: 1,
      request,
      hooks: {},
    };
    assert.equal(renderWorkload(plain), '{ name: "front", copies: 2, budget: { maxUnavailable: 1 } }');
    const job = { ...plain, lifetimeMs: 300_000 };
    assert.equal(read(renderWorkload(job)).lifetimeMs, 300_000);
    assert.equal(
      renderWorkload({ ...plain, exclusive: true, copies: 1, maxUnavailable: 0 }),
      '{ name: "front", copies: "exclusive", maxPause: "2 seconds" }',
    );
  });
});
