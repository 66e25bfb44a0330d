/** Random small fleets as placement problems: small enough for an exact solution, with every kind of rule and cost. */
import { createModel, type ModelParts, type PlacementModel } from "../../providers/plan/search/model";

/** A generator of whole numbers from 0 to below `bound`, by seed (mulberry32). */
function createRandom(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * bound);
  };
}

/**
 * A fleet of 3 to 6 hosts in 1 to 3 zones with 5 to 14 copies; its placement keeps every hard rule and is uneven, so
 * that there is something to win. All numbers are whole. Those of odd seeds have cards, which both ends of a move hold,
 * and copies that some hosts may not take.
 */
export function smallFleet(seed: number): PlacementModel {
  const random = createRandom(seed);
  const machines = 3 + random(4);
  const processes = 5 + random(10);
  const resourceCount = 2 + random(2);
  const zones = 1 + random(Math.min(3, machines));
  const requirement = Float64Array.from({ length: processes * resourceCount }, () => 2 + random(24));
  const services = 1 + random(processes);
  const service = Int32Array.from({ length: processes }, (_, process) =>
    process < services ? process : random(services),
  );
  const perMachine = Int32Array.from({ length: services }, () => 1 + random(2));
  const origin = placeUnevenly(service, perMachine, machines, random);
  const used = new Float64Array(machines * resourceCount);
  origin.forEach((machine, process) => {
    for (let resource = 0; resource < resourceCount; resource += 1) {
      const at = machine * resourceCount + resource;
      used[at] = (used[at] ?? 0) + (requirement[process * resourceCount + resource] ?? 0);
    }
  });
  const capacity = used.map((use) => Math.max(60 + random(60), use + random(20)));
  const location = Int32Array.from({ length: machines }, (_, machine) => machine % zones);
  const spreadMin = Int32Array.from({ length: services }, (_, s) => {
    const inZones = new Set(
      [...origin].filter((_m, process) => service[process] === s).map((machine) => location[machine]),
    );
    return Math.max(1, inZones.size - random(2));
  });
  const parts: ModelParts = {
    resourceCount,
    capacity,
    safety: capacity.map((room) => Math.floor(room * 0.4)),
    transient: Uint8Array.from({ length: resourceCount }, (_, resource) => (resource === 0 ? 1 : 0)),
    loadWeight: Float64Array.from({ length: resourceCount }, () => 1 + random(5)),
    location,
    openCost: Float64Array.from({ length: machines }, () => random(2) * random(60)),
    requirement,
    service,
    origin,
    moveCost: Float64Array.from({ length: processes }, () => 1 + random(4)),
    pinned: Uint8Array.from({ length: processes }, () => (random(10) === 0 ? 1 : 0)),
    spreadMin,
    perMachine,
    balances: random(2) === 0 ? [] : [{ first: 0, second: 1, target: 1, weight: 1 + random(3) }],
    processMoveWeight: 1 + random(3),
    serviceMoveWeight: random(3),
  };
  return createModel(seed % 2 === 1 ? withRules(parts, createRandom(seed + RULES_SEED)) : parts);
}

/** Apart from the seeds of fleets, so that rules do not follow from what else is drawn. */
const RULES_SEED = 7_919_000;

/** The same with one more resource, cards, and hosts of three classes that two groups of copies may or may not be on. */
function withRules(parts: ModelParts, random: (bound: number) => number): ModelParts {
  const { resourceCount, origin, capacity } = parts;
  const cards = Array.from(origin, () => (random(3) === 0 ? 1 + random(2) : 0));
  const machines = capacity.length / resourceCount;
  const offered = Array.from({ length: machines }, (_, machine) =>
    cards.reduce((sum, count, process) => (origin[process] === machine ? sum + count : sum), random(3)),
  );
  const machineClass = Int32Array.from({ length: machines }, () => random(3));
  const placementGroup = Int32Array.from(origin, () => random(2));
  const placementCost = Float64Array.from({ length: 6 }, () => (random(3) === 0 ? Infinity : 0));
  // Where a copy is it may be.
  origin.forEach((machine, process) => {
    placementCost[(placementGroup[process] ?? 0) * 3 + (machineClass[machine] ?? 0)] = 0;
  });
  // Costs have a column for each class that there is.
  const classes = Math.max(...machineClass) + 1;
  return {
    ...parts,
    resourceCount: resourceCount + 1,
    capacity: withColumn(capacity, resourceCount, offered),
    safety: withColumn(parts.safety ?? capacity, resourceCount, offered),
    requirement: withColumn(parts.requirement, resourceCount, cards),
    transient: Uint8Array.from([...(parts.transient ?? []), 1]),
    loadWeight: Float64Array.from([...(parts.loadWeight ?? []), 0]),
    machineClass,
    placementGroup,
    placementCost: placementCost.filter((_, at) => at % 3 < classes),
  };
}

/** A matrix of `columns` columns with one more. */
function withColumn(matrix: Float64Array, columns: number, values: readonly number[]): Float64Array {
  return Float64Array.from(
    values.flatMap((value, row) => [...matrix.subarray(row * columns, (row + 1) * columns), value]),
  );
}

/** Most copies on the first hosts, as fleets get when hosts were added lately. */
function placeUnevenly(
  service: Int32Array,
  perMachine: Int32Array,
  machines: number,
  random: (bound: number) => number,
): Int32Array {
  const counts = new Map<string, number>();
  return Int32Array.from(service, (s) => {
    const wanted = Math.min(random(machines), random(machines));
    for (let step = 0; ; step += 1) {
      const machine = (wanted + step) % machines;
      const key = `${String(s)}/${String(machine)}`;
      const count = counts.get(key) ?? 0;
      // Where a service has more copies than may be placed by its limit the limit gives way.
      if (count >= (perMachine[s] ?? 1) && step < machines) continue;
      if (step >= machines) perMachine[s] = Math.max(perMachine[s] ?? 1, count + 1);
      counts.set(key, count + 1);
      return machine;
    }
  });
}
