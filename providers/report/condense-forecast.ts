/**
 * The forecast of a large fleet as pages need it: the busiest workloads as they are, the others summed up by island, so
 * that totals stay the same.
 *
 * Not for: planning, which needs every workload; the same inputs give the whole forecast again.
 */
import type { Forecast, JointDemand, Workload } from "../../sdk/model";

/** Workloads that are kept by themselves: more than a page draws or lists at a glance. */
const MOST_WORKLOADS = 50;
/** Lists that name workloads, such as those without metrics. */
const MOST_NAMED = 200;
/** Sums are kept in tenths of a millicore. */
const DIGITS = 10;

/** Name of the row that stands for the workloads of an island that have none of their own. */
export function restOf(island: string): string {
  return `rest of ${island}`;
}

/** The forecast with at most {@link MOST_WORKLOADS} workloads and one row for the rest of each island. */
export function condenseForecast(forecast: Forecast, workloads: readonly Workload[]): Forecast {
  const { demand, bands, missing, profiles, dependencies, functions, users } = forecast;
  if (demand.workloads.length <= MOST_WORKLOADS) return forecast;
  const kept = findBusiest(demand);
  const names = new Set(kept.map((row) => demand.workloads[row] ?? ""));
  return {
    ...forecast,
    demand: sumRest(demand, kept, workloads),
    bands: bands.filter(({ id }) => names.has(id.replace(/^workload\//, ""))),
    missing: missing.slice(0, MOST_NAMED),
    ...(profiles
      ? { profiles: profiles.filter(({ subject }) => !subject.startsWith("workload/") || names.has(subject.slice(9))) }
      : {}),
    ...(dependencies ? { dependencies: dependencies.slice(0, MOST_NAMED) } : {}),
    ...(functions ? { functions: functions.slice(0, MOST_NAMED) } : {}),
    ...(users ? { users: users.slice(0, MOST_NAMED) } : {}),
  };
}

/** Rows with the highest demand on the first path, in the order of the forecast. */
function findBusiest({ cpuMillis: [path = []], steps, workloads }: JointDemand): number[] {
  const sums = workloads.map((_, row) => {
    let sum = 0;
    for (let step = 0; step < steps; step++) sum += path[row * steps + step] ?? 0;
    return sum;
  });
  return [...sums.keys()]
    .sort((a, b) => (sums[b] ?? 0) - (sums[a] ?? 0) || a - b)
    .slice(0, MOST_WORKLOADS)
    .sort((a, b) => a - b);
}

function sumRest(demand: JointDemand, kept: readonly number[], workloads: readonly Workload[]): JointDemand {
  const { steps } = demand;
  const islandOf = new Map(workloads.map(({ name, island }) => [name, island]));
  const rows = new Map(kept.map((row, index) => [row, index]));
  const islands = new Map<string, number>();
  const target = Int32Array.from(demand.workloads, (name, row) => {
    const own = rows.get(row);
    if (own !== undefined) return own;
    const island = islandOf.get(name) ?? "";
    const known = islands.get(island) ?? kept.length + islands.size;
    islands.set(island, known);
    return known;
  });
  const count = kept.length + islands.size;
  return {
    ...demand,
    workloads: [...kept.map((row) => demand.workloads[row] ?? ""), ...[...islands.keys()].map(restOf)],
    cpuMillis: demand.cpuMillis.map((path) => {
      const sums = new Float64Array(count * steps);
      for (let row = 0; row < target.length; row++) {
        const base = (target[row] as number) * steps;
        for (let step = 0; step < steps; step++) {
          sums[base + step] = (sums[base + step] as number) + (path[row * steps + step] as number);
        }
      }
      return Array.from(sums, (sum) => Math.round(sum * DIGITS) / DIGITS);
    }),
    memoryBytes: [...kept.map((row) => demand.memoryBytes[row] ?? 0), ...[...islands].map(() => 0)],
  };
}
