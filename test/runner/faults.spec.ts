import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { FaultEffect } from "../../providers/testing";
import { assertKept, createRunFixture, describeEnd, quickFleet, quickSpec } from "./run-fixture";

const MUTATIONS = [
  "hosts.cordon",
  "hosts.uncordon",
  "hosts.startUpdate",
  "hosts.reboot",
  "workloads.start",
  "workloads.stop",
  "workloads.quiesce",
  "workloads.snapshot",
  "workloads.restore",
  "workloads.activate",
  "traffic.setBackend",
  "traffic.removeBackend",
  "traffic.park",
  "traffic.cutOver",
  "traffic.unpark",
  "capacity.reserve",
  "capacity.release",
] as const;
const READS = [
  "hosts.list",
  "hosts.observe",
  "hosts.probe",
  "hosts.check",
  "hosts.operation",
  "workloads.list",
  "workloads.describe",
  "traffic.observe",
] as const;

const UNCERTAIN: readonly FaultEffect[] = [{ kind: "timeout" }, { kind: "answer-lost" }, { kind: "slow", ms: 3000 }];

describe("runner: faults of single calls", () => {
  for (const call of [...MUTATIONS, ...READS]) {
    it(`${call} without an answer, or with a late one, changes nothing about the end`, async () => {
      const problems: string[] = [];
      for (const effect of UNCERTAIN) {
        const fixture = createRunFixture({ fleet: quickFleet(), spec: quickSpec() });
        await fixture.clock.run(() => fixture.arm());
        fixture.fleet.inject({ call, effect });
        const state = await fixture.carryOn();
        try {
          assertKept(fixture);
          assert.equal(state.phase, "done", JSON.stringify(state.failure));
        } catch (error) {
          problems.push(`${JSON.stringify(effect)}: ${String(error)}`);
        }
      }
      assert.deepEqual(problems, []);
    });
  }

  for (const call of MUTATIONS) {
    it(`${call} that is refused ends in a safe state, and in no other`, async () => {
      const fixture = createRunFixture({ fleet: quickFleet(), spec: quickSpec() });
      const before = await describeEnd(fixture);
      await fixture.clock.run(() => fixture.arm());
      fixture.fleet.inject({ call, effect: { kind: "refuse" } });
      const state = await fixture.carryOn();
      assertKept(fixture);
      if (state.phase === "done") return;
      assert.equal(state.phase, "failed");
      assert.deepEqual(state.failure?.notUndone, []);
      if (state.waves.length === 1) assert.deepEqual(await describeEnd(fixture), before);
    });
  }
});
