import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { checkRun } from "../../providers/guard/checker";
import type { JournalEvent } from "../../sdk/model";
import { check, checkSeen, assertFound, insertAfter, intent } from "./checker-fixture";
import {
  createCleanEvents,
  createCleanObservations,
  indexOf,
  moveBefore,
  RUN,
  stamp,
  timeOfEntry,
  without,
} from "./sample-run";

describe("guard: the checker", () => {
  it("accepts a clean run", () => {
    assert.deepEqual(check(createCleanEvents(), createCleanObservations()), []);
  });

  it("accepts every prefix of a clean run, as a crash leaves it", () => {
    const events = createCleanEvents();
    for (let length = 0; length <= events.length; length += 1) {
      const { last: _last, ...seen } = createCleanObservations();
      const atMs = timeOfEntry(length);
      const availability = seen.availability.filter((sample) => sample.atMs < atMs);
      const effects = seen.effects.filter((effect) => effect.atMs < atMs);
      assert.deepEqual(
        check(events.slice(0, length), { ...seen, availability, effects }),
        [],
        `prefix ${String(length)}`,
      );
    }
  });

  it("accepts an intent that is stored again after a takeover", () => {
    const events = createCleanEvents();
    const at = indexOf(events, "step-intent", "update");
    const taken = insertAfter(events, at, { kind: "taken-over", owner: "runner-2" }, intent("update"));
    assert.deepEqual(check(taken), []);
  });

  describe("leases and effects", () => {
    it("finds an effect without an intent", () => {
      const violations = checkSeen((clean) => ({
        effects: clean.effects.map((effect) => ({ ...effect, key: `${RUN}/unknown/1/call` })),
      }));
      assertFound(violations, "double-effect", "host-01", /hosts.reboot took effect without an intent/);
    });

    it("finds an effect before its intent", () => {
      const violations = checkSeen((clean) => ({
        effects: clean.effects.map((effect) => ({ ...effect, atMs: effect.atMs - 60_000 })),
      }));
      assertFound(violations, "double-effect", "host-01", /without an intent/);
    });

    it("finds an effect under an epoch older than one seen before", () => {
      const violations = checkSeen((clean) => ({
        effects: clean.effects.map((effect, index) => ({ ...effect, epoch: index === 1 ? 2 : 1 })),
      }));
      assertFound(violations, "lease", "host-01", /epoch 1 after 2/);
    });

    it("finds two effects under one key", () => {
      const violations = checkSeen((clean) => ({ effects: clean.effects.flatMap((effect) => [effect, effect]) }));
      assertFound(violations, "double-effect", "host-01", /twice under key/);
    });

    it("finds an entry under an older epoch than the one before", () => {
      const violations = checkRun({ entries: stamp(createCleanEvents(), (index) => (index === 5 ? 2 : 1)) });
      assertFound(violations, "lease", RUN, /epoch 1 after 2/);
    });

    it("finds two owners of one lease and epoch", () => {
      const violations = checkSeen((clean) => ({
        leases: [...clean.leases, { atMs: timeOfEntry(9), resource: "host/host-01", owner: "other", epoch: 1 }],
      }));
      assertFound(violations, "lease", "host/host-01", /other holds epoch 1 after runner-1 held 1/);
    });

    it("finds a step intended twice without a takeover in between", () => {
      const events = createCleanEvents();
      const twice = insertAfter(events, indexOf(events, "step-intent", "update"), intent("update"));
      assertFound(check(twice), "double-effect", "update", /again while it was under way/);
    });

    it("finds a step that is done and started once more", () => {
      const events = createCleanEvents();
      const again = insertAfter(events, indexOf(events, "step-done", "reboot"), intent("reboot"));
      assertFound(check(again), "double-effect", "reboot", /again after it was done/);
    });

    it("finds an end and an undo without an intent", () => {
      const events = createCleanEvents();
      const end: JournalEvent = { kind: "step-done", id: "nobody", result: null, alreadyDone: false };
      assertFound(check(insertAfter(events, 4, end)), "double-effect", "nobody", /ended without an intent/);
      const undo: JournalEvent = { kind: "undo-intent", id: "nobody", key: `${RUN}/nobody/1/undo` };
      assertFound(check(insertAfter(events, 4, undo)), "double-effect", "nobody", /never intended/);
    });
  });

  describe("order", () => {
    it("finds a phase that may not follow another", () => {
      const events: JournalEvent[] = [...createCleanEvents(), { kind: "phase", phase: "running", reason: "" }];
      assertFound(check(events), "order", RUN, /went from done to running/);
    });

    it("finds a step that starts before the run is running, or while it is paused", () => {
      const events = createCleanEvents();
      assertFound(check(events.filter((event) => event.kind !== "phase")), "order", "reserve", /in phase armed/);
      const pause: JournalEvent = { kind: "phase", phase: "paused", reason: "" };
      const paused = insertAfter(events, indexOf(events, "step-done", "snapshot"), pause);
      assertFound(check(paused), "order", "start", /in phase paused/);
    });

    it("finds an eviction before the surge", () => {
      assertFound(
        check(moveBefore(createCleanEvents(), "drain", "admit")),
        "order",
        "drain",
        /before admit of pricing-1/,
      );
      assertFound(
        check(moveBefore(createCleanEvents(), "stop", "start")),
        "order",
        "stop",
        /before start-copy of pricing-1/,
      );
    });

    it("finds a host that is changed before its copies have left it", () => {
      const events = moveBefore(createCleanEvents(), "update", "hand-over");
      assertFound(check(events), "order", "update", /before hand-over was done/);
      assertFound(check(moveBefore(createCleanEvents(), "reboot", "shed-stop")), "order", "reboot", /before shed-stop/);
    });

    it("finds a host that is changed without a cordon", () => {
      assertFound(check(without(createCleanEvents(), "cordon")), "order", "update", /before cordon was done/);
    });

    it("finds a step that starts before one that it comes after", () => {
      assertFound(
        check(moveBefore(createCleanEvents(), "uncordon", "validate")),
        "order",
        "uncordon",
        /before validate/,
      );
    });
  });
});
