/** What every WorkloadDriver does, the agents' half of a hand-over included. */
import { strict as assert } from "node:assert";
import { after, before, describe, it } from "mocha";
import type { HandOverToken, TrafficDriver, WorkloadDriver } from "../../providers/drivers/contracts";
import type { HealthCheck, Replica, ReplicaState } from "../../sdk/model";
import { createContexts, DEFAULT_TIMEOUT_MS, eventually, NO_ABORT, rejectsWith } from "./contract";
import type { ContractFixture, ContractOptions } from "./contract";

/** Two hosts, a workload with copies, an exclusive one behind a switch. */
export interface WorkloadContractFixture extends ContractFixture {
  readonly driver: WorkloadDriver;
  /** The switch that knows the exclusive service's owner; agents ask it. */
  readonly traffic: TrafficDriver;
  /** A healthy copy of a workload with any number of copies. */
  readonly plain: { readonly host: string; readonly replica: string; readonly workload: string };
  /** The healthy, active copy of an exclusive workload, owner of its service. */
  readonly exclusive: { readonly host: string; readonly replica: string; readonly service: string };
  /** A ready host that runs none of the two. */
  readonly otherHost: string;
  /** Paths of hooks of the plain workload: one that agrees, one that answers "not now". */
  readonly hooks: { readonly ok: string; readonly notNow: string };
  readonly health: HealthCheck;
  /** True where its copies move with their memory while they run, from the plain copy's host to the other one. */
  readonly migrates: boolean;
}

/** Tests a WorkloadDriver. The tests share one fixture and run in order. */
export function describeWorkloadDriver(
  name: string,
  createFixture: () => Promise<WorkloadContractFixture>,
  options: ContractOptions = {},
): void {
  describe(`drivers: ${name} keeps the workload contract`, function () {
    this.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const next = createContexts();
    let fixture: WorkloadContractFixture;
    /** Where the exclusive workload is now; hand-overs move it. */
    let owner: { host: string; replica: string };
    before(async () => {
      fixture = await createFixture();
      owner = { ...fixture.exclusive };
    });
    after(() => fixture.close());

    const find = async (replica: string): Promise<Replica | undefined> =>
      (await fixture.driver.list(NO_ABORT)).find((copy) => copy.id === replica);
    const reaches = (replica: string, state: ReplicaState): Promise<Replica> =>
      eventually(fixture.clock, `${replica} is ${state}`, async () => {
        const copy = await find(replica);
        return copy?.state === state ? copy : undefined;
      });
    const otherThanOwner = (): string =>
      owner.host === fixture.otherHost ? fixture.exclusive.host : fixture.otherHost;

    /** Starts a standby copy of the exclusive workload. */
    const startStandby = async (replica: string): Promise<{ host: string; replica: string; address: string }> => {
      const host = otherThanOwner();
      const spec = await fixture.driver.describe(owner.host, owner.replica, NO_ABORT);
      await fixture.driver.start(host, { ...spec, replica, standby: true }, next());
      const copy = await reaches(replica, "standby");
      assert.ok(copy.address, "an exclusive copy with a service has an address");
      return { host, replica, address: copy.address };
    };

    /**
     * Parks, quiesces, snapshots and restores; stops before the cut-over.
     * @param transferMs time that the state takes at its rate; no rate is allotted when omitted
     */
    const prepare = async (
      to: { readonly host: string; readonly replica: string },
      name: string,
      deadlineMs: number,
      transferMs?: number,
    ): Promise<HandOverToken> => {
      const { driver, traffic, exclusive, clock } = fixture;
      const token = { token: name, service: exclusive.service, deadline: clock.now() + deadlineMs };
      await traffic.park(exclusive.service, token, next());
      await driver.quiesce(owner.host, owner.replica, token, next());
      assert.equal((await find(owner.replica))?.state, "quiesced");
      const state = await driver.snapshot(owner.host, owner.replica, next());
      assert.match(state.sha256, /^[0-9a-f]{64}$/);
      assert.ok(transferMs === undefined || state.bytes > 0, "there is a state to transfer");
      const rate = transferMs === undefined ? {} : { bytesPerSecond: (1000 * state.bytes) / transferMs };
      const begunMs = clock.monotonic();
      const restored = await driver.restore(to.host, to.replica, { ...owner, state, ...rate }, token, next());
      assert.equal(restored.sha256, state.sha256);
      // A stream may catch up by a burst.
      const tookMs = clock.monotonic() - begunMs;
      assert.ok(tookMs >= 0.8 * (transferMs ?? 0), `${String(state.bytes)} bytes came within ${String(tookMs)} ms`);
      return token;
    };

    it("lists copies with workload, host, state and address", () =>
      fixture.run(async () => {
        const copy = await find(fixture.plain.replica);
        assert.equal(copy?.workload, fixture.plain.workload);
        assert.equal(copy.host, fixture.plain.host);
        assert.equal(copy.state, "healthy");
      }));

    it("starts a sibling from a running copy's description; starting it again is success", () =>
      fixture.run(async () => {
        const { driver, plain, otherHost } = fixture;
        const spec = await driver.describe(plain.host, plain.replica, NO_ABORT);
        assert.equal(spec.workload, plain.workload);
        const sibling = { ...spec, replica: "contract-sibling" };
        const context = next();
        const started = await driver.start(otherHost, sibling, context);
        assert.equal(started.id, "contract-sibling");
        assert.equal(started.host, otherHost);
        await driver.start(otherHost, sibling, context);
        await reaches("contract-sibling", "healthy");
        await driver.start(otherHost, sibling, next());
        const copies = (await driver.list(NO_ABORT)).filter((copy) => copy.id === "contract-sibling");
        assert.equal(copies.length, 1);
      }));

    it("does not describe a copy that is not there", () =>
      fixture.run(() => rejectsWith("not-found", fixture.driver.describe(fixture.plain.host, "no-such", NO_ABORT))));

    it("calls a hook and tells whether the copy agrees", () =>
      fixture.run(async () => {
        const { driver, plain, hooks } = fixture;
        assert.equal(await driver.hook(plain.host, plain.replica, hooks.ok, next()), "ok");
        assert.equal(await driver.hook(plain.host, plain.replica, hooks.notNow, next()), "notNow");
      }));

    it("moves a copy with its memory while it runs, once for a key, or offers nothing of the kind", () =>
      fixture.run(async () => {
        const { driver, plain, otherHost, migrates } = fixture;
        assert.equal(driver.migrate !== undefined, migrates);
        const before = await find(plain.replica);
        assert.equal(before?.blackoutMs !== undefined, migrates, "copies say how long it would stop them");
        if (!driver.migrate) return;
        const context = next();
        const moved = await driver.migrate(plain.host, plain.replica, otherHost, context);
        assert.deepEqual(await driver.migrate(plain.host, plain.replica, otherHost, context), moved);
        assert.ok(moved.pauseMs <= (before?.blackoutMs ?? 0));
        assert.deepEqual(await find(plain.replica), { ...before, host: otherHost });
        await driver.migrate(plain.host, plain.replica, otherHost, next());
        await rejectsWith("not-found", driver.migrate(otherHost, "no-such", plain.host, next()));
        await driver.migrate(otherHost, plain.replica, plain.host, next());
        assert.equal((await find(plain.replica))?.host, plain.host);
      }));

    it("stops a copy; one that is not there is stopped already", () =>
      fixture.run(async () => {
        const { driver, otherHost, clock } = fixture;
        await driver.stop(otherHost, "contract-sibling", 3000, next());
        await eventually(clock, "the copy is gone", async () => {
          const copy = await find("contract-sibling");
          return copy === undefined || copy.state === "stopped";
        });
        await driver.stop(otherHost, "contract-sibling", 3000, next());
        await driver.stop(otherHost, "never-was-there", 3000, next());
      }));

    it("takes no state from a copy that is not quiesced", () =>
      fixture.run(() =>
        rejectsWith(["conflict", "refused", "failed"], fixture.driver.snapshot(owner.host, owner.replica, next())),
      ));

    it("resumes a quiesced copy by itself when the hand-over is never cut over", () =>
      fixture.run(async () => {
        const standby = await startStandby("contract-abandoned");
        await prepare(standby, "token-abandoned", 3000);
        await reaches(owner.replica, "healthy");
        assert.notEqual((await find(standby.replica))?.state, "healthy");
        await fixture.driver.stop(standby.host, standby.replica, 1000, next());
      }));

    it("moves the state of an exclusive copy, no faster than its rate, and makes the other one active", () =>
      fixture.run(async () => {
        const { driver, traffic, exclusive, health } = fixture;
        const standby = await startStandby("contract-owner-1");
        const token = await prepare(standby, "token-moved", 5000, 500);
        await traffic.cutOver(exclusive.service, token.token, { ...standby, health }, next());
        await driver.activate(standby.host, standby.replica, next());
        await traffic.unpark(exclusive.service, token.token, next());
        assert.equal((await find(standby.replica))?.state, "healthy");
        assert.notEqual((await find(owner.replica))?.state, "healthy");
        await fixture.clock.sleep(6000);
        assert.notEqual((await find(owner.replica))?.state, "healthy", "the old owner must not resume");
        await driver.stop(owner.host, owner.replica, 1000, next());
        owner = standby;
      }));

    it("completes a hand-over by itself when its runner is gone after the cut-over", () =>
      fixture.run(async () => {
        const { driver, traffic, exclusive, health } = fixture;
        const standby = await startStandby("contract-owner-2");
        const token = await prepare(standby, "token-completed", 3000);
        await traffic.cutOver(exclusive.service, token.token, { ...standby, health }, next());
        await reaches(standby.replica, "healthy");
        assert.notEqual((await find(owner.replica))?.state, "healthy");
        await driver.stop(owner.host, owner.replica, 1000, next());
        owner = standby;
      }));

    it("refuses an older epoch, without an effect", () =>
      fixture.run(async () => {
        const { driver, plain } = fixture;
        const spec = await driver.describe(plain.host, plain.replica, NO_ABORT);
        const start = (replica: string, epoch: number): Promise<Replica> =>
          driver.start(plain.host, { ...spec, replica }, next({ epoch }));
        await start("contract-new-epoch", 20);
        await rejectsWith("stale-epoch", start("contract-old-epoch", 19));
        assert.equal(await find("contract-old-epoch"), undefined);
        await rejectsWith("stale-epoch", driver.stop(plain.host, "contract-new-epoch", 1000, next({ epoch: 19 })));
        await reaches("contract-new-epoch", "healthy");
        await driver.stop(plain.host, "contract-new-epoch", 1000, next({ epoch: 20 }));
      }));
  });
}
