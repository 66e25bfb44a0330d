import assert from "node:assert/strict";
import * as fc from "fast-check";
import { StoreError, type JournalEvent } from "../../sdk/model";
import { replay, RunFold } from "../../providers/journal/replay";
import { buildStep, buildWave, CREATED, GOOD_RUN, stamp, START_MS } from "./entries";

const RUNNING: JournalEvent = { kind: "phase", phase: "running", reason: "open" };
const INTENT: JournalEvent = { kind: "step-intent", step: buildStep("s"), key: "k1", prior: null };
const DONE: JournalEvent = { kind: "step-done", id: "s", result: null, alreadyDone: false };
const FAILED: JournalEvent = { kind: "step-failed", id: "s", reason: "exit code 3", output: "boom" };
const UNDO: JournalEvent = { kind: "undo-intent", id: "s", key: "u1" };
const UNDONE: JournalEvent = { kind: "undo-done", id: "s", note: "as before" };
const ENDED: JournalEvent = { kind: "phase", phase: "failed", reason: "canary" };

function statusAfter(...events: readonly JournalEvent[]): string | undefined {
  return replay("run", stamp([CREATED, RUNNING, ...events])).steps.at(-1)?.status;
}

function assertCorrupt(events: readonly JournalEvent[], position: number, pattern: RegExp): void {
  assert.throws(
    () => replay("run", stamp(events)),
    (error: unknown) => {
      assert.ok(error instanceof StoreError);
      assert.equal(error.code, "corrupt");
      assert.match(error.message, new RegExp(`^entry ${String(position)} `));
      assert.match(error.message, pattern);
      return true;
    },
  );
}

describe("replay", () => {
  it("folds a run that went well into its final state", () => {
    const state = replay("run-1", stamp(GOOD_RUN));
    assert.equal(state.id, "run-1");
    assert.equal(state.phase, "done");
    assert.equal(state.phaseReason, "all hosts match");
    assert.deepEqual(state.wavesDone, [1]);
    assert.equal(state.createdAt, START_MS);
    assert.equal(state.startedAt, START_MS + 1000);
    assert.equal(state.endedAt, START_MS + 9000);
    assert.equal(state.length, GOOD_RUN.length);
    assert.deepEqual(state.decisions, [{ at: START_MS + 7000, text: "canary is green" }]);
    assert.deepEqual(state.steps, [
      {
        step: buildStep(),
        key: "run/w1/host-01/update/1",
        prior: { version: "1.9" },
        status: "done",
        operation: "op-1",
        result: { output: "2.0" },
        alreadyDone: false,
        intentAt: START_MS + 3000,
        endAt: START_MS + 6000,
      },
    ]);
  });

  it("is armed after creation alone", () => {
    const state = replay("run", stamp([CREATED]));
    assert.equal(state.phase, "armed");
    assert.equal(state.startedAt, undefined);
    assert.equal(state.endedAt, undefined);
  });

  it("gives the same state for a prefix and the rest as for the whole, wherever it is cut", () => {
    const entries = stamp(GOOD_RUN);
    const whole = replay("run", entries);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: entries.length }), (cut) => {
        const fold = new RunFold("run");
        for (const entry of entries.slice(0, cut)) fold.add(entry);
        assert.deepEqual(fold.state(), replay("run", entries.slice(0, cut)));
        for (const entry of entries.slice(cut)) fold.add(entry);
        assert.deepEqual(fold.state(), whole);
      }),
    );
  });

  it("does not change a state that it gave out earlier", () => {
    const fold = new RunFold("run");
    const entries = stamp(GOOD_RUN);
    for (const entry of entries.slice(0, 4)) fold.add(entry);
    const early = fold.state();
    const copy = structuredClone(early);
    for (const entry of entries.slice(4)) fold.add(entry);
    assert.deepEqual(early, copy);
  });

  it("follows a step through failing, undoing and another attempt", () => {
    assert.equal(statusAfter(INTENT), "intended");
    assert.equal(statusAfter(INTENT, DONE), "done");
    assert.equal(statusAfter(INTENT, FAILED), "failed");
    assert.equal(statusAfter(INTENT, FAILED, UNDO), "undoing");
    assert.equal(statusAfter(INTENT, FAILED, UNDO, UNDONE), "undone");
    assert.equal(statusAfter(INTENT, FAILED, UNDO, { kind: "undo-failed", id: "s", reason: "no" }), "undo-failed");
    assert.equal(statusAfter(INTENT, FAILED, UNDO, UNDONE, { ...INTENT, key: "k2" }), "intended");
  });

  it("keeps steps in the order of their latest intents", () => {
    const other: JournalEvent = { ...INTENT, step: buildStep("t"), key: "t1" };
    const events = [CREATED, RUNNING, INTENT, other, FAILED, { ...INTENT, key: "k2" }];
    const ids = replay("run", stamp(events)).steps.map((record) => record.step.id);
    assert.deepEqual(ids, ["t", "s"]);
  });

  it("takes a repeated intent with the same key as the same intent", () => {
    assert.equal(statusAfter(INTENT, { kind: "step-started", id: "s", operation: "o" }, INTENT), "started");
    assert.equal(statusAfter(INTENT, FAILED, UNDO, UNDO), "undoing");
  });

  it("replaces a wave that is planned again before its end", () => {
    const wave = { ...buildWave(), startMs: START_MS + 5 };
    const events: JournalEvent[] = [
      CREATED,
      { kind: "wave-planned", wave: buildWave(), note: "" },
      { kind: "wave-planned", wave, note: "fresh metrics" },
    ];
    assert.deepEqual(replay("run", stamp(events)).waves, [wave]);
  });

  it("goes back to armed when an opening ends, and keeps the failure of a failed run", () => {
    const failure = { subject: "host-01", step: "update", reason: "x", undone: [], notUndone: [], remedy: "y" };
    const armed = replay("run", stamp([CREATED, RUNNING, { kind: "phase", phase: "armed", reason: "window closed" }]));
    assert.equal(armed.phase, "armed");
    const failed = replay("run", stamp([CREATED, RUNNING, { kind: "failure", failure }, ENDED]));
    assert.deepEqual(failed.failure, failure);
    assert.equal(failed.endedAt, START_MS + 3000);
  });

  it("lets a final phase recover, and only that", () => {
    const recovering: JournalEvent = { kind: "phase", phase: "recovering", reason: "recover" };
    const state = replay("run", stamp([CREATED, RUNNING, INTENT, ENDED, recovering, FAILED, ENDED]));
    assert.equal(state.phase, "failed");
    assert.equal(state.endedAt, START_MS + 6000);
    assertCorrupt([CREATED, RUNNING, ENDED, RUNNING], 3, /leads from failed to running/);
  });

  it("names the position of every impossible sequence", () => {
    assertCorrupt([RUNNING], 0, /before the run was created/);
    assertCorrupt([CREATED, CREATED], 1, /a second time/);
    assertCorrupt([CREATED, DONE], 1, /no intent/);
    assertCorrupt([CREATED, RUNNING, INTENT, DONE, DONE], 4, /while it is done/);
    assertCorrupt([CREATED, RUNNING, INTENT, { ...INTENT, key: "k2" }], 3, /while it is intended/);
    assertCorrupt([CREATED, RUNNING, INTENT, DONE, INTENT], 4, /same key/);
    assertCorrupt([CREATED, RUNNING, INTENT, UNDONE], 3, /while it is intended/);
    assertCorrupt([CREATED, RUNNING, INTENT, UNDO, DONE], 4, /while it is undoing/);
    assertCorrupt([CREATED, RUNNING, ENDED, INTENT], 3, /in phase failed/);
    assertCorrupt([CREATED, { kind: "wave-done", index: 1 }], 1, /not planned/);
    assertCorrupt(
      [
        CREATED,
        { kind: "wave-planned", wave: buildWave(2), note: "" },
        { kind: "wave-planned", wave: buildWave(1), note: "" },
      ],
      2,
      /wave 1 after wave 2/,
    );
    const wave: JournalEvent = { kind: "wave-planned", wave: buildWave(), note: "" };
    const end: JournalEvent = { kind: "wave-done", index: 1 };
    assertCorrupt([CREATED, wave, end, end], 3, /a second time/);
    assertCorrupt([CREATED, wave, end, wave], 3, /again after its end/);
    assertCorrupt([CREATED, { kind: "mystery" } as unknown as JournalEvent], 1, /unknown kind "mystery"/);
  });

  it("refuses a falling epoch, an unknown version and an empty journal", () => {
    const [first, second] = stamp([CREATED, RUNNING], 4);
    assert.ok(first && second);
    assert.throws(() => replay("run", [first, { ...second, epoch: 3 }]), /entry 1 \(phase\).*without the lease/);
    assert.throws(
      () => replay("run", [first, { ...second, v: 2 as unknown as 1 }]),
      (error: unknown) => error instanceof StoreError && error.code === "version",
    );
    assert.throws(
      () => replay("run", []),
      (error: unknown) => error instanceof StoreError && error.code === "corrupt",
    );
  });
});
