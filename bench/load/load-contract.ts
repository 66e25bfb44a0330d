/**
 * What is asked of the load generator, what it answers, and the messages between its process and its caller's.
 */
import type { LatencySummary } from "../../sdk/model";

/** Traffic to make. */
export interface LoadOptions {
  /** Base URLs at the traffic switch. Without `ledger` no writes are made. */
  readonly services: { readonly front: string; readonly ledger?: string };
  /** Requests begun per second, whatever the answers do (open loop). */
  readonly ratePerSecond: number;
  /** Ends by itself after so many requests. @default no bound */
  readonly maxRequests?: number;
  /** Ends by itself after so many seconds. @default 600 */
  readonly maxSeconds?: number;
  /** Share of requests that take two seconds; never to the ledger. @default 0.05 */
  readonly slowShare?: number;
  /** Share of requests on a connection of their own. @default 0.1 */
  readonly newConnectionShare?: number;
  /** Share of requests that write to the ledger. @default 0.05 */
  readonly ledgerShare?: number;
  /** A request without an answer for so long has failed. @default 20000 */
  readonly timeoutMs?: number;
  /** Same seed, same sequence of requests. @default 1 */
  readonly seed?: number;
  /** Phase until the first `mark`. @default "steady" */
  readonly phase?: string;
}

/** One failure, for people. */
export interface LoadFailure {
  readonly atMs: number;
  readonly phase: string;
  readonly request: string;
  readonly reason: string;
}

/** What one phase measured; a request belongs to the phase in which it began. Slow requests are not in `latency`. */
export interface PhaseResult {
  readonly requests: number;
  readonly failed: number;
  readonly seconds: number;
  /** All but slow ones. */
  readonly latency: LatencySummary;
  readonly page: LatencySummary;
  readonly ledger: LatencySummary;
  readonly slow: LatencySummary;
  /** How late the generator itself was at worst; large values mean that this machine was the bottleneck. */
  readonly maxLagMs: number;
}

/** What the whole load measured. */
export interface LoadResult {
  readonly requests: number;
  readonly failed: number;
  /** The first 20. */
  readonly failures: readonly LoadFailure[];
  readonly slow: { readonly requests: number; readonly failed: number; readonly latency: LatencySummary };
  readonly phases: Readonly<Record<string, PhaseResult>>;
  /** Every id that the ledger acknowledged. */
  readonly ackedLedgerIds: readonly string[];
}

/** To the generator. */
export type LoadCommand =
  | { readonly kind: "start"; readonly options: LoadOptions }
  | { readonly kind: "mark"; readonly phase: string }
  | { readonly kind: "stop" };

/** From the generator. */
export type LoadMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "started" }
  | { readonly kind: "marked"; readonly phase: string }
  | { readonly kind: "progress"; readonly progress: LoadProgress }
  | { readonly kind: "result"; readonly result: LoadResult };

/** Every second. */
export interface LoadProgress {
  readonly phase: string;
  readonly requests: number;
  readonly failed: number;
  readonly inFlight: number;
  readonly ackedWrites: number;
}
