import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { isKind, StoreError, type RunState } from "../../sdk/model";
import { LEASE_TTL_MS } from "../../providers/runner/leases";
import { carryOut } from "../../providers/runner/run";
import { SimulatedCrash } from "../../providers/testing";
import { assertKept, createRunFixture, describeEnd, quickFleet, quickSpec, RUN, type RunFixture } from "./run-fixture";

const PLANNED_BY = "1.4.0";

function createFixture(): RunFixture {
  return createRunFixture({ fleet: quickFleet(), spec: quickSpec(), plannedBy: PLANNED_BY });
}

/** The first process, of the version that planned, ends after so many entries; the next one is of another version. */
async function upgradeAfter(fixture: RunFixture, entries: number, packageVersion: string): Promise<RunState> {
  return fixture.clock.run(async () => {
    await fixture.arm();
    const first = fixture.createProcess();
    first.crashAfterEntries(entries);
    try {
      await first.run(() => carryOut(RUN, { ...fixture.dependencies(first), packageVersion: PLANNED_BY }));
    } catch (error) {
      assert.ok(error instanceof SimulatedCrash, String(error));
    }
    await fixture.clock.sleep(LEASE_TTL_MS + 1);
    return carryOut(RUN, { ...fixture.dependencies(), packageVersion });
  });
}

describe("runner: an upgrade in the middle of a run", function () {
  this.timeout(60_000);
  let length: number;

  before(async () => {
    const whole = createFixture();
    assert.equal((await whole.run({ ...whole.dependencies(), packageVersion: PLANNED_BY })).phase, "done");
    length = whole.store.entriesOf(RUN).length;
  });

  it("to a newer package of the same major version carries the run on, wherever it was", async () => {
    for (let count = 3; count < length - 3; count += 9) {
      const fixture = createFixture();
      assert.equal((await upgradeAfter(fixture, count, "1.31.2")).phase, "done", `after entry ${String(count)}`);
      assertKept(fixture);
    }
  });

  for (const other of ["2.0.0", "0.9.1"]) {
    it(`to package ${other}, of another major version, only recovers it, wherever it was`, async () => {
      for (let count = 3; count < length - 3; count += 9) {
        const fixture = createFixture();
        const state = await upgradeAfter(fixture, count, other);
        assert.equal(state.phase, "failed", `after entry ${String(count)}`);
        assert.match(
          state.failure?.reason ?? "",
          new RegExp(`planned by pulumi-archipelago 1\\.4\\.0, this is ${other}`),
        );
        assert.match(state.failure?.remedy ?? "", /raise `attempt`.*pulumi-archipelago 1\.4\.0 before upgrading/);
        assertKept(fixture);
        const end = (await describeEnd(fixture)) as {
          readonly hosts: readonly { readonly id: string; readonly cordoned?: unknown; readonly reserved?: unknown }[];
          readonly services: readonly { readonly parked: boolean }[];
        };
        assert.ok(
          end.hosts.every(({ cordoned, reserved }) => !cordoned && !reserved),
          JSON.stringify(end.hosts),
        );
        assert.ok(end.services.every(({ parked }) => !parked));
        assert.deepEqual(fixture.store.liveLeases(), []);
        const versions = Object.values(fixture.fleet.versions());
        assert.ok(
          versions.every((version) => version === "v1" || version === "v2"),
          versions.join(),
        );
      }
    });
  }

  it("to another major version cancels a run that only waits, and says how to plan it anew", async () => {
    const fixture = createFixture();
    const before = await fixture.clock.run(async () => {
      await fixture.arm();
      return fixture.fleet.versions();
    });
    const state = await fixture.clock.run(() => carryOut(RUN, { ...fixture.dependencies(), packageVersion: "2.0.0" }));
    assert.equal(state.phase, "cancelled");
    assert.match(state.phaseReason, /planned by pulumi-archipelago 1\.4\.0.*raise `attempt`/);
    assert.deepEqual(fixture.fleet.versions(), before);
  });

  it("does not touch a run whose journal has a format that is unknown here", async () => {
    const fixture = createFixture();
    await fixture.clock.run(() => fixture.arm());
    const [created] = fixture.store.entriesOf(RUN);
    assert.ok(created);
    await fixture.clock.run(() => fixture.store.append("kernel-2", 0, [{ ...created, v: 2 as 1 }]));
    const before = fixture.store.entriesOf("kernel-2");
    await assert.rejects(
      fixture.clock.run(() => carryOut("kernel-2", fixture.dependencies())),
      (error: unknown) => {
        assert.ok(isKind(error, "StoreError"), String(error));
        assert.equal((error as StoreError).code, "version");
        assert.match(String(error), /has format 2, this package knows 1; carry the run on with the version/);
        return true;
      },
    );
    assert.deepEqual(fixture.store.entriesOf("kernel-2"), before);
    assert.deepEqual(fixture.store.liveLeases(), []);
  });
});
