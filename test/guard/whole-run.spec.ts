import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { checkRun } from "../../providers/guard/checker";
import { observeContinuously } from "../../providers/guard/observer";
import type { ObserverResult } from "../../providers/guard/observer";
import { carryOut } from "../../providers/runner/run";
import type { SampleFleetOptions } from "../../providers/testing";
import { createRunFixture, quickFleet, quickSpec, RUN } from "../runner/run-fixture";
import type { RunFixture } from "../runner/run-fixture";

function createFixture(options: SampleFleetOptions = {}): RunFixture {
  return createRunFixture({ fleet: quickFleet(options), spec: quickSpec() });
}

/** Runs with the observer beside it. */
function runObserved({ clock, fleet, spec, arm, dependencies }: RunFixture, hostsEvery = 1): Promise<ObserverResult> {
  return clock.run(async () => {
    await arm();
    const stop = new AbortController();
    const watching = observeContinuously({
      platform: fleet.platform,
      clock,
      everyMs: 250,
      hostsEvery,
      signal: stop.signal,
      probe: spec.update,
    });
    await carryOut(RUN, dependencies());
    stop.abort();
    return watching;
  });
}

describe("guard: the checker beside whole runs", () => {
  for (const [name, options] of [
    ["a run that updates every host", {}],
    ["a run that fails on its canary and undoes it", { failingHosts: ["host-01"] }],
    ["a run that fails in the middle", { failingHosts: ["host-04"] }],
  ] as const) {
    it(`accepts ${name}, by what the fleet knows and by what the observer sees`, async () => {
      for (const hostsEvery of [1, 4, 1000]) await assertAccepted(hostsEvery);
    });

    async function assertAccepted(hostsEvery: number): Promise<void> {
      const fixture = createFixture(options);
      const seen = await runObserved(fixture, hostsEvery);
      const entries = fixture.store.entriesOf(RUN);
      assert.deepEqual(checkRun({ entries, observations: fixture.fleet.observations() }), []);
      assert.deepEqual(checkRun({ entries, observations: seen }), []);
      assert.deepEqual(fixture.fleet.harm(), []);
    }
  }

  it("finds a mark that is left after a run", async () => {
    const fixture = createFixture();
    const { fleet } = fixture;
    await runObserved(fixture);
    fleet.markForeign("host-01", RUN, 3_600_000);
    const violations = checkRun({ entries: fixture.store.entriesOf(RUN), observations: fleet.observations() });
    assert.deepEqual(
      violations.map(({ rule, subject }) => [rule, subject]),
      [["orphan", "host-01"]],
    );
  });
});
