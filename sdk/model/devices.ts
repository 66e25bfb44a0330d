/**
 * Devices and accelerator cards as resources: hosts offer cards of a kind, each of which may be cut into equal
 * partitions; copies ask for whole cards, or for a part of one.
 *
 * Not for: which card a copy gets; its host's driver decides that (providers/plan/device-use.ts makes sure that it can).
 */

/**
 * The kind of device that hosts report without an inventory: cores that copies can be pinned to. Where a copy is pinned, its
 * workload asks for as many.
 */
export const CORES = "cores";

/** Cards of one kind on a host. */
export interface HostDevices {
  /** At least 1. */
  readonly count: number;
  /** Equal parts into which each can be cut; 1: it is given whole only. */
  readonly partitions: number;
}

/** What one copy asks for, by kind: a whole number of cards, or less than 1 of one card. */
export type DeviceRequest = Readonly<Record<string, number>>;

/** Rounding of a fraction such as 3/7 to partitions. */
const TOLERANCE = 1e-9;

/** Partitions of one card that a request of less than a card takes; those of a whole card for a larger one. */
export function partitionsOf(request: number, { partitions }: HostDevices): number {
  return request >= 1 ? partitions : Math.max(1, Math.ceil(request * partitions - TOLERANCE));
}

/** Whole cards that a request takes; 0 for a part of one. */
export function cardsOf(request: number): number {
  return request >= 1 ? Math.ceil(request - TOLERANCE) : 0;
}

/** Partitions that a request takes in all. */
export function devicePartitions(request: number, devices: HostDevices): number {
  return Math.max(1, cardsOf(request)) * partitionsOf(request, devices);
}
