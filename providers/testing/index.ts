/**
 * `pulumi-archipelago/testing`: a fleet in memory on a virtual clock, with scripted faults and crashes; and a snapshot
 * store in a folder, the reference of its contract for stores that outlive a hand-over.
 */
export { createVirtualClock, VirtualTimeError } from "./virtual-clock";
export type { VirtualClock, VirtualClockLimits } from "./virtual-clock";
export { createRandom } from "./random";
export type { Random } from "./random";
export { createSimulatedProcess, SimulatedCrash } from "./simulated-process";
export type { SimulatedProcess } from "./simulated-process";
export { createMemoryRunStore } from "./memory-run-store";
export type { MemoryRunStore, StoreFault } from "./memory-run-store";
export { openFileSnapshotStore } from "../drivers/snapshots/files";
export { createMemoryFleet } from "./memory-fleet";
export type { MemoryFleet } from "./memory-fleet";
export type { CallCounts } from "./call-gate";
export type { Fault, FaultEffect } from "./faults";
export { eventsOf } from "./fleet-events";
export type { FleetEvent, FleetHappening } from "./fleet-events";
export type {
  CommandBehaviour,
  CommandHost,
  MemoryFleetSpec,
  MemoryFunctionSpec,
  MemoryHostSpec,
  MemoryWorkloadSpec,
} from "./fleet-spec";
export {
  SAMPLE_OPENING_MS,
  sampleFleet,
  sampleForecast,
  samplePolicies,
  sampleSpec,
  sampleWorkloads,
} from "./builders";
export type { SampleFleetOptions, SampleForecastOptions } from "./builders";
