/**
 * Who goes first where an order is free: critical workloads, then normal ones, then what is sheddable.
 *
 * Not for: who finds room first (wave-search.ts puts the largest copies first, for they have the fewest ways out) and in
 * which order hosts are updated (waves.ts puts the least risk first).
 */
import type { Workload } from "../../sdk/model";

const RANKS = { critical: 0, normal: 1, sheddable: 2 } as const;

/** Items by the criticality of their workloads; equal ones stay as they are. */
export function criticalFirst<T>(
  items: readonly T[],
  workloadOf: (item: T) => Pick<Workload, "criticality"> | undefined,
): readonly T[] {
  const rankOf = (item: T): number => RANKS[workloadOf(item)?.criticality ?? "normal"];
  return items.toSorted((a, b) => rankOf(a) - rankOf(b));
}
