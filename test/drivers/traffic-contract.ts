/** What every TrafficDriver does. */
import { strict as assert } from "node:assert";
import { after, before, describe, it } from "mocha";
import type { HandOverToken, TrafficDriver } from "../../providers/drivers/contracts";
import type { HealthCheck, Service } from "../../sdk/model";
import { createContexts, DEFAULT_TIMEOUT_MS, eventually, NO_ABORT, rejectsWith } from "./contract";
import type { ContractFixture, ContractOptions } from "./contract";

/** A backend that can be given to the switch. */
export interface LiveBackend {
  readonly replica: string;
  readonly address: string;
}

/** A switch with one service of several backends and one exclusive service. */
export interface TrafficContractFixture extends ContractFixture {
  readonly driver: TrafficDriver;
  /** A service with one healthy backend of weight 1, and a healthy copy that is no backend yet. */
  readonly plain: { readonly service: string; readonly backend: LiveBackend; readonly spare: LiveBackend };
  /** An exclusive service with its owner, and a copy that may take it over. */
  readonly exclusive: { readonly service: string; readonly owner: LiveBackend; readonly successor: LiveBackend };
  readonly health: HealthCheck;
  /** Puts at least one request under way at the plain service; it ends within 5 seconds. */
  keepBusy(): Promise<void>;
}

/** Tests a TrafficDriver. The tests share one fixture and run in order. */
export function describeTrafficDriver(
  name: string,
  createFixture: () => Promise<TrafficContractFixture>,
  options: ContractOptions = {},
): void {
  describe(`drivers: ${name} keeps the traffic contract`, function () {
    this.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const next = createContexts();
    let fixture: TrafficContractFixture;
    before(async () => {
      fixture = await createFixture();
    });
    after(() => fixture.close());

    const observe = async (service: string): Promise<Service> => {
      const seen = (await fixture.driver.observe(NO_ABORT)).find((candidate) => candidate.name === service);
      assert.ok(seen, `service ${service} is listed`);
      return seen;
    };
    const plain = (): Promise<Service> => observe(fixture.plain.service);
    const exclusive = (): Promise<Service> => observe(fixture.exclusive.service);
    const weightOf = (service: Service, replica: string): number | undefined =>
      service.backends.find((backend) => backend.replica === replica)?.weight;
    const tokenFor = (token: string, forMs: number): HandOverToken => ({
      token,
      service: fixture.exclusive.service,
      deadline: fixture.clock.now() + forMs,
    });

    it("shows services, backends and the owner of an exclusive service", () =>
      fixture.run(async () => {
        const service = await plain();
        assert.equal(service.exclusive, false);
        assert.equal(weightOf(service, fixture.plain.backend.replica), 1);
        assert.equal((await exclusive()).exclusive, true);
        assert.equal((await exclusive()).owner, fixture.exclusive.owner.replica);
      }));

    it("adds a backend, finds it healthy and sets its weight", () =>
      fixture.run(async () => {
        const { driver, health, clock } = fixture;
        const { service, spare } = fixture.plain;
        await driver.setBackend(service, { ...spare, weight: 1, health }, next());
        await eventually(clock, "the new backend is healthy", async () =>
          (await plain()).backends.some((backend) => backend.replica === spare.replica && backend.healthy),
        );
        await driver.setBackend(service, { ...spare, weight: 3, health }, next());
        const seen = await plain();
        assert.equal(weightOf(seen, spare.replica), 3);
        assert.equal(seen.backends.length, 2);
      }));

    it("answers a repeated key without setting the weight again", () =>
      fixture.run(async () => {
        const { driver, health } = fixture;
        const { service, spare } = fixture.plain;
        const repeated = next();
        await driver.setBackend(service, { ...spare, weight: 2, health }, repeated);
        await driver.setBackend(service, { ...spare, weight: 1, health }, next());
        await driver.setBackend(service, { ...spare, weight: 2, health }, repeated);
        assert.equal(weightOf(await plain(), spare.replica), 1);
      }));

    it("drains at weight 0: requests under way end and the backend stays", () =>
      fixture.run(async () => {
        const { driver, health, clock } = fixture;
        const { service, backend } = fixture.plain;
        await fixture.keepBusy();
        await driver.setBackend(service, { ...backend, weight: 0, health }, next());
        await eventually(clock, "no request is under way", async () =>
          (await plain()).backends.some((seen) => seen.replica === backend.replica && seen.inFlight === 0),
        );
        assert.equal(weightOf(await plain(), backend.replica), 0);
        await driver.setBackend(service, { ...backend, weight: 1, health }, next());
      }));

    it("removes a backend; one that is not there is removed already", () =>
      fixture.run(async () => {
        const { driver, health, clock } = fixture;
        const { service, spare } = fixture.plain;
        await driver.setBackend(service, { ...spare, weight: 0, health }, next());
        await eventually(clock, "no request is under way", async () =>
          (await plain()).backends.some(({ replica, inFlight }) => replica === spare.replica && inFlight === 0),
        );
        await driver.removeBackend(service, spare.replica, next());
        assert.equal(weightOf(await plain(), spare.replica), undefined);
        await driver.removeBackend(service, spare.replica, next());
      }));

    it("refuses an older epoch of the same run, without an effect", () =>
      fixture.run(async () => {
        const { driver, health } = fixture;
        const { service, backend } = fixture.plain;
        await driver.setBackend(service, { ...backend, weight: 4, health }, next({ epoch: 11 }));
        await rejectsWith(
          "stale-epoch",
          driver.setBackend(service, { ...backend, weight: 5, health }, next({ epoch: 10 })),
        );
        assert.equal(weightOf(await plain(), backend.replica), 4);
      }));

    it("parks an exclusive service and tells how long it was held", () =>
      fixture.run(async () => {
        const { driver, clock } = fixture;
        const token = tokenFor("token-short", 5000);
        await driver.park(token.service, token, next({ epoch: 11 }));
        const seen = await exclusive();
        assert.equal(seen.parked?.token, "token-short");
        assert.equal(seen.parked.expiresAt, token.deadline);
        await clock.sleep(300);
        const held = await driver.unpark(token.service, "token-short", next({ epoch: 11 }));
        assert.ok(held.pauseMs >= 250 && held.pauseMs < 5000, `held for ${String(held.pauseMs)} ms`);
        assert.ok(held.parkedRequests >= 0);
        assert.equal((await exclusive()).owner, fixture.exclusive.owner.replica);
        await eventually(clock, "requests are let go", async () => (await exclusive()).parked === undefined);
      }));

    it("reverts a hand-over at its deadline and refuses to cut it over afterwards", () =>
      fixture.run(async () => {
        const { driver, clock, health } = fixture;
        const token = tokenFor("token-late", 500);
        await driver.park(token.service, token, next({ epoch: 11 }));
        await clock.sleep(700);
        assert.equal((await exclusive()).parked, undefined);
        await rejectsWith(
          "expired",
          driver.cutOver(token.service, token.token, { ...fixture.exclusive.successor, health }, next({ epoch: 11 })),
        );
        assert.equal((await exclusive()).owner, fixture.exclusive.owner.replica);
      }));

    it("cuts over within the deadline, for good", () =>
      fixture.run(async () => {
        const { driver, clock, health } = fixture;
        const { successor } = fixture.exclusive;
        const token = tokenFor("token-moved", 2000);
        await driver.park(token.service, token, next({ epoch: 11 }));
        await driver.cutOver(token.service, token.token, { ...successor, health }, next({ epoch: 11 }));
        assert.equal((await exclusive()).owner, successor.replica);
        await driver.unpark(token.service, token.token, next({ epoch: 11 }));
        await clock.sleep(2500);
        assert.equal((await exclusive()).owner, successor.replica);
      }));

    it("refuses paths of a service until its owner takes that back, where it offers that", () =>
      fixture.run(async () => {
        const { driver, plain } = fixture;
        if (!driver.refuse) return;
        const services = await driver.observe(NO_ABORT);
        if (services.some(({ refusesPaths }) => refusesPaths === false)) {
          await rejectsWith("unsupported", driver.refuse(plain.service, ["/reports"], next({ epoch: 30 })));
          return;
        }
        const refused = async (): Promise<Service["refused"]> =>
          (await driver.observe(NO_ABORT)).find(({ name: found }) => found === plain.service)?.refused;
        const context = next({ epoch: 30 });
        await driver.refuse(plain.service, ["/reports", "/export"], context);
        await driver.refuse(plain.service, ["/reports", "/export"], context);
        assert.deepEqual(await refused(), { owner: "contract-run", paths: ["/export", "/reports"] });
        await driver.refuse(plain.service, ["/reports"], next({ epoch: 30 }));
        assert.deepEqual((await refused())?.paths, ["/reports"]);
        await rejectsWith("conflict", driver.refuse(plain.service, ["/"], next({ owner: "another-run", epoch: 30 })));
        await driver.refuse(plain.service, [], next({ epoch: 30 }));
        await driver.refuse(plain.service, [], next({ epoch: 30 }));
        assert.equal(await refused(), undefined);
      }));
  });
}
