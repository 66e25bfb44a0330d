/** The best assignments of threads that search at the same time, in memory that they share. */
import type { SearchExchange } from "../../providers/plan/search/search";

/** What one thread has published: nothing while `state` is 0. */
export interface SharedBest {
  readonly state: Int32Array;
  readonly cost: Float64Array;
  readonly assignment: Int32Array;
}

/** How long a thread waits for what the others publish at the same time. */
const WAIT_MS = 500;

export function createSharedBest(processes: number): SharedBest {
  return {
    state: new Int32Array(new SharedArrayBuffer(4)),
    cost: new Float64Array(new SharedArrayBuffer(8)),
    assignment: new Int32Array(new SharedArrayBuffer(4 * processes)),
  };
}

/** The exchange as one of the threads sees it. Each publishes once. */
export function openExchange(shared: readonly SharedBest[], thread: number): SearchExchange {
  return {
    publish: (cost, assignment) => {
      const own = shared[thread];
      if (!own) return;
      own.assignment.set(assignment);
      own.cost[0] = cost;
      Atomics.store(own.state, 0, 1);
      Atomics.notify(own.state, 0);
    },
    best: () => {
      let best: { readonly cost: number; readonly assignment: Int32Array } | undefined;
      for (const { state, cost, assignment } of shared) {
        Atomics.wait(state, 0, 0, WAIT_MS);
        if (Atomics.load(state, 0) === 0) continue;
        const [value = Infinity] = cost;
        if (best === undefined || value < best.cost) best = { cost: value, assignment };
      }
      return best;
    },
  };
}
