/**
 * Cost and broken rules of an assignment, computed from nothing but the model, in the plainest way: what the search keeps
 * up to date is tested against this.
 *
 * Not for: inner loops (search-state.ts).
 */
import type { PlacementModel } from "./model";

/** Parts of the cost; `total` is their sum. */
export interface PlacementCost {
  readonly load: number;
  readonly balance: number;
  readonly open: number;
  readonly placement: number;
  readonly processMoves: number;
  readonly serviceMoves: number;
  readonly machineMoves: number;
  readonly total: number;
}

/** A rule that an assignment breaks, and how often; `by` is what it is over, where that can be said. */
export interface BrokenRule {
  readonly kind: "unplaced" | "capacity" | "perMachine" | "spread" | "dependency" | "pinned" | "forbidden";
  /** What breaks it: process, machine or service, by the kind. */
  readonly index: number;
  readonly detail: string;
}

export function evaluateCost(model: PlacementModel, assignment: Int32Array): PlacementCost {
  const { resourceCount, machineCount, capacity, safety, loadWeight, origin } = model;
  const use = usage(model, assignment, false);
  let load = 0;
  for (let index = 0; index < use.length; index += 1) {
    load += at(loadWeight, index % resourceCount) * Math.max(0, at(use, index) - at(safety, index));
  }
  let balance = 0;
  for (const { first, second, target, weight } of model.balances) {
    for (let machine = 0; machine < machineCount; machine += 1) {
      const free = (resource: number): number =>
        at(capacity, machine * resourceCount + resource) - at(use, machine * resourceCount + resource);
      balance += weight * Math.max(0, target * free(first) - free(second));
    }
  }
  const movedOf = new Int32Array(model.serviceCount);
  const used = new Uint8Array(machineCount);
  let placement = 0;
  let processMoves = 0;
  let machineMoves = 0;
  assignment.forEach((machine, process) => {
    if (machine < 0) return;
    used[machine] = 1;
    const cell = at(model.placementGroup, process) * model.machineClassCount + at(model.machineClass, machine);
    // What is forbidden is a broken rule; its cost would hide all others.
    if (at(model.placementCost, cell) !== Infinity) placement += at(model.placementCost, cell);
    const from = at(origin, process);
    if (from < 0 || from === machine) return;
    const service = at(model.service, process);
    movedOf[service] = at(movedOf, service) + 1;
    processMoves += at(model.moveCost, process);
    machineMoves += at(
      model.distance,
      at(model.distanceClass, from) * model.distanceClassCount + at(model.distanceClass, machine),
    );
  });
  const open = used.reduce((sum, isUsed, machine) => sum + isUsed * at(model.openCost, machine), 0);
  processMoves *= model.processMoveWeight;
  machineMoves *= model.machineMoveWeight;
  const serviceMoves = model.serviceMoveWeight * movedOf.reduce((most, moved) => Math.max(most, moved), 0);
  const total = load + balance + open + placement + processMoves + serviceMoves + machineMoves;
  return { load, balance, open, placement, processMoves, serviceMoves, machineMoves, total };
}

/** All broken rules; empty when the assignment is feasible. */
export function findBrokenRules(model: PlacementModel, assignment: Int32Array): readonly BrokenRule[] {
  const broken: BrokenRule[] = [];
  const { resourceCount, capacity, origin } = model;
  const use = usage(model, assignment, true);
  use.forEach((amount, index) => {
    if (amount <= at(capacity, index)) return;
    const resource = index % resourceCount;
    const detail = `resource ${String(resource)}: ${String(amount)} of ${String(at(capacity, index))}`;
    broken.push({ kind: "capacity", index: (index - resource) / resourceCount, detail });
  });
  assignment.forEach((machine, process) => {
    if (machine < 0) {
      broken.push({ kind: "unplaced", index: process, detail: "on no machine" });
      return;
    }
    const detail = `on machine ${String(machine)}`;
    if (at(model.pinned, process) === 1 && at(origin, process) !== machine) {
      broken.push({ kind: "pinned", index: process, detail });
    }
    const cell = at(model.placementGroup, process) * model.machineClassCount + at(model.machineClass, machine);
    if (at(model.placementCost, cell) === Infinity) broken.push({ kind: "forbidden", index: process, detail });
  });
  const neighbourhoods = Array.from({ length: model.serviceCount }, () => new Set<number>());
  for (let service = 0; service < model.serviceCount; service += 1) {
    const locations = new Set<number>();
    const countOn = new Map<number, number>();
    for (const process of membersOf(model, service)) {
      const machine = at(assignment, process);
      if (machine < 0) continue;
      locations.add(at(model.location, machine));
      neighbourhoods[service]?.add(at(model.neighbourhood, machine));
      countOn.set(machine, (countOn.get(machine) ?? 0) + 1);
    }
    for (const [machine, count] of countOn) {
      if (count <= at(model.perMachine, service)) continue;
      broken.push({ kind: "perMachine", index: service, detail: `${String(count)} on machine ${String(machine)}` });
    }
    if (locations.size < at(model.spreadMin, service)) {
      broken.push({ kind: "spread", index: service, detail: `over ${String(locations.size)} locations` });
    }
  }
  neighbourhoods.forEach((own, service) => {
    for (let at_ = at(model.dependsOnStart, service); at_ < at(model.dependsOnStart, service + 1); at_ += 1) {
      const other = at(model.dependsOn, at_);
      for (const neighbourhood of own) {
        if (neighbourhoods[other]?.has(neighbourhood)) continue;
        const detail = `none of service ${String(other)} in neighbourhood ${String(neighbourhood)}`;
        broken.push({ kind: "dependency", index: service, detail });
      }
    }
  });
  return broken;
}

/** `[m * R + r]`; with `onBothEnds` moved processes count on their origin, too, where the resource is transient. */
function usage(model: PlacementModel, assignment: Int32Array, onBothEnds: boolean): Float64Array {
  const { resourceCount, requirement, origin, transient } = model;
  const use = new Float64Array(model.machineCount * resourceCount);
  assignment.forEach((machine, process) => {
    const from = at(origin, process);
    for (let resource = 0; resource < resourceCount; resource += 1) {
      const amount = at(requirement, process * resourceCount + resource);
      const add = (where: number): void => {
        use[where * resourceCount + resource] = at(use, where * resourceCount + resource) + amount;
      };
      if (machine >= 0) add(machine);
      if (onBothEnds && from >= 0 && from !== machine && at(transient, resource) === 1) add(from);
    }
  });
  return use;
}

function membersOf(model: PlacementModel, service: number): Int32Array {
  return model.members.subarray(model.memberStart[service], model.memberStart[service + 1]);
}

function at(values: ArrayLike<number>, index: number): number {
  return values[index] ?? 0;
}
