import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { CallContext, Platform } from "../../providers/drivers/contracts";
import type { RunDependencies } from "../../providers/runner/run";
import { carryOut } from "../../providers/runner/run";
import type { SimulatedProcess } from "../../providers/testing";
import { SimulatedCrash } from "../../providers/testing";
import type { RunState } from "../../sdk/model";
import { assertKept, createRunFixture, describeEnd, quickFleet, quickSpec, RUN } from "./run-fixture";
import type { RunFixture } from "./run-fixture";

/** When the process dies, seen from one call of a hand-over. */
type Moment = "before the call" | "before its answer" | "after its answer";

/** Calls of hand-overs, counted over all drivers of a platform. */
interface HandOverCalls {
  count: number;
}

/** A platform that tells of each call that a hand-over makes. */
function watchHandOvers(
  platform: Platform,
  calls: HandOverCalls,
  around: (call: () => Promise<unknown>, index: number) => Promise<unknown>,
): Platform {
  const watch = <T extends object>(driver: T): T =>
    new Proxy(driver, {
      get: (target, property) => {
        const member: unknown = Reflect.get(target, property);
        if (typeof member !== "function") return member;
        return (...args: unknown[]): unknown => {
          const call = (): Promise<unknown> => Reflect.apply(member, target, args) as Promise<unknown>;
          const context = args.at(-1) as Partial<CallContext> | undefined;
          if (context?.key?.includes("/hand-over/") !== true) return call();
          calls.count += 1;
          return around(call, calls.count);
        };
      },
    });
  return { ...platform, workloads: watch(platform.workloads), traffic: watch(platform.traffic) };
}

function dieAt(index: number, moment: Moment, process: SimulatedProcess) {
  return async (call: () => Promise<unknown>, current: number): Promise<unknown> => {
    if (current !== index) return call();
    if (moment === "before the call") {
      process.kill();
      return new Promise(() => undefined);
    }
    // The request is on the wire; whether it takes effect is not the process's business any more.
    const answer = call();
    if (moment === "before its answer") process.kill();
    const result = await answer;
    process.kill();
    return result;
  };
}

async function runToMoment(fixture: RunFixture, index: number, moment: Moment, leaseTtlMs: number): Promise<RunState> {
  return fixture.clock.run(async () => {
    await fixture.arm();
    const process = fixture.createProcess();
    const deps: RunDependencies = { ...fixture.dependencies(process), leaseTtlMs };
    const platform = watchHandOvers(deps.platform, { count: 0 }, dieAt(index, moment, process));
    await assert.rejects(
      process.run(() => carryOut(RUN, { ...deps, platform })),
      SimulatedCrash,
    );
    await fixture.clock.sleep(leaseTtlMs);
    return carryOut(RUN, { ...fixture.dependencies(), leaseTtlMs });
  });
}

/** The ledger moves once, with the canary: fast enough to be interrupted at each of its calls. */
function createLedgerFixture(): RunFixture {
  const fleet = quickFleet({ hosts: 4 });
  return createRunFixture({ fleet, spec: quickSpec({ failback: "never" }, 4) });
}

describe("runner: a hand-over that is interrupted", () => {
  for (const [name, leaseTtlMs] of [
    ["long after it", 15_000],
    ["while requests are still parked", 300],
  ] as const) {
    for (const moment of ["before the call", "before its answer", "after its answer"] as const) {
      it(`${moment}, at any call, is completed or reverted by who takes over ${name}`, async () => {
        const whole = createLedgerFixture();
        const calls: HandOverCalls = { count: 0 };
        const deps = whole.dependencies();
        const watched = watchHandOvers(deps.platform, calls, (call) => call());
        assert.equal((await whole.run({ ...deps, platform: watched })).phase, "done");
        assert.ok(calls.count >= 10, `only ${String(calls.count)} calls`);
        const expected = await describeEnd(whole);
        for (let index = 1; index <= calls.count; index++) {
          const fixture = createLedgerFixture();
          const state = await runToMoment(fixture, index, moment, leaseTtlMs);
          try {
            assert.equal(state.phase, "done", JSON.stringify(state.failure));
            assertKept(fixture);
            assert.deepEqual(await describeEnd(fixture), expected);
          } catch (error) {
            throw new Error(`interrupted at call ${String(index)}`, { cause: error });
          }
        }
      });
    }
  }
});
