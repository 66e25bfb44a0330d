/** What every CapacityDriver does. */
import { strict as assert } from "node:assert";
import { after, before, describe, it } from "mocha";
import type { CapacityDriver, HostDriver } from "../../providers/drivers/contracts";
import type { Mark } from "../../sdk/model";
import { createContexts, DEFAULT_TIMEOUT_MS, NO_ABORT, rejectsWith } from "./contract";
import type { ContractFixture, ContractOptions } from "./contract";

/** At least one stopped standby host. */
export interface CapacityContractFixture extends ContractFixture {
  readonly driver: CapacityDriver;
  readonly hosts: HostDriver;
  /** A stopped standby host that nobody holds. */
  readonly standby: string;
  /** Starts a copy on the standby host, once it is ready; answers with how to stop it. */
  startCopy(): Promise<() => Promise<void>>;
}

/** Tests a CapacityDriver. The tests share one fixture and run in order. */
export function describeCapacityDriver(
  name: string,
  createFixture: () => Promise<CapacityContractFixture>,
  options: ContractOptions = {},
): void {
  describe(`drivers: ${name} keeps the capacity contract`, function () {
    this.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const next = createContexts();
    let fixture: CapacityContractFixture;
    before(async () => {
      fixture = await createFixture();
    });
    after(() => fixture.close());

    const stateOf = async (): Promise<string> => (await fixture.hosts.observe(fixture.standby, NO_ABORT)).state;
    const mark = (): Mark => ({ owner: "contract-run", expiresAt: fixture.clock.now() + 600_000 });

    it("shows a standby host that nobody holds as stopped", () =>
      fixture.run(async () => {
        const host = (await fixture.hosts.list(NO_ABORT)).find((listed) => listed.id === fixture.standby);
        assert.equal(host?.role, "standby");
        assert.equal(host.state, "stopped");
      }));

    it("is done with a reservation when the host is ready", () =>
      fixture.run(async () => {
        const context = next();
        await fixture.driver.reserve([fixture.standby], mark(), context);
        assert.equal(await stateOf(), "ready");
        await fixture.driver.reserve([fixture.standby], mark(), context);
        await fixture.driver.reserve([fixture.standby], mark(), next());
        assert.equal(await stateOf(), "ready");
      }));

    it("does not release a host on which a copy runs", () =>
      fixture.run(async () => {
        const stopCopy = await fixture.startCopy();
        await rejectsWith("conflict", fixture.driver.release([fixture.standby], next()));
        assert.equal(await stateOf(), "ready");
        await stopCopy();
      }));

    it("stops a released host; releasing it again is success", () =>
      fixture.run(async () => {
        await fixture.driver.release([fixture.standby], next());
        assert.equal(await stateOf(), "stopped");
        await fixture.driver.release([fixture.standby], next());
      }));

    it("refuses an older epoch of the same run, without an effect", () =>
      fixture.run(async () => {
        await fixture.driver.reserve([fixture.standby], mark(), next({ epoch: 12 }));
        await rejectsWith("stale-epoch", fixture.driver.release([fixture.standby], next({ epoch: 11 })));
        assert.equal(await stateOf(), "ready");
        await fixture.driver.release([fixture.standby], next({ epoch: 12 }));
        assert.equal(await stateOf(), "stopped");
      }));

    it("has no effect of an earlier owner once it was fenced off, where its fence is enforced", () =>
      fixture.run(async () => {
        const { driver } = fixture;
        if (driver.fence !== "enforced") return;
        assert.ok(driver.fenceOff);
        // Both are under way at once; whichever comes first, the earlier owner's is over when the later one is answered.
        const earlier = driver.reserve([fixture.standby], mark(), next({ epoch: 20 }));
        const fencing = driver.fenceOff(next({ epoch: 21 }));
        const [outcome] = await Promise.allSettled([earlier, fencing]);
        const state = await stateOf();
        assert.equal(state, outcome.status === "fulfilled" ? "ready" : "stopped");
        await rejectsWith("stale-epoch", driver.reserve([fixture.standby], mark(), next({ epoch: 20 })));
        assert.equal(await stateOf(), state);
        await driver.release([fixture.standby], next({ epoch: 21 }));
      }));
  });
}
