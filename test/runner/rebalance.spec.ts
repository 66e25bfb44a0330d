import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { NO_UPDATE, type HostUpdateSpec } from "../../sdk/model";
import { sampleFleet, sampleSpec } from "../../providers/testing";
import { assertKept, createRunFixture } from "./run-fixture";

function rebalanceSpec(maximumMoves: number): HostUpdateSpec {
  const { pool: _, ...spec } = sampleSpec();
  const rebalance = { horizonMs: 3_600_000, target: 0.5, tolerance: 0.05, maximumMoves, restMs: 0 };
  return { ...spec, update: NO_UPDATE, failback: "never", rebalance };
}

describe("runner: a rebalance", () => {
  it("moves copies by the journal of every run, keeps every promise, changes no host and leaves nothing behind", async () => {
    const fleet = sampleFleet();
    const full = {
      ...fleet,
      workloads: fleet.workloads.map((one) => (one.name === "ledger" ? { ...one, hosts: ["host-01"] } : one)),
    };
    const fixture = createRunFixture({ fleet: full, spec: rebalanceSpec(2) });
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
});
