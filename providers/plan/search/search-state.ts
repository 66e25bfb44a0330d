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
 * 2. `excess` is 0 if and only if no capacity is exceeded; `missing` counts broken dependencies.
 * 3. No method allocates: all run millions of times a second.
 */
import type { PlacementModel } from "./model";
import { Places } from "./places";

/** A price that no gain makes up for: capacity is a hard rule. */
export const HARD_PRICE = 1e9;
const FIRST_LIST = 8;

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
  /** Sum of `excessOf`. */
  excess = 0;
  /** Dependencies that are not met: pairs of services, times the neighbourhoods in which the second one is missing. */
  missing = 0;

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
  private readonly balances: Float64Array;
  /** Placement costs with 0 where it is forbidden: a start that breaks rules has a cost, too. */
  private readonly placement: Float64Array;
  private readonly hasPlacementCosts: boolean;
  private readonly hasPins: boolean;
  private machineCosts = 0;
  private machinesOver = 0;
  private moveCosts = 0;

  /** Of each process, the last `gainOf`, and the stamp of its machine then: a machine gets a new one as it changes. */
  private readonly gains: Float64Array;
  private readonly gainStamps: Int32Array;
  private readonly stamps: Int32Array;
  private nextStamp = 1;

  private readonly movedOf: Int32Array;
  private readonly servicesWithMoved: Int32Array;
  private mostMoved = 0;

  /** Rows of the tables below by service, -1 where the service has no such rule. */
  private readonly machineRow: Int32Array;
  private readonly locationRow: Int32Array;
  private readonly neighbourhoodRow: Int32Array;
  private readonly onMachine: Uint16Array;
  private readonly inLocation: Int32Array;
  private readonly inNeighbourhood: Int32Array;
  private readonly spreadOf: Int32Array;

  private pricePerExcess = HARD_PRICE;
  /** A missing dependency weighs as much as a mean requirement above capacity. */
  private readonly missingWeight: number;
  private missingPrice: number;

  /** @param start machine of each process; -1 for none yet */
  constructor(
    readonly model: PlacementModel,
    start: Int32Array,
  ) {
    const { resourceCount, machineCount, processCount, serviceCount } = model;
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
    this.balances = Float64Array.from(
      model.balances.flatMap(({ first, second, target, weight }) => [
        this.order.indexOf(first),
        this.order.indexOf(second),
        target,
        weight,
      ]),
    );
    this.placement = model.placementCost.map((cost) => (cost === Infinity ? 0 : cost));
    this.hasPlacementCosts = model.placementCost.some((cost) => cost !== 0);
    this.hasPins = model.pinned.some((pinned) => pinned === 1);
    this.machineCost = new Float64Array(machineCount);
    this.excessOf = new Float64Array(machineCount);
    this.rated = new Float64Array(machineCount);
    this.gains = new Float64Array(processCount);
    this.gainStamps = new Int32Array(processCount);
    this.stamps = new Int32Array(machineCount);
    this.movedOf = new Int32Array(serviceCount);
    this.servicesWithMoved = new Int32Array(largestService(model) + 2);
    this.servicesWithMoved[0] = serviceCount;
    const sizeOf = (service: number): number =>
      (model.memberStart[service + 1] as number) - (model.memberStart[service] as number);
    this.machineRow = rowsOf(serviceCount, (service) => sizeOf(service) > (model.perMachine[service] as number));
    this.locationRow = rowsOf(serviceCount, (service) => (model.spreadMin[service] as number) > 1);
    this.neighbourhoodRow = rowsOf(
      serviceCount,
      (service) =>
        model.dependsOnStart[service + 1] !== model.dependsOnStart[service] ||
        model.dependentStart[service + 1] !== model.dependentStart[service],
    );
    this.onMachine = new Uint16Array(rowCount(this.machineRow) * machineCount);
    this.inLocation = new Int32Array(rowCount(this.locationRow) * model.locationCount);
    this.inNeighbourhood = new Int32Array(rowCount(this.neighbourhoodRow) * model.neighbourhoodCount);
    this.spreadOf = new Int32Array(rowCount(this.locationRow));
    this.leaveOrigins();
    for (let machine = 0; machine < machineCount; machine += 1) this.rate(machine);
    start.forEach((machine, process) => {
      if (machine >= 0) this.move(process, machine);
    });
  }

  /** Cost of all that is placed, without the price of excess. */
  get cost(): number {
    return this.machineCosts + this.moveCosts + this.model.serviceMoveWeight * this.mostMoved;
  }

  /** Cost with the price of excess and missing dependencies. */
  get ratedCost(): number {
    return this.cost + this.excess * this.pricePerExcess + this.missing * this.missingPrice;
  }

  /** Whether capacities and dependencies hold; the other rules do wherever moves keep them. */
  get isFeasible(): boolean {
    return this.excess === 0 && this.missing === 0;
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

  /** What its machine's rated cost falls by when a process leaves it. */
  gainOf(process: number): number {
    const machine = this.assignment[process] as number;
    const stamp = this.stamps[machine] as number;
    if (this.gainStamps[process] === stamp) return this.gains[process] as number;
    const { slack, need, resources } = this;
    const needAt = process * 2 * resources;
    const capacityAt = this.model.origin[process] === machine ? needAt + resources : needAt;
    let at = machine * resources * 2;
    let gain = 0;
    for (let r = 0; r < resources; r += 1) {
      const toSafety = slack[at] as number;
      const toCapacity = slack[at + 1] as number;
      at += 2;
      if (toSafety < 0) {
        const amount = need[needAt + r] as number;
        gain += (amount < -toSafety ? amount : -toSafety) * (this.loadWeight[r] as number);
      }
      if (toCapacity < 0) {
        const amount = need[capacityAt + r] as number;
        gain += (amount < -toCapacity ? amount : -toCapacity) * (this.price[r] as number);
      }
    }
    if (this.balances.length > 0) gain -= this.balanceChange(machine, process, -1);
    if (this.counts[machine] === 1) gain += this.model.openCost[machine] as number;
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
    if (this.balances.length > 0) cost += this.balanceChange(machine, -1, process);
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
    if (this.balances.length > 0) {
      cost += this.balanceChange(machine, leaving, process) - this.balanceChange(machine, leaving, -1);
    }
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
    return this.moveCostAt(process, to) - this.moveCostAt(process, from) + this.serviceMoveChange(process, from, to);
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
    const service = model.service[process] as number;
    const row = this.machineRow[service] as number;
    if (
      row >= 0 &&
      (this.onMachine[row * this.machines + machine] as number) >= (model.perMachine[service] as number)
    ) {
      return false;
    }
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
    const { location, neighbourhood, service } = this.model;
    const own = service[process] as number;
    const from = this.assignment[process] as number;
    const entered = neighbourhood[machine] as number;
    if (from < 0) return this.missingPrice * this.missingByEntering(own, entered);
    if (!this.keepsSpread(own, location[from] as number, location[machine] as number)) return Infinity;
    const left = neighbourhood[from] as number;
    if (left === entered || (this.neighbourhoodRow[own] as number) < 0) return 0;
    return this.missingPrice * (this.missingByLeaving(own, left) + this.missingByEntering(own, entered));
  }

  /** As `shiftPrice`, for exchanging two processes. */
  swapPrice(process: number, other: number): number {
    const { location, neighbourhood, service } = this.model;
    const own = service[process] as number;
    const others = service[other] as number;
    if (own === others) return 0;
    const from = this.assignment[process] as number;
    const to = this.assignment[other] as number;
    if (!this.keepsSpread(own, location[from] as number, location[to] as number)) return Infinity;
    if (!this.keepsSpread(others, location[to] as number, location[from] as number)) return Infinity;
    const left = neighbourhood[from] as number;
    const entered = neighbourhood[to] as number;
    if (left === entered) return 0;
    return (
      this.missingPrice * (this.missingByReplacing(own, others, left) + this.missingByReplacing(others, own, entered))
    );
  }

  /** Puts a process on a machine, or on none (-1), whatever the rules say. */
  move(process: number, machine: number): void {
    const from = this.assignment[process] as number;
    if (from === machine) return;
    this.moveCosts += this.moveCostAt(process, machine) - this.moveCostAt(process, from);
    this.countMoved(process, from, machine);
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

  private takeOff(process: number, machine: number): void {
    this.changeSlack(process, machine, 1);
    this.count(process, machine, -1);
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
    this.count(process, machine, 1);
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
    for (let r = 0; r < this.resources; r += 1) {
      const at = (machine * this.resources + r) * 2;
      const toSafety = this.slack[at] as number;
      const toCapacity = this.slack[at + 1] as number;
      if (toSafety < 0) cost -= toSafety * (this.loadWeight[r] as number);
      if (toCapacity < 0) excess -= toCapacity * (this.excessWeight[r] as number);
    }
    cost += this.balanceCost(machine);
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

  private balanceCost(machine: number): number {
    const { balances } = this;
    let cost = 0;
    for (let index = 0; index < balances.length; index += 4) {
      const missing =
        (balances[index + 2] as number) * this.freeOf(machine, balances[index] as number) -
        this.freeOf(machine, balances[index + 1] as number);
      if (missing > 0) cost += missing * (balances[index + 3] as number);
    }
    return cost;
  }

  /** What balance costs change by when `leaving` leaves and `coming` comes; -1 for none. */
  private balanceChange(machine: number, leaving: number, coming: number): number {
    const { balances, need, resources } = this;
    let change = 0;
    for (let index = 0; index < balances.length; index += 4) {
      const first = balances[index] as number;
      const second = balances[index + 1] as number;
      const target = balances[index + 2] as number;
      const before = target * this.freeOf(machine, first) - this.freeOf(machine, second);
      let after = before;
      if (leaving >= 0) {
        const at = leaving * 2 * resources;
        after += target * (need[at + first] as number) - (need[at + second] as number);
      }
      if (coming >= 0) {
        const at = coming * 2 * resources;
        after -= target * (need[at + first] as number) - (need[at + second] as number);
      }
      change += ((after > 0 ? after : 0) - (before > 0 ? before : 0)) * (balances[index + 3] as number);
    }
    return change;
  }

  private freeOf(machine: number, resource: number): number {
    const at = machine * this.resources + (this.order[resource] as number);
    return (
      (this.model.capacity[at] as number) -
      (this.model.safety[at] as number) +
      (this.slack[(machine * this.resources + resource) * 2] as number)
    );
  }

  private moveCostAt(process: number, machine: number): number {
    if (machine < 0) return 0;
    const { model } = this;
    const placement = this.hasPlacementCosts ? this.placementCostAt(process, machine) : 0;
    const origin = model.origin[process] as number;
    if (origin < 0 || origin === machine) return placement;
    const distanceAt =
      (model.distanceClass[origin] as number) * model.distanceClassCount + (model.distanceClass[machine] as number);
    return (
      placement +
      model.processMoveWeight * (model.moveCost[process] as number) +
      model.machineMoveWeight * (model.distance[distanceAt] as number)
    );
  }

  private placementCostAt(process: number, machine: number): number {
    const { placementGroup, machineClass, machineClassCount } = this.model;
    const cell = (placementGroup[process] as number) * machineClassCount + (machineClass[machine] as number);
    return this.placement[cell] as number;
  }

  private isAway(process: number, machine: number): boolean {
    const origin = this.model.origin[process] as number;
    return machine >= 0 && origin >= 0 && origin !== machine;
  }

  private serviceMoveChange(process: number, from: number, to: number): number {
    const weight = this.model.serviceMoveWeight;
    if (weight === 0) return 0;
    const change = (this.isAway(process, to) ? 1 : 0) - (this.isAway(process, from) ? 1 : 0);
    if (change === 0) return 0;
    const moved = this.movedOf[this.model.service[process] as number] as number;
    if (change > 0) return moved === this.mostMoved ? weight : 0;
    return moved === this.mostMoved && this.servicesWithMoved[moved] === 1 ? -weight : 0;
  }

  private countMoved(process: number, from: number, to: number): void {
    const change = (this.isAway(process, to) ? 1 : 0) - (this.isAway(process, from) ? 1 : 0);
    if (change === 0) return;
    const service = this.model.service[process] as number;
    const before = this.movedOf[service] as number;
    const after = before + change;
    this.movedOf[service] = after;
    this.servicesWithMoved[before] = (this.servicesWithMoved[before] as number) - 1;
    this.servicesWithMoved[after] = (this.servicesWithMoved[after] as number) + 1;
    if (after > this.mostMoved) this.mostMoved = after;
    else if (before === this.mostMoved && this.servicesWithMoved[before] === 0) this.mostMoved = after;
  }

  private count(process: number, machine: number, change: number): void {
    const { service, location, neighbourhood, locationCount, neighbourhoodCount } = this.model;
    const own = service[process] as number;
    const machineRow = this.machineRow[own] as number;
    if (machineRow >= 0) {
      const at = machineRow * this.machines + machine;
      this.onMachine[at] = (this.onMachine[at] as number) + change;
    }
    const locationRow = this.locationRow[own] as number;
    if (locationRow >= 0) {
      const at = locationRow * locationCount + (location[machine] as number);
      const before = this.inLocation[at] as number;
      this.inLocation[at] = before + change;
      if (before === 0) this.spreadOf[locationRow] = (this.spreadOf[locationRow] as number) + 1;
      else if (before + change === 0) this.spreadOf[locationRow] = (this.spreadOf[locationRow] as number) - 1;
    }
    const neighbourhoodRow = this.neighbourhoodRow[own] as number;
    if (neighbourhoodRow >= 0) {
      const place = neighbourhood[machine] as number;
      this.missing += change < 0 ? this.missingByLeaving(own, place) : this.missingByEntering(own, place);
      const at = neighbourhoodRow * neighbourhoodCount + place;
      this.inNeighbourhood[at] = (this.inNeighbourhood[at] as number) + change;
    }
  }

  private isAllowed(process: number, machine: number): boolean {
    if (!this.places.allows(process, machine)) return false;
    if (!this.hasPlacementCosts) return true;
    const { model } = this;
    const cell =
      (model.placementGroup[process] as number) * model.machineClassCount + (model.machineClass[machine] as number);
    return model.placementCost[cell] !== Infinity;
  }

  /** A spread that is too small already must not get smaller. */
  private keepsSpread(service: number, left: number, entered: number): boolean {
    const row = this.locationRow[service] as number;
    if (row < 0 || left === entered) return true;
    const at = row * this.model.locationCount;
    const loses = this.inLocation[at + left] === 1 ? 1 : 0;
    const gains = this.inLocation[at + entered] === 0 ? 1 : 0;
    if (loses <= gains) return true;
    return (this.spreadOf[row] as number) > (this.model.spreadMin[service] as number);
  }

  /** How many more dependencies are missing when one of a service leaves a neighbourhood. */
  private missingByLeaving(service: number, neighbourhood: number): number {
    const row = this.neighbourhoodRow[service] as number;
    if (row < 0 || this.inNeighbourhood[row * this.model.neighbourhoodCount + neighbourhood] !== 1) return 0;
    return this.neededBy(service, neighbourhood) - this.lackedBy(service, neighbourhood);
  }

  /** How many more dependencies are missing when one of a service enters a neighbourhood. */
  private missingByEntering(service: number, neighbourhood: number): number {
    const row = this.neighbourhoodRow[service] as number;
    if (row < 0 || this.inNeighbourhood[row * this.model.neighbourhoodCount + neighbourhood] !== 0) return 0;
    return this.lackedBy(service, neighbourhood) - this.neededBy(service, neighbourhood);
  }

  private missingByReplacing(leaving: number, coming: number, neighbourhood: number): number {
    const row = this.neighbourhoodRow[leaving] as number;
    if (row < 0) return this.missingByEntering(coming, neighbourhood);
    const change = this.missingByLeaving(leaving, neighbourhood);
    if ((this.neighbourhoodRow[coming] as number) < 0) return change;
    const at = row * this.model.neighbourhoodCount + neighbourhood;
    const count = this.inNeighbourhood[at] as number;
    this.inNeighbourhood[at] = count - 1;
    const both = change + this.missingByEntering(coming, neighbourhood);
    this.inNeighbourhood[at] = count;
    return both;
  }

  /** How many services that depend on this one are in a neighbourhood. */
  private neededBy(service: number, neighbourhood: number): number {
    const { dependentStart, dependents, neighbourhoodCount } = this.model;
    let count = 0;
    const end = dependentStart[service + 1] as number;
    for (let index = dependentStart[service] as number; index < end; index += 1) {
      const dependent = dependents[index] as number;
      const at = (this.neighbourhoodRow[dependent] as number) * neighbourhoodCount + neighbourhood;
      if (dependent !== service && (this.inNeighbourhood[at] as number) > 0) count += 1;
    }
    return count;
  }

  /** How many services that this one depends on are not in a neighbourhood. */
  private lackedBy(service: number, neighbourhood: number): number {
    const { dependsOnStart, dependsOn, neighbourhoodCount } = this.model;
    let count = 0;
    const end = dependsOnStart[service + 1] as number;
    for (let index = dependsOnStart[service] as number; index < end; index += 1) {
      const other = dependsOn[index] as number;
      const at = (this.neighbourhoodRow[other] as number) * neighbourhoodCount + neighbourhood;
      if (other !== service && this.inNeighbourhood[at] === 0) count += 1;
    }
    return count;
  }
}

function createNeed(model: PlacementModel, order: Int32Array): Float64Array {
  const { resourceCount, processCount, requirement, transient } = model;
  const need = new Float64Array(processCount * resourceCount * 2);
  for (let process = 0; process < processCount; process += 1) {
    for (let r = 0; r < resourceCount; r += 1) {
      const resource = order[r] as number;
      const amount = requirement[process * resourceCount + resource] as number;
      need[process * 2 * resourceCount + r] = amount;
      need[(process * 2 + 1) * resourceCount + r] = transient[resource] === 1 ? 0 : amount;
    }
  }
  return need;
}

function createSlack(model: PlacementModel, order: Int32Array): Float64Array {
  const { resourceCount, machineCount, safety, capacity } = model;
  const slack = new Float64Array(capacity.length * 2);
  for (let machine = 0; machine < machineCount; machine += 1) {
    for (let r = 0; r < resourceCount; r += 1) {
      const at = machine * resourceCount + (order[r] as number);
      slack[(machine * resourceCount + r) * 2] = safety[at] as number;
      slack[(machine * resourceCount + r) * 2 + 1] = capacity[at] as number;
    }
  }
  return slack;
}

function meanRequirements({ resourceCount, processCount, requirement }: PlacementModel): Float64Array {
  const means = new Float64Array(resourceCount);
  for (let index = 0; index < requirement.length; index += 1) {
    const r = index % resourceCount;
    means[r] = (means[r] as number) + (requirement[index] as number) / processCount;
  }
  return means;
}

/** Those that cost most come first, so that the sums of a move that is too dear end early. */
function orderResources({ resourceCount, loadWeight }: PlacementModel, means: Float64Array): Int32Array {
  const costOf = (r: number): number => (means[r] as number) * (loadWeight[r] as number);
  return Int32Array.from({ length: resourceCount }, (_, r) => r).sort((a, b) => costOf(b) - costOf(a) || a - b);
}

/**
 * Excess is priced like load: a mean requirement of any resource weighs as much as that of the dearest, so that bytes
 * and thousandths of a CPU can stand side by side.
 */
function createExcessWeight({ loadWeight }: PlacementModel, means: Float64Array, order: Int32Array): Float64Array {
  const dearest = means.reduce((most, mean, r) => Math.max(most, mean * (loadWeight[r] as number)), 0);
  return means.map((_, r) => {
    const mean = means[order[r] as number] as number;
    return mean === 0 ? 1 : (dearest === 0 ? 1 : dearest) / mean;
  });
}

function largestService(model: PlacementModel): number {
  let most = 0;
  for (let service = 0; service < model.serviceCount; service += 1) {
    most = Math.max(most, (model.memberStart[service + 1] as number) - (model.memberStart[service] as number));
  }
  return most;
}

function rowsOf(count: number, has: (service: number) => boolean): Int32Array {
  let next = 0;
  return Int32Array.from({ length: count }, (_, service) => {
    if (!has(service)) return -1;
    next += 1;
    return next - 1;
  });
}

function rowCount(rows: Int32Array): number {
  return rows.reduce((most, row) => Math.max(most, row), -1) + 1;
}
