import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { assertKept, createRunFixture } from "./run-fixture";

describe("runner: a run", () => {
  it("updates every host, keeps every promise and leaves nothing behind", async () => {
    const fixture = createRunFixture();
    const state = await fixture.run();
    assert.equal(state.phase, "done", JSON.stringify(state.failure));
    assertKept(fixture);
    for (const [host, version] of Object.entries(fixture.fleet.versions())) {
      assert.equal(version, host.startsWith("host") ? "v2" : "v1", host);
    }
    assert.deepEqual(fixture.store.liveLeases(), []);
  });
});
