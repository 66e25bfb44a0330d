import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { checkRun } from "../../providers/guard/checker";
import { sampleFleet, sampleSpec } from "../../providers/testing";
import { isChange, NO_UPDATE, type DisruptionBudget, type HostUpdateSpec, type JournalEntry } from "../../sdk/model";
import { assertKept, createRunFixture, RUN, runWithKills, type RunFixture } from "./run-fixture";

/** The sample update, wide, with budgets of its island. */
function specWith(
  disruptionBudgets: readonly DisruptionBudget[],
  change: Partial<HostUpdateSpec> = {},
): HostUpdateSpec {
  const spec = sampleSpec(change);
  return { ...spec, islands: spec.islands.map((island) => ({ ...island, disruptionBudgets })) };
}

/** Most hosts that were changed at once, by the journal. */
function mostChanged(entries: readonly JournalEntry[]): number {
  const under = new Set<string>();
  let most = 0;
  for (const entry of entries) {
    if (entry.kind === "step-intent" && isChange(entry.step)) under.add(entry.step.id);
    if (entry.kind === "step-done") under.delete(entry.id);
    most = Math.max(most, under.size);
  }
  return most;
}

/** What the checker would say if less had been approved for a reason. */
function checkedWith({ store }: RunFixture, approved: object): readonly string[] {
  const entries = store.entriesOf(RUN).map((entry) =>
    entry.kind === "created"
      ? {
          ...entry,
          plan: { ...entry.plan, envelope: { ...entry.plan.envelope, disruptionBudgets: { shop: approved } } },
        }
      : entry,
  );
  return checkRun({ entries }).map(({ text }) => text);
}

describe("runner: disruption budgets", () => {
  const limits = { hostsAtOnce: 6, hostsPerZone: 6, canaryHosts: 1, soakMs: 60_000, drainMs: 30_000 };

  /** A front on three of six hosts has hosts to go to, so that more than one is updated at once. */
  function createWide(seed: number): RunFixture {
    const fleet = sampleFleet();
    const budgets = [{ hosts: { share: 0.4 } }, { hosts: 1, reasons: ["failback" as const] }];
    const spec = specWith(budgets, { limits, failback: "origin" });
    return createRunFixture({
      fleet: {
        ...fleet,
        workloads: fleet.workloads.map((one) =>
          one.name === "front" ? { ...one, hosts: one.hosts.slice(0, 3) } : one,
        ),
      },
      spec: {
        ...spec,
        islands: spec.islands.map((island) => ({
          ...island,
          workloads: island.workloads.map((one) => (one.name === "front" ? { ...one, copies: 3 } : one)),
        })),
      },
      seed,
    });
  }

  it("bound the hosts of an island that lanes and failback disrupt at once; the checker reads that from the journal", async () => {
    const fixture = createWide(1);
    const state = await fixture.run();
    assert.equal(state.phase, "done", JSON.stringify(state.failure ?? state.phaseReason));
    assertKept(fixture);
    assert.deepEqual(state.plan.envelope.disruptionBudgets, { shop: { update: 2, failback: 1 } });
    assert.ok(state.waves.some(({ lanes }) => lanes?.limits["budget/update/shop"] === 2));
    const most = mostChanged(fixture.store.entriesOf(RUN));
    assert.ok(most === 2, String(most));
    assert.deepEqual(checkedWith(fixture, { update: 2, failback: 1 }), []);
    assert.match(
      checkedWith(fixture, { update: 1 })[0] ?? "",
      /hosts of shop are disrupted at once for update, 1 were approved/,
    );
  });

  it("hold through kills at any moments, with whoever takes the run over", async () => {
    const kills = fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 10_000 }), kills, async (seed, killsAfterMs) => {
        const fixture = createWide(seed);
        await fixture.clock.run(() => fixture.arm());
        const state = await runWithKills(fixture, killsAfterMs);
        assert.equal(state.phase, "done", JSON.stringify(state.failure ?? state.phaseReason));
        assertKept(fixture);
        assert.ok(mostChanged(fixture.store.entriesOf(RUN)) <= 2);
      }),
      { numRuns: 10 },
    );
  });

  it("of none leave the hosts of an island for later where that is declared: the run waits for them", async () => {
    const fleet = sampleFleet();
    const own = { shop: ["host-01", "host-02", "host-03", "host-04"], back: ["host-05", "host-06"] };
    const spec = sampleSpec({ whenStuck: "defer" });
    const [island] = spec.islands;
    assert.ok(island);
    const part = (name: keyof typeof own, isOwn: (workload: string) => boolean): typeof island => ({
      ...island,
      name,
      within: { hosts: own[name] },
      workloads: island.workloads.flatMap((one) =>
        isOwn(one.name) ? [{ ...one, ...(one.name === "front" ? { copies: 3 } : {}) }] : [],
      ),
    });
    const back = { ...part("back", (name) => name === "reports"), disruptionBudgets: [{ hosts: 0 }] };
    const fixture = createRunFixture({
      fleet: {
        ...fleet,
        workloads: fleet.workloads.map((one) => {
          if (one.name === "front") return { ...one, hosts: own.shop.slice(0, 3) };
          return one.name === "reports" ? { ...one, hosts: [...own.back, ...own.back] } : one;
        }),
      },
      spec: { ...spec, islands: [part("shop", (name) => name !== "reports"), back] },
    });
    const state = await fixture.run();
    assert.equal(state.phase, "armed", JSON.stringify(state.failure ?? state.phaseReason));
    assert.match(state.phaseReason, /the disruption budget of back \(0 of 2 hosts\) lets no host be updated/);
    const versions = fixture.fleet.versions();
    assert.deepEqual(
      Object.keys(versions).filter((host) => versions[host] === "v2"),
      own.shop,
    );
    assert.deepEqual(checkRun({ entries: fixture.store.entriesOf(RUN) }), []);
  });

  it("bound the hosts that a rebalance lets copies leave at once", async () => {
    const { pool: _, ...spec } = specWith([{ hosts: 1, reasons: ["rebalance"] }], { failback: "never", limits });
    const rebalance = { horizonMs: 3_600_000, target: 0.5, tolerance: 0.05, maximumMoves: 4, restMs: 0 };
    const fleet = sampleFleet();
    const workloads = fleet.workloads.map((one) => (one.name === "ledger" ? { ...one, hosts: ["host-01"] } : one));
    const fixture = createRunFixture({
      fleet: { ...fleet, workloads },
      spec: { ...spec, update: NO_UPDATE, rebalance, migration: { threshold: 3, maximumCost: 25 } },
    });
    const state = await fixture.run();
    assert.equal(state.phase, "done", JSON.stringify(state.failure ?? state.phaseReason));
    assertKept(fixture);
    assert.ok(state.waves.length > 0);
    for (const { moves } of state.waves) assert.equal(new Set(moves.map(({ from }) => from)).size, 1);
    assert.deepEqual(state.plan.envelope.disruptionBudgets, { shop: { rebalance: 1 } });
    assert.match(
      checkedWith(fixture, { rebalance: 0 })[0] ?? "",
      /1 hosts of shop are disrupted at once for rebalance, 0/,
    );
  });
});
