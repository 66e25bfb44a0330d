import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  MIGRATION_POINTS,
  scoreMigration,
  type Disturbance,
  type ScoredUnit,
} from "../../../providers/plan/scores/migration-score";
import { DEFAULT_MIGRATION, MIGRATION_PARTS, renderMigration } from "../../../sdk/model";

const GIB = 2 ** 30;
const unit: ScoredUnit = {
  useHere: 0.4,
  useThere: 0.3,
  capacityMillis: 4000,
  exclusive: false,
  maxPauseMs: 0,
  mayRestart: true,
  transferBytes: 0,
  memoryBytes: GIB / 4,
  cellMemoryBytes: 16 * GIB,
  distance: "rack",
  nearHere: 0,
  nearThere: 0,
};

function factsOf(disturbance: Disturbance, updateMillis = 0) {
  return { policy: DEFAULT_MIGRATION, disturbance, updateMillis };
}

const share = fc.double({ min: 0, max: 1.5, noNaN: true });
const anyUnit: fc.Arbitrary<ScoredUnit> = fc.record({
  useHere: share,
  useThere: share,
  capacityMillis: fc.integer({ min: 0, max: 64_000 }),
  exclusive: fc.boolean(),
  maxPauseMs: fc.integer({ min: 0, max: 5000 }),
  mayRestart: fc.boolean(),
  transferBytes: fc.integer({ min: 0, max: 2 ** 40 }),
  memoryBytes: fc.integer({ min: 0, max: 2 ** 40 }),
  cellMemoryBytes: fc.integer({ min: 0, max: 2 ** 40 }),
  distance: fc.constantFrom("rack", "zone", "away"),
  nearHere: fc.double({ min: 0, max: 1, noNaN: true }),
  nearThere: fc.double({ min: 0, max: 1, noNaN: true }),
});
const anyFacts = fc
  .tuple(fc.constantFrom<Disturbance>("none", "nothing", "copies", "host", "reboot"), fc.integer({ min: 0, max: 8000 }))
  .map(([disturbance, updateMillis]) => factsOf(disturbance, updateMillis));

describe("migration score", () => {
  it("is the sum of its parts, each within its most, with the costs summed up beside it", () => {
    fc.assert(
      fc.property(anyFacts, anyUnit, (facts, any) => {
        const { score, cost, parts } = scoreMigration(facts, any);
        const sum = MIGRATION_PARTS.reduce((total, name) => total + parts[name], 0);
        assert.ok(Math.abs(sum - score) < 1e-6);
        assert.ok(Math.abs(Math.max(0, -(parts.transfer + parts.cache + parts.communication)) - cost) < 1e-6);
        for (const name of MIGRATION_PARTS) {
          assert.ok(Math.abs(parts[name]) <= MIGRATION_POINTS[name], name);
          assert.ok(!Object.is(parts[name], -0), name);
        }
      }),
    );
  });

  it("never falls with more contention, and never rises with more state or a longer way", () => {
    fc.assert(
      fc.property(anyFacts, anyUnit, share, fc.integer({ min: 0, max: 2 ** 40 }), (facts, any, more, bytes) => {
        const { score } = scoreMigration(facts, any);
        assert.ok(scoreMigration(facts, { ...any, useHere: any.useHere + more }).score >= score - 1e-6);
        assert.ok(scoreMigration(facts, { ...any, transferBytes: any.transferBytes + bytes }).score <= score + 1e-6);
        if (any.distance === "rack") {
          assert.ok(scoreMigration(facts, { ...any, distance: "zone" }).score <= score + 1e-6);
          assert.ok(scoreMigration(facts, { ...any, distance: "away" }).score <= score + 1e-6);
        }
      }),
    );
  });

  it("is above the threshold for whatever the update stops, whatever it costs", () => {
    fc.assert(
      fc.property(anyUnit, (any) => {
        const { parts } = scoreMigration(factsOf("reboot"), any);
        assert.equal(parts.impact, MIGRATION_POINTS.impact);
      }),
    );
    assert.ok(scoreMigration(factsOf("host"), unit).score > DEFAULT_MIGRATION.threshold);
  });

  it("counts the update's own load as contention where copies stay", () => {
    const beside = (updateMillis: number): number =>
      scoreMigration(factsOf("nothing", updateMillis), unit).parts.contention;
    assert.equal(beside(0), 0);
    assert.equal(beside(2000), 24);
    assert.equal(scoreMigration(factsOf("none", 2000), unit).parts.contention, 0);
  });

  it("prefers the rack, and gives up on several GiB over zones", () => {
    const by = (distance: ScoredUnit["distance"], gib: number): number =>
      scoreMigration(factsOf("none"), { ...unit, distance, transferBytes: gib * GIB }).cost;
    assert.ok(by("rack", 2) < by("zone", 2) && by("zone", 2) < by("away", 2));
    assert.ok(by("rack", 8) < DEFAULT_MIGRATION.maximumCost);
    const heavy = { ...unit, distance: "away", transferBytes: 24 * GIB, memoryBytes: 12 * GIB } as const;
    assert.ok(scoreMigration(factsOf("none"), heavy).cost > DEFAULT_MIGRATION.maximumCost);
  });

  it("counts nearness to what a unit talks to, both ways", () => {
    const parts = (nearHere: number, nearThere: number) =>
      scoreMigration(factsOf("none"), { ...unit, nearHere, nearThere }).parts.communication;
    assert.equal(parts(1, 0.4), -6);
    assert.equal(parts(0, 0.7), 7);
  });

  it("reads as one line with the parts that count", () => {
    assert.equal(
      renderMigration(scoreMigration(factsOf("reboot", 1000), unit)),
      "score 56.3 (above 12): contention 9.0, impact 40.0, flexibility 5.0, benefit 2.5, cache -0.2; cost 0.2 of 25".replace(
        "55.3",
        "56.3",
      ),
    );
  });
});
