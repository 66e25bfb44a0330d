/**
 * Which services need their processes counted on machines, in locations and in neighbourhoods, as rows of the tables of
 * counts: `[s]` row from 0, -1 for a service without such a rule.
 *
 * Not for: the counts (assembly/services.ts).
 */
import type { PlacementModel } from "./model";

/** Services with more processes than a machine may have of them. */
export function machineRows({ serviceCount, memberStart, perMachine }: PlacementModel): Int32Array {
  return rowsOf(serviceCount, (service) => {
    const size = (memberStart[service + 1] as number) - (memberStart[service] as number);
    return size > (perMachine[service] as number);
  });
}

/** Services that have to be spread over locations. */
export function locationRows({ serviceCount, spreadMin }: PlacementModel): Int32Array {
  return rowsOf(serviceCount, (service) => (spreadMin[service] as number) > 1);
}

/** Services that depend on others, or on which others depend. */
export function neighbourhoodRows({ serviceCount, dependsOnStart, dependentStart }: PlacementModel): Int32Array {
  return rowsOf(
    serviceCount,
    (service) =>
      dependsOnStart[service + 1] !== dependsOnStart[service] ||
      dependentStart[service + 1] !== dependentStart[service],
  );
}

/** Rows of a table of counts. */
export function countRows(rows: Int32Array): number {
  return rows.reduce((most, row) => Math.max(most, row), -1) + 1;
}

function rowsOf(count: number, has: (service: number) => boolean): Int32Array {
  let next = 0;
  return Int32Array.from({ length: count }, (_, service) => {
    if (!has(service)) return -1;
    next += 1;
    return next - 1;
  });
}
