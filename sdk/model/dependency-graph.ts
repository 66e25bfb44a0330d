/**
 * Who calls whom, as a graph without cycles: what changes at a caller reaches the called, and ends there.
 *
 * Not for: how strong a dependency is (providers/forecast/dependencies).
 */

/** One workload calls another. */
export interface CallEdge {
  readonly caller: string;
  readonly called: string;
}

/** A cycle as the names along it, the first one again at the end; undefined when there is none. */
export function findCycle(edges: readonly CallEdge[]): readonly string[] | undefined {
  const calledBy = new Map<string, string[]>();
  for (const { caller, called } of edges) calledBy.set(caller, [...(calledBy.get(caller) ?? []), called]);
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): readonly string[] | undefined => {
    const at = path.indexOf(name);
    if (at >= 0) return [...path.slice(at), name];
    if (done.has(name)) return undefined;
    for (const next of calledBy.get(name) ?? []) {
      const cycle = visit(next, [...path, name]);
      if (cycle) return cycle;
    }
    done.add(name);
    return undefined;
  };
  for (const name of calledBy.keys()) {
    const cycle = visit(name, []);
    if (cycle) return cycle;
  }
  return undefined;
}

/** All names, every caller before what it calls. @throws RangeError for a cycle: look for one before */
export function orderByCalls(edges: readonly CallEdge[]): readonly string[] {
  const cycle = findCycle(edges);
  if (cycle) throw new RangeError(`calls go round: ${cycle.join(" -> ")}`);
  const callers = new Map<string, string[]>();
  const names = new Set<string>();
  for (const { caller, called } of edges) {
    names.add(caller).add(called);
    callers.set(called, [...(callers.get(called) ?? []), caller]);
  }
  const order = new Set<string>();
  const visit = (name: string): void => {
    if (order.has(name)) return;
    for (const caller of callers.get(name) ?? []) visit(caller);
    order.add(name);
  };
  for (const name of names) visit(name);
  return [...order];
}
