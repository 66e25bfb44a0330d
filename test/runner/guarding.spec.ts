import { strict as assert } from "node:assert";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "mocha";
import { signApproval } from "../../providers/guard/approval";
import { storeApproval } from "../../providers/guard/approvals";
import { createAuditFollower } from "../../providers/guard/audit-follower";
import { readAudit } from "../../providers/guard/audit-log";
import { liftKillSwitch, setKillSwitch } from "../../providers/guard/kill-switch";
import { requestCancel, requestResume } from "../../providers/runner/requests";
import { carryOut, createRun } from "../../providers/runner/run";
import { nextRunId, readLatestRun, runFamily } from "../../providers/runner/run-family";
import { noteNothingToDo } from "../../providers/runner/stages";
import type { RunDependencies } from "../../providers/runner/run";
import type { ServiceTraffic, UsageSampler } from "../../providers/drivers/contracts";
import { sampleForecast } from "../../providers/testing/builders";
import type { Alarm, JournalEntry, RunState, StopRule } from "../../sdk/model";
import { isKind } from "../../sdk/model";
import { assertKept, createRunFixture, describeEnd, quickFleet, quickSpec, RUN, type RunFixture } from "./run-fixture";

const FAMILY = "kernel";
const HOUR_MS = 3_600_000;

function createQuick(overrides: Parameters<typeof quickSpec>[0] = {}): RunFixture {
  return createRunFixture({ fleet: quickFleet(), spec: quickSpec(overrides) });
}

/** Runs until an entry of that kind is stored for the `count`-th time, and does something then. */
function onEntry(
  { dependencies }: RunFixture,
  isMeant: (entry: JournalEntry) => boolean,
  act: () => Promise<unknown>,
): RunDependencies {
  let isDone = false;
  const deps = dependencies();
  return {
    ...deps,
    store: {
      ...deps.store,
      append: async (run, seq, entries) => {
        await deps.store.append(run, seq, entries);
        if (isDone || !entries.some(isMeant)) return;
        isDone = true;
        await act();
      },
    },
  };
}

const isUpdate = (entry: JournalEntry): boolean => entry.kind === "step-intent" && entry.step.kind === "update";

function intentsOf({ store }: RunFixture): readonly string[] {
  return store.entriesOf(RUN).flatMap((entry) => (entry.kind === "step-intent" ? [entry.step.kind] : []));
}

/** Traffic as it is, with so many requests failed in each second. */
function failing(fixture: RunFixture, deps: RunDependencies, failed: (atMs: number) => number): RunDependencies {
  const { recorder } = fixture.fleet.platform;
  assert.ok(recorder);
  const spoil = (traffic: readonly ServiceTraffic[]): readonly ServiceTraffic[] =>
    traffic.map(({ service, buckets }) => ({
      service,
      buckets: buckets.map((bucket) => ({ ...bucket, failed: Math.min(bucket.requests, failed(bucket.atMs)) })),
    }));
  return {
    ...deps,
    platform: {
      ...deps.platform,
      recorder: { trafficSince: async (sinceMs, signal) => spoil(await recorder.trafficSince(sinceMs, signal)) },
    },
  };
}

const ERROR_BUDGET: StopRule = {
  kind: "error-budget",
  objective: 0.999,
  windows: [{ longMs: 60_000, shortMs: 10_000, rate: 10 }],
  minimumFailed: 5,
  action: "rollback",
};

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

describe("runner: the kill switch", () => {
  it("keeps an armed run from starting, says why, and lets it start once it is lifted", async () => {
    const fixture = createQuick();
    await setKillSwitch(fixture.store, "ada", "incident 4711");
    const held = await fixture.run();
    assert.equal(held.phase, "armed");
    assert.match(held.phaseReason, /^kill switch: turned on by ada .*: incident 4711; lift it with/);
    assert.deepEqual(intentsOf(fixture), []);
    const length = held.length;
    // Looking again changes nothing.
    await fixture.clock.run(() => fixture.clock.sleep(5000));
    assert.equal((await fixture.carryOn()).length, length);
    await liftKillSwitch(fixture.store, "ada", "over");
    assert.equal((await fixture.carryOn()).phase, "done");
    assertKept(fixture);
  });

  it("stops a run at its next step border, finishes what is under way, and lets it go on to the same end", async () => {
    const quiet = createQuick();
    await quiet.run();
    const fixture = createQuick();
    await fixture.clock.run(() => fixture.arm());
    const deps = onEntry(fixture, isUpdate, () => setKillSwitch(fixture.store, "ada", "stop"));
    const error: unknown = await fixture.clock.run(() => carryOut(RUN, deps).catch((reason: unknown) => reason));
    assert.ok(isKind(error, "InterruptedError"), String(error));
    assert.match(
      (error as Error).message,
      /^kill switch: turned on by ada .*: stop; lift it with `archipelago kill off/,
    );
    const updates = intentsOf(fixture).filter((kind) => kind === "update").length;
    assert.ok(updates <= fixture.spec.limits.hostsAtOnce);
    // The update that was under way has ended, and nothing came after it.
    const entries = fixture.store.entriesOf(RUN);
    const open = entries.filter((entry) => entry.kind === "step-intent").length;
    const ended = entries.filter((entry) => entry.kind === "step-done").length;
    assert.equal(open, ended);
    await assert.rejects(fixture.carryOn(), /kill switch/);
    assert.equal(fixture.store.entriesOf(RUN).filter((entry) => entry.kind === "step-intent").length, open);
    assert.deepEqual(fixture.store.liveLeases(), []);
    await liftKillSwitch(fixture.store, "ada", "over");
    assert.equal((await fixture.carryOn()).phase, "done");
    assertKept(fixture);
    assert.deepEqual(await describeEnd(fixture), await describeEnd(quiet));
  });

  it("lets a cancellation bring everything back, and so does the end of the window", async () => {
    for (const way of ["cancel", "window"] as const) {
      const fixture = createQuick();
      await fixture.clock.run(() => fixture.arm());
      const before = fixture.fleet.placements();
      const deps = onEntry(fixture, isUpdate, () => setKillSwitch(fixture.store, "ada", "stop"));
      await fixture.clock.run(() => assert.rejects(carryOut(RUN, deps), /kill switch/));
      if (way === "cancel") await requestCancel(fixture.store, FAMILY, "bob", "not today");
      else await fixture.clock.run(() => fixture.clock.sleep(3 * HOUR_MS));
      const ended = await fixture.carryOn();
      assert.equal(ended.phase, way === "cancel" ? "cancelled" : "armed");
      assert.deepEqual(fixture.fleet.placements(), before);
      assertKept(fixture);
    }
  });

  it("is noticed inside a wait within five seconds", async () => {
    const fixture = createQuick({ limits: { ...quickSpec().limits, soakMs: 600_000 } });
    await fixture.clock.run(() => fixture.arm());
    let killedMs = 0;
    const isSoak = (entry: JournalEntry): boolean => entry.kind === "step-intent" && entry.step.kind === "soak";
    const deps = onEntry(fixture, isSoak, async () => {
      void fixture.clock.sleep(60_000).then(async () => {
        killedMs = fixture.clock.now();
        await setKillSwitch(fixture.store, "ada", "stop");
      });
      await Promise.resolve();
    });
    await fixture.clock.run(() => assert.rejects(carryOut(RUN, deps), /kill switch/));
    assert.ok(killedMs > 0);
    assert.ok(fixture.clock.now() - killedMs <= 5000, String(fixture.clock.now() - killedMs));
  });
});

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

describe("runner: approvals", () => {
  const ada = generateKeyPairSync("ed25519");
  const eve = generateKeyPairSync("ed25519");
  const pem = (pair: typeof ada): { readonly open: string; readonly secret: string } => ({
    open: pair.publicKey.export({ type: "spki", format: "pem" }).toString(),
    secret: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  });
  const keys = { ada: pem(ada).open };

  async function approve(fixture: RunFixture, state: RunState, secret: string, forMs = HOUR_MS): Promise<void> {
    const at = fixture.clock.now();
    const statement = { digest: state.digest, by: "ada", why: "looked at it", at, expiresAt: at + forMs };
    await storeApproval(fixture.store, signApproval(statement, secret));
  }

  it("keep a run armed until its plan is approved, and say how", async () => {
    const fixture = createQuick({ approval: { keys } });
    const held = await fixture.run();
    assert.equal(held.phase, "armed");
    assert.match(
      held.phaseReason,
      /^not approved: plan [0-9a-f]{12}: nobody has approved it; look at the plan, then run `archipelago approve kernel-1 --key FILE`/,
    );
    await approve(fixture, held, pem(ada).secret);
    const done = await fixture.carryOn();
    assert.equal(done.phase, "done");
    assert.ok(done.decisions.some(({ text }) => text === `approved by ada: plan ${held.digest} may be carried out`));
    const { entries } = await readAudit(fixture.store);
    assert.deepEqual(
      entries.map(({ who, what }) => [who, what]),
      [["ada", "approve"]],
    );
    assertKept(fixture);
  });

  it("by a wrong key or after their end do not count, and the reason says which", async () => {
    for (const [secret, forMs, reason] of [
      [pem(eve).secret, HOUR_MS, /is not signed by any of the keys that may approve \(ada\)/],
      [pem(ada).secret, -1, /the approval by ada expired at/],
    ] as const) {
      const fixture = createQuick({ approval: { keys } });
      const armed = await fixture.clock.run(() => fixture.arm());
      await approve(fixture, armed, secret, forMs);
      const held = await fixture.carryOn();
      assert.equal(held.phase, "armed");
      assert.match(held.phaseReason, reason);
      assert.deepEqual(intentsOf(fixture), []);
    }
  });

  it("by a digest in the arguments count for that plan alone", async () => {
    const probe = createQuick({ approval: { keys: {}, digest: "0".repeat(64) } });
    const held = await probe.run();
    assert.match(held.phaseReason, /approval.digest is 000000000000, and the digest of this plan is [0-9a-f]{64}/);
    assert.match(held.phaseReason, new RegExp(`set approval.digest to "${held.digest}"`));
    const fixture = createQuick({ approval: { keys: {}, digest: held.digest } });
    assert.equal((await fixture.run()).phase, "done");
  });
});

describe("runner: the audit log", () => {
  const audited = (fixture: RunFixture, deps: RunDependencies): RunDependencies => ({
    ...deps,
    follow: (owner) => createAuditFollower({ store: deps.store, clock: deps.clock, progress: fixture.progress, owner }),
  });

  it("has every start, pause, resume, takeover and end, with who and why", async () => {
    const fixture = createQuick({ stopRules: [{ ...ERROR_BUDGET, action: "pause" }] });
    await fixture.clock.run(() => fixture.arm());
    let failed = 0;
    const deps = onEntry(fixture, isUpdate, () => {
      failed = 3;
      return Promise.resolve();
    });
    await fixture.clock.run(() =>
      carryOut(
        RUN,
        audited(
          fixture,
          failing(fixture, deps, () => failed),
        ),
      ),
    );
    await requestResume(fixture.store, FAMILY, "ada", "the cause is gone");
    await fixture.clock.run(() => carryOut(RUN, audited(fixture, fixture.dependencies())));
    const { entries, problems } = await readAudit(fixture.store);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      entries.map(({ what, who, subject }) => `${what} ${who} ${subject}`),
      [
        "arm an earlier process kernel-1",
        "start process-2 kernel-1",
        "pause stop rule error-budget kernel-1",
        "resume ada kernel-1",
        "takeover process-3 kernel-1",
        "resume ada kernel-1",
        "end process-3 kernel-1",
      ],
    );
  });

  it("makes up for what a process that died could not write", async () => {
    const fixture = createQuick();
    await fixture.clock.run(() => fixture.arm());
    // Its whole time is in the journal, and nothing of it in the log.
    const deps = onEntry(fixture, isUpdate, () => setKillSwitch(fixture.store, "ada", "stop"));
    await fixture.clock.run(() => assert.rejects(carryOut(RUN, deps), /kill switch/));
    await liftKillSwitch(fixture.store, "ada", "over");
    await fixture.clock.run(() => carryOut(RUN, audited(fixture, fixture.dependencies())));
    const { entries } = await readAudit(fixture.store);
    assert.deepEqual(
      entries.filter(({ subject }) => subject === RUN).map(({ what, who }) => `${what} ${who}`),
      ["arm an earlier process", "start process-2", "takeover process-3", "end process-3"],
    );
  });
});

/** What the hosts measure: the sample demand times a factor, in samples of a second. */
function sampledDemand(fixture: RunFixture, factor: number): RunDependencies {
  const deps = fixture.dependencies();
  const { demand } = sampleForecast({ spread: 0 });
  const usageSince: UsageSampler["usageSince"] = (sinceMs) => {
    const count = Math.floor((fixture.clock.now() - sinceMs) / 1000);
    return Promise.resolve(
      demand.workloads.map((workload, w) => ({
        ...{ replica: `${workload}-1`, workload, host: "host-01", startMs: sinceMs, stepMs: 1000, memoryBytes: [] },
        cpuMillis: new Array<number>(count).fill(factor * (demand.cpuMillis[0]?.[w * demand.steps] ?? 0)),
      })),
    );
  };
  return { ...deps, platform: { ...deps.platform, sampler: { usageSince } } };
}

describe("runner: demand that deviates from its forecast", () => {
  const limits = { ...quickSpec().limits, soakMs: 12 * 60_000 };
  const decisionsOf = (state: RunState): string => state.decisions.map(({ text }) => text).join("\n");

  it("is planned again and told with its numbers, and does not stop a run that nobody told to stop", async () => {
    const fixture = createQuick({ limits });
    const done = await fixture.run(sampledDemand(fixture, 2));
    assert.equal(done.phase, "done", done.phaseReason);
    assert.match(
      decisionsOf(done),
      /shop deviates from its forecast, so what is left is planned on a new one: more demand/,
    );
    const calm = createQuick({ limits });
    assert.doesNotMatch(decisionsOf(await calm.run(sampledDemand(calm, 1))), /deviates/);
  });

  it("lets no further host of a wave begin, finishes what is under way, and plans the rest anew", async () => {
    const hosts = 12;
    const base = quickSpec({}, hosts);
    const spec = { ...base, limits: { ...base.limits, hostsAtOnce: 4, hostsPerZone: 4, soakMs: 6 * 60_000 } };
    const createLanes = (): RunFixture => createRunFixture({ fleet: quickFleet({ hosts }), spec });
    const fixture = createLanes();
    const done = await fixture.run(sampledDemand(fixture, 2));
    assert.equal(done.phase, "done", done.phaseReason);
    assert.match(decisionsOf(done), /wave \d ends early: host-\d\d.* had not begun and will be planned anew/);
    const updating = done.waves.filter(({ kind }) => kind === "update");
    const [first] = updating;
    const begun = new Set(done.steps.map(({ step }) => step.id));
    const left = first?.steps.filter(({ id }) => !begun.has(id)) ?? [];
    assert.ok(updating.length >= 2 && left.length > 0);
    // Of a host that had not begun nothing was done in that wave, of any other everything.
    const later = new Set(updating.slice(1).flatMap((wave) => wave.hosts));
    for (const step of left) if ("host" in step && step.kind === "update") assert.ok(later.has(step.host), step.host);
    const updates = done.steps.flatMap(({ step }) => (step.kind === "update" ? [step.host] : []));
    assert.equal(new Set(updates).size, hosts);
    assert.equal(updates.length, hosts);
    assertKept(fixture);

    const calm = createLanes();
    const planned = await calm.run(sampledDemand(calm, 1));
    assert.doesNotMatch(decisionsOf(planned), /ends early/);
    assert.equal(planned.waves.filter(({ kind }) => kind === "update").length, 1);
  });

  it("pauses a run with a rule on it before so many steps are above the quantile", async () => {
    const rule: StopRule = { kind: "forecast-miss", quantile: 0.95, steps: 30, action: "pause" };
    const fixture = createQuick({ limits, stopRules: [rule] });
    const paused = await fixture.run(sampledDemand(fixture, 2));
    assert.equal(paused.phase, "paused");
    assert.match(paused.phaseReason, /stop rule forecast-miss.*shop: more demand than forecast for \d steps/);
  });
});
