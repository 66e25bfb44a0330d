/**
 * What the placement search works on: machines, processes and services as flat typed arrays, in the words of the machine
 * reassignment problem (ROADEF/EURO 2012). A fleet is put into it as: host = machine, copy = process, workload = service,
 * rack or zone = location, zone or island of low latency = neighbourhood, and each resource in each interval of a window
 * = one resource column.
 *
 * ```ts
 * const model = createModel({ resourceCount: 2, capacity, requirement, service, origin });   // the rest has defaults
 * const { assignment, cost } = searchPlacement(model, { seed: 1, budget: { kind: "moves", moves: 200_000 } });
 * ```
 *
 * Not for: where processes are while it is searched (search-state.ts), the search (search.ts).
 *
 * Hard rules
 * 1. Use of a resource on a machine stays within `capacity`; on a transient resource a process that left its origin
 *    counts there, too.
 * 2. At most `perMachine[s]` processes of service s are on one machine.
 * 3. Service s is spread over at least `spreadMin[s]` locations.
 * 4. If s depends on t, each neighbourhood with a process of s has one of t.
 * 5. A pinned process stays on its origin; none is on a machine where its `placementCost` is Infinity.
 *
 * Costs, all added up
 * - `loadWeight[r] * max(0, use - safety)` for each machine and resource;
 * - for each balance and machine `weight * max(0, target * (capacity - use)[first] - (capacity - use)[second])`;
 * - `openCost[m]` for each machine with at least one process;
 * - `placementCost` of each process on the class of its machine;
 * - `processMoveWeight * moveCost[p]` of moved processes, `serviceMoveWeight` * the largest number of moved processes in
 *   one service, `machineMoveWeight * distance[from, to]` of moved processes.
 *
 * Invariants
 * 1. A model is never changed after it is made.
 * 2. Whole numbers below 2^53 / processes make all sums exact, so that a cost kept up to date equals one computed anew.
 *    Fractions work as well, with the usual errors of rounding.
 * 3. A model is plain data over typed arrays: it can be posted to worker threads.
 */

/** What `createModel` takes. R, M, P, S: numbers of resources, machines, processes, services. */
export interface ModelParts {
  readonly resourceCount: number;
  /** `[m * R + r]`. */
  readonly capacity: Float64Array;
  /** Use above it costs, `[m * R + r]`. @default capacity */
  readonly safety?: Float64Array;
  /** `[r]`, 1: a moved process counts on both ends. @default 0 */
  readonly transient?: Uint8Array;
  /** `[r]` cost of a unit of use above safety. @default 0 */
  readonly loadWeight?: Float64Array;
  /** `[m]` from 0. @default 0 */
  readonly location?: Int32Array;
  /** `[m]` from 0. @default 0 */
  readonly neighbourhood?: Int32Array;
  /** `[m]` cost while at least one process is on it. @default 0 */
  readonly openCost?: Float64Array;
  /** `[m]` column of `placementCost`. @default 0 */
  readonly machineClass?: Int32Array;
  /** `[m]` row and column of `distance`. @default 0 */
  readonly distanceClass?: Int32Array;
  /** `[a * D + b]` cost of moving one process from a machine of class a to one of class b. @default 0 */
  readonly distance?: Int32Array;

  /** `[p * R + r]`. */
  readonly requirement: Float64Array;
  /** `[p]` from 0. @default each process is a service of its own */
  readonly service?: Int32Array;
  /** `[p]` machine before the plan; -1 for a new process, which is not moved wherever it is put. */
  readonly origin: Int32Array;
  /** `[p]` cost of moving it. @default 0 */
  readonly moveCost?: Float64Array;
  /** `[p]`, 1: stays on its origin. @default 0 */
  readonly pinned?: Uint8Array;
  /** `[p]` row of `placementCost`. @default 0 */
  readonly placementGroup?: Int32Array;
  /** `[group * K + machineClass]`, K classes; Infinity forbids. @default 0 everywhere */
  readonly placementCost?: Float64Array;

  /** `[s]`. @default 0 */
  readonly spreadMin?: Int32Array;
  /** `[s]`. @default 1 */
  readonly perMachine?: Int32Array;
  /** Pairs (s, t): s depends on t. @default none */
  readonly dependencies?: readonly (readonly [number, number])[];

  readonly balances?: readonly Balance[];
  /** @default 1 */
  readonly processMoveWeight?: number;
  /** @default 0 */
  readonly serviceMoveWeight?: number;
  /** @default 0 */
  readonly machineMoveWeight?: number;
}

/** Free units of `second` that are wanted for each free unit of `first`. */
export interface Balance {
  readonly first: number;
  readonly second: number;
  readonly target: number;
  readonly weight: number;
}

/** The parts with all defaults filled in, and what is derived from them. */
export interface PlacementModel extends Required<Omit<ModelParts, "dependencies">> {
  readonly machineCount: number;
  readonly processCount: number;
  readonly serviceCount: number;
  readonly locationCount: number;
  readonly neighbourhoodCount: number;
  readonly machineClassCount: number;
  readonly distanceClassCount: number;
  /** Processes of service s: `members[memberStart[s] .. memberStart[s + 1])`. */
  readonly memberStart: Int32Array;
  readonly members: Int32Array;
  /** Services that s depends on, and those that depend on s, as `members`. */
  readonly dependsOnStart: Int32Array;
  readonly dependsOn: Int32Array;
  readonly dependentStart: Int32Array;
  readonly dependents: Int32Array;
}

/**
 * Fills in defaults and derives what the search needs.
 * @throws RangeError when arrays do not fit together or indexes are out of range; these are faults of the caller, not of
 *   a user, whose input is judged before
 */
export function createModel(parts: ModelParts): PlacementModel {
  const { resourceCount, capacity, requirement, origin } = parts;
  const machineCount = capacity.length / resourceCount;
  const processCount = origin.length;
  const service = parts.service ?? Int32Array.from({ length: processCount }, (_, process) => process);
  const serviceCount = Math.max(parts.spreadMin?.length ?? 0, parts.perMachine?.length ?? 0, countOf(service));
  const machineClass = parts.machineClass ?? new Int32Array(machineCount);
  const distanceClass = parts.distanceClass ?? new Int32Array(machineCount);
  const machineClassCount = countOf(machineClass);
  const distanceClassCount = countOf(distanceClass);
  const placementGroup = parts.placementGroup ?? new Int32Array(processCount);
  const location = parts.location ?? new Int32Array(machineCount);
  const neighbourhood = parts.neighbourhood ?? new Int32Array(machineCount);
  const pairs = parts.dependencies ?? [];
  const members = group(serviceCount, processCount, (process) => service[process] ?? 0);
  const forward = group(serviceCount, pairs.length, (index) => pairs[index]?.[0] ?? 0);
  const backward = group(serviceCount, pairs.length, (index) => pairs[index]?.[1] ?? 0);
  const model: PlacementModel = {
    resourceCount,
    machineCount,
    processCount,
    serviceCount,
    locationCount: countOf(location),
    neighbourhoodCount: countOf(neighbourhood),
    machineClassCount,
    distanceClassCount,
    capacity,
    safety: parts.safety ?? capacity,
    transient: parts.transient ?? new Uint8Array(resourceCount),
    loadWeight: parts.loadWeight ?? new Float64Array(resourceCount),
    location,
    neighbourhood,
    openCost: parts.openCost ?? new Float64Array(machineCount),
    machineClass,
    distanceClass,
    distance: parts.distance ?? new Int32Array(distanceClassCount ** 2),
    requirement,
    service,
    origin,
    moveCost: parts.moveCost ?? new Float64Array(processCount),
    pinned: parts.pinned ?? new Uint8Array(processCount),
    placementGroup,
    placementCost: parts.placementCost ?? new Float64Array(countOf(placementGroup) * machineClassCount),
    spreadMin: parts.spreadMin ?? new Int32Array(serviceCount),
    perMachine: parts.perMachine ?? new Int32Array(serviceCount).fill(1),
    balances: parts.balances ?? [],
    processMoveWeight: parts.processMoveWeight ?? 1,
    serviceMoveWeight: parts.serviceMoveWeight ?? 0,
    machineMoveWeight: parts.machineMoveWeight ?? 0,
    memberStart: members.start,
    members: members.items,
    dependsOnStart: forward.start,
    dependsOn: forward.items.map((index) => pairs[index]?.[1] ?? 0),
    dependentStart: backward.start,
    dependents: backward.items.map((index) => pairs[index]?.[0] ?? 0),
  };
  validateLengths(model);
  validateIndexes(model);
  return model;
}

function validateLengths(model: PlacementModel): void {
  const { resourceCount: resources, machineCount: machines, processCount: processes, serviceCount: services } = model;
  const expected: readonly (readonly [keyof PlacementModel, number])[] = [
    ["capacity", machines * resources],
    ["safety", machines * resources],
    ["transient", resources],
    ["loadWeight", resources],
    ["location", machines],
    ["neighbourhood", machines],
    ["openCost", machines],
    ["machineClass", machines],
    ["distanceClass", machines],
    ["distance", model.distanceClassCount ** 2],
    ["requirement", processes * resources],
    ["service", processes],
    ["moveCost", processes],
    ["pinned", processes],
    ["placementGroup", processes],
    ["spreadMin", services],
    ["perMachine", services],
  ];
  for (const [name, length] of expected) {
    const actual = (model[name] as ArrayLike<number>).length;
    if (actual !== length) throw new RangeError(`${name} (${String(actual)} values) must have ${String(length)}`);
  }
}

function validateIndexes(model: PlacementModel): void {
  const groups = model.placementCost.length / model.machineClassCount;
  const ranges: readonly (readonly [keyof PlacementModel, number, number])[] = [
    ["location", 0, model.machineCount * model.locationCount],
    ["neighbourhood", 0, model.neighbourhoodCount],
    ["machineClass", 0, model.machineClassCount],
    ["distanceClass", 0, model.distanceClassCount],
    ["service", 0, model.serviceCount],
    ["origin", -1, model.machineCount],
    ["placementGroup", 0, groups],
    ["dependsOn", 0, model.serviceCount],
    ["dependents", 0, model.serviceCount],
  ];
  for (const [name, from, to] of ranges) {
    const values = model[name] as Int32Array;
    const wrong = values.findIndex((value) => !(value >= from && value < to));
    if (wrong >= 0) {
      throw new RangeError(
        `${name}[${String(wrong)}] (${String(values[wrong])}) must be within ${String(from)}..${String(to - 1)}`,
      );
    }
  }
}

/** One more than the largest of indexes from 0; at least 1. */
function countOf(indexes: Int32Array): number {
  return indexes.reduce((most, index) => Math.max(most, index), 0) + 1;
}

/** Indexes 0..count-1 by key: those of key k are `items[start[k] .. start[k + 1])`, in order. */
function group(
  keys: number,
  count: number,
  keyOf: (index: number) => number,
): { readonly start: Int32Array; readonly items: Int32Array } {
  const start = new Int32Array(keys + 1);
  const add = (position: number, amount: number): void => {
    start[position] = (start[position] ?? 0) + amount;
  };
  for (let index = 0; index < count; index += 1) add(keyOf(index) + 1, 1);
  for (let key = 0; key < keys; key += 1) add(key + 1, start[key] ?? 0);
  const next = start.slice();
  const items = new Int32Array(count);
  for (let index = 0; index < count; index += 1) {
    const key = keyOf(index);
    items[next[key] ?? 0] = index;
    next[key] = (next[key] ?? 0) + 1;
  }
  return { start, items };
}
