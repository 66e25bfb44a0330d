/** The best assignments of threads that search at the same time, in memory that they share. */
import type { SearchExchange } from "../../providers/plan/search/search";

/** What one thread has published last, and how many times it has. */
export interface SharedBest {
  readonly times: Int32Array;
  readonly cost: Float64Array;
  readonly assignment: Int32Array;
}

/** How long a thread waits for what the others publish at the same time. */
const WAIT_MS = 500;

export function createSharedBest(processes: number): SharedBest {
  return {
    times: new Int32Array(new SharedArrayBuffer(4)),
    cost: new Float64Array(new SharedArrayBuffer(8)),
    assignment: new Int32Array(new SharedArrayBuffer(4 * processes)),
  };
}

/** The exchange as one of the threads sees it. */
export function openExchange(shared: readonly SharedBest[], thread: number): SearchExchange {
  let published = 0;
  return {
    publish: (cost, assignment) => {
      const own = shared[thread];
      if (!own) return;
      published += 1;
      own.assignment.set(assignment);
      own.cost[0] = cost;
      Atomics.store(own.times, 0, published);
      Atomics.notify(own.times, 0);
    },
    best: () => {
      let best: { readonly cost: number; readonly assignment: Int32Array } | undefined;
      for (const { times, cost, assignment } of shared) {
        // Threads meet at the same time; one that is late is left behind.
        if (Atomics.load(times, 0) < published) Atomics.wait(times, 0, published - 1, WAIT_MS);
        if (Atomics.load(times, 0) < published) continue;
        const [value = Infinity] = cost;
        if (best === undefined || value < best.cost) best = { cost: value, assignment };
      }
      return best;
    },
  };
}
