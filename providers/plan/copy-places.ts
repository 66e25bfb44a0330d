/**
 * Which copies are on which host while a plan is made, and the memory and devices that they take up.
 *
 * Not for: their CPU, which varies over paths (cell-loads.ts).
 */
import { cellOfCopy, limitOf } from "./capacity";
import type { Kept } from "./cell-loads";
import { DeviceUse } from "./device-use";
import type { Copy, Problem } from "./problem";

/** Places of all copies. */
export class CopyPlaces {
  /** Memory taken up, by cell, bytes. */
  readonly memory: Float64Array;
  /** CPU that is requested, by cell, millicores. */
  private readonly requests: Float64Array;
  /** False where no cell bounds them. */
  private readonly countsRequests: boolean;
  private readonly devices: DeviceUse;
  private readonly at: Map<string, Copy>[];
  private readonly counts: Map<number, number>[];

  /** Copies where they are at the beginning. */
  constructor(private readonly problem: Problem) {
    this.memory = new Float64Array(problem.cells.length);
    this.requests = new Float64Array(problem.cells.length);
    this.countsRequests = problem.columns.requestMillis.some(Number.isFinite);
    this.at = problem.sites.map(() => new Map<string, Copy>());
    this.counts = problem.works.map(() => new Map<number, number>());
    this.devices = new DeviceUse(problem);
    for (const copy of problem.copies) this.occupy(copy);
    this.settle();
  }

  /** Copies on a host, in the order of their ids. */
  copiesAt(site: number): readonly Copy[] {
    return [...(this.at[site]?.values() ?? [])].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** How many copies a host has. */
  sizeAt(site: number): number {
    return this.at[site]?.size ?? 0;
  }

  /** Copies of a workload on a host, in the order of their ids. */
  copiesOf(work: number, site: number): readonly Copy[] {
    const found: Copy[] = [];
    for (const copy of this.at[site]?.values() ?? []) if (copy.work === work) found.push(copy);
    return found.length < 2 ? found : found.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** True while a copy is on its host. */
  isAt(copy: Copy): boolean {
    return this.at[copy.site]?.has(copy.id) === true;
  }

  /** How many copies of a workload a host has. */
  countAt(work: number, site: number): number {
    return this.counts[work]?.get(site) ?? 0;
  }

  /** Hosts of a workload's copies with how many there are. */
  hostsOf(work: number): ReadonlyMap<number, number> {
    return this.counts[work] ?? new Map<number, number>();
  }

  /** Sum of the weights of a workload's copies. */
  weightOf(work: number): number {
    let weight = 0;
    for (const site of this.hostsOf(work).keys()) {
      for (const copy of this.at[site]?.values() ?? []) if (copy.work === work) weight += copy.weight;
    }
    return weight;
  }

  /** True when a host runs a workload that may not be beside this one. */
  isApartFrom(work: number, site: number): boolean {
    const others = this.problem.rules.apart[work] ?? [];
    return others.length > 0 && others.some((other) => this.countAt(other, site) > 0);
  }

  /** True when a cell has room for what one more copy of a workload requests of CPU. */
  hasRequestFor(work: number, cell: number): boolean {
    if (!this.countsRequests) return true;
    const request = this.problem.works[work]?.workload.request.cpuMillis ?? 0;
    return (this.requests[cell] as number) + request <= limitOf(this.problem.columns.requestMillis[cell] as number);
  }

  /** True when a host has devices for one more copy of a workload, whatever the order in which copies come. */
  hasDevicesFor(work: number, site: number): boolean {
    return this.devices.hasFor(work, site);
  }

  /** A wave is over: what was put somewhere in it has come. */
  settle(): void {
    this.devices.settle();
  }

  occupy(copy: Copy): void {
    this.devices.occupy(copy, true);
    this.at[copy.site]?.set(copy.id, copy);
    const counts = this.counts[copy.work];
    counts?.set(copy.site, (counts.get(copy.site) ?? 0) + 1);
    this.take(copy, 1);
  }

  vacate(copy: Copy): void {
    this.devices.vacate(copy);
    this.at[copy.site]?.delete(copy.id);
    const counts = this.counts[copy.work];
    const left = (counts?.get(copy.site) ?? 0) - 1;
    if (left > 0) counts?.set(copy.site, left);
    else counts?.delete(copy.site);
    this.take(copy, -1);
  }

  /** Keeps all places as they are now. */
  keep(): Kept {
    const memory = this.memory.slice();
    const requests = this.requests.slice();
    const devices = this.devices.keep();
    const at = this.at.map((copies) => new Map(copies));
    const counts = this.counts.map((hosts) => new Map(hosts));
    return {
      restore: () => {
        this.memory.set(memory);
        this.requests.set(requests);
        devices.restore();
        at.forEach((copies, site) => (this.at[site] = new Map(copies)));
        counts.forEach((hosts, work) => (this.counts[work] = new Map(hosts)));
      },
      drop: () => undefined,
    };
  }

  private take(copy: Copy, sign: number): void {
    const cell = cellOfCopy(this.problem, copy);
    if (cell < 0) return;
    const { memoryBytes = 0, workload } = this.problem.works[copy.work] ?? {};
    this.memory[cell] = (this.memory[cell] as number) + sign * memoryBytes;
    this.requests[cell] = (this.requests[cell] as number) + sign * (workload?.request.cpuMillis ?? 0);
  }
}
