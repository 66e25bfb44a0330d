import { strict as assert } from "node:assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "mocha";
import { NO_UPDATE, type HostUpdateSpec } from "../../sdk/model";
import { performHostUpdate, type UpdateOutcome } from "../../providers/runner/host-update";
import { nextAction } from "../../providers/runner/next-action";
import { readLatestRun } from "../../providers/runner/run-family";
import { sampleFleet, sampleSpec, type MemoryFleetSpec } from "../../providers/testing";
import { assertKept, createRunFixture } from "./run-fixture";
import { openTestEnvironment } from "./store-environment";

function rebalanceSpec(maximumMoves: number): HostUpdateSpec {
  const { pool: _, ...spec } = sampleSpec();
  const rebalance = { horizonMs: 3_600_000, target: 0.5, tolerance: 0.05, maximumMoves, restMs: 0 };
  // A tolerance this small is met by moves that win little.
  const migration = { threshold: 3, maximumCost: 25 };
  return { ...spec, update: NO_UPDATE, failback: "never", rebalance, migration };
}

/** The sample fleet with one host that runs more than the others. */
function unevenFleet(): MemoryFleetSpec {
  const fleet = sampleFleet();
  const workloads = fleet.workloads.map((one) => (one.name === "ledger" ? { ...one, hosts: ["host-01"] } : one));
  return { ...fleet, workloads };
}

describe("runner: a rebalance", () => {
  it("moves copies by the journal of every run, keeps every promise, changes no host and leaves nothing behind", async () => {
    const fixture = createRunFixture({ fleet: unevenFleet(), spec: rebalanceSpec(2) });
    const before = fixture.fleet.versions();
    const state = await fixture.run();
    assert.equal(state.phase, "done", JSON.stringify(state.failure ?? state.phaseReason));
    assertKept(fixture);
    const moves = state.waves.flatMap((wave) => wave.moves);
    assert.ok(moves.length > 0 && moves.length <= 2, String(moves.length));
    assert.ok(state.waves.every(({ kind }) => kind === "move"));
    assert.deepEqual(fixture.fleet.versions(), before);
    const after = await fixture.clock.run(() => fixture.observe());
    for (const { newReplica, to } of moves) {
      const moved = after.replicas.find(({ id }) => id === newReplica);
      assert.equal(moved?.host, to);
      assert.equal(moved?.state, "healthy");
    }
    assert.ok(after.hosts.every(({ cordoned }) => cordoned === undefined));
    assert.deepEqual(fixture.store.liveLeases(), []);
  });

  it("is followed by the next one, which rests, then waits armed while nothing has to be moved", async () => {
    const reports = await mkdtemp(join(tmpdir(), "archipelago-reports-"));
    try {
      const restMs = 600_000;
      const { rebalance, ...rest } = rebalanceSpec(2);
      assert.ok(rebalance);
      const spec = { ...rest, rebalance: { ...rebalance, restMs } };
      const fixture = createRunFixture({ fleet: unevenFleet(), spec });
      const environment = openTestEnvironment(fixture, reports, spec);
      const signal = new AbortController().signal;
      const caller = {
        family: "evenly-1",
        owner: environment.owner,
        engine: "test",
        progress: fixture.progress,
        signal,
      };
      const perform = (): Promise<UpdateOutcome> => fixture.clock.run(() => performHostUpdate(environment, caller));
      const outcome = await perform();
      assert.equal(outcome.phase, "done", outcome.reason);
      const next = await fixture.clock.run(() => readLatestRun(fixture.store, "evenly-1"));
      assert.equal(next?.id, "evenly-1-2");
      assert.equal(next.phase, "armed");
      const notBeforeMs = next.bundle.notBeforeMs ?? 0;
      assert.match(nextAction(next, undefined, notBeforeMs - 1).reason, /^rests until/);
      assert.equal(nextAction(next, undefined, notBeforeMs).kind, "start");
      const again = await perform();
      assert.equal(again.phase, "armed");
      assert.match(again.reason, /none stands idle|no move is worth its cost/);
    } finally {
      await rm(reports, { recursive: true });
    }
  });
});
