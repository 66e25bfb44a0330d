/**
 * Facts of hosts and cells in columns of numbers, for loops that look at many of them: from objects each one would be
 * fetched from another place in memory.
 *
 * Not for: everything else; the problem's objects say the same and more (problem.ts).
 */
import type { Cell, Site } from "./problem";

/** Columns of a problem; never changed after they are made. */
export interface Columns {
  /** By site: number of its zone and of its rack, whether it is a standby host, and whether no copy may be put there. */
  readonly zoneOf: Int32Array;
  readonly rackOf: Int32Array;
  readonly isStandby: Uint8Array;
  readonly isClosed: Uint8Array;
  /** How many zones there are. */
  readonly zones: number;
  /** By cell: its island, what its copies may use, and whether one may be put there. */
  readonly islandOf: Int32Array;
  readonly cpuMillis: Float64Array;
  readonly memoryBytes: Float64Array;
  readonly requestMillis: Float64Array;
  readonly isOpen: Uint8Array;
}

/** Makes the columns of sites and cells. */
export function createColumns(sites: readonly Site[], cells: readonly Cell[]): Columns {
  const zones = new Map<string, number>();
  const racks = new Map<string, number>();
  return {
    zoneOf: Int32Array.from(sites, ({ host }) => numberOf(zones, host.zone)),
    rackOf: Int32Array.from(sites, ({ host }) => numberOf(racks, host.rack)),
    isStandby: Uint8Array.from(sites, ({ host }) => (host.role === "standby" ? 1 : 0)),
    isClosed: Uint8Array.from(sites, ({ closed }) => (closed === undefined ? 0 : 1)),
    zones: zones.size,
    islandOf: Int32Array.from(cells, ({ island }) => island),
    cpuMillis: Float64Array.from(cells, ({ cpuMillis }) => cpuMillis),
    memoryBytes: Float64Array.from(cells, ({ memoryBytes }) => memoryBytes),
    requestMillis: Float64Array.from(cells, ({ requestMillis }) => requestMillis),
    isOpen: Uint8Array.from(cells, ({ open }) => (open ? 1 : 0)),
  };
}

function numberOf(numbers: Map<string, number>, name: string): number {
  const known = numbers.get(name);
  if (known !== undefined) return known;
  numbers.set(name, numbers.size);
  return numbers.size - 1;
}
