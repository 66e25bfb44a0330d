/** Random small models whose start is feasible, for properties of the search. */
import * as fc from "fast-check";

import { createModel, type PlacementModel } from "../../../providers/plan/search/model";
import { FastRandom } from "../../../providers/plan/search/random";

/** Up to 6 machines and 14 processes with every kind of rule and cost. */
export const modelArbitrary: fc.Arbitrary<PlacementModel> = fc
  .integer({ min: 0, max: 2 ** 31 - 1 })
  .map(createRandomModel);

/** The same seed gives the same model. */
function createRandomModel(seed: number): PlacementModel {
  const random = new FastRandom(seed);
  const below = (count: number): number => random.below(count);
  const ints = (length: number, limit: number): Int32Array => Int32Array.from({ length }, () => below(limit));
  const resources = 1 + below(3);
  const machines = 2 + below(5);
  const processes = 2 + below(13);
  const services = 1 + below(processes);
  const distanceClasses = 1 + below(3);
  const requirement = Float64Array.from({ length: processes * resources }, () => below(10));
  const origin = ints(processes, machines);
  const service = ints(processes, services);
  // One machine takes each process, so that the start is feasible; what else the rules ask for follows from it.
  const use = new Float64Array(machines * resources);
  const perMachine = new Int32Array(services).fill(1);
  origin.forEach((machine, process) => {
    for (let r = 0; r < resources; r += 1) {
      use[machine * resources + r] = (use[machine * resources + r] ?? 0) + (requirement[process * resources + r] ?? 0);
    }
    const same = origin.filter((other, index) => other === machine && service[index] === service[process]).length;
    perMachine[service[process] ?? 0] = Math.max(perMachine[service[process] ?? 0] ?? 1, same);
  });
  const location = ints(machines, machines);
  const neighbourhood = ints(machines, 2);
  const placesOf = (own: number, places: Int32Array): Set<number> =>
    new Set([...origin].flatMap((machine, process) => (service[process] === own ? [places[machine] ?? 0] : [])));
  const dependencies: [number, number][] = [];
  for (let count = below(4); count > 0; count -= 1) {
    const [from, to] = [below(services), below(services)];
    const there = placesOf(to, neighbourhood);
    if ([...placesOf(from, neighbourhood)].every((place) => there.has(place))) dependencies.push([from, to]);
  }
  const capacity = use.map((amount) => amount + below(8));
  const placementGroup = ints(processes, 2);
  const machineClass = ints(machines, 2);
  return createModel({
    resourceCount: resources,
    transient: Uint8Array.from({ length: resources }, () => below(2)),
    loadWeight: Float64Array.from({ length: resources }, () => below(20)),
    capacity,
    safety: capacity.map((amount) => below(amount + 1)),
    location,
    neighbourhood,
    openCost: Float64Array.from({ length: machines }, () => below(30)),
    machineClass,
    distanceClass: ints(machines, distanceClasses).fill(distanceClasses - 1, 0, 1),
    distance: ints(distanceClasses ** 2, 4),
    service,
    requirement,
    moveCost: Float64Array.from({ length: processes }, () => below(5)),
    pinned: Uint8Array.from({ length: processes }, () => (below(8) === 0 ? 1 : 0)),
    origin,
    placementGroup,
    // Group 1 must stay off machines of class 1 where none of it is at the start.
    placementCost: forbidWhereEmpty(origin, placementGroup, machineClass, Float64Array.of(0, 3, 2, 1, 0, 0)),
    spreadMin: Int32Array.from({ length: services }, (_, own) => below(placesOf(own, location).size + 1)),
    perMachine,
    dependencies,
    balances: Array.from({ length: below(3) }, () => ({
      first: below(resources),
      second: below(resources),
      target: below(3),
      weight: below(10),
    })),
    processMoveWeight: below(3),
    serviceMoveWeight: below(12),
    machineMoveWeight: below(5),
  });
}

function forbidWhereEmpty(
  origin: Int32Array,
  placementGroup: Int32Array,
  machineClass: Int32Array,
  costs: Float64Array,
): Float64Array {
  const classes = machineClass.reduce((most, own) => Math.max(most, own), 0) + 1;
  const groups = placementGroup.reduce((most, own) => Math.max(most, own), 0) + 1;
  const result = costs.slice(0, groups * classes);
  const isUsed = [...origin].some((machine, process) => placementGroup[process] === 1 && machineClass[machine] === 1);
  if (!isUsed && groups === 2 && classes === 2) result[3] = Infinity;
  return result;
}
