/**
 * Prices that a plan is priced with. Users replace them by their own table; a rate that is left out is not priced.
 *
 * Not for: what is paid for (providers/plan/cost.ts).
 */

/** Rates in one currency. */
export interface PriceTable {
  readonly currency: string;
  /** Where they come from, for people. */
  readonly note?: string;
  /** One reserved host for an hour, whatever its size; it goes before the two rates by size. */
  readonly reservedHostHour?: number;
  /** A core of a reserved host for an hour. */
  readonly cpuCoreHour?: number;
  /** A GiB of memory of a reserved host for an hour. */
  readonly memoryGibHour?: number;
  /** A core of a second copy during a move, where copies are billed and not hosts. */
  readonly surgeCpuCoreHour?: number;
  readonly surgeMemoryGibHour?: number;
  readonly transferGibWithinZone?: number;
  readonly transferGibAcrossZones?: number;
  /** A million calls of a function that stands in for copies, what they compute included. */
  readonly functionMillionCalls?: number;
}

/** Where the prices of an update come from; a rate of `table` goes before the same one of the file. */
export interface PricesSpec {
  /** JSON file with such a table, read before every plan. */
  readonly file?: string;
  readonly table?: Partial<PriceTable>;
}

/**
 * In use until a user gives prices of their own. Of the size that large clouds list for Linux on demand, so that plans
 * can be compared with each other; no provider's price list.
 */
export const EXAMPLE_PRICES: PriceTable = {
  currency: "USD",
  note: "example prices",
  cpuCoreHour: 0.04,
  memoryGibHour: 0.005,
  transferGibWithinZone: 0,
  transferGibAcrossZones: 0.02,
  functionMillionCalls: 2,
};
