/**
 * In which order workloads that call each other are disturbed: what is called before its callers, and never both at a
 * time, for the pause of the one would be on top of the other's.
 *
 * Not for: what their distance costs (scores/migration-score.ts) and how demand spreads (providers/forecast).
 *
 * Invariant: callers stand deeper than what they call; where calls go round, the promise keeps the two apart all the same.
 */
import type { Move, Workload } from "../../sdk/model";

/** Calls among workloads, as declared. */
export class DependencyOrder {
  private readonly related = new Map<string, Set<string>>();
  private readonly depths = new Map<string, number>();

  constructor(workloads: readonly Pick<Workload, "name" | "dependsOn">[]) {
    const calledBy = new Map(workloads.map(({ name, dependsOn = [] }) => [name, dependsOn.map((one) => one.workload)]));
    for (const [caller, called] of calledBy) {
      for (const one of called) {
        this.relate(caller, one);
        this.relate(one, caller);
      }
    }
    for (const name of calledBy.keys()) this.findDepth(name, calledBy, new Set());
  }

  /** False where no workload calls another. */
  get isAny(): boolean {
    return this.related.size > 0;
  }

  /** 0 for workloads that call none; one more than the deepest that it calls for others. */
  depthOf(workload: string): number {
    return this.depths.get(workload) ?? 0;
  }

  /** True where one calls the other. */
  areRelated(one: string, other: string): boolean {
    return this.related.get(one)?.has(other) === true;
  }

  private relate(one: string, other: string): void {
    if (one === other) return;
    const known = this.related.get(one);
    if (known) known.add(other);
    else this.related.set(one, new Set([other]));
  }

  private findDepth(name: string, calledBy: ReadonlyMap<string, readonly string[]>, above: Set<string>): number {
    const known = this.depths.get(name);
    if (known !== undefined) return known;
    // A call back adds nothing: it would never end.
    if (above.has(name)) return 0;
    above.add(name);
    let depth = 0;
    for (const called of calledBy.get(name) ?? []) {
      if (calledBy.has(called)) depth = Math.max(depth, 1 + this.findDepth(called, calledBy, above));
    }
    above.delete(name);
    this.depths.set(name, depth);
    return depth;
  }
}

/** True for moves while which their copy does not serve and no other one serves for it. */
export function isPausing({ method }: Pick<Move, "method">): boolean {
  return method === "hand-over" || method === "live" || method === "restart";
}
