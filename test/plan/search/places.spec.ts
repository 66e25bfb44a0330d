import assert from "node:assert/strict";

import * as fc from "fast-check";

import { findBrokenRules } from "../../../providers/plan/search/evaluate";
import { createModel } from "../../../providers/plan/search/model";
import { Places } from "../../../providers/plan/search/places";
import { FastRandom } from "../../../providers/plan/search/random";
import { SearchState } from "../../../providers/plan/search/search-state";
import { modelArbitrary } from "./random-models";

const WALKS = 300;
const MOST_MOVED = 4;

describe("plan/search/places", () => {
  it("leaves out no machine that holds the process in some feasible assignment", () => {
    fc.assert(
      fc.property(modelArbitrary, fc.integer(), (model, seed) => {
        const random = new FastRandom(seed);
        const places = new Places(model);
        for (let walk = 0; walk < WALKS; walk += 1) {
          const assignment = model.origin.slice();
          for (let moved = random.below(MOST_MOVED + 1); moved > 0; moved -= 1) {
            assignment[random.below(model.processCount)] = random.below(model.machineCount);
          }
          if (findBrokenRules(model, assignment).length > 0) continue;
          assignment.forEach((machine, process) => {
            assert.ok(places.allows(process, machine), `process ${String(process)} on machine ${String(machine)}`);
          });
        }
      }),
    );
  });

  it("draws places only, and every one of them", () => {
    fc.assert(
      fc.property(modelArbitrary, fc.integer(), (model, seed) => {
        const state = new SearchState(model, model.origin);
        state.seed(new FastRandom(seed));
        for (let process = 0; process < model.processCount; process += 1) {
          const allowed = allowedOf(state.places, process, model.machineCount);
          const drawn = new Set(Array.from({ length: 200 }, () => state.drawPlace(process)));
          if (allowed.length > 0) assert.deepEqual([...drawn].sort(), allowed);
        }
      }),
    );
  });

  it("counts what began on a machine as there for ever where the resource is transient", () => {
    const model = createModel({
      resourceCount: 1,
      capacity: Float64Array.of(10, 10),
      requirement: Float64Array.of(6, 5),
      origin: Int32Array.of(0, 1),
      transient: Uint8Array.of(1),
    });
    const places = new Places(model);
    assert.deepEqual(allowedOf(places, 0, 2), [0]);
    assert.deepEqual(allowedOf(places, 1, 2), [1]);
    assert.ok(places.isFixed(0) && places.isFixed(1));
  });

  it("lets what has no other place take room and a service's share from others", () => {
    const model = createModel({
      resourceCount: 1,
      capacity: Float64Array.of(12, 10, 3),
      // The first fits on its own machine alone; the second does not fit beside it, and the third is of its service.
      requirement: Float64Array.of(11, 2, 1),
      service: Int32Array.of(0, 1, 0),
      origin: Int32Array.of(0, 1, 2),
    });
    const places = new Places(model);
    assert.deepEqual(allowedOf(places, 0, 3), [0]);
    assert.deepEqual(allowedOf(places, 1, 3), [1, 2]);
    assert.deepEqual(allowedOf(places, 2, 3), [1, 2]);
  });

  it("leaves out forbidden machines, the origin too", () => {
    const model = createModel({
      resourceCount: 1,
      capacity: Float64Array.of(10, 10, 10),
      requirement: Float64Array.of(1),
      origin: Int32Array.of(0),
      machineClass: Int32Array.of(0, 1, 1),
      placementCost: Float64Array.of(Infinity, 0),
    });
    assert.deepEqual(allowedOf(new Places(model), 0, 3), [1, 2]);
  });
});

function machinesOf(count: number): number[] {
  return Array.from({ length: count }, (_, machine) => machine);
}

function allowedOf(places: Places, process: number, machines: number): number[] {
  return machinesOf(machines).filter((machine) => places.allows(process, machine));
}
