/**
 * What an in-memory fleet knows about a run, in the form that the independent checker reads: exact, where a real
 * platform only has samples.
 */
import type { Observations, PlatformState } from "../guard/observations";
import { eventsOf } from "./fleet-events";
import type { FleetEvent } from "./fleet-events";

/** Turns events into observations. */
export function createObservations(
  events: readonly FleetEvent[],
  first: PlatformState,
  last: PlatformState,
  workloadOf: (service: string) => string,
): Observations {
  return {
    availability: eventsOf(events, "availability").map(({ atMs, workload, serving }) => ({ atMs, workload, serving })),
    loads: eventsOf(events, "overload")
      .filter((event) => event.resource === "cpuMillis")
      .map(({ atMs, host, load, capacity }) => ({ atMs, host, cpuMillis: load, capacityCpuMillis: capacity })),
    pauses: [
      ...eventsOf(events, "unparked").map(({ atMs, service, pauseMs }) => ({
        atMs: atMs - pauseMs,
        workload: workloadOf(service),
        pauseMs,
      })),
      ...eventsOf(events, "migrated").map(({ atMs, workload, pauseMs }) => ({
        atMs: atMs - pauseMs,
        workload,
        pauseMs,
      })),
    ],
    effects: eventsOf(events, "effect")
      .map(({ atMs, call, subject, scope, key, epoch, owner }) => ({ atMs, call, subject, scope, key, epoch, owner }))
      .sort((a, b) => a.atMs - b.atMs),
    leases: [],
    first,
    last,
  };
}
