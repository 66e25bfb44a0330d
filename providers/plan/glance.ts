/**
 * A first look at hosts for one more copy, without its paths.
 *
 * Not for: judging a host whole; the placement does that (placement.ts).
 */
import type { CellLoads, WorkDemand } from "./cell-loads";
import type { CopyPlaces } from "./copy-places";
import type { Problem } from "./problem";
import type { SiteStates } from "./site-states";

/**
 * What does not change from host to host is gathered once.
 * The shares are those that `Placement.assess` would tell.
 */
export class Glance {
  /** Memory of the cell with the copy, as a share of it: of the host that was looked at last, where it is possible. */
  memoryShare = 0;
  private readonly island: number;
  private readonly demand: WorkDemand;
  private readonly memoryBytes: number;
  private readonly copiesPerHost: number;
  private readonly hosts: ReadonlyMap<number, number>;
  private readonly allowed: Uint8Array | undefined;
  /** True where other workloads or devices decide as well. */
  private readonly isParticular: boolean;

  constructor(
    private readonly problem: Pick<Problem, "works" | "cellAt" | "islands" | "columns" | "rules">,
    private readonly places: CopyPlaces,
    private readonly loads: CellLoads,
    private readonly states: SiteStates,
    private readonly work: number,
    private readonly factor: number,
  ) {
    const { island = -1, memoryBytes = 0, copiesPerHost = 0, workload } = problem.works[work] ?? {};
    this.island = island;
    this.demand = loads.demandOf(work);
    this.memoryBytes = memoryBytes;
    this.copiesPerHost = copiesPerHost;
    this.hosts = places.hostsOf(work);
    this.allowed = problem.rules.allowed[work];
    this.isParticular = (problem.rules.apart[work]?.length ?? 0) > 0 || workload?.devices !== undefined;
  }

  /** False where the workload's island has no open cell. */
  isOpenAt(site: number): boolean {
    if (this.island < 0) return false;
    const { cellAt, islands, columns } = this.problem;
    const cell = cellAt[site * islands.length + this.island] as number;
    return cell >= 0 && columns.isOpen[cell] === 1;
  }

  /** CPU of an open cell with the copy at the quantile, as a share of it. */
  cpuShareAt(site: number): number {
    const { cellAt, islands, columns } = this.problem;
    const cell = cellAt[site * islands.length + this.island] as number;
    return (
      ((this.loads.highs[cell] as number) + this.factor * this.demand.high) /
      ((columns.cpuMillis[cell] as number) || Number.MIN_VALUE)
    );
  }

  /** False where a copy is impossible whatever the paths say; of hosts with an open cell. */
  at(site: number): boolean {
    if (!this.states.takesCopies(site)) return false;
    const { cellAt, islands, columns } = this.problem;
    const cell = cellAt[site * islands.length + this.island] as number;
    if (this.allowed?.[site] === 0) return false;
    const memoryAfter = (this.places.memory[cell] as number) + this.memoryBytes;
    const memoryBytes = columns.memoryBytes[cell] as number;
    if (memoryAfter > memoryBytes || !this.places.hasRequestFor(this.work, cell)) return false;
    const count = this.hosts.get(site);
    if (count !== undefined && count >= this.copiesPerHost) return false;
    if (this.isParticular && !this.suitsAt(site)) return false;
    this.memoryShare = memoryAfter === 0 ? 0 : memoryAfter / (memoryBytes || Number.MIN_VALUE);
    return true;
  }

  private suitsAt(site: number): boolean {
    return !this.places.isApartFrom(this.work, site) && this.places.hasDevicesFor(this.work, site);
  }

  /** Of a host that is possible at first look: whether it is on all paths. */
  isSureAt(site: number): boolean {
    const { loads, factor, demand, work } = this;
    const { cellAt, islands, columns } = this.problem;
    const cell = cellAt[site * islands.length + this.island] as number;
    if (factor > 0 && !loads.hasMargin(cell, factor, demand)) return false;
    if ((loads.peaks[cell] as number) + factor * demand.peak <= (columns.cpuMillis[cell] as number)) return true;
    const allowed = loads.allowedOf(columns.islandOf[cell] as number);
    return loads.countNewOver(cell, work, factor, allowed) <= allowed;
  }
}
