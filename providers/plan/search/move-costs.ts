/**
 * What it costs that processes are not where they were: their own move costs, the distance, the places' prices, and the
 * largest number of moved processes in one service.
 *
 * Not for: use of machines (search-state.ts).
 */
import type { PlacementModel } from "./model";

export class MoveCosts {
  /** Placement costs with 0 where it is forbidden: a start that breaks rules has a cost, too. */
  private readonly placement: Float64Array;
  private readonly hasPlacementCosts: boolean;
  private readonly origin: Int32Array;
  /** `[p]` of a process that is away, wherever it is. */
  private readonly processCost: Float64Array;
  /** `[from * classes + to]` of the way. */
  private readonly distanceCost: Float64Array;
  private readonly distanceClass: PlacementModel["distanceClass"];
  private readonly distanceClassCount: number;
  private readonly movedOf: Int32Array;
  private readonly servicesWithMoved: Int32Array;
  private mostMoved = 0;
  private sum = 0;

  constructor(private readonly model: PlacementModel) {
    this.placement = model.placementCost.map((cost) => (cost === Infinity ? 0 : cost));
    this.hasPlacementCosts = model.placementCost.some((cost) => cost !== 0);
    this.origin = model.origin;
    this.processCost = Float64Array.from(model.moveCost, (cost) => cost * model.processMoveWeight);
    this.distanceCost = Float64Array.from(model.distance, (cost) => cost * model.machineMoveWeight);
    this.distanceClass = model.distanceClass;
    this.distanceClassCount = model.distanceClassCount;
    this.movedOf = new Int32Array(model.serviceCount);
    this.servicesWithMoved = new Int32Array(largestService(model) + 2);
    this.servicesWithMoved[0] = model.serviceCount;
  }

  /** Of all that is placed. */
  get total(): number {
    return this.sum + this.model.serviceMoveWeight * this.mostMoved;
  }

  /** What moving a process changes in move and placement costs; `from` or `to` may be -1. */
  changeOf(process: number, from: number, to: number): number {
    return this.costAt(process, to) - this.costAt(process, from) + this.serviceMoveChange(process, from, to);
  }

  /** A process has moved; `from` or `to` may be -1. */
  count(process: number, from: number, to: number): void {
    this.sum += this.costAt(process, to) - this.costAt(process, from);
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

  private costAt(process: number, machine: number): number {
    if (machine < 0) return 0;
    const placement = this.hasPlacementCosts ? this.placementCostAt(process, machine) : 0;
    const origin = this.origin[process] as number;
    if (origin < 0 || origin === machine) return placement;
    const from = this.distanceClass[origin] as number;
    const distanceAt = from * this.distanceClassCount + (this.distanceClass[machine] as number);
    return placement + (this.processCost[process] as number) + (this.distanceCost[distanceAt] as number);
  }

  private placementCostAt(process: number, machine: number): number {
    const { placementGroup, machineClass, machineClassCount } = this.model;
    const cell = (placementGroup[process] as number) * machineClassCount + (machineClass[machine] as number);
    return this.placement[cell] as number;
  }

  private isAway(process: number, machine: number): boolean {
    const origin = this.origin[process] as number;
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
}

function largestService(model: PlacementModel): number {
  let most = 0;
  for (let service = 0; service < model.serviceCount; service += 1) {
    most = Math.max(most, (model.memberStart[service + 1] as number) - (model.memberStart[service] as number));
  }
  return most;
}
