/**
 * Which hosts and islands would be over-used or hardly used in the hours ahead, before and after the moves, and which
 * islands could have what others free on the hosts that they share.
 *
 * Not for: finding moves (balance.ts) and changing shares; a person or program declares them.
 */
import type { BalanceRow, BalanceUse, ShareChange } from "../../../sdk/model";

import { proposeShares } from "../host-shares";

/** Hardly used: below this share of the target at the highest. */
const UNDER_PART = 0.5;
/** Free beside what an island needs, as a share of it, at the least. */
const HEADROOM = 0.1;
/** Shares are sums of fractions: what just reaches the target is not over it by the last bit. */
const ROUNDING = 1e-6;
/** Shares differ by rounding alone below this. */
const LEAST = 0.005;

/** A row with what it is a share of. */
export interface MeasuredRow extends BalanceRow {
  /** What the island has on the host, and the host in all, millicores. */
  readonly cpuMillis: number;
  readonly hostMillis: number;
  /** True where critical workloads of the island run there. */
  readonly isCritical: boolean;
}

/** An island's highest load of all its hosts together, as a share of what it has there. */
export interface IslandUse {
  readonly island: string;
  readonly before: number;
  readonly after: number;
}

/** Hosts, then islands, that are over the target or below half of it; the fullest first. */
export function findUses(
  rows: readonly MeasuredRow[],
  islands: readonly IslandUse[],
  target: number,
): readonly BalanceUse[] {
  const byHost = [...Map.groupBy(rows, ({ host }) => host)].map(([name, own]) => ({
    kind: "host" as const,
    name,
    before: Math.max(...own.map(({ before }) => before)),
    after: Math.max(...own.map(({ after }) => after)),
  }));
  const byIsland = islands.map(({ island, before, after }) => ({
    kind: "island" as const,
    name: island,
    before,
    after,
  }));
  const judged = (uses: readonly Omit<BalanceUse, "state">[]): BalanceUse[] =>
    uses
      .flatMap((use): BalanceUse[] => {
        if (use.before > target) return [{ ...use, state: "over" }];
        return use.before < UNDER_PART * target ? [{ ...use, state: "under" }] : [];
      })
      .sort((a, b) => b.before - a.before || (a.name < b.name ? -1 : 1));
  return [...judged(byHost), ...judged(byIsland)];
}

/**
 * Shares of hosts with which what one island leaves after the moves is another one's that needs more there: so much that
 * its load is within the target. Empty where none needs more, or none leaves anything.
 */
export function findShareChanges(rows: readonly MeasuredRow[], target: number): readonly ShareChange[] {
  const room = Math.max(1 + HEADROOM, (1 + ROUNDING) / target);
  return [...Map.groupBy(rows, ({ host }) => host)].flatMap(([host, own]): ShareChange[] => {
    if (own.length < 2) return [];
    const islands = own.map(({ island, after, cpuMillis, hostMillis, isCritical }) => {
      const promised = cpuMillis / Math.max(1, hostMillis);
      return { island, promised, needed: after * promised * room, isCritical };
    });
    if (!islands.some(({ promised, needed }) => needed > promised + LEAST)) return [];
    const proposed = proposeShares(islands);
    return islands.flatMap(({ island, promised, needed }, index) => {
      const to = proposed[index] ?? promised;
      return Math.abs(to - promised) <= LEAST ? [] : [{ host, island, from: promised, to, needed }];
    });
  });
}
