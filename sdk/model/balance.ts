/**
 * What a rebalance found about the load of hosts and islands. Plain data, readable as JSON.
 *
 * Not for: the moves that follow from it (waves.ts).
 */

/** How loaded hosts would be, before and after a rebalance. */
export interface BalanceFindings {
  /** Why something is done, or why not. */
  readonly reason: string;
  /** How far ahead was looked, ms since the epoch. */
  readonly untilMs: number;
  readonly rows: readonly BalanceRow[];
  /** Absent in earlier versions. */
  readonly uses?: readonly BalanceUse[];
  /** Shares with which what one island frees is another one's; absent: none needs more, or none leaves anything. */
  readonly shares?: readonly ShareChange[];
}

/** A host or an island that is over its target, or hardly used, in the time ahead; shares as in {@link BalanceRow}. */
export interface BalanceUse {
  readonly kind: "host" | "island";
  readonly name: string;
  readonly state: "over" | "under";
  readonly before: number;
  readonly after: number;
}

/** Another share of a host for an island: it leaves some, or takes what others leave. Shares of the host's CPU. */
export interface ShareChange {
  readonly host: string;
  readonly island: string;
  readonly from: number;
  readonly to: number;
  /** What it needs at the plan's quantile after the moves, so that its load is within the target, a tenth free at least. */
  readonly needed: number;
  /** Until when a wave of the plan puts it in force, ms since the epoch. Absent: its host does not offer that. */
  readonly untilMs?: number;
}

/** An island's share of one host: its highest load in the time ahead, as a share of that. */
export interface BalanceRow {
  readonly host: string;
  readonly island: string;
  readonly before: number;
  readonly after: number;
}
