/**
 * Where processes are while the search moves them, with all that makes a move cheap to judge: one instance of the kernel
 * (assembly/kernel.ts, WebAssembly), filled with the tables of one model.
 *
 * Capacity and dependencies are soft in here: what breaks them is priced, so that a search can pass through states that
 * are not feasible; at HARD_PRICE they are as hard as rules. All other rules are hard: callers ask `canPlace` or
 * `canSwap`, and leave out moves whose `shiftPrice` or `swapPrice` is Infinity.
 *
 * Not for: which moves to make (anneal.ts), and cost or rules of a finished assignment (evaluate.ts).
 *
 * Invariants
 * 1. `cost` is that of evaluate.ts on the present assignment, exactly where the model has whole numbers; processes that
 *    are on no machine count nothing.
 * 2. `excess` is 0 if and only if no capacity is exceeded.
 */
import { Kernel } from "./kernel";
import type { PlacementModel } from "./model";
import { Places } from "./places";
import type { FastRandom } from "./random";
import {
  createEndsAtHome,
  createNeed,
  createSlack,
  createUnits,
  dearestRequirement,
  meanRequirements,
  orderResources,
} from "./resource-layout";
import { countRows, machineRows, locationRows, neighbourhoodRows } from "./service-rows";

/** A price that no gain makes up for: capacity is a hard rule. */
export const HARD_PRICE = 1e9;
/** Thresholds of a walk: negative logarithms of evenly spread numbers; assembly/walk.ts knows how many. */
const LOGS = 1024;
const THRESHOLDS = Float64Array.from({ length: LOGS }, (_, index) => -Math.log((index + 0.5) / LOGS));
/** Room for the processes of a move that is forced. */
const FORCED_ROOM = 64;

export class SearchState {
  /** Where processes could be at all. */
  readonly places: Places;
  private readonly kernel = new Kernel();

  /** @param start machine of each process; -1 for none yet */
  constructor(
    readonly model: PlacementModel,
    start: Int32Array,
  ) {
    this.places = new Places(model);
    const { functions } = this.kernel;
    this.kernel.set(sizesOf(model));
    this.putResources();
    this.putMoveCosts();
    this.putServices();
    this.putBalances();
    this.putPlaces();
    this.putState();
    functions.begin(HARD_PRICE);
    start.forEach((machine, process) => {
      if (machine >= 0) functions.move(process, machine);
    });
    functions.takePresent();
  }

  /** `[p]` machine, -1 for none: a view that is good until the next move. */
  get assignment(): Int32Array {
    return this.kernel.wholes("assignment", this.model.processCount);
  }

  /** Sum of what is above capacity on all machines, in units of mean requirements. */
  get excess(): number {
    return this.kernel.get("excess");
  }

  /** Pairs of services, times the neighbourhoods in which the second one is missing. */
  get missing(): number {
    return this.kernel.get("missing");
  }

  /** Cost of all that is placed, without the price of excess. */
  get cost(): number {
    return this.kernel.functions.cost();
  }

  /** Cost with the price of excess and missing dependencies. */
  get ratedCost(): number {
    return this.kernel.functions.ratedCost();
  }

  /** Whether capacities and dependencies hold; the other rules do wherever moves keep them. */
  get isFeasible(): boolean {
    return this.kernel.functions.isFeasible() === 1;
  }

  /** What one unit of excess (a mean requirement of a resource) costs from now on. */
  setPrice(pricePerExcess: number): void {
    this.kernel.functions.setPrice(pricePerExcess);
  }

  /** What the rated cost of a machine falls by when a process that is there leaves it. */
  gainOf(process: number, machine: number): number {
    return this.kernel.functions.gainOf(process, machine);
  }

  /**
   * What a machine's rated cost grows by when a process that is elsewhere comes; some number above `limit` when it
   * grows by more than that.
   */
  costOfPlacing(machine: number, process: number, limit: number): number {
    return this.kernel.functions.costOfPlacing(machine, process, limit);
  }

  /**
   * What a machine's rated cost changes by when a process that is elsewhere takes the place of `leaving`; some number
   * above `limit` when it grows by more than that.
   */
  changeByReplacing(machine: number, leaving: number, process: number, limit: number): number {
    return this.kernel.functions.changeByReplacing(machine, leaving, process, limit);
  }

  /** What moving a process changes in move and placement costs; `from` or `to` may be -1. */
  moveCostChange(process: number, from: number, to: number): number {
    return this.kernel.functions.moveCostChange(process, from, to);
  }

  /**
   * Whether pins, forbidden machines and the limit per machine let a process be on a machine where it is not, and that
   * machine could have room for it once others have moved.
   */
  canPlace(process: number, machine: number): boolean {
    return this.kernel.functions.canPlace(process, machine) === 1;
  }

  /** As `canPlace`, for exchanging two processes on different machines. */
  canSwap(process: number, other: number): boolean {
    return this.kernel.functions.canSwap(process, other) === 1;
  }

  /** Whether a machine has the capacity for a process that is elsewhere. */
  hasRoom(process: number, machine: number): boolean {
    return this.kernel.functions.hasRoom(process, machine) === 1;
  }

  /** Price of the dependencies that moving a process, placed or not, breaks or mends; Infinity where spread is lost. */
  shiftPrice(process: number, machine: number): number {
    return this.kernel.functions.shiftPrice(process, machine);
  }

  /** As `shiftPrice`, for exchanging two processes. */
  swapPrice(process: number, other: number): number {
    return this.kernel.functions.swapPrice(process, other);
  }

  /** Puts a process on a machine, or on none (-1), whatever the rules say. */
  move(process: number, machine: number): void {
    this.kernel.functions.move(process, machine);
  }

  /** Exchanges two processes, whatever the rules say. */
  swap(process: number, other: number): void {
    this.kernel.functions.swap(process, other);
  }

  /** Processes on a machine. */
  countOn(machine: number): number {
    return this.kernel.functions.countOf(machine);
  }

  /** One of the processes on a machine, by its place in an order that changes with every move. */
  processOn(machine: number, index: number): number {
    return this.kernel.functions.processOn(machine, index);
  }

  /** Use above capacity on a machine, in units of mean requirements. */
  excessOn(machine: number): number {
    return this.kernel.functions.excessOn(machine);
  }

  /** A machine where a process could be, each with the same probability; any machine where most are possible. */
  drawPlace(process: number): number {
    return this.kernel.functions.drawPlace(process);
  }

  /** Seeds what is random about places that are drawn and about walks. */
  seed(random: FastRandom): void {
    const [randomA, randomB, randomC, randomCounter] = random.state();
    this.kernel.set({ randomA, randomB, randomC, randomCounter });
  }

  /** What a walk moves: processes, those first that are tried more often. */
  setMovable(movable: Int32Array): void {
    this.kernel.put({ movable });
    this.kernel.set({ movableCount: movable.length });
  }

  /** A walk begins: the moves that `walk` returns are counted from here. */
  beginWalk(): void {
    this.kernel.functions.beginWalk();
  }

  /**
   * Tries at least so many moves (assembly/walk.ts).
   * @param front the first so many of what is movable are tried more often
   * @returns moves since `beginWalk`
   */
  walk(least: number, temperature: number, front: number): number {
    return this.kernel.functions.walk(least, temperature, front);
  }

  /** The best feasible assignment that walks have passed through since `takePresent`: a view as `assignment`. */
  get best(): Int32Array {
    this.kernel.functions.keep();
    return this.kernel.wholes("best", this.model.processCount);
  }

  /** Its cost; Infinity where none was feasible. */
  get bestCost(): number {
    return this.kernel.get("bestCost");
  }

  /** Takes the present assignment for the best, better or not. */
  takePresent(): void {
    this.kernel.functions.takePresent();
  }

  /** Goes back to the best assignment; where none was feasible yet, the present one is taken for it. */
  restore(): void {
    this.kernel.functions.restore();
  }

  private putResources(): void {
    const { model } = this;
    const means = meanRequirements(model);
    const order = orderResources(model, means);
    this.kernel.set({ missingWeight: dearestRequirement(model, means) });
    this.kernel.put({
      need: createNeed(model, order),
      slack: createSlack(model, order),
      endsAway: new Float64Array(model.resourceCount * 2).fill(1),
      endsAtHome: createEndsAtHome(model, order),
      units: createUnits(model, means, order),
      weights: new Float64Array(model.resourceCount * 2),
      openCost: model.openCost,
      origin: model.origin,
    });
  }

  private putMoveCosts(): void {
    const { model } = this;
    this.kernel.put({
      processCost: Float64Array.from(model.moveCost, (cost) => cost * model.processMoveWeight),
      distanceCost: Float64Array.from(model.distance, (cost) => cost * model.machineMoveWeight),
      distanceClass: model.distanceClass,
      placementCost: model.placementCost,
      placementGroup: model.placementGroup,
      machineClass: model.machineClass,
      pinned: model.pinned,
      movedOf: new Int32Array(model.serviceCount),
      servicesWithMoved: new Int32Array(largestService(model) + 2).fill(model.serviceCount, 0, 1),
    });
  }

  private putServices(): void {
    const { model } = this;
    const machineRow = machineRows(model);
    const locationRow = locationRows(model);
    const neighbourhoodRow = neighbourhoodRows(model);
    this.kernel.put({
      service: model.service,
      location: model.location,
      neighbourhood: model.neighbourhood,
      perMachine: model.perMachine,
      spreadMin: model.spreadMin,
      dependsOnStart: model.dependsOnStart,
      dependsOn: model.dependsOn,
      dependentStart: model.dependentStart,
      dependents: model.dependents,
      machineRow,
      locationRow,
      neighbourhoodRow,
      onMachine: new Uint16Array(countRows(machineRow) * model.machineCount),
      inLocation: new Int32Array(countRows(locationRow) * model.locationCount),
      spreadOf: new Int32Array(countRows(locationRow)),
      inNeighbourhood: new Int32Array(countRows(neighbourhoodRow) * model.neighbourhoodCount),
    });
  }

  private putBalances(): void {
    const { balances, capacity, requirement, resourceCount, machineCount, processCount } = this.model;
    const differences = (rows: number, from: Float64Array): Float64Array => {
      const values = new Float64Array(rows * balances.length);
      balances.forEach(({ first, second, target }, b) => {
        for (let row = 0; row < rows; row += 1) {
          const at = row * resourceCount;
          values[row * balances.length + b] = target * (from[at + first] as number) - (from[at + second] as number);
        }
      });
      return values;
    };
    this.kernel.put({
      lack: differences(machineCount, capacity),
      balanceShare: differences(processCount, requirement),
      balanceWeight: Float64Array.from(balances, ({ weight }) => weight),
    });
  }

  private putPlaces(): void {
    const { rows, bits, start, items } = this.places;
    this.kernel.put({ placeRow: rows, placeBits: bits, placeStart: start, placeItems: items });
  }

  /** What changes as processes move. */
  private putState(): void {
    const { processCount, machineCount, resourceCount } = this.model;
    this.kernel.put({
      assignment: new Int32Array(processCount).fill(-1),
      slot: new Int32Array(processCount),
      counts: new Int32Array(machineCount),
      lists: new Uint32Array(machineCount),
      listRoom: new Int32Array(machineCount),
      loadOf: new Float64Array(machineCount),
      machineCost: new Float64Array(machineCount),
      excessOf: new Float64Array(machineCount),
      order: new Uint8Array(machineCount * resourceCount),
      overCounts: new Int32Array(machineCount),
      best: new Int32Array(processCount),
      changed: new Int32Array(processCount),
      isChanged: new Uint8Array(processCount),
      thresholds: THRESHOLDS,
      forced: new Int32Array(FORCED_ROOM),
    });
  }
}

function sizesOf(model: PlacementModel): Readonly<Record<string, number>> {
  return {
    processes: model.processCount,
    machines: model.machineCount,
    resources: model.resourceCount,
    balances: model.balances.length,
    locations: model.locationCount,
    neighbourhoods: model.neighbourhoodCount,
    machineClasses: model.machineClassCount,
    distanceClasses: model.distanceClassCount,
    hasForbidden: model.placementCost.includes(Infinity) ? 1 : 0,
    hasPins: model.pinned.includes(1) ? 1 : 0,
    hasPlacementCosts: model.placementCost.some((cost) => cost !== 0) ? 1 : 0,
    serviceMoveWeight: model.serviceMoveWeight,
  };
}

function largestService(model: PlacementModel): number {
  let most = 0;
  for (let service = 0; service < model.serviceCount; service += 1) {
    most = Math.max(most, (model.memberStart[service + 1] as number) - (model.memberStart[service] as number));
  }
  return most;
}
