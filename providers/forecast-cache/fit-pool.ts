/**
 * Threads that fit many series. They stay for the next time.
 *
 * Not for: what is kept (fit-cache.ts).
 *
 * Invariants
 * 1. The fits are those of one thread: which thread fits what changes nothing.
 * 2. Only a few orders are under way: memory does not grow with the number of series.
 */
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { askThread, startThread } from "../threads";
import type { CarriedOut, FitAnswer, FitOrder } from "./fit-worker";

/** Compiled beside this file. */
const WORKER_ENTRY = join(__dirname, "fit-worker.js");
/** Series a message: few enough that all threads end together, many enough that messages cost nothing. */
const BATCH = 8;

/** Some threads. */
export interface FitPool {
  /**
   * Fits series in any order and tells each fit as it comes.
   * @param orders taken one after the other, when a thread is free
   * @throws ArchipelagoError when a thread fails
   */
  fit(orders: Iterable<FitOrder>, onFit: (order: FitOrder, done: CarriedOut) => void): Promise<void>;
  close(): Promise<void>;
}

/** Creates a pool; its threads start with the first orders. */
export function createFitPool(threads: number): FitPool {
  const workers: (Worker | undefined)[] = [];
  return {
    fit: async (orders, onFit) => {
      const rest = orders[Symbol.iterator]();
      const work = async (index: number): Promise<void> => {
        for (;;) {
          const batch = takeSome(rest, BATCH);
          if (batch.length === 0) return;
          const worker = (workers[index] ??= startThread(WORKER_ENTRY).once("exit", () => {
            workers[index] = undefined;
          }));
          const fits = await askThread<FitAnswer>(worker, batch, "forecasting");
          batch.forEach((order, at) => {
            onFit(order, fits[at] ?? { fit: undefined });
          });
        }
      };
      await Promise.all(Array.from({ length: threads }, (_, index) => work(index)));
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker?.terminate() ?? Promise.resolve(0)));
    },
  };
}

function takeSome<T>(rest: Iterator<T>, most: number): readonly T[] {
  const some: T[] = [];
  while (some.length < most) {
    const next = rest.next();
    if (next.done === true) break;
    some.push(next.value);
  }
  return some;
}
