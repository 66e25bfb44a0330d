/**
 * Fits for a fleet: those that are kept from the folder, the rest by threads, and a model that gives them all.
 *
 * Invariant: forecasts are those of the model without cache and threads, rounded to 32-bit floats.
 */
import * as fs from "node:fs";
import { availableParallelism, homedir } from "node:os";
import * as path from "node:path";
import { ensemble } from "../forecast/ensemble";
import type { Model } from "../forecast/model";
import { pacedEnsemble, weighedPart, type TuningMemory } from "../forecast/paced-ensemble";
import { remembered } from "../forecast/remembered";
import { openFitCache } from "./fit-cache";
import { createFitPool, type FitPool } from "./fit-pool";
import type { FitOrder } from "./fit-worker";
import { openSlotCache, type SlotCache } from "./slot-cache";

/** Makes forecasts of fleets cheap. */
export interface Fitter {
  /** A model that knows the fits of all orders. */
  prepare(orders: readonly Omit<FitOrder, "paced">[], options?: FitterPrepareOptions): Promise<Model>;
  /** Whole forecasts of large fleets, for the time of their slot. */
  readonly forecasts: SlotCache;
  /** Writes what was learned to the folder. */
  flush(): void;
  close(): Promise<void>;
}

/** Options of {@link Fitter.prepare}. */
export interface FitterPrepareOptions {
  /**
   * The same series, somewhat longer, were forecast shortly before and will be again: the paced ensemble, whose fits
   * are updates of those before. @default false
   */
  readonly isRepeated?: boolean;
}

/** Fewer missing fits than this are made here: starting threads would cost more. */
const FEWEST_FOR_THREADS = 16;
const MOST_THREADS = 4;

/** Options of {@link createFitter}. */
export interface FitterOptions {
  /** @default `$ARCHIPELAGO_CACHE/forecasts`, else `~/.cache/archipelago/forecasts` by the rules of XDG */
  readonly folder?: string;
  /** Version of the package. */
  readonly version: string;
  /** Threads at most. @default one for each core, up to 4 */
  readonly threads?: number;
}

/** Creates a fitter over a folder. */
export function createFitter({ folder = cacheFolder(), version, threads = MOST_THREADS }: FitterOptions): Fitter {
  const code = `${version} ${codeOf(path.join(__dirname, "..", "forecast"))}`;
  const cache = openFitCache({ folder, version: code });
  let pool: FitPool | undefined;
  return {
    forecasts: openSlotCache(path.join(folder, "whole"), code),
    prepare: async (orders, { isRepeated = false } = {}) => {
      const base = isRepeated ? pacedEnsemble(cache.tunings) : ensemble();
      const missing = orders.filter(({ series }) => !cache.has(series, base.name));
      if (missing.length >= FEWEST_FOR_THREADS) {
        pool ??= createFitPool(Math.max(1, Math.min(threads, availableParallelism())));
        await pool.fit(isRepeated ? withKnown(missing, cache.tunings) : missing, ({ series }, { fit, weighed }) => {
          if (fit) cache.write(series, base.name, fit);
          if (weighed) cache.tunings.write(weighed.part, weighed.tuning);
        });
      }
      return remembered(base, cache);
    },
    flush: () => cache.flush(),
    close: async () => {
      await pool?.close();
    },
  };
}

/** Orders with the weights that are known, read when a thread is free for them. */
function* withKnown(orders: readonly FitOrder[], tunings: TuningMemory): Generator<FitOrder> {
  for (const order of orders) {
    const part = weighedPart(order.series);
    yield { ...order, paced: { known: part === undefined ? undefined : tunings.read(part) } };
  }
}

/** Contents have the same name in every project, so that one folder serves all. */
function cacheFolder(): string {
  const { ARCHIPELAGO_CACHE, XDG_CACHE_HOME } = process.env;
  const root = ARCHIPELAGO_CACHE ?? path.join(XDG_CACHE_HOME ?? path.join(homedir(), ".cache"), "archipelago");
  return path.join(root, "forecasts");
}

/** Sizes and times of the models' files: another build of the same version may forecast otherwise. */
function codeOf(folder: string): string {
  return fs
    .readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".js"))
    .map((name) => {
      const { size, mtimeMs } = fs.statSync(path.join(folder, name));
      return `${name} ${String(size)} ${String(Math.round(mtimeMs))}`;
    })
    .sort()
    .join(",");
}
