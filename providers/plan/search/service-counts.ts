/**
 * How often services are on machines, in locations and in neighbourhoods, and which rules about services a move keeps:
 * the limit per machine, the spread over locations, and dependencies in each neighbourhood.
 *
 * Not for: what a missing dependency costs (search-state.ts).
 *
 * Invariant: `missing` is the number of pairs of services, times the neighbourhoods in which the second one is missing.
 */
import type { PlacementModel } from "./model";

export class ServiceCounts {
  /** Dependencies that are not met. */
  missing = 0;
  /** Rows of the tables below by service, -1 where the service has no such rule. */
  private readonly machineRow: Int32Array;
  private readonly locationRow: Int32Array;
  private readonly neighbourhoodRow: Int32Array;
  private readonly onMachine: Uint16Array;
  private readonly inLocation: Int32Array;
  private readonly inNeighbourhood: Int32Array;
  private readonly spreadOf: Int32Array;
  private readonly machines: number;

  /** Of no process yet. */
  constructor(private readonly model: PlacementModel) {
    const { serviceCount, machineCount } = model;
    this.machines = machineCount;
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
  }

  /** Whether a machine has as many of the process's service as it may have. */
  isFull(process: number, machine: number): boolean {
    const service = this.model.service[process] as number;
    const row = this.machineRow[service] as number;
    return (
      row >= 0 &&
      (this.onMachine[row * this.machines + machine] as number) >= (this.model.perMachine[service] as number)
    );
  }

  /** How many more dependencies are missing when a process, placed or not (-1), moves; Infinity where spread is lost. */
  missingByShift(process: number, from: number, to: number): number {
    const { location, neighbourhood, service } = this.model;
    const own = service[process] as number;
    const entered = neighbourhood[to] as number;
    if (from < 0) return this.missingByEntering(own, entered);
    if (!this.keepsSpread(own, location[from] as number, location[to] as number)) return Infinity;
    const left = neighbourhood[from] as number;
    if (left === entered || (this.neighbourhoodRow[own] as number) < 0) return 0;
    return this.missingByLeaving(own, left) + this.missingByEntering(own, entered);
  }

  /** As `missingByShift`, for exchanging two processes. */
  missingBySwap(process: number, from: number, other: number, to: number): number {
    const { location, neighbourhood, service } = this.model;
    const own = service[process] as number;
    const others = service[other] as number;
    if (own === others) return 0;
    if (!this.keepsSpread(own, location[from] as number, location[to] as number)) return Infinity;
    if (!this.keepsSpread(others, location[to] as number, location[from] as number)) return Infinity;
    const left = neighbourhood[from] as number;
    const entered = neighbourhood[to] as number;
    if (left === entered) return 0;
    return this.missingByReplacing(own, others, left) + this.missingByReplacing(others, own, entered);
  }

  /** One of a process's service comes to a machine (1) or leaves it (-1). */
  count(process: number, machine: number, change: number): void {
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
