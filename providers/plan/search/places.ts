/**
 * Where a process could be at all: on its origin, and on machines that have room for it beside what can never leave
 * them. Most moves of a large process fail on most machines for that reason alone, so a search that draws targets from
 * here tries the few that count.
 *
 * A machine offers to those that come its capacity less what is sure to be on it: on transient resources all that began
 * there, whether it leaves or not; on the others what is pinned or has no other place. What is found to have no other
 * place takes room from others, so it is looked again until nothing changes.
 *
 * Not for: what is on machines now (search-state.ts).
 *
 * Invariants
 * 1. Necessary, not sufficient: a machine that is left out holds the process in no feasible assignment.
 * 2. A process whose origin is not forbidden to it has its origin among its places.
 */
import type { PlacementModel } from "./model";

/** Pairs of process and machine that are looked at; in larger models all machines count as possible. */
const MOST_PAIRS = 5e7;
/** Lists are kept of up to this many places, or of this share of all machines: above it most draws are good anyway. */
const LONGEST_LIST = 128;
const LONGEST_SHARE = 1 / 8;
/** Sums of fractions are rounded: so much of a capacity does not count. */
const ROUNDING = 1e-9;
const EVERYWHERE = -1;
const NONE = new Int32Array(0);

export class Places {
  /** `[p]` first word of its bits, -1 where it may be anywhere. */
  readonly rows: Int32Array;
  readonly bits: Uint32Array;
  /** Places of a process where they are few: `items[start[p] .. start[p + 1])`. */
  readonly start: Int32Array;
  readonly items: Int32Array;
  /** `[p]` how many places it has. */
  private readonly counts: Int32Array;

  constructor(model: PlacementModel) {
    const found = model.processCount * model.machineCount > MOST_PAIRS ? [] : new PlaceFinder(model).find();
    const words = (model.machineCount + 31) >> 5;
    this.rows = new Int32Array(model.processCount).fill(EVERYWHERE);
    this.bits = new Uint32Array(words * found.reduce((count, list) => count + (list === undefined ? 0 : 1), 0));
    let next = 0;
    found.forEach((list, process) => {
      if (list === undefined) return;
      this.rows[process] = next;
      for (const machine of list) {
        const at = next + (machine >> 5);
        this.bits[at] = (this.bits[at] as number) | (1 << (machine & 31));
      }
      next += words;
    });
    this.counts = Int32Array.from({ length: model.processCount }, (_, p) => found[p]?.length ?? model.machineCount);
    const longest = Math.max(LONGEST_LIST, model.machineCount * LONGEST_SHARE);
    const lists = found.map((list) => (list !== undefined && list.length <= longest ? list : NONE));
    this.start = new Int32Array(model.processCount + 1);
    lists.forEach((list, process) => (this.start[process + 1] = (this.start[process] as number) + list.length));
    this.items = new Int32Array(this.start[lists.length] as number);
    lists.forEach((list, process) => {
      this.items.set(list, this.start[process]);
    });
  }

  /** Whether a process could be on a machine in some feasible assignment. */
  allows(process: number, machine: number): boolean {
    const row = this.rows[process] as number;
    return row < 0 || (((this.bits[row + (machine >> 5)] as number) >>> (machine & 31)) & 1) === 1;
  }

  /** Whether a process has at most one place. */
  isFixed(process: number): boolean {
    return (this.counts[process] as number) <= 1;
  }
}

/** Looks at all pairs, as often as processes turn out to be fixed. */
class PlaceFinder {
  /** `[m * R + r]` room for those that come. */
  private readonly free: Float64Array;
  /** `[r]` least of all machines. */
  private readonly leastFree: Float64Array;
  private readonly isFixed: Uint8Array;
  /** Machines by `service`, as often as fixed processes of the service are there. */
  private readonly fixedOf = new Map<number, number[]>();
  private readonly forbidsNothing: boolean;

  constructor(private readonly model: PlacementModel) {
    this.free = Float64Array.from(model.capacity, (capacity) => capacity * (1 + ROUNDING));
    this.leastFree = new Float64Array(model.resourceCount);
    this.isFixed = new Uint8Array(model.processCount);
    this.forbidsNothing = model.placementCost.every((cost) => cost !== Infinity);
    model.origin.forEach((machine, process) => {
      if (machine >= 0) this.takeRoom(process, machine, 1);
    });
    model.pinned.forEach((pinned, process) => {
      if (pinned === 1) this.fix(process);
    });
  }

  /** `[p]` places, undefined where they are all machines. */
  find(): (Int32Array | undefined)[] {
    const { model } = this;
    for (;;) {
      this.findLeastFree();
      let fixed = 0;
      const found = Array.from({ length: model.processCount }, (_, process) => {
        const list = this.placesOf(process);
        if (this.isFixed[process] === 0 && list?.length === 1 && list[0] === model.origin[process]) {
          this.fix(process);
          fixed += 1;
        }
        return list;
      });
      if (fixed === 0) return found;
    }
  }

  private placesOf(process: number): Int32Array | undefined {
    const { model } = this;
    const origin = model.origin[process] as number;
    if (this.isFixed[process] === 1) return Int32Array.of(origin);
    const full = this.fullMachines(process);
    if (full === undefined && this.forbidsNothing && this.fits(process, this.leastFree, 0)) return undefined;
    const places: number[] = [];
    for (let machine = 0; machine < model.machineCount; machine += 1) {
      if (this.isForbidden(process, machine)) continue;
      const isOpen =
        machine === origin ||
        (full?.has(machine) !== true && this.fits(process, this.free, machine * model.resourceCount));
      if (isOpen) places.push(machine);
    }
    return places.length === model.machineCount ? undefined : Int32Array.from(places);
  }

  private fits(process: number, free: Float64Array, freeAt: number): boolean {
    const { requirement, resourceCount } = this.model;
    const at = process * resourceCount;
    for (let r = 0; r < resourceCount; r += 1) {
      if ((requirement[at + r] as number) > (free[freeAt + r] as number)) return false;
    }
    return true;
  }

  private isForbidden(process: number, machine: number): boolean {
    if (this.forbidsNothing) return false;
    const { placementGroup, machineClass, machineClassCount, placementCost } = this.model;
    const cell = (placementGroup[process] as number) * machineClassCount + (machineClass[machine] as number);
    return placementCost[cell] === Infinity;
  }

  /** Machines that fixed processes of the same service fill up to the limit per machine. */
  private fullMachines(process: number): ReadonlySet<number> | undefined {
    const service = this.model.service[process] as number;
    const machines = this.fixedOf.get(service);
    if (machines === undefined) return undefined;
    const most = this.model.perMachine[service] as number;
    return new Set(machines.filter((machine) => machines.filter((other) => other === machine).length >= most));
  }

  private fix(process: number): void {
    const machine = this.model.origin[process] as number;
    if (machine < 0) return;
    this.isFixed[process] = 1;
    this.takeRoom(process, machine, 0);
    const service = this.model.service[process] as number;
    const machines = this.fixedOf.get(service);
    if (machines === undefined) this.fixedOf.set(service, [machine]);
    else machines.push(machine);
  }

  /** Takes what a process needs of the resources that are transient (1) or are not (0). */
  private takeRoom(process: number, machine: number, transience: 0 | 1): void {
    const { resourceCount, requirement, transient } = this.model;
    for (let r = 0; r < resourceCount; r += 1) {
      if (transient[r] !== transience) continue;
      const at = machine * resourceCount + r;
      this.free[at] = (this.free[at] as number) - (requirement[process * resourceCount + r] as number);
    }
  }

  private findLeastFree(): void {
    const { resourceCount } = this.model;
    this.leastFree.fill(Infinity);
    this.free.forEach((amount, index) => {
      const r = index % resourceCount;
      if (amount < (this.leastFree[r] as number)) this.leastFree[r] = amount;
    });
  }
}
