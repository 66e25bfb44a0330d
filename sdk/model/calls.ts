/**
 * Calls of services' functions as a traffic switch counts them.
 *
 * Not for: latencies second by second (providers/drivers/contracts.ts).
 */

/** Calls of one service's functions. */
export interface ServiceCalls {
  readonly service: string;
  /** Oldest first. */
  readonly calls: readonly FunctionCalls[];
}

/** Requests of one caller for one function of a service in one minute. */
export interface FunctionCalls {
  /** Beginning of the minute, milliseconds since the epoch. */
  readonly atMs: number;
  readonly method: string;
  /** Template of the path: no query, no ids. */
  readonly path: string;
  /** Name of the workload that called; "" for anybody else. */
  readonly caller: string;
  readonly requests: number;
  readonly failed: number;
  readonly latencySumMs: number;
  readonly maxMs: number;
  /** Bodies of requests and answers. */
  readonly bytes: number;
}
