/**
 * Where processes are while the search moves them, with all that makes a move cheap to judge: what machines have left,
 * what each machine costs, and how often services are on machines, in locations and in neighbourhoods.
 *
 * Capacity and dependencies are soft in here: what breaks them is priced at `pricePerExcess`, so that a search can pass
 * through states that are not feasible; at a high price they are as hard as rules. All other rules are hard: callers ask
 * `canPlace` or `canSwap`, and leave out moves whose `shiftPrice` or `swapPrice` is Infinity.
 *
 * Not for: which moves to make (anneal.ts), and cost or rules of a finished assignment (evaluate.ts).
 *
 * Invariants
 * 1. `cost` is that of evaluate.ts on the present assignment, exactly where the model has whole numbers; processes that
 *    are on no machine count nothing.
 * 2. `excess` is 0 if and only if no capacity is exceeded; missing dependencies are counted by service-counts.ts.
 * 3. No method allocates: all run millions of times a second.
 */
import { BalanceCosts } from "./balance-costs";
import type { PlacementModel } from "./model";
import { MoveCosts } from "./move-costs";
import { Places } from "./places";
import { createExcessWeight, createNeed, createSlack, meanRequirements, orderResources } from "./resource-layout";
import { ServiceCounts } from "./service-counts";

/** A price that no gain makes up for: capacity is a hard rule. */
export const HARD_PRICE = 1e9;
const FIRST_LIST = 8;
/** Machines with at most so many resources over safety or capacity have the gains of processes computed each time. */
const FEW_OVER = 3;

export class SearchState {
  /** `[p]` machine, -1 for none. */
  readonly assignment: Int32Array;
  /** `[m]` load, balance and opening cost plus the price of excess. */
  readonly rated: Float64Array;
  /** `[m]` processes on it, the first `counts[m]` of each list. */
  readonly lists: Int32Array[];
  readonly counts: Int32Array;
  /** Where processes could be at all. */
  readonly places: Places;
  /** How services are spread, and the dependencies that are missing. */
  readonly services: ServiceCounts;
  /** Sum of `excessOf`. */
  excess = 0;

  private readonly resources: number;
  /** Resources in the order in which this state has them: what is most likely to refuse a process comes first. */
  private readonly order: Int32Array;
  private readonly machines: number;
  /** `[(m * R + r) * 2]` safety minus use, and behind it capacity minus use on both ends. */
  private readonly slack: Float64Array;
  /** `[p * 2R + r]` requirement, and R further on what its coming and going changes on its origin's capacity. */
  private readonly need: Float64Array;
  private readonly slot: Int32Array;
  private readonly machineCost: Float64Array;
  private readonly excessOf: Float64Array;
  private readonly loadWeight: Float64Array;
  /** `[r]` excess of one unit: one mean requirement of any resource weighs the same. */
  private readonly excessWeight: Float64Array;
  private readonly price: Float64Array;
  private readonly balanceCosts: BalanceCosts;
  /** `[m * R]` resources that are over safety or capacity, the first `overCounts[m]` of each row. */
  private readonly over: Int32Array;
  private readonly overCounts: Int32Array;
  private readonly hasForbidden: boolean;
  private readonly hasPins: boolean;
  private machineCosts = 0;
  private machinesOver = 0;

  /** Of each process, the last `gainOf`, and the stamp of its machine then: a machine gets a new one as it changes. */
  private readonly gains: Float64Array;
  private readonly gainStamps: Int32Array;
  private readonly stamps: Int32Array;
  private nextStamp = 1;

  private readonly moveCosts: MoveCosts;

  private pricePerExcess = HARD_PRICE;
  /** A missing dependency weighs as much as a mean requirement above capacity. */
  private readonly missingWeight: number;
  private missingPrice: number;

  /** @param start machine of each process; -1 for none yet */
  constructor(
    readonly model: PlacementModel,
    start: Int32Array,
  ) {
    const { resourceCount, machineCount, processCount } = model;
    this.resources = resourceCount;
    this.machines = machineCount;
    this.places = new Places(model);
    this.assignment = new Int32Array(processCount).fill(-1);
    this.slot = new Int32Array(processCount);
    this.lists = Array.from({ length: machineCount }, () => new Int32Array(FIRST_LIST));
    this.counts = new Int32Array(machineCount);
    const means = meanRequirements(model);
    this.order = orderResources(model, means);
    this.need = createNeed(model, this.order);
    this.slack = createSlack(model, this.order);
    this.loadWeight = model.loadWeight.map((_, r) => model.loadWeight[this.order[r] as number] as number);
    this.excessWeight = createExcessWeight(model, means, this.order);
    const dearest = means.reduce((most, mean, r) => Math.max(most, mean * (model.loadWeight[r] as number)), 0);
    this.missingWeight = dearest === 0 ? 1 : dearest;
    this.missingPrice = this.missingWeight * this.pricePerExcess;
    this.price = this.excessWeight.map((weight) => weight * this.pricePerExcess);
    this.balanceCosts = new BalanceCosts(model);
    this.over = new Int32Array(machineCount * resourceCount);
    this.overCounts = new Int32Array(machineCount);
    this.hasForbidden = model.placementCost.includes(Infinity);
    this.hasPins = model.pinned.some((pinned) => pinned === 1);
    this.machineCost = new Float64Array(machineCount);
    this.excessOf = new Float64Array(machineCount);
    this.rated = new Float64Array(machineCount);
    this.gains = new Float64Array(processCount);
    this.gainStamps = new Int32Array(processCount);
    this.stamps = new Int32Array(machineCount);
    this.services = new ServiceCounts(model);
    this.moveCosts = new MoveCosts(model);
    this.leaveOrigins();
    for (let machine = 0; machine < machineCount; machine += 1) this.rate(machine);
    start.forEach((machine, process) => {
      if (machine >= 0) this.move(process, machine);
    });
  }

  /** Cost of all that is placed, without the price of excess. */
  get cost(): number {
    return this.machineCosts + this.moveCosts.total;
  }

  /** Cost with the price of excess and missing dependencies. */
  get ratedCost(): number {
    return this.cost + this.excess * this.pricePerExcess + this.services.missing * this.missingPrice;
  }

  /** Whether capacities and dependencies hold; the other rules do wherever moves keep them. */
  get isFeasible(): boolean {
    return this.excess === 0 && this.services.missing === 0;
  }

  /** What one unit of excess (a mean requirement of a resource) costs from now on. */
  setPrice(pricePerExcess: number): void {
    this.pricePerExcess = pricePerExcess;
    this.missingPrice = pricePerExcess * this.missingWeight;
    for (let r = 0; r < this.resources; r += 1) this.price[r] = (this.excessWeight[r] as number) * pricePerExcess;
    for (let m = 0; m < this.machines; m += 1) {
      this.rated[m] = (this.machineCost[m] as number) + (this.excessOf[m] as number) * pricePerExcess;
      this.stamps[m] = this.nextStamp;
      this.nextStamp = (this.nextStamp + 1) | 0;
    }
  }

  /** What the rated cost of a machine falls by when a process that is there leaves it. */
  gainOf(process: number, machine: number): number {
    // Looking up what is kept costs more than a few resources do.
    if ((this.overCounts[machine] as number) <= FEW_OVER) return this.computeGain(process, machine);
    const stamp = this.stamps[machine] as number;
    if (this.gainStamps[process] === stamp) return this.gains[process] as number;
    const gain = this.computeGain(process, machine);
    this.gains[process] = gain;
    this.gainStamps[process] = stamp;
    return gain;
  }

  /**
   * What a machine's rated cost grows by when a process that is elsewhere comes; some number above `limit` when it
   * grows by more than that.
   */
  costOfPlacing(machine: number, process: number, limit: number): number {
    const { slack, need, resources } = this;
    const needAt = process * 2 * resources;
    const capacityAt = this.model.origin[process] === machine ? needAt + resources : needAt;
    let at = machine * resources * 2;
    let cost = this.counts[machine] === 0 ? (this.model.openCost[machine] as number) : 0;
    if (this.balanceCosts.count > 0) cost += this.balanceCosts.changeBy(machine, process, -1);
    for (let r = 0; r < resources; r += 1) {
      const amount = need[needAt + r] as number;
      const missing = amount - (slack[at] as number);
      if (missing > 0) cost += (missing < amount ? missing : amount) * (this.loadWeight[r] as number);
      const capacityAmount = need[capacityAt + r] as number;
      const over = capacityAmount - (slack[at + 1] as number);
      if (over > 0) cost += (over < capacityAmount ? over : capacityAmount) * (this.price[r] as number);
      if (cost > limit) return cost;
      at += 2;
    }
    return cost;
  }

  /** As `costOfPlacing`, on the machine as it is once its process `leaving` has left, whose gain is counted apart. */
  costOfReplacing(machine: number, leaving: number, process: number, limit: number): number {
    const { slack, need, resources } = this;
    const origin = this.model.origin;
    const needAt = process * 2 * resources;
    const capacityAt = origin[process] === machine ? needAt + resources : needAt;
    const leavingAt = leaving * 2 * resources;
    const leavingCapacityAt = origin[leaving] === machine ? leavingAt + resources : leavingAt;
    let at = machine * resources * 2;
    let cost = this.counts[machine] === 1 ? (this.model.openCost[machine] as number) : 0;
    if (this.balanceCosts.count > 0) cost += this.balanceCosts.changeByReplacing(machine, leaving, process);
    for (let r = 0; r < resources; r += 1) {
      const amount = need[needAt + r] as number;
      const missing = amount - (slack[at] as number) - (need[leavingAt + r] as number);
      if (missing > 0) cost += (missing < amount ? missing : amount) * (this.loadWeight[r] as number);
      const capacityAmount = need[capacityAt + r] as number;
      const over = capacityAmount - (slack[at + 1] as number) - (need[leavingCapacityAt + r] as number);
      if (over > 0) cost += (over < capacityAmount ? over : capacityAmount) * (this.price[r] as number);
      if (cost > limit) return cost;
      at += 2;
    }
    return cost;
  }

  /** What moving a process changes in move and placement costs; `from` or `to` may be -1. */
  moveCostChange(process: number, from: number, to: number): number {
    return this.moveCosts.changeOf(process, from, to);
  }

  isPinned(process: number): boolean {
    return this.hasPins && this.model.pinned[process] === 1;
  }

  /**
   * Whether pins, forbidden machines and the limit per machine let a process be on a machine where it is not, and that
   * machine could have room for it once others have moved.
   */
  canPlace(process: number, machine: number): boolean {
    const { model } = this;
    if (this.isPinned(process) && model.origin[process] !== machine) return false;
    if (this.services.isFull(process, machine)) return false;
    return this.isAllowed(process, machine);
  }

  /** As `canPlace`, for exchanging two processes on different machines. */
  canSwap(process: number, other: number): boolean {
    const { service } = this.model;
    const machine = this.assignment[process] as number;
    const otherMachine = this.assignment[other] as number;
    if (service[process] === service[other]) {
      return (
        this.isAllowed(process, otherMachine) &&
        this.isAllowed(other, machine) &&
        !this.isPinned(process) &&
        !this.isPinned(other)
      );
    }
    return this.canPlace(process, otherMachine) && this.canPlace(other, machine);
  }

  /** Whether a machine has the capacity for a process that is elsewhere. */
  hasRoom(process: number, machine: number): boolean {
    const resources = this.resources;
    const isHome = this.model.origin[process] === machine;
    const needAt = process * 2 * resources + (isHome ? resources : 0);
    const slackAt = machine * resources * 2 + 1;
    for (let r = 0; r < resources; r += 1) {
      if ((this.slack[slackAt + r * 2] as number) < (this.need[needAt + r] as number)) return false;
    }
    return true;
  }

  /** Price of the dependencies that moving a process, placed or not, breaks or mends; Infinity where spread is lost. */
  shiftPrice(process: number, machine: number): number {
    return this.missingPrice * this.services.missingByShift(process, this.assignment[process] as number, machine);
  }

  /** As `shiftPrice`, for exchanging two processes. */
  swapPrice(process: number, other: number): number {
    const { assignment, services } = this;
    const from = assignment[process] as number;
    return this.missingPrice * services.missingBySwap(process, from, other, assignment[other] as number);
  }

  /** Puts a process on a machine, or on none (-1), whatever the rules say. */
  move(process: number, machine: number): void {
    const from = this.assignment[process] as number;
    if (from === machine) return;
    this.moveCosts.count(process, from, machine);
    if (from >= 0) {
      this.takeOff(process, from);
      this.rate(from);
    }
    this.assignment[process] = machine;
    if (machine >= 0) {
      this.putOn(process, machine);
      this.rate(machine);
    }
  }

  /** Exchanges two processes, whatever the rules say. */
  swap(process: number, other: number): void {
    const machine = this.assignment[process] as number;
    this.move(process, this.assignment[other] as number);
    this.move(other, machine);
  }

  /** Use above capacity on a machine, in units of mean requirements. */
  excessOn(machine: number): number {
    return this.excessOf[machine] as number;
  }

  /** A process that is nowhere yet, or on its way, still counts on its origin where resources are transient. */
  private leaveOrigins(): void {
    const { origin, transient } = this.model;
    for (let process = 0; process < origin.length; process += 1) {
      const machine = origin[process] as number;
      if (machine < 0) continue;
      for (let r = 0; r < this.resources; r += 1) {
        if (transient[this.order[r] as number] !== 1) continue;
        const at = (machine * this.resources + r) * 2 + 1;
        this.slack[at] = (this.slack[at] as number) - (this.need[process * 2 * this.resources + r] as number);
      }
    }
  }

  private computeGain(process: number, machine: number): number {
    const { slack, need, resources, over } = this;
    const needAt = process * 2 * resources;
    const slackAt = machine * resources * 2;
    const overAt = machine * resources;
    let gain = 0;
    for (let index = overAt + (this.overCounts[machine] as number) - 1; index >= overAt; index -= 1) {
      const r = over[index] as number;
      const toSafety = slack[slackAt + r * 2] as number;
      const toCapacity = slack[slackAt + r * 2 + 1] as number;
      if (toSafety < 0) {
        const amount = need[needAt + r] as number;
        gain += (amount < -toSafety ? amount : -toSafety) * (this.loadWeight[r] as number);
      }
      if (toCapacity < 0) {
        const capacityAt = this.model.origin[process] === machine ? needAt + resources : needAt;
        const amount = need[capacityAt + r] as number;
        gain += (amount < -toCapacity ? amount : -toCapacity) * (this.price[r] as number);
      }
    }
    if (this.balanceCosts.count > 0) gain -= this.balanceCosts.changeBy(machine, process, 1);
    if (this.counts[machine] === 1) gain += this.model.openCost[machine] as number;
    return gain;
  }

  private takeOff(process: number, machine: number): void {
    this.changeSlack(process, machine, 1);
    this.services.count(process, machine, -1);
    const list = this.lists[machine] as Int32Array;
    const last = (this.counts[machine] as number) - 1;
    const moved = list[last] as number;
    const slot = this.slot[process] as number;
    list[slot] = moved;
    this.slot[moved] = slot;
    this.counts[machine] = last;
  }

  private putOn(process: number, machine: number): void {
    this.changeSlack(process, machine, -1);
    this.services.count(process, machine, 1);
    const count = this.counts[machine] as number;
    let list = this.lists[machine] as Int32Array;
    if (count === list.length) {
      const longer = new Int32Array(count * 2);
      longer.set(list);
      list = longer;
      this.lists[machine] = longer;
    }
    list[count] = process;
    this.slot[process] = count;
    this.counts[machine] = count + 1;
  }

  private changeSlack(process: number, machine: number, sign: number): void {
    if (this.balanceCosts.count > 0) this.balanceCosts.change(process, machine, sign);
    const resources = this.resources;
    const needAt = process * 2 * resources;
    const capacityAt = this.model.origin[process] === machine ? needAt + resources : needAt;
    const slackAt = machine * resources * 2;
    for (let r = 0; r < resources; r += 1) {
      const at = slackAt + r * 2;
      this.slack[at] = (this.slack[at] as number) + sign * (this.need[needAt + r] as number);
      this.slack[at + 1] = (this.slack[at + 1] as number) + sign * (this.need[capacityAt + r] as number);
    }
  }

  private rate(machine: number): void {
    let cost = (this.counts[machine] as number) > 0 ? (this.model.openCost[machine] as number) : 0;
    let excess = 0;
    let overAt = machine * this.resources;
    for (let r = 0; r < this.resources; r += 1) {
      const at = (machine * this.resources + r) * 2;
      const toSafety = this.slack[at] as number;
      const toCapacity = this.slack[at + 1] as number;
      if (toSafety < 0) cost -= toSafety * (this.loadWeight[r] as number);
      if (toCapacity < 0) excess -= toCapacity * (this.excessWeight[r] as number);
      if (toSafety < 0 || toCapacity < 0) {
        this.over[overAt] = r;
        overAt += 1;
      }
    }
    this.overCounts[machine] = overAt - machine * this.resources;
    cost += this.balanceCosts.costOf(machine);
    this.machineCosts += cost - (this.machineCost[machine] as number);
    // Sums of fractions drift: where nothing is over, nothing may be left of it.
    if (excess !== (this.excessOf[machine] as number)) {
      this.machinesOver += (excess > 0 ? 1 : 0) - ((this.excessOf[machine] as number) > 0 ? 1 : 0);
      this.excess =
        this.machinesOver === 0 ? 0 : Math.max(0, this.excess + excess - (this.excessOf[machine] as number));
      this.excessOf[machine] = excess;
    }
    this.machineCost[machine] = cost;
    this.stamps[machine] = this.nextStamp;
    this.nextStamp = (this.nextStamp + 1) | 0;
    this.rated[machine] = cost + excess * this.pricePerExcess;
  }

  private isAllowed(process: number, machine: number): boolean {
    if (!this.places.allows(process, machine)) return false;
    if (!this.hasForbidden) return true;
    const { model } = this;
    const cell =
      (model.placementGroup[process] as number) * model.machineClassCount + (model.machineClass[machine] as number);
    return model.placementCost[cell] !== Infinity;
  }
}
