/** Counted calls on a grid of minutes: to each workload, and from each caller to each called. */
import type { ServiceCalls, Workload } from "../../../sdk/model";

/** See the file's header. */
export interface MinuteCounts {
  /** Length of the grid. */
  readonly minutes: number;
  /** Who was seen calling whom. */
  readonly edges: readonly { readonly caller: string; readonly called: string }[];
  /** Requests of a workload by the minute, whoever sent them. */
  to(called: string): Float64Array;
  between(caller: string, called: string): Float64Array;
}

const MINUTE_MS = 60_000;

/** Services are taken for the workloads behind them; callers that are no workload count as outside. */
export function countByMinute(workloads: readonly Workload[], services: readonly ServiceCalls[]): MinuteCounts {
  const minutes = services.flatMap(({ calls }) => calls.map(({ atMs }) => Math.floor(atMs / MINUTE_MS)));
  const first = minutes.reduce((least, minute) => Math.min(least, minute), Number.POSITIVE_INFINITY);
  const last = minutes.reduce((most, minute) => Math.max(most, minute), Number.NEGATIVE_INFINITY);
  const length = minutes.length === 0 ? 0 : last - first + 1;
  const names = new Set(workloads.map(({ name }) => name));
  const rows = new Map<string, Float64Array>();
  const edges = new Map<string, { readonly caller: string; readonly called: string }>();
  const rowOf = (key: string): Float64Array => {
    const row = rows.get(key) ?? new Float64Array(length);
    rows.set(key, row);
    return row;
  };
  for (const { service, calls } of services) {
    const called = workloads.find((workload) => workload.service === service)?.name ?? service;
    for (const { atMs, caller, requests } of calls) {
      const minute = Math.floor(atMs / MINUTE_MS) - first;
      const all = rowOf(`to ${called}`);
      all[minute] = (all[minute] ?? 0) + requests;
      if (!names.has(caller) || !names.has(called)) continue;
      edges.set(`${caller} ${called}`, { caller, called });
      const between = rowOf(`${caller} ${called}`);
      between[minute] = (between[minute] ?? 0) + requests;
    }
  }
  return {
    minutes: length,
    edges: [...edges.values()],
    to: (called) => rows.get(`to ${called}`) ?? new Float64Array(length),
    between: (caller, called) => rows.get(`${caller} ${called}`) ?? new Float64Array(length),
  };
}
