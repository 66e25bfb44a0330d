import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { CALL_TIMEOUT_MS, callUntil } from "../../providers/execute/calls";
import type { CallOptions } from "../../providers/execute/calls";
import type { VirtualClock } from "../../providers/testing";
import { createVirtualClock } from "../../providers/testing";
import type { DriverErrorCode } from "../../sdk/model";
import { DriverError, isKind, LeaseLostError } from "../../sdk/model";

const NEVER = new AbortController().signal;

function createOptions(clock: VirtualClock, changes: Partial<CallOptions> = {}): CallOptions {
  return {
    clock,
    signal: NEVER,
    giveUpAt: clock.now() + 60_000,
    timeoutMs: CALL_TIMEOUT_MS,
    assertHeld: () => undefined,
    onStale: () => undefined,
    ...changes,
  };
}

/** Fails with the code for the first `times` calls. */
function failing(code: DriverErrorCode, times: number): { readonly calls: () => number; call: () => Promise<string> } {
  let calls = 0;
  return {
    calls: () => calls,
    call: () => {
      calls += 1;
      return calls <= times ? Promise.reject(new DriverError(code, "host-01", "no")) : Promise.resolve("answer");
    },
  };
}

describe("execute: calls of drivers", () => {
  for (const code of ["unreachable", "timeout"] as const) {
    it(`repeats a call after ${code}, with growing pauses, until there is an answer`, async () => {
      const clock = createVirtualClock(0);
      const { call, calls } = failing(code, 4);
      assert.equal(await clock.run(() => callUntil(createOptions(clock), call)), "answer");
      assert.equal(calls(), 5);
      assert.equal(clock.now(), 100 + 200 + 400 + 800);
    });
  }

  for (const code of ["refused", "failed", "conflict", "expired", "not-found", "unsupported"] as const) {
    it(`does not repeat a call after ${code}`, async () => {
      const clock = createVirtualClock(0);
      const { call, calls } = failing(code, 4);
      await assert.rejects(
        clock.run(() => callUntil(createOptions(clock), call)),
        (error) => isKind(error, "DriverError"),
      );
      assert.equal(calls(), 1);
    });
  }

  it("takes refused credentials for an interruption, not for a verdict about the host", async () => {
    const clock = createVirtualClock(0);
    const { call, calls } = failing("unauthorized", 4);
    await assert.rejects(
      clock.run(() => callUntil(createOptions(clock), call)),
      (error) => isKind(error, "InterruptedError"),
    );
    assert.equal(calls(), 1);
  });

  it("throws the last error when its time is over", async () => {
    const clock = createVirtualClock(0);
    const { call } = failing("unreachable", 1000);
    await assert.rejects(
      clock.run(() => callUntil(createOptions(clock, { giveUpAt: 20_000 }), call)),
      (error) => isKind(error, "DriverError"),
    );
    assert.ok(clock.now() <= 20_000);
  });

  it("gives up on a driver that never answers, and tells it so", async () => {
    const clock = createVirtualClock(0);
    let given: AbortSignal | undefined;
    const options = createOptions(clock, { giveUpAt: 0, timeoutMs: 5000 });
    const hang = (signal: AbortSignal): Promise<never> => {
      given = signal;
      return new Promise(() => undefined);
    };
    await assert.rejects(
      clock.run(() => callUntil(options, hang)),
      /no answer within 5 s/,
    );
    assert.equal(given?.aborted, true);
    assert.equal(clock.pendingTimers, 0);
  });

  it("takes a refusal of its epoch for a lost lease and says so at once", async () => {
    const clock = createVirtualClock(0);
    const told: LeaseLostError[] = [];
    const options = createOptions(clock, { onStale: (error) => told.push(error) });
    const { call, calls } = failing("stale-epoch", 4);
    await assert.rejects(
      clock.run(() => callUntil(options, call)),
      (error) => isKind(error, "LeaseLostError"),
    );
    assert.equal(told.length, 1);
    assert.equal(calls(), 1);
  });

  it("ends at once when the lease is lost, also in the middle of a call or a pause", async () => {
    for (const call of [(): Promise<never> => new Promise(() => undefined), failing("timeout", 1000).call]) {
      const clock = createVirtualClock(0);
      const lost = new AbortController();
      clock.after(1000, () => {
        lost.abort(new LeaseLostError("run/x", "stolen"));
      });
      await assert.rejects(
        clock.run(() => callUntil<unknown>(createOptions(clock, { signal: lost.signal }), call)),
        (error) => isKind(error, "LeaseLostError"),
      );
      assert.equal(clock.now(), 1000);
    }
  });

  it("does not call at all with a lease that cannot be proven", async () => {
    const clock = createVirtualClock(0);
    const { call, calls } = failing("timeout", 0);
    const options = createOptions(clock, {
      assertHeld: () => {
        throw new LeaseLostError("run/x", "not renewed");
      },
    });
    await assert.rejects(
      clock.run(() => callUntil(options, call)),
      (error) => isKind(error, "LeaseLostError"),
    );
    assert.equal(calls(), 0);
  });

  it("leaves no timer behind", async () => {
    const clock = createVirtualClock(0);
    await clock.run(() => callUntil(createOptions(clock), () => Promise.resolve(1)));
    assert.equal(clock.pendingTimers, 0);
  });
});
