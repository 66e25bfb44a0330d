import assert from "node:assert/strict";
import * as fc from "fast-check";

import { LimitedQueue } from "../../providers/plan/limited-queue";

/** The same by looking at everything each time. */
class PlainQueue {
  private readonly waiting = new Set<number>();
  private readonly room: number[];

  constructor(
    private readonly usesOf: readonly Int32Array[],
    places: readonly number[],
  ) {
    this.room = [...places];
  }

  add(item: number): void {
    this.waiting.add(item);
  }

  begin(begin: (item: number) => void, mayBegin: (item: number) => boolean): void {
    for (const item of [...this.waiting].sort((a, b) => a - b)) {
      const uses = this.usesOf[item] ?? new Int32Array();
      if (uses.some((limit) => (this.room[limit] ?? 0) <= 0) || !mayBegin(item)) continue;
      for (const limit of uses) this.room[limit] = (this.room[limit] ?? 0) - 1;
      this.waiting.delete(item);
      begin(item);
    }
  }

  giveBack(item: number): void {
    for (const limit of this.usesOf[item] ?? []) this.room[limit] = (this.room[limit] ?? 0) + 1;
  }
}

describe("a queue with limits", () => {
  it("lets begin what a look at everything from first to last would, whatever comes and goes in between", () => {
    const limits = 5;
    const scenario = fc.record({
      places: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: limits, maxLength: limits }),
      uses: fc.array(fc.uniqueArray(fc.integer({ min: 0, max: limits - 1 }), { maxLength: 4 }), { maxLength: 40 }),
      order: fc.infiniteStream(fc.nat()),
    });
    fc.assert(
      fc.property(scenario, ({ places, uses, order }) => {
        const usesOf = uses.map((list) => Int32Array.from(list));
        const [queue, plain] = [new LimitedQueue(usesOf, places), new PlainQueue(usesOf, places)];
        const drawn = order[Symbol.iterator]();
        const draw = (below: number): number => (drawn.next().value as number) % below;
        const unseen = usesOf.map((_, item) => item);
        const running: number[] = [];
        const begun = new Set<number>();
        for (let event = 0; event < 6 * usesOf.length && begun.size < usesOf.length; event++) {
          for (let count = draw(4); count > 0 && unseen.length > 0; count--) {
            const [item] = unseen.splice(draw(unseen.length), 1);
            if (item === undefined) break;
            queue.add(item);
            plain.add(item);
          }
          for (let count = draw(3); count > 0 && running.length > 0; count--) {
            const [item] = running.splice(draw(running.length), 1);
            if (item === undefined) break;
            queue.giveBack(item);
            plain.giveBack(item);
          }
          const [actual, expected]: [number[], number[]] = [[], []];
          const heldUp = draw(5);
          const mayBegin = (item: number): boolean => item % 5 !== heldUp;
          queue.begin((item) => actual.push(item), mayBegin);
          plain.begin((item) => expected.push(item), mayBegin);
          assert.deepEqual(actual, expected);
          for (const item of actual) begun.add(item);
          running.push(...actual);
        }
      }),
    );
  });
});
