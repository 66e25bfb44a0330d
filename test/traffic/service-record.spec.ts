import assert from "node:assert/strict";
import fc from "fast-check";
import {
  cutOver,
  endHandOver,
  isHolding,
  ownerAnswer,
  park,
  settle,
  unpark,
  withBackend,
  withoutBackend,
} from "../../providers/drivers/traffic/switch/service-record";
import type { ServiceRecord } from "../../providers/drivers/traffic/switch/service-record";
import { isKind } from "../../sdk/model";

const HEALTH = { path: "/health", intervalMs: 1000, timeoutMs: 500 };
const backend = (replica: string, weight = 1) => ({ replica, address: "127.0.0.1:1", weight, health: HEALTH });
const EMPTY: ServiceRecord = { name: "ledger", port: 1, exclusive: true, backends: [] };
const OWNED = withBackend(EMPTY, backend("old"));

type Action =
  | { readonly kind: "park"; readonly token: string; readonly forMs: number }
  | { readonly kind: "cut-over"; readonly token: string; readonly to: string }
  | { readonly kind: "unpark"; readonly token: string }
  | { readonly kind: "flow" }
  | { readonly kind: "set" | "remove"; readonly replica: string };

const token = fc.constantFrom("t1", "t2");
const replica = fc.constantFrom("old", "new", "other");
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ kind: fc.constant("park" as const), token, forMs: fc.integer({ min: -10, max: 100 }) }),
  fc.record({ kind: fc.constant("cut-over" as const), token, to: replica }),
  fc.record({ kind: fc.constant("unpark" as const), token }),
  fc.record({ kind: fc.constant("flow" as const) }),
  fc.record({ kind: fc.constantFrom("set" as const, "remove" as const), replica }),
);

function apply(record: ServiceRecord, step: Action, now: number): ServiceRecord {
  switch (step.kind) {
    case "park":
      return park(record, step.token, now + step.forMs, now);
    case "cut-over":
      return cutOver(record, step.token, backend(step.to), now);
    case "unpark":
      return unpark(record, step.token);
    case "flow":
      return isHolding(record, now) ? record : endHandOver(record, { pauseMs: 1, parkedRequests: 0, longestHeldMs: 0 });
    case "set":
      return withBackend(record, backend(step.replica));
    case "remove":
      return withoutBackend(record, step.replica);
  }
}

describe("record of a service", () => {
  it("changes its owner only by a cut-over that is in time, whatever is called in whatever order", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(action, fc.integer({ min: 0, max: 60 })), { maxLength: 40 }), (steps) => {
        let record = OWNED;
        let now = 1000;
        for (const [step, ms] of steps) {
          now += ms;
          record = settle(record, now);
          const before = record;
          try {
            record = apply(record, step, now);
          } catch (error) {
            assert.ok(isKind(error, "DriverError"), String(error));
          }
          if (record.owner !== before.owner && before.owner !== undefined && record.owner !== undefined) {
            assert.equal(step.kind, "cut-over");
            assert.equal(before.handOver?.phase, "parked");
            assert.ok(now < before.handOver.deadline);
          }
          if (record.owner !== undefined) {
            assert.ok(
              record.backends.some((known) => known.replica === record.owner),
              "an owner is a backend",
            );
          }
          if (before.handOver?.token === record.handOver?.token && before.handOver?.phase !== "parked") {
            assert.notEqual(record.handOver?.phase, "parked", "a token never parks twice");
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it("never tells anybody that it is parked after the deadline", () => {
    const parked = park(OWNED, "t1", 2000, 1000);
    assert.equal(ownerAnswer(settle(parked, 1999)).state, "parked");
    assert.deepEqual(ownerAnswer(settle(parked, 2000)), { owner: "old", token: "t1", state: "reverted" });
  });

  it("holds requests after the deadline until the reversal is on record", () => {
    const parked = park(OWNED, "t1", 2000, 1000);
    assert.equal(isHolding(parked, 3000), true);
    assert.equal(isHolding(settle(parked, 3000), 3000), false);
  });

  it("drains the former owner at the cut-over and repeats a cut-over without a change", () => {
    const moved = cutOver(park(OWNED, "t1", 2000, 1000), "t1", backend("new"), 1500);
    assert.deepEqual(
      moved.backends.map(({ replica: name, weight }) => [name, weight]),
      [
        ["new", 1],
        ["old", 0],
      ],
    );
    assert.equal(cutOver(moved, "t1", backend("new"), 5000), moved);
  });
});
