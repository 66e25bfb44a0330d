import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import fc from "fast-check";
import type { Fault } from "../../providers/testing";
import { assertKept, createRunFixture, describeEnd, quickFleet, quickSpec, runWithKills } from "./run-fixture";

const seeds = fc.integer({ min: 1, max: 10_000 });
const kills = fc.array(fc.integer({ min: 1, max: 50_000 }), { minLength: 1, maxLength: 3 });
const sizes = fc.record({ hosts: fc.integer({ min: 3, max: 6 }), zones: fc.integer({ min: 1, max: 3 }) });

const faults: fc.Arbitrary<Fault> = fc.record({
  call: fc.constantFrom(
    "hosts.*",
    "workloads.start",
    "workloads.stop",
    "workloads.list",
    "workloads.restore",
    "traffic.*",
    "traffic.setBackend",
    "capacity.*",
    "hosts.operation",
    "*",
  ),
  nth: fc.integer({ min: 1, max: 120 }),
  effect: fc.constantFrom<Fault["effect"]>(
    { kind: "timeout" },
    { kind: "answer-lost" },
    { kind: "slow", ms: 700 },
    { kind: "slow", ms: 5000 },
  ),
});

describe("runner: properties", () => {
  it("resume(prefix) = run: killed at any moments, on any fleet, a run ends as if nothing had been", async () => {
    await fc.assert(
      fc.asyncProperty(seeds, sizes, kills, async (seed, size, killsAfterMs) => {
        const options = {
          fleet: quickFleet({ ...size, standby: 2 }),
          spec: quickSpec({ failback: "origin" }, size.hosts),
          seed,
        };
        const whole = createRunFixture(options);
        assert.equal((await whole.run()).phase, "done");
        const fixture = createRunFixture(options);
        await fixture.clock.run(() => fixture.arm());
        const state = await runWithKills(fixture, killsAfterMs);
        assert.equal(state.phase, "done", JSON.stringify(state.failure));
        assertKept(fixture);
        assert.deepEqual(await describeEnd(fixture), await describeEnd(whole));
      }),
      { numRuns: 20, seed: 20260307 },
    );
  });

  it("undo(run) = start: whatever host is the canary and fails, also with kills in between, all is as before", async () => {
    await fc.assert(
      fc.asyncProperty(seeds, sizes, fc.option(kills), fc.boolean(), async (seed, size, killsAfterMs, reboot) => {
        const hosts = Array.from({ length: size.hosts }, (_, index) => `host-0${String(index + 1)}`);
        const spec = quickSpec({}, size.hosts);
        const fixture = createRunFixture({
          fleet: quickFleet({ ...size, standby: 2, failingHosts: hosts }),
          spec: {
            ...spec,
            update: { ...spec.update, reboot },
            limits: { ...spec.limits, canaryHosts: 1 + (seed % 2) },
          },
          seed,
        });
        const before = await describeEnd(fixture);
        await fixture.clock.run(() => fixture.arm());
        const state = await runWithKills(
          fixture,
          (killsAfterMs ?? []).map((afterMs) => afterMs % 12_000),
        );
        assert.equal(state.phase, "failed");
        assert.equal(state.failure?.step, "update");
        assert.deepEqual(state.failure.notUndone, []);
        assertKept(fixture);
        assert.deepEqual(await describeEnd(fixture), before);
      }),
      { numRuns: 25, seed: 20260308 },
    );
  });

  it("keeps every promise with any few calls slow or without an answer", async () => {
    await fc.assert(
      fc.asyncProperty(seeds, fc.array(faults, { minLength: 1, maxLength: 4 }), async (seed, scripted) => {
        const fixture = createRunFixture({ fleet: quickFleet(), spec: quickSpec(), seed });
        await fixture.clock.run(() => fixture.arm());
        for (const fault of scripted) fixture.fleet.inject(fault);
        const state = await fixture.carryOn();
        assertKept(fixture);
        if (state.phase !== "done") {
          // Two pauses that both went wrong are a reason to give up, and nothing else is.
          assert.equal(state.failure?.step, "hand-over", JSON.stringify(state.failure));
          assert.deepEqual(state.failure.notUndone, []);
        }
      }),
      { numRuns: 40, seed: 20260309 },
    );
  });

  it("keeps every promise while agents go away and come back, whatever step is under way", async () => {
    const absences = fc.array(
      fc.record({
        host: fc.integer({ min: 1, max: 6 }),
        afterMs: fc.integer({ min: 1, max: 45_000 }),
        forMs: fc.integer({ min: 100, max: 8_000 }),
      }),
      { minLength: 1, maxLength: 4 },
    );
    await fc.assert(
      fc.asyncProperty(seeds, absences, async (seed, scripted) => {
        const fixture = createRunFixture({ fleet: quickFleet(), spec: quickSpec(), seed });
        await fixture.clock.run(() => fixture.arm());
        for (const { host, afterMs, forMs } of scripted) {
          fixture.clock.after(afterMs, () => {
            fixture.fleet.killAgent(`host-0${String(host)}`, forMs);
          });
        }
        let state = await fixture.carryOn();
        assertKept(fixture);
        // Away whenever the run looked, an agent was in the way; now it is there again.
        if (state.phase === "armed" && state.phaseReason.includes("blocked")) state = await fixture.carryOn();
        assertKept(fixture);
        if (state.phase === "done") return;
        // Away in both tries of a pause, it ends the run; nothing else does.
        assert.equal(state.failure?.step, "hand-over", JSON.stringify([state.phase, state.phaseReason, state.failure]));
        assert.deepEqual(state.failure.notUndone, []);
      }),
      { numRuns: 30, seed: 20260310 },
    );
  });
});
