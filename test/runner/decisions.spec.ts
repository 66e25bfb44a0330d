import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { carryOut } from "../../providers/runner/run";
import { eventsOf, SAMPLE_OPENING_MS } from "../../providers/testing";
import type { HostUpdateSpec, MigrationPlan } from "../../sdk/model";
import type { PlanInput } from "../../providers/plan/plan-input";
import { assertKept, createRunFixture, describeEnd, quickFleet, quickSpec, RUN } from "./run-fixture";

const HOUR_MS = 3_600_000;
const WEEK_MS = 7 * 24 * HOUR_MS;

/** Changes the plan once so many hosts are updated. */
function onceUpdated(
  count: number,
  change: (plan: MigrationPlan) => MigrationPlan,
): (plan: MigrationPlan, input: PlanInput) => MigrationPlan {
  return (plan, input) => ((input.progress?.updatedHosts.length ?? 0) >= count ? change(plan) : plan);
}

function withHook(notNow: number): { fleet: ReturnType<typeof quickFleet>; spec: HostUpdateSpec } {
  const fleet = quickFleet();
  const spec = quickSpec();
  return {
    fleet: {
      ...fleet,
      workloads: fleet.workloads.map((workload) =>
        workload.name === "ledger" ? { ...workload, notNow: { "/before-move": notNow } } : workload,
      ),
    },
    spec: {
      ...spec,
      islands: spec.islands.map((island) => ({
        ...island,
        workloads: island.workloads.map((workload) =>
          workload.name === "ledger"
            ? { ...workload, hooks: { beforeMove: "/before-move", afterMove: "/after-move" } }
            : workload,
        ),
      })),
    },
  };
}

describe("runner: what comes next", () => {
  it("stops with the difference when what is left is outside of what was approved", async () => {
    const fixture = createRunFixture({
      fleet: quickFleet(),
      spec: quickSpec(),
      changePlan: onceUpdated(2, (plan) => ({
        ...plan,
        envelope: { ...plan.envelope, hosts: [...plan.envelope.hosts, "host-99"], hostsAtOnce: 5 },
      })),
    });
    const state = await fixture.run();
    assert.equal(state.phase, "failed");
    assert.equal(state.failure?.step, "plan");
    assert.match(state.failure.reason, /host-99/);
    assert.match(state.failure.reason, /hosts at once: 5 instead of the approved 2/);
    assert.match(state.failure.remedy, /pulumi preview/);
    assertKept(fixture);
    const versions = Object.values(fixture.fleet.versions());
    assert.equal(versions.filter((version) => version === "v2").length, 2);
  });

  it("gives back and waits when something is in the way for good, and goes on when it is gone", async () => {
    let isBlocked = true;
    const fixture = createRunFixture({
      fleet: quickFleet(),
      spec: quickSpec(),
      changePlan: onceUpdated(1, (plan) =>
        isBlocked && plan.waves.some((wave) => wave.kind !== "failback")
          ? {
              ...plan,
              decision: "blocked",
              blockers: [{ code: "capacity", subject: "shop", reason: "demand has risen", fix: "a larger pool" }],
            }
          : plan,
      ),
    });
    const waiting = await fixture.run();
    assert.equal(waiting.phase, "armed");
    assert.match(waiting.phaseReason, /demand has risen \(fix: a larger pool\)/);
    assertKept(fixture);
    const { hosts } = await fixture.clock.run(() => fixture.observe());
    assert.ok(hosts.every((host) => host.reserved === undefined && host.cordoned === undefined));
    isBlocked = false;
    assert.equal((await fixture.carryOn()).phase, "done");
    assertKept(fixture);
  });

  it("fails instead of waiting when it was asked to", async () => {
    const fixture = createRunFixture({
      fleet: quickFleet(),
      spec: quickSpec({ whenBlocked: "fail" }),
      changePlan: onceUpdated(1, (plan) =>
        plan.waves.some((wave) => wave.kind !== "failback")
          ? {
              ...plan,
              decision: "blocked",
              blockers: [{ code: "capacity", subject: "shop", reason: "demand has risen", fix: "a larger pool" }],
            }
          : plan,
      ),
    });
    const state = await fixture.run();
    assert.equal(state.phase, "failed");
    assert.equal(state.failure?.remedy, "a larger pool");
    assertKept(fixture);
  });

  it("goes back to wait when the window is too short for the next wave, and finishes in the next opening", async () => {
    // Room for the whole run by its expected times, but the first updates take much longer than expected.
    const base = quickFleet({ updateMs: 55_000 });
    const spec = quickSpec({
      windows: [{ name: "saturdays", cron: "0 2 * * 6", durationMs: HOUR_MS, timezone: "UTC", freezes: [] }],
    });
    const fixture = createRunFixture({ fleet: base, spec, startMs: SAMPLE_OPENING_MS });
    await fixture.clock.run(() => fixture.arm());
    // The process was away for most of the window.
    await fixture.clock.run(() => fixture.clock.sleep(HOUR_MS - 10 * 60_000));
    const waiting = await fixture.carryOn();
    assert.equal(waiting.phase, "armed", JSON.stringify(waiting.failure));
    assert.match(waiting.phaseReason, /window|opening|closes/);
    const updated = Object.values(fixture.fleet.versions()).filter((version) => version === "v2").length;
    assert.ok(updated < 6);
    assert.ok(fixture.clock.now() <= SAMPLE_OPENING_MS + HOUR_MS, "it worked beyond its window");
    assertKept(fixture);
    // Outside of its window an armed run does nothing.
    await fixture.clock.run(() => fixture.clock.sleep(HOUR_MS));
    const entries = fixture.store.entriesOf(RUN).length;
    assert.equal((await fixture.carryOn()).phase, "armed");
    assert.equal(fixture.store.entriesOf(RUN).length, entries);
    await fixture.clock.run(() => fixture.clock.sleep(SAMPLE_OPENING_MS + WEEK_MS - fixture.clock.now()));
    assert.equal((await fixture.carryOn()).phase, "done");
    assertKept(fixture);
  });

  it("asks a workload before it is moved, and waits while it answers not now", async () => {
    const fixture = createRunFixture(withHook(5));
    const state = await fixture.run();
    assert.equal(state.phase, "done", JSON.stringify(state.failure));
    const hooks = eventsOf(fixture.fleet.events, "effect").filter((event) => event.call === "workloads.hook");
    assert.ok(hooks.length >= 7);
    assertKept(fixture);
  });

  it("undoes the wave and waits for the next opening when a workload does not want to be moved at all", async () => {
    const fixture = createRunFixture(withHook(1_000));
    const state = await fixture.run();
    assert.equal(state.phase, "armed");
    assert.equal(state.failure, undefined);
    assert.match(state.phaseReason, /not now/);
    assert.equal(fixture.fleet.versions()["host-02"], "v1");
    const { hosts } = await fixture.clock.run(() => fixture.observe());
    assert.ok(hosts.every((host) => host.reserved === undefined && host.cordoned === undefined));
    assertKept(fixture);
  });

  it("lets nothing disruptive happen while a host that died by itself uses up the budget", async () => {
    for (const afterMs of [3000, 9000, 12_000, 15_000]) {
      const fixture = createRunFixture({ fleet: quickFleet(), spec: quickSpec() });
      await fixture.clock.run(() => fixture.arm());
      fixture.clock.after(afterMs, () => {
        fixture.fleet.killHost("host-06", 20_000);
      });
      const state = await fixture.clock.run(() => carryOut(RUN, fixture.dependencies()));
      const { entries } = { entries: fixture.store.entriesOf(RUN) };
      const { checkRun } = await import("../../providers/guard/checker.js");
      const violations = checkRun({ entries, observations: fixture.fleet.observations() }).filter(
        // The copies that died with the host are not the run's to bring back.
        ({ text }) => !/lacks \d+ copies|which is gone/.test(text),
      );
      assert.deepEqual(violations, [], `host died after ${String(afterMs)} ms; ${state.phase} ${state.phaseReason}`);
      assert.equal(fixture.fleet.lostWrites("ledger"), 0);
    }
  });

  it("names a host that it could not bring back, keeps it out of traffic, and everything else serves", async () => {
    const base = quickFleet({ failingHosts: ["host-03"] });
    const fixture = createRunFixture({
      fleet: {
        ...base,
        commands: {
          ...base.commands,
          "install v2": (host) =>
            host.id === "host-03"
              ? { kind: "fail", afterMs: 1000, exitCode: 3, output: "half of it\n", version: "v2-broken" }
              : { kind: "set-version", version: "v2", afterMs: 1000 },
          "install v1": { kind: "fail", afterMs: 500, exitCode: 9, output: "no old package\n" },
        },
      },
      spec: quickSpec(),
    });
    const state = await fixture.run();
    assert.equal(state.phase, "failed");
    assert.equal(state.failure?.subject, "host-03");
    const left = state.failure.notUndone.join("\n");
    assert.match(left, /host-03.*exit code 9/s);
    assert.match(left, /no old package/);
    assert.match(left, /host-03 stays cordoned/);
    const fleet = await fixture.clock.run(() => fixture.observe());
    assert.equal(fleet.hosts.find((host) => host.id === "host-03")?.cordoned?.owner, RUN);
    assert.deepEqual(
      fleet.replicas.filter((replica) => replica.host === "host-03"),
      [],
    );
    assert.deepEqual(fixture.fleet.harm(), []);
    assertKept(fixture);
  });

  it("leaves a host with an irreversible update in traffic when it is valid or unchanged, and says so", async () => {
    const base = quickFleet();
    for (const version of ["v1", "v2", "v2-broken"]) {
      const fixture = createRunFixture({
        fleet: {
          ...base,
          commands: {
            "install v2": (host) =>
              host.id === "host-01"
                ? { kind: "fail", afterMs: 1000, exitCode: 3, output: "late error\n", version }
                : { kind: "set-version", version: "v2", afterMs: 1000 },
          },
        },
        spec: quickSpec({
          update: {
            probe: "version",
            expect: "v2",
            command: "install v2",
            irreversible: true,
            reboot: false,
            timeoutMs: 300_000,
            expectedMs: 60_000,
          },
        }),
      });
      const state = await fixture.run();
      assert.equal(state.phase, "failed");
      assert.match(state.failure?.notUndone.join() ?? "", /host-01.*irreversible/);
      const fleet = await fixture.clock.run(() => fixture.observe());
      const host = fleet.hosts.find(({ id }) => id === "host-01");
      const isFit = version !== "v2-broken";
      assert.equal(host?.cordoned === undefined, isFit, version);
      assert.equal(
        fleet.replicas.some((replica) => replica.host === "host-01"),
        isFit,
        version,
      );
      assertKept(fixture);
    }
  });

  it("ends with everything as before when a hand-over does not succeed, and says what to do", async () => {
    const fixture = createRunFixture({ fleet: quickFleet(), spec: quickSpec() });
    await fixture.clock.run(() => fixture.arm());
    fixture.fleet.inject({ call: "workloads.restore", times: 100, effect: { kind: "partial" } });
    const state = await fixture.carryOn();
    assert.equal(state.phase, "failed");
    assert.equal(state.failure?.step, "hand-over");
    assert.equal(state.failure.subject, "ledger");
    assert.match(state.failure.reason, /hash/);
    assert.match(state.failure.remedy, /maxPause/);
    assert.deepEqual(state.failure.notUndone, []);
    assert.deepEqual(fixture.fleet.placements()["ledger"], ["host-02"]);
    assertKept(fixture);
    await describeEnd(fixture);
  });
});
