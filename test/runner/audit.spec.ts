import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { createAuditFollower } from "../../providers/guard/audit-follower";
import { readAudit } from "../../providers/guard/audit-log";
import { liftKillSwitch, setKillSwitch } from "../../providers/guard/kill-switch";
import { requestResume } from "../../providers/runner/requests";
import { carryOut } from "../../providers/runner/run";
import type { RunDependencies } from "../../providers/runner/run";
import { RUN, type RunFixture } from "./run-fixture";
import { FAMILY, createQuick, onEntry, isUpdate, failing, ERROR_BUDGET } from "./guarded-run";

describe("runner: the audit log", () => {
  const audited = (fixture: RunFixture, deps: RunDependencies): RunDependencies => ({
    ...deps,
    follow: (owner) => createAuditFollower({ store: deps.store, clock: deps.clock, progress: fixture.progress, owner }),
  });

  it("has every start, pause, resume, takeover and end, with who and why", async () => {
    const fixture = createQuick({ stopRules: [{ ...ERROR_BUDGET, action: "pause" }] });
    await fixture.clock.run(() => fixture.arm());
    let failed = 0;
    const deps = onEntry(fixture, isUpdate, () => {
      failed = 3;
      return Promise.resolve();
    });
    await fixture.clock.run(() =>
      carryOut(
        RUN,
        audited(
          fixture,
          failing(fixture, deps, () => failed),
        ),
      ),
    );
    await requestResume(fixture.store, FAMILY, "ada", "the cause is gone");
    await fixture.clock.run(() => carryOut(RUN, audited(fixture, fixture.dependencies())));
    const { entries, problems } = await readAudit(fixture.store);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      entries.map(({ what, who, subject }) => `${what} ${who} ${subject}`),
      [
        "arm an earlier process kernel-1",
        "start process-2 kernel-1",
        "pause stop rule error-budget kernel-1",
        "resume ada kernel-1",
        "takeover process-3 kernel-1",
        "resume ada kernel-1",
        "end process-3 kernel-1",
      ],
    );
  });

  it("makes up for what a process that died could not write", async () => {
    const fixture = createQuick();
    await fixture.clock.run(() => fixture.arm());
    // Its whole time is in the journal, and nothing of it in the log.
    const deps = onEntry(fixture, isUpdate, () => setKillSwitch(fixture.store, "ada", "stop"));
    await fixture.clock.run(() => assert.rejects(carryOut(RUN, deps), /kill switch/));
    await liftKillSwitch(fixture.store, "ada", "over");
    await fixture.clock.run(() => carryOut(RUN, audited(fixture, fixture.dependencies())));
    const { entries } = await readAudit(fixture.store);
    assert.deepEqual(
      entries.filter(({ subject }) => subject === RUN).map(({ what, who }) => `${what} ${who}`),
      ["arm an earlier process", "start process-2", "takeover process-3", "end process-3"],
    );
  });
});

/** What the hosts measure: the sample demand times a factor, in samples of a second. */
