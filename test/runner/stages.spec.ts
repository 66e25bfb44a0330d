import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { createRun } from "../../providers/runner/run";
import { nextRunId, readLatestRun, runFamily } from "../../providers/runner/run-family";
import { noteNothingToDo } from "../../providers/runner/stages";
import { assertKept, quickSpec } from "./run-fixture";
import { HOUR_MS, createQuick, intentsOf } from "./guarded-run";

describe("runner: stages", () => {
  it("hold a run until the one before is done and was watched, and say which one and why", async () => {
    const after = [{ name: "eu", urn: "urn", soakMs: HOUR_MS / 4 }];
    const fixture = createQuick({ after });
    const { store, clock } = fixture;
    const held = await fixture.run();
    assert.equal(held.phase, "armed");
    assert.match(held.phaseReason, /^waits for stage eu: it has no run in memory:runs; carry eu out first/);
    assert.deepEqual(intentsOf(fixture), []);

    const { bundle, plan } = held;
    const spec = quickSpec({});
    const runId = nextRunId(runFamily("eu", "urn"), undefined);
    await clock.run(() =>
      createRun(fixture.dependencies(), { runId, spec, plan, bundle: { ...bundle, spec }, phase: "armed" }),
    );
    assert.match((await fixture.carryOn()).phaseReason, /^waits for stage eu: planned to be done 20\S+Z; it goes on/);
    await store.append(runId, 1, [
      { v: 1, at: clock.now(), epoch: 9, kind: "phase", phase: "done", reason: "every host is updated" },
    ]);
    assert.match((await fixture.carryOn()).phaseReason, /^waits for stage eu: done, and watched for 15 min more/);
    await clock.run(() => clock.sleep(HOUR_MS / 4));
    assert.equal((await fixture.carryOn()).phase, "done");
    assertKept(fixture);
  });

  it("are stopped by one that failed, with what to do, and go on once it had nothing to do any more", async () => {
    const fixture = createQuick({ after: [{ name: "eu", urn: "urn", soakMs: 0 }] });
    const { store, clock } = fixture;
    const { bundle, plan } = await fixture.run();
    const family = runFamily("eu", "urn");
    const runId = nextRunId(family, undefined);
    const eu = {
      runId,
      spec: quickSpec({}),
      plan,
      bundle: { ...bundle, spec: quickSpec({}) },
      phase: "armed",
    } as const;
    await clock.run(() => createRun(fixture.dependencies(), eu));
    await store.append(runId, 1, [
      { v: 1, at: clock.now(), epoch: 9, kind: "phase", phase: "failed", reason: "host-1: update failed\nno space" },
    ]);
    assert.match(
      (await fixture.carryOn()).phaseReason,
      /^waits for stage eu: its run eu-\w+-1 is failed \(host-1: update failed\); see `archipelago report eu-\w+-1`, mend it, raise `attempt` of eu/,
    );
    assert.deepEqual(intentsOf(fixture), []);
    await clock.run(() => clock.sleep(1000));
    await noteNothingToDo(store, family, await readLatestRun(store, family));
    assert.equal((await fixture.carryOn()).phase, "done");
  });
});
