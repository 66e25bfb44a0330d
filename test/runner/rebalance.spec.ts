import { strict as assert } from "node:assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "mocha";
import { NO_UPDATE, type HostUpdateSpec } from "../../sdk/model";
import { performHostUpdate, type UpdateOutcome } from "../../providers/runner/host-update";
import { checkRun } from "../../providers/guard/checker";
import { nextAction } from "../../providers/runner/next-action";
import { readLatestRun } from "../../providers/runner/run-family";
import { eventsOf, sampleFleet, sampleSpec, type MemoryFleetSpec } from "../../providers/testing";
import { assertKept, createRunFixture, RUN } from "./run-fixture";
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

  describe("on hosts that two islands share", () => {
    /** Each island has no more than its share until the run changes them. */
    function sharedFleet(cpu: number): MemoryFleetSpec {
      const fleet = sampleFleet();
      const shares = [
        { island: "shop", cpu, workloads: ["front", "pricing", "ledger"] },
        { island: "back", cpu: 0.9 - cpu, workloads: ["reports"] },
      ];
      return { ...fleet, hosts: fleet.hosts.map((host) => ({ ...host, offers: ["shares"] as const, shares })) };
    }
    function sharedSpec(cpu: number, target: number): HostUpdateSpec {
      const { rebalance, ...spec } = rebalanceSpec(2);
      assert.ok(rebalance);
      const [island] = spec.islands;
      assert.ok(island);
      const part = (name: string, share: number, own: (workload: string) => boolean): typeof island => ({
        ...island,
        name,
        guarantee: { cpu: share, memory: 0.5 },
        workloads: island.workloads.filter((workload) => own(workload.name)),
      });
      const isBack = (name: string): boolean => name === "reports";
      const islands = [part("shop", cpu, (name) => !isBack(name)), part("back", 0.9 - cpu, isBack)];
      return { ...spec, islands, rebalance: { ...rebalance, target, tolerance: 0.6 } };
    }
    it("lets the one that needs more use what the other leaves, moves nobody, and the shares lapse", async () => {
      const fixture = createRunFixture({ fleet: sharedFleet(0.3), spec: sharedSpec(0.3, 0.8) });
      const before = fixture.fleet.placements();
      const state = await fixture.run();
      assert.equal(state.phase, "done", JSON.stringify(state.failure ?? state.phaseReason));
      const entries = fixture.store.entriesOf(RUN);
      assert.deepEqual(checkRun({ entries, observations: fixture.fleet.observations() }), []);
      const [done] = eventsOf(fixture.fleet.events, "shares").slice(-1);
      const late = fixture.fleet.harm().filter(({ atMs }) => atMs > (done?.atMs ?? 0));
      assert.deepEqual(late, [], "over its share before, not after");
      assert.ok(fixture.fleet.harm().length > 0);
      assert.deepEqual(fixture.fleet.placements(), before);
      const { hosts } = await fixture.clock.run(() => fixture.observe());
      const [first] = hosts;
      assert.equal(first?.shares?.owner, RUN);
      const [shop, back] = first.shares.shares.map(({ cpu }) => cpu);
      // 1.4 cores of 4 at four fifths, and a little for the quantile of the paths.
      assert.ok((shop ?? 0) > 0.43 && (shop ?? 0) < 0.48, String(shop));
      assert.ok((shop ?? 0) + (back ?? 0) <= 1 + 1e-9);
      const lapsesAt = first.shares.expiresAt;
      await fixture.clock.run(() =>
        fixture.clock.sleep(lapsesAt - fixture.clock.now() + 1, new AbortController().signal),
      );
      const later = await fixture.clock.run(() => fixture.observe());
      assert.ok(later.hosts.every(({ shares: inForce }) => inForce === undefined));
    });

    it("puts the shares of before back where a host fails its validation", async () => {
      const spec = sharedSpec(0.45, 0.6);
      const islands = spec.islands.map((island) => ({
        ...island,
        validate: [{ kind: "command", command: "false", timeoutMs: 1000 } as const],
      }));
      const fixture = createRunFixture({ fleet: sharedFleet(0.45), spec: { ...spec, islands } });
      const state = await fixture.run();
      assert.equal(state.phase, "failed");
      assertKept(fixture);
      const { hosts } = await fixture.clock.run(() => fixture.observe());
      assert.ok(hosts.every(({ shares: inForce }) => inForce === undefined));
      assert.ok(eventsOf(fixture.fleet.events, "shares").length > 0, "some were changed before");
    });
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
