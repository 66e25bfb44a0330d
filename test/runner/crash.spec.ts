import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { crashAndResume } from "./crashes";
import { assertKept, createRunFixture, describeEnd, quickFleet, quickSpec, RUN } from "./run-fixture";
import type { RunFixture } from "./run-fixture";

function createQuickFixture(): RunFixture {
  return createRunFixture({ fleet: quickFleet(), spec: quickSpec() });
}

describe("runner: a crash", () => {
  it("after any entry of a run ends in the same state once a new owner has carried it on", async () => {
    const whole = createQuickFixture();
    assert.equal((await whole.run()).phase, "done");
    assertKept(whole);
    const expected = await describeEnd(whole);
    const entries = whole.store.entriesOf(RUN).length;
    for (let count = 1; count <= entries; count++) {
      const fixture = createQuickFixture();
      const state = await crashAndResume(fixture, count);
      assert.equal(state.phase, "done", `crash after entry ${String(count)}: ${JSON.stringify(state.failure)}`);
      try {
        assertKept(fixture);
        assert.deepEqual(await describeEnd(fixture), expected);
      } catch (error) {
        throw new Error(`crash after entry ${String(count)}`, { cause: error });
      }
    }
  }).timeout(300_000);

  it("after any entry of an undo ends in the same state as well", async () => {
    const createFailing = (): RunFixture =>
      createRunFixture({ fleet: quickFleet({ failingHosts: ["host-03"] }), spec: quickSpec() });
    const whole = createFailing();
    const failed = await whole.run();
    assert.equal(failed.phase, "failed");
    const expected = await describeEnd(whole);
    const entries = whole.store.entriesOf(RUN);
    const first = entries.findIndex((entry) => entry.kind === "step-failed");
    assert.ok(first > 0);
    for (let count = first; count <= entries.length; count++) {
      const fixture = createFailing();
      const state = await crashAndResume(fixture, count);
      try {
        assert.equal(state.phase, "failed");
        assert.deepEqual(state.failure, failed.failure);
        assertKept(fixture);
        assert.deepEqual(await describeEnd(fixture), expected);
      } catch (error) {
        throw new Error(`crash after entry ${String(count)} (${JSON.stringify(entries[count])})`, { cause: error });
      }
    }
  }).timeout(60_000);
});
