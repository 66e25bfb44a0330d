import { strict as assert } from "node:assert";
import { listRuns, resolveFamily } from "../../providers/runner/list-runs";
import { readRequest, requestCancel, requestPause, requestResume } from "../../providers/runner/requests";
import { readRun } from "../../providers/runner/run";
import { eventsOf, SAMPLE_OPENING_MS } from "../../providers/testing";
import type { RunState } from "../../sdk/model";
import { assertKept, createRunFixture, describeEnd, quickFleet, quickSpec, RUN, type RunFixture } from "./run-fixture";

const FAMILY = "kernel";
const HOUR_MS = 3_600_000;

function createQuickFixture(options = {}): RunFixture {
  return createRunFixture({ fleet: quickFleet(), spec: quickSpec(), ...options });
}

/** Arms, and asks for something while the run goes on. */
async function runAndAsk(fixture: RunFixture, afterMs: number, ask: () => Promise<unknown>): Promise<RunState> {
  await fixture.clock.run(() => fixture.arm());
  fixture.clock.after(afterMs, () => void ask());
  return fixture.carryOn();
}

async function stateOf({ store }: RunFixture): Promise<RunState> {
  const run = await readRun(store, RUN);
  assert.ok(run);
  return run;
}

describe("runner: requests", () => {
  it("pause a run at a step border without a lease left, and resume brings it to the same end", async () => {
    const whole = createQuickFixture();
    await whole.run();
    for (const afterMs of [1500, 6000, 15_000]) {
      const fixture = createQuickFixture();
      const { store } = fixture;
      const paused = await runAndAsk(fixture, afterMs, () =>
        requestPause(store, FAMILY, "anna", "a look at the graphs"),
      );
      assert.deepEqual([paused.phase, paused.phaseReason], ["paused", "paused by anna: a look at the graphs"]);
      assert.deepEqual(store.liveLeases(), []);
      const atPause = eventsOf(fixture.fleet.events, "effect").length;
      assert.equal((await fixture.carryOn()).phase, "paused", "it stays paused");
      assert.equal(eventsOf(fixture.fleet.events, "effect").length, atPause, "nothing happens while it is paused");
      await fixture.clock.run(() => requestResume(store, FAMILY, "anna", ""));
      assert.equal((await fixture.carryOn()).phase, "done");
      assertKept(fixture);
      assert.deepEqual(await describeEnd(fixture), await describeEnd(whole));
      const asked = store.entriesOf(RUN).flatMap((entry) => (entry.kind === "asked" ? [entry.wish] : []));
      assert.deepEqual(asked, ["pause", "resume"], "who asked for what is in the journal");
    }
  });

  it("start nothing later than a second and a call after the pause was asked for", async () => {
    const fixture = createQuickFixture();
    let askedAt = 0;
    await runAndAsk(fixture, 6000, async () => {
      askedAt = fixture.clock.now();
      await requestPause(fixture.store, FAMILY, "anna", "");
    });
    const begun = fixture.store.entriesOf(RUN).filter(({ kind }) => kind === "step-intent");
    assert.ok(begun.every(({ at }) => at <= askedAt + 2000));
  });

  it("cancel a run: the wave under way is undone, nothing is held, and hosts of earlier waves stay updated", async () => {
    for (const afterMs of [3000, 6000, 15_000]) {
      const fixture = createQuickFixture();
      const end = await runAndAsk(fixture, afterMs, () => requestCancel(fixture.store, FAMILY, "ben", "wrong package"));
      assert.deepEqual([end.phase, end.phaseReason], ["cancelled", "cancelled by ben: wrong package"]);
      assertKept(fixture);
      const { hosts } = await fixture.clock.run(() => fixture.observe());
      assert.ok(hosts.every(({ cordoned, reserved }) => cordoned === undefined && reserved === undefined));
      const done = new Set(
        end.waves.filter(({ index }) => end.wavesDone.includes(index)).flatMap((wave) => wave.hosts),
      );
      const updated = Object.entries(fixture.fleet.versions()).filter(([, version]) => version === "v2");
      assert.ok(
        updated.every(([host]) => done.has(host)),
        JSON.stringify(updated),
      );
      assert.equal((await fixture.carryOn()).phase, "cancelled", "it stays cancelled");
    }
  });

  it("cancel a paused run, and an armed one without touching a host", async () => {
    const paused = createQuickFixture();
    await runAndAsk(paused, 6000, () => requestPause(paused.store, FAMILY, "anna", ""));
    await paused.clock.run(() => requestCancel(paused.store, FAMILY, "anna", "no time"));
    assert.equal((await paused.carryOn()).phase, "cancelled");
    assertKept(paused);

    const armed = createQuickFixture();
    await armed.clock.run(() => armed.arm());
    await armed.clock.run(() => requestCancel(armed.store, FAMILY, "anna", ""));
    assert.equal((await armed.carryOn()).phase, "cancelled");
    assert.deepEqual(eventsOf(armed.fleet.events, "effect"), []);
  });

  it("bring a paused run to a safe state when its window closes, and hold it in the next one", async () => {
    const fixture = createQuickFixture();
    await runAndAsk(fixture, 6000, () => requestPause(fixture.store, FAMILY, "anna", ""));
    await fixture.clock.run(() => fixture.clock.sleep(SAMPLE_OPENING_MS + 6 * HOUR_MS - fixture.clock.now()));
    assert.equal((await fixture.carryOn()).phase, "armed");
    assertKept(fixture);
    const { hosts } = await fixture.clock.run(() => fixture.observe());
    assert.ok(hosts.every(({ cordoned, reserved }) => cordoned === undefined && reserved === undefined));
    assert.equal((await fixture.carryOn()).phase, "paused");
  });

  it("are for one run, and are refused where they mean nothing", async () => {
    const fixture = createQuickFixture();
    const { store, clock } = fixture;
    await assert.rejects(
      clock.run(() => requestPause(store, FAMILY, "anna", "")),
      /has no run in this store/,
    );
    await clock.run(() => fixture.arm());
    await clock.run(() => requestCancel(store, FAMILY, "anna", ""));
    assert.equal((await clock.run(() => readRequest(store, RUN)))?.wish, "cancel");
    assert.equal(await clock.run(() => readRequest(store, "kernel-2")), undefined);
    await fixture.carryOn();
    await assert.rejects(
      clock.run(() => requestResume(store, FAMILY, "anna", "")),
      /kernel-1.*is cancelled/,
    );
    assert.equal((await stateOf(fixture)).phase, "cancelled");
  });

  it("are shown with the run, and a run is found by its id, its family and its name", async () => {
    const fixture = createQuickFixture();
    const { store, clock } = fixture;
    await runAndAsk(fixture, 6000, () => requestPause(store, FAMILY, "anna", "lunch"));
    const [summary, ...others] = await clock.run(() => listRuns(store, clock.now()));
    assert.deepEqual(others, []);
    assert.ok(summary);
    const { family, run, phase, hosts, isOpen, request, wave } = summary;
    assert.deepEqual([family, run, phase, hosts, isOpen, request?.why], [FAMILY, RUN, "paused", 6, true, "lunch"]);
    assert.ok(wave);
    assert.equal(await clock.run(() => resolveFamily(store, RUN)), FAMILY);
    assert.equal(await clock.run(() => resolveFamily(store, FAMILY)), FAMILY);
    await assert.rejects(
      clock.run(() => resolveFamily(store, "kernal-1")),
      /did you mean "kernel-1"/,
    );
  });
});
