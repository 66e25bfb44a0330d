import { strict as assert } from "node:assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listRunners } from "../../providers/runner/heartbeat";
import { performHostUpdate, type UpdateOutcome } from "../../providers/runner/host-update";
import { hostResource, LEASE_TTL_MS } from "../../providers/runner/leases";
import { requestCancel, requestPause, requestResume } from "../../providers/runner/requests";
import { readLatestRun } from "../../providers/runner/run-family";
import { serveRuns, type RunnerResult } from "../../providers/runner/serve-runs";
import { SAMPLE_OPENING_MS, type SimulatedProcess } from "../../providers/testing";
import type { HostUpdateSpec, RunState } from "../../sdk/model";
import {
  assertKept,
  createRunFixture,
  quickFleet,
  quickSpec,
  type FixtureOptions,
  type RunFixture,
} from "./run-fixture";
import { openTestEnvironment } from "./store-environment";

const FAMILY = "kernel-12345678";
const RUN = `${FAMILY}-1`;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const WEEK_MS = 168 * HOUR_MS;
const CLOSED_MS = SAMPLE_OPENING_MS - HOUR_MS;
const OPEN_MS = SAMPLE_OPENING_MS + MINUTE_MS;
const EVERY_MS = 10_000;

/** A runner on a fixture. */
interface TestRunner {
  readonly process: SimulatedProcess;
  readonly said: string[];
  readonly stop: AbortController;
  readonly ended: Promise<RunnerResult>;
}

describe("runner: serving runs", () => {
  let reportFolder: string;
  before(async () => {
    reportFolder = await mkdtemp(join(tmpdir(), "archipelago-reports-"));
  });
  after(async () => {
    await rm(reportFolder, { recursive: true });
  });

  const create = (options: FixtureOptions = {}): RunFixture =>
    createRunFixture({ fleet: quickFleet(), spec: quickSpec(), startMs: CLOSED_MS, ...options });

  function up(fixture: RunFixture, spec = fixture.spec, family = FAMILY): Promise<UpdateOutcome> {
    const environment = openTestEnvironment(fixture, reportFolder, spec);
    const { progress } = fixture;
    const signal = new AbortController().signal;
    const caller = { family, owner: `up ${environment.owner}`, engine: "test", progress, signal };
    return fixture.clock.run(() => performHostUpdate(environment, caller));
  }

  /** Starts a runner as a process of its own, which a test may kill. */
  function startRunner(fixture: RunFixture, name: string, once = false): TestRunner {
    const process = fixture.createProcess(name);
    const said: string[] = [];
    const stop = new AbortController();
    const { clock } = process;
    const ended = process.run(() =>
      serveRuns({
        store: fixture.store.asProcess(process),
        clock,
        identity: {
          runner: name,
          host: "box",
          pid: 1,
          packageVersion: "test",
          startedAt: clock.now(),
          everyMs: EVERY_MS,
        },
        once,
        signal: stop.signal,
        openEnvironment: (spec: HostUpdateSpec) =>
          Promise.resolve(openTestEnvironment(fixture, reportFolder, spec, process)),
        say: (text, run) => said.push(run === undefined ? text : `${run}: ${text}`),
      }),
    );
    // A process that was killed never answers, or fails: both are what a test wants then.
    ended.catch(() => undefined);
    return { process, said, stop, ended };
  }

  async function stop(fixture: RunFixture, runner: TestRunner): Promise<RunnerResult> {
    runner.stop.abort();
    return fixture.clock.run(() => runner.ended);
  }

  async function stateOf(fixture: RunFixture, family = FAMILY): Promise<RunState> {
    const run = await fixture.clock.run(() => readLatestRun(fixture.store, family));
    assert.ok(run);
    return run;
  }

  it("starts an armed run when its window opens, not before, and reports it", async () => {
    const fixture = create();
    const runner = startRunner(fixture, "a");
    const armed = await up(fixture);
    assert.equal(armed.phase, "armed");
    assert.match(armed.reason, /opens .*; runner a last seen \d/);
    await fixture.clock.advance(50 * MINUTE_MS);
    assert.equal((await stateOf(fixture)).phase, "armed");
    await fixture.clock.advance(HOUR_MS);
    const run = await stateOf(fixture);
    assert.equal(run.phase, "done", runner.said.join("\n"));
    assert.ok(run.startedAt && run.startedAt >= SAMPLE_OPENING_MS && run.startedAt <= SAMPLE_OPENING_MS + MINUTE_MS);
    assert.ok(
      runner.said.some((line) => /done: .*report: .*\.html/.test(line)),
      runner.said.join("\n"),
    );
    assertKept(fixture, RUN);
    await stop(fixture, runner);
    assert.deepEqual(await fixture.clock.run(() => listRunners(fixture.store)), [], "it took leave");
  });

  it("carries on a run whose process was killed, after its leases have lapsed", async () => {
    const fixture = create({ startMs: OPEN_MS, spec: quickSpec({ startedBy: "runner" }) });
    const first = startRunner(fixture, "a");
    await fixture.clock.advance(1000);
    assert.equal((await up(fixture)).phase, "armed");
    await fixture.clock.advance(EVERY_MS + 5000);
    assert.equal((await stateOf(fixture)).phase, "running");
    first.process.kill();
    const second = startRunner(fixture, "b");
    await fixture.clock.advance(LEASE_TTL_MS + 10 * MINUTE_MS);
    assert.equal((await stateOf(fixture)).phase, "done", second.said.join("\n"));
    assertKept(fixture, RUN);
    const owners = fixture.store.entriesOf(RUN).flatMap((entry) => (entry.kind === "taken-over" ? [entry.owner] : []));
    assert.deepEqual(owners, ["runner a", "runner b"]);
    const runners = await fixture.clock.run(() => listRunners(fixture.store));
    assert.deepEqual(
      runners.map(({ heartbeat, isAlive }) => [heartbeat.runner, isAlive]),
      [
        ["b", true],
        ["a", false],
      ],
    );
    await stop(fixture, second);
  });

  it("lets one of two runners work on a run", async () => {
    const fixture = create();
    await up(fixture);
    const runners = [startRunner(fixture, "a"), startRunner(fixture, "b")];
    await fixture.clock.advance(2 * HOUR_MS);
    assert.equal((await stateOf(fixture)).phase, "done");
    assertKept(fixture, RUN);
    const owners = fixture.store.entriesOf(RUN).filter(({ kind }) => kind === "taken-over");
    assert.equal(owners.length, 1);
    for (const runner of runners) await stop(fixture, runner);
  });

  it("lets one of two runs have a host, and names its owner in the other", async () => {
    const fixture = create();
    await up(fixture);
    const other = quickSpec({ name: "agent", update: { ...quickSpec().update, timeoutMs: 30_000 } });
    await up(fixture, other, "agent-12345678");
    const runner = startRunner(fixture, "a");
    await fixture.clock.advance(3 * HOUR_MS);
    const phases = [await stateOf(fixture), await stateOf(fixture, "agent-12345678")].map(({ phase }) => phase);
    assert.deepEqual(phases, ["done", "done"], runner.said.join("\n"));
    assert.ok(
      runner.said.some((line) => /-1: waits for (host|pool)\/sample\/\S+, which runner a for run \S+-1 has/.test(line)),
      runner.said.join("\n"),
    );
    assertKept(fixture, RUN);
    await stop(fixture, runner);
  });

  it("brings a run that lost its process to a safe state outside of the window, and starts it again in the next", async () => {
    const fixture = create({ startMs: OPEN_MS });
    const dying = fixture.createProcess("up");
    dying.crashAfterEntries(40);
    const environment = openTestEnvironment(fixture, reportFolder, fixture.spec, dying);
    const signal = new AbortController().signal;
    const caller = { family: FAMILY, owner: "up", engine: "test", progress: fixture.progress, signal };
    await assert.rejects(fixture.clock.run(() => dying.run(() => performHostUpdate(environment, caller))));
    assert.equal((await stateOf(fixture)).phase, "running");
    await fixture.clock.run(() => fixture.clock.sleep(6 * HOUR_MS));
    const runner = startRunner(fixture, "a");
    await fixture.clock.advance(HOUR_MS);
    assert.equal((await stateOf(fixture)).phase, "armed", runner.said.join("\n"));
    const { hosts } = await fixture.clock.run(() => fixture.observe());
    assert.ok(hosts.every(({ cordoned, reserved }) => cordoned === undefined && reserved === undefined));
    await stop(fixture, runner);
    await fixture.clock.run(() => fixture.clock.sleep(OPEN_MS + WEEK_MS - fixture.clock.now()));
    const next = startRunner(fixture, "b", true);
    const { phases } = await fixture.clock.run(() => next.ended);
    assert.equal(phases.get(RUN), "done", next.said.join("\n"));
    assertKept(fixture, RUN);
  });

  it("expires a run that has no opening left", async () => {
    const spec = quickSpec();
    const freezes = [`${isoDay(SAMPLE_OPENING_MS + 48 * HOUR_MS)}/2099-12-31`];
    const fixture = create({ spec: { ...spec, windows: spec.windows.map((window) => ({ ...window, freezes })) } });
    assert.equal((await up(fixture)).phase, "armed");
    await fixture.clock.run(() => fixture.clock.sleep(48 * HOUR_MS));
    const runner = startRunner(fixture, "a", true);
    await fixture.clock.run(() => runner.ended);
    assert.equal((await stateOf(fixture)).phase, "expired", runner.said.join("\n"));
  });

  it("pauses, resumes and cancels what it works on", async () => {
    const fixture = create({ startMs: OPEN_MS, spec: quickSpec({ startedBy: "runner" }) });
    const { store, clock } = fixture;
    const runner = startRunner(fixture, "a");
    await clock.advance(1000);
    await up(fixture);
    await clock.advance(EVERY_MS + 3000);
    await clock.run(() => requestPause(store, FAMILY, "anna", ""));
    await clock.advance(2 * MINUTE_MS);
    assert.equal((await stateOf(fixture)).phase, "paused");
    await clock.run(() => requestResume(store, FAMILY, "anna", ""));
    await clock.advance(EVERY_MS + 1000);
    assert.equal((await stateOf(fixture)).phase, "running");
    await clock.run(() => requestCancel(store, FAMILY, "anna", ""));
    await clock.advance(5 * MINUTE_MS);
    assert.equal((await stateOf(fixture)).phase, "cancelled", runner.said.join("\n"));
    assertKept(fixture, RUN);
    await stop(fixture, runner);
  });

  it("goes on with the others when a journal is damaged or a run fails, and one pass tells of both", async () => {
    const fixture = create();
    const entry = { v: 1, at: 0, epoch: 1, kind: "decision", text: "not the beginning of a run" } as const;
    await fixture.clock.run(() => fixture.store.append("broken-12345678-1", 0, [entry]));
    await up(fixture, quickSpec({ update: { ...quickSpec().update, command: "install broken" } }));
    await fixture.clock.run(() => fixture.clock.sleep(OPEN_MS - fixture.clock.now()));
    const runner = startRunner(fixture, "a", true);
    const { phases, problems } = await fixture.clock.run(() => runner.ended);
    assert.deepEqual([...phases], [[RUN, "failed"]]);
    assert.deepEqual([...problems.keys()], ["broken-12345678-1"]);
    assertKept(fixture, RUN);
  });

  it("outlives a store that does not answer for a while", async () => {
    const fixture = create();
    await up(fixture);
    const runner = startRunner(fixture, "a");
    await fixture.clock.advance(MINUTE_MS);
    fixture.store.fail({ call: "list", times: 30, code: "unavailable" });
    await fixture.clock.advance(2 * HOUR_MS);
    assert.equal((await stateOf(fixture)).phase, "done", runner.said.join("\n"));
    assert.ok(runner.said.includes("the run store answers again"));
    await stop(fixture, runner);
  });

  it("leaves every run at a step border when it is told to stop", async () => {
    const fixture = create({ startMs: OPEN_MS, spec: quickSpec({ startedBy: "runner" }) });
    const runner = startRunner(fixture, "a");
    await fixture.clock.advance(1000);
    await up(fixture);
    await fixture.clock.advance(EVERY_MS + 5000);
    await stop(fixture, runner);
    assert.equal((await stateOf(fixture)).phase, "running");
    assert.deepEqual(fixture.store.liveLeases(), []);
    assert.ok(runner.said.some((line) => line.includes("left at a step border")));
    const next = startRunner(fixture, "b", true);
    const { phases } = await fixture.clock.run(() => next.ended);
    assert.equal(phases.get(RUN), "done", next.said.join("\n"));
  });

  it("is needed where only a runner may start: without one the plan is blocked, with the command that mends it", async () => {
    const fixture = create({ startMs: OPEN_MS, spec: quickSpec({ startedBy: "runner" }) });
    const { phase, reason, plan } = await up(fixture);
    assert.equal(phase, "armed");
    assert.equal(plan?.blockers[0]?.code, "no-runner");
    assert.match(reason, /no runner|none has been seen.*archipelago runner --store/);
    const runner = startRunner(fixture, "a");
    await fixture.clock.advance(10 * MINUTE_MS);
    assert.equal((await stateOf(fixture)).phase, "done", runner.said.join("\n"));
    await stop(fixture, runner);
  });
});

describe("runner: staying with a run", () => {
  const NEVER = new AbortController().signal;

  it("waits for a host that another run has, names its owner, and then goes on", async () => {
    const fixture = createRunFixture({ fleet: quickFleet(), spec: quickSpec(), startMs: OPEN_MS });
    fixture.store.stealLease(hostResource("sample", "host-03"), "pulumi box-7 for run other-1", 40_000);
    const environment = openTestEnvironment(fixture, tmpdir());
    const caller = { family: FAMILY, owner: "up", engine: "test", progress: fixture.progress, signal: NEVER };
    const outcome = await fixture.clock.run(() => performHostUpdate(environment, caller));
    assert.equal(outcome.phase, "done", outcome.reason);
    assert.deepEqual(
      fixture.progress.lines.filter((line) => line.startsWith("waiting")),
      ["waiting for host/sample/host-03, held by pulumi box-7 for run other-1"],
    );
    assertKept(fixture, RUN);
  });

  it("gives up when the window closes before the host is free", async () => {
    const fixture = createRunFixture({ fleet: quickFleet(), spec: quickSpec(), startMs: OPEN_MS });
    fixture.store.stealLease(hostResource("sample", "host-03"), "other", 12 * HOUR_MS);
    const environment = openTestEnvironment(fixture, tmpdir());
    const caller = { family: FAMILY, owner: "up", engine: "test", progress: fixture.progress, signal: NEVER };
    const outcome = await fixture.clock.run(() => performHostUpdate(environment, caller));
    assert.equal(outcome.phase, "armed");
    assert.match(outcome.reason, /the window closed while waiting for host\/sample\/host-03, held by other/);
  });

  it("leaves after attachFor where a runner carries on, and stays where there is none", async () => {
    for (const hasRunner of [true, false]) {
      const spec = quickSpec({ attachForMs: 5000 });
      const fixture = createRunFixture({ fleet: quickFleet(), spec, startMs: OPEN_MS });
      if (hasRunner) {
        const heartbeat = {
          v: 1,
          runner: "a",
          host: "box",
          pid: 1,
          packageVersion: "1",
          startedAt: 0,
          everyMs: HOUR_MS,
        };
        const content = JSON.stringify({ ...heartbeat, at: fixture.clock.now(), runs: [] });
        await fixture.clock.run(() => fixture.store.putDocument("runners/a", content));
      }
      const environment = openTestEnvironment(fixture, tmpdir());
      const caller = { family: FAMILY, owner: "up", engine: "test", progress: fixture.progress, signal: NEVER };
      const outcome = await fixture.clock.run(() => performHostUpdate(environment, caller));
      assert.equal(outcome.phase, hasRunner ? "running" : "done", outcome.reason);
      if (hasRunner) assert.match(outcome.reason, /attached for 5.0 s; runner a last seen .* ago carries it on/);
      assert.deepEqual(fixture.store.liveLeases(), []);
    }
  });
});

function isoDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
