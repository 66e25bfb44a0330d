import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { JournalEntry, StepKind } from "../../sdk/model";
import { assertKept, createRunFixture, quickFleet, quickSpec, RUN, type RunFixture } from "./run-fixture";

const MINUTE_MS = 60_000;
/** An undo that takes longer has waited for somebody. */
const WAITED_MS = 20_000;

/** Kills the canary for good when a step of a kind begins there, and tells when. */
function killAt({ clock, fleet, store }: RunFixture, kind: StepKind): () => number {
  let killedAt = 0;
  const look = (): void => {
    if (store.entriesOf(RUN).some((entry) => entry.kind === "step-intent" && entry.step.kind === kind)) {
      killedAt = clock.now();
      fleet.killHost("host-01");
    } else clock.after(100, look);
  };
  clock.after(100, look);
  return () => killedAt;
}

/** How long each undo took. */
function undoTimes(entries: readonly JournalEntry[]): readonly number[] {
  const begun = new Map(
    entries.flatMap((entry) => (entry.kind === "undo-intent" ? [[entry.id, entry.at] as const] : [])),
  );
  return entries.flatMap((entry) =>
    entry.kind === "undo-done" || entry.kind === "undo-failed" ? [entry.at - (begun.get(entry.id) ?? 0)] : [],
  );
}

describe("runner: undoing with a host that does not answer any more", () => {
  for (const kind of ["drain", "stop-copy", "update", "reboot"] as const) {
    it(`waits for it once at most where it died at its ${kind}, not at every step`, async () => {
      const fixture = createRunFixture({ fleet: quickFleet(), spec: quickSpec() });
      const killedAt = killAt(fixture, kind);
      const state = await fixture.run();
      assert.equal(state.phase, "failed");
      assert.ok(killedAt() > 0);
      const waits = undoTimes(fixture.store.entriesOf(RUN)).filter((ms) => ms > WAITED_MS);
      assert.ok(waits.length <= 1, waits.join());
      assertKept(fixture);
    });
  }

  it("does not wait again at all for one that the failed step has waited for to its deadline", async () => {
    const fixture = createRunFixture({ fleet: quickFleet(), spec: quickSpec() });
    killAt(fixture, "update");
    const state = await fixture.run();
    assert.match(state.failure?.reason ?? "", /^not done after 21 min/);
    const longest = Math.max(...undoTimes(fixture.store.entriesOf(RUN)));
    assert.ok(longest < MINUTE_MS, String(longest));
  });
});
