/** One thread of a search: takes an order, answers with the best assignment it found. */
import { parentPort } from "node:worker_threads";
import type { PlacementModel } from "../../providers/plan/search/model";
import { searchPlacement } from "../../providers/plan/search/search";
import { openExchange, type SharedBest } from "./shared-best";

export interface SearchOrder {
  readonly model: PlacementModel;
  readonly seed: number;
  readonly thread: number;
  /** Of all threads; each writes its own. */
  readonly shared: readonly SharedBest[];
  /** Times since the epoch, ms. */
  readonly startMs: number;
  readonly endMs: number;
}

export interface SearchAnswer {
  readonly assignment: Int32Array;
  readonly cost: number;
  readonly moves: number;
}

/** Streams of threads of one seed must differ from each other and from other seeds' threads. */
const SEED_STEP = 1009;

parentPort?.on("message", ({ model, seed, thread, shared, startMs, endMs }: SearchOrder) => {
  const result = searchPlacement(model, {
    seed: seed + thread * SEED_STEP,
    budget: { kind: "clock", progress: () => (Date.now() - startMs) / (endMs - startMs) },
    exchange: openExchange(shared, thread),
  });
  const { assignment, cost, moves } = result;
  parentPort?.postMessage({ assignment, cost: cost.total, moves } satisfies SearchAnswer);
});
