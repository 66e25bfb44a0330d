import { strict as assert } from "node:assert";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "mocha";
import { createVirtualClock, VirtualTimeError } from "../../providers/testing";

describe("testing: the virtual clock", () => {
  it("jumps to the next timer while everything waits", async () => {
    const clock = createVirtualClock(1000);
    const order: string[] = [];
    const wait = async (name: string, ms: number): Promise<void> => {
      await clock.sleep(ms);
      order.push(`${name} at ${String(clock.now())}`);
    };
    await clock.run(async () => {
      await Promise.all([wait("hour", 3_600_000), wait("second", 1000), wait("minute", 60_000)]);
    });
    assert.deepEqual(order, ["second at 2000", "minute at 61000", "hour at 3601000"]);
    assert.equal(clock.monotonic(), 3_600_000);
  });

  it("fires timers of the same time in the order in which they were set", async () => {
    const clock = createVirtualClock(0);
    const order: number[] = [];
    for (let index = 0; index < 50; index += 1) clock.after(index % 2 === 0 ? 10 : 5, () => order.push(index));
    await clock.advance(10);
    const odd = Array.from({ length: 25 }, (_, index) => 2 * index + 1);
    const even = Array.from({ length: 25 }, (_, index) => 2 * index);
    assert.deepEqual(order, [...odd, ...even]);
  });

  it("stands still while promises, immediates and files are under way", async () => {
    const clock = createVirtualClock(0);
    const folder = await mkdtemp(join(tmpdir(), "archipelago-clock-"));
    try {
      const seen = await clock.run(async () => {
        clock.after(1, () => undefined);
        for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        await writeFile(join(folder, "file"), "x".repeat(100_000));
        await readFile(join(folder, "file"));
        return clock.now();
      });
      assert.equal(seen, 0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("ends a sleep without an error when its signal aborts, and leaves no timer behind", async () => {
    const clock = createVirtualClock(0);
    const abort = new AbortController();
    clock.after(5, () => {
      abort.abort();
    });
    const woken = await clock.run(async () => {
      await clock.sleep(1000, abort.signal);
      await clock.sleep(1000, abort.signal);
      return clock.now();
    });
    assert.equal(woken, 5);
    assert.equal(clock.pendingTimers, 0);
  });

  it("calls at a wall time, at once when that is past, and not when it was cancelled", async () => {
    const clock = createVirtualClock(1000);
    const calls: string[] = [];
    clock.at(1500, () => calls.push(`at ${String(clock.now())}`));
    clock.at(500, () => calls.push(`past at ${String(clock.now())}`));
    const cancel = clock.at(1200, () => calls.push("cancelled"));
    cancel();
    await clock.advance(499);
    assert.deepEqual(calls, ["past at 1000"]);
    await clock.advance(1);
    assert.deepEqual(calls, ["past at 1000", "at 1500"]);
  });

  it("moves wall time against monotonic time", async () => {
    const clock = createVirtualClock(1000);
    clock.shiftWallTime(-400);
    await clock.advance(100);
    assert.equal(clock.now(), 700);
    assert.equal(clock.monotonic(), 100);
  });

  it("passes an error of the task on", async () => {
    const clock = createVirtualClock(0);
    const failing = async (): Promise<void> => {
      await clock.sleep(10);
      throw new RangeError("expected");
    };
    await assert.rejects(clock.run(failing), RangeError);
  });

  it("says so when a task waits for something that never comes", async () => {
    const clock = createVirtualClock(0);
    await assert.rejects(
      clock.run(() => new Promise(() => undefined)),
      (error: unknown) => error instanceof VirtualTimeError && error.message.includes("not on the clock"),
    );
  });

  it("bounds virtual time and the number of events", async () => {
    const forever = (clock: { sleep(ms: number): Promise<void> }, ms: number) => async (): Promise<void> => {
      for (;;) await clock.sleep(ms);
    };
    const short = createVirtualClock(0, { maxElapsedMs: 10_000 });
    await assert.rejects(short.run(forever(short, 1000)), /virtual time passed/);
    const few = createVirtualClock(0, { maxEvents: 100 });
    await assert.rejects(few.run(forever(few, 0)), /more than 100 events/);
  });
});
