/** What every FunctionDriver does. */
import { strict as assert } from "node:assert";
import { after, before, describe, it } from "mocha";
import type { FunctionDriver } from "../../providers/drivers/contracts";
import type { FunctionEndpoint } from "../../sdk/model";
import { createContexts, DEFAULT_TIMEOUT_MS, eventually, NO_ABORT, rejectsWith } from "./contract";
import type { ContractFixture, ContractOptions } from "./contract";

/** Nothing is deployed at first. */
export interface FunctionContractFixture extends ContractFixture {
  readonly driver: FunctionDriver;
  /** A function that can be deployed for a workload. */
  readonly function: string;
  readonly workload: string;
}

/** Tests a FunctionDriver. The tests share one fixture and run in order. */
export function describeFunctionDriver(
  name: string,
  createFixture: () => Promise<FunctionContractFixture>,
  options: ContractOptions = {},
): void {
  describe(`drivers: ${name} keeps the contract of functions`, function () {
    this.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const next = createContexts();
    let fixture: FunctionContractFixture;
    before(async () => {
      fixture = await createFixture();
    });
    after(() => fixture.close());

    const find = async (endpoint: string): Promise<FunctionEndpoint | undefined> =>
      (await fixture.driver.list(NO_ABORT)).find(({ id }) => id === endpoint);
    const specOf = (endpoint: string) => ({ endpoint, function: fixture.function, workload: fixture.workload });
    const waitUntilReady = (endpoint: string): Promise<FunctionEndpoint> =>
      eventually(fixture.clock, `${endpoint} is ready`, async () => {
        const found = await find(endpoint);
        return found?.state === "ready" ? found : undefined;
      });

    it("tells which functions can be deployed", () =>
      fixture.run(async () => {
        const offered = await fixture.driver.offered(NO_ABORT);
        assert.ok(offered.includes(fixture.function));
        assert.deepEqual(offered, [...offered].sort());
      }));

    it("deploys an endpoint of the owner under its id, and answers before it is ready", () =>
      fixture.run(async () => {
        const context = next();
        await fixture.driver.deploy(specOf("fn-1"), context);
        assert.equal((await find("fn-1"))?.state, "deploying");
        await fixture.driver.deploy(specOf("fn-1"), context);
        await fixture.driver.deploy(specOf("fn-1"), next());
        const { address, owner, function: deployed, workload } = await waitUntilReady("fn-1");
        assert.match(address, /^.+:\d+$/);
        assert.deepEqual([owner, deployed, workload], ["contract-run", fixture.function, fixture.workload]);
        assert.equal((await fixture.driver.list(NO_ABORT)).length, 1);
      }));

    it("answers calls as it should once it is warm", () =>
      fixture.run(async () => {
        const isWarm = async (): Promise<boolean> => (await fixture.driver.invoke("fn-1", NO_ABORT)).isHealthy;
        await eventually(fixture.clock, "fn-1 is warm", isWarm);
        assert.ok((await fixture.driver.invoke("fn-1", NO_ABORT)).tookMs >= 0);
      }));

    it("deploys several endpoints of one function, and removes one without the other", () =>
      fixture.run(async () => {
        await fixture.driver.deploy(specOf("fn-2"), next());
        const { address } = await waitUntilReady("fn-2");
        assert.notEqual(address, (await find("fn-1"))?.address);
        const context = next();
        await fixture.driver.remove("fn-1", context);
        await fixture.driver.remove("fn-1", context);
        await fixture.driver.remove("fn-1", next());
        assert.equal(await find("fn-1"), undefined);
        assert.equal((await find("fn-2"))?.state, "ready");
      }));

    it("does not know what it cannot deploy or call", () =>
      fixture.run(async () => {
        await rejectsWith("not-found", fixture.driver.deploy({ ...specOf("fn-3"), function: "no-such-fn" }, next()));
        await rejectsWith("not-found", fixture.driver.invoke("fn-1", NO_ABORT));
        assert.equal(await find("fn-3"), undefined);
      }));

    it("refuses an older epoch of the same run, without an effect", () =>
      fixture.run(async () => {
        const { driver } = fixture;
        if (driver.fence !== "enforced") return;
        assert.ok(driver.fenceOff);
        await driver.fenceOff(next({ epoch: 21 }));
        await rejectsWith("stale-epoch", driver.deploy(specOf("fn-4"), next({ epoch: 20 })));
        await rejectsWith("stale-epoch", driver.remove("fn-2", next({ epoch: 20 })));
        assert.equal(await find("fn-4"), undefined);
        assert.equal((await find("fn-2"))?.state, "ready");
        await driver.remove("fn-2", next({ epoch: 21 }));
        assert.deepEqual(await driver.list(NO_ABORT), []);
      }));
  });
}
