import assert from "node:assert/strict";

import * as fc from "fast-check";

import { holdToRate } from "../../providers/agent/transfer-rate";
import type { Clock } from "../../providers/clock";

/** A clock on which nothing but waiting takes time. */
class StillClock implements Clock {
  #now = 1_000;

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  sleep(ms: number): Promise<void> {
    this.#now += ms;
    return Promise.resolve();
  }
}

async function* chunksOf(sizes: readonly number[], before: (index: number) => void): AsyncGenerator<Uint8Array> {
  for (const [index, size] of sizes.entries()) {
    before(index);
    yield await Promise.resolve(new Uint8Array(size).fill(index));
  }
}

describe("agent: the rate of a transfer", () => {
  it("is never more than was allotted but for a burst, and nothing is lost", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 200, max: 20_000 }),
        fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 8, maxLength: 8 }),
        async (sizes, rate, stallsMs) => {
          const clock = new StillClock();
          const source = chunksOf(sizes, (index) => void clock.sleep(stallsMs[index] ?? 0));
          const passed: { readonly atMs: number; readonly bytes: number }[] = [];
          const seen: number[] = [];
          for await (const part of holdToRate(source, rate, clock)) {
            passed.push({ atMs: clock.now(), bytes: part.byteLength });
            seen.push(...part);
          }
          assert.deepEqual(
            seen,
            sizes.flatMap((size, index) => Array.from({ length: size }, () => index)),
          );
          // Between any two moments: what the rate allows, and the burst at both ends.
          passed.forEach(({ atMs: fromMs }, from) => {
            let bytes = 0;
            for (const { atMs, bytes: more } of passed.slice(from)) {
              bytes += more;
              assert.ok(
                bytes <= (rate * (atMs - fromMs + 100)) / 1000 + 2,
                `${String(bytes)} in ${String(atMs - fromMs)} ms`,
              );
            }
          });
        },
      ),
      { numRuns: 40 },
    ));

  it("is used up: a stream that is there takes as long as it needs with it", async () => {
    const clock = new StillClock();
    for await (const _ of holdToRate(
      chunksOf([600, 400], () => undefined),
      500,
      clock,
    ));
    assert.ok(Math.abs(clock.now() - 3_000) <= 60, String(clock.now()));
  });
});
