import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { requestResume } from "../../providers/runner/requests";
import { carryOut } from "../../providers/runner/run";
import type { RunDependencies } from "../../providers/runner/run";
import type { Alarm, StopRule } from "../../sdk/model";
import { assertKept, RUN } from "./run-fixture";
import { FAMILY, createQuick, onEntry, isUpdate, failing, ERROR_BUDGET } from "./guarded-run";

describe("runner: stop rules", () => {
  it("roll back when requests fail too fast, and the failure names the numbers", async () => {
    const fixture = createQuick({ stopRules: [ERROR_BUDGET] });
    const { versions, placements } = { versions: fixture.fleet.versions(), placements: fixture.fleet.placements() };
    await fixture.clock.run(() => fixture.arm());
    let failed = 0;
    const deps = onEntry(fixture, isUpdate, () => {
      failed = 3;
      return Promise.resolve();
    });
    const state = await fixture.clock.run(() =>
      carryOut(
        RUN,
        failing(fixture, deps, () => failed),
      ),
    );
    assert.equal(state.phase, "failed");
    assert.equal(state.failure?.step, "stop-rule");
    assert.match(
      state.failure.reason,
      /error budget of .*: \d+ of \d+ requests failed in 1 min .* times what an objective of 99.9% allows/,
    );
    assert.deepEqual(fixture.fleet.versions(), versions);
    assert.deepEqual(fixture.fleet.placements(), placements);
    assertKept(fixture);
  });

  it("pause until somebody resumes, and what was before does not count any more", async () => {
    const fixture = createQuick({ stopRules: [{ ...ERROR_BUDGET, action: "pause" }] });
    await fixture.clock.run(() => fixture.arm());
    let failed = 0;
    const deps = onEntry(fixture, isUpdate, () => {
      failed = 3;
      return Promise.resolve();
    });
    const paused = await fixture.clock.run(() =>
      carryOut(
        RUN,
        failing(fixture, deps, () => failed),
      ),
    );
    assert.equal(paused.phase, "paused");
    assert.match(paused.phaseReason, /^paused by stop rule error-budget: error budget of .*archipelago resume kernel/);
    assert.equal((await fixture.carryOn()).phase, "paused");
    await requestResume(fixture.store, FAMILY, "ada", "the cause is gone");
    const resumedMs = fixture.clock.now();
    const resumed = failing(fixture, fixture.dependencies(), (atMs) => (atMs < resumedMs ? 3 : 0));
    const done = await fixture.clock.run(() => carryOut(RUN, resumed));
    assert.equal(done.phase, "done");
    assertKept(fixture);
  });

  it("pause while an alarm fires, and tell once when it cannot be read", async () => {
    const rule: StopRule = {
      kind: "alarms",
      alarms: [{ kind: "prometheus", url: "http://prometheus:9090", alert: "HighErrorRate" }],
      action: "pause",
    };
    const fixture = createQuick({ stopRules: [rule] });
    await fixture.clock.run(() => fixture.arm());
    let firing: readonly Alarm[] | Error = new Error("connection refused");
    const deps = onEntry(fixture, isUpdate, () => {
      firing = [{ name: "HighErrorRate", source: "Prometheus", summary: "shop fails" }];
      return Promise.resolve();
    });
    const openAlarms = (): ReturnType<NonNullable<RunDependencies["openAlarms"]>> => ({
      firing: () => (firing instanceof Error ? Promise.reject(firing) : Promise.resolve(firing)),
    });
    const state = await fixture.clock.run(() => carryOut(RUN, { ...deps, openAlarms }));
    assert.equal(state.phase, "paused");
    assert.match(state.phaseReason, /an alarm fires: HighErrorRate \(Prometheus\): shop fails/);
    const told = fixture.progress.lines.filter((line) => line.startsWith("stop rule alarms cannot be watched"));
    assert.deepEqual(told, ["stop rule alarms cannot be watched: connection refused"]);
  });

  it("leave a run alone that goes well", async () => {
    const fixture = createQuick({
      stopRules: [ERROR_BUDGET, { kind: "failed-moves", share: 0.1, minimumMoves: 3, action: "rollback" }],
    });
    assert.equal((await fixture.run()).phase, "done");
    assertKept(fixture);
  });
});
