import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { liftKillSwitch, setKillSwitch } from "../../providers/guard/kill-switch";
import { requestCancel } from "../../providers/runner/requests";
import { carryOut } from "../../providers/runner/run";
import type { JournalEntry } from "../../sdk/model";
import { isKind } from "../../sdk/model";
import { assertKept, describeEnd, quickSpec, RUN } from "./run-fixture";
import { FAMILY, HOUR_MS, createQuick, onEntry, isUpdate, intentsOf } from "./guarded-run";

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
