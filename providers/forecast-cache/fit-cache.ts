/**
 * Fits in a folder, one file for each content: the same values, times and model have the same name, whoever made it.
 *
 * Not for: making fits (fit-pool.ts).
 *
 * Invariants
 * 1. A cache is never needed: what cannot be read counts as unknown, what cannot be written is not kept.
 * 2. Safe with other processes: a file is written whole under another name and then renamed; two that write the same
 *    name write the same content.
 * 3. Bounded: what was not used for longest goes first.
 */
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import type { Series } from "../../sdk/model";
import type { EnsembleTuning, TuningMemory } from "../forecast/paced-ensemble";
import type { FitMemory, KeptFit } from "../forecast/remembered";
import { decodeFit, encodeFit } from "./fit-record";

/** Options of {@link openFitCache}. */
export interface FitCacheOptions {
  /** Made when something is written. */
  readonly folder: string;
  /** Fits of other versions of the package are not used: models change with it. */
  readonly version: string;
  /** @default 512 MiB: some ten thousand workloads */
  readonly mostBytes?: number;
}

/** A memory in a folder. */
export interface FitCache extends FitMemory {
  /** Fits that were found, and those that were not. */
  readonly counts: { readonly found: number; readonly missed: number };
  /** Whether there is a fit, as far as the name of a file says. */
  has(series: Series, model: string): boolean;
  /** Weights of the paced ensemble, which serve a series until its next pace. */
  readonly tunings: TuningMemory;
  /** Writes what was kept since, and makes room. Only here files change. */
  flush(): void;
}

const DEFAULT_MOST_BYTES = 512 * 2 ** 20;
/** How much is left after making room: not every flush has to. */
const LEFT_SHARE = 0.8;
const ENDING = ".fit";
/** Weights lie beside the fits: JSON, for there is little in them. */
const TUNING_ENDING = ".tuning";
const ENDINGS = [ENDING, TUNING_ENDING] as const;
/** A file half written by a process that died is thrown away after this time. */
const STALE_MS = 3_600_000;
/** A file that was used is marked as used when its mark is older than this. */
const TOUCH_AFTER_MS = 3_600_000;

/** Opens a cache; nothing is read yet. */
export function openFitCache({ folder, version, mostBytes = DEFAULT_MOST_BYTES }: FitCacheOptions): FitCache {
  const fresh = new Map<string, KeptFit>();
  const weighed = new Map<string, EnsembleTuning>();
  const counts = { found: 0, missed: 0 };
  return {
    counts,
    read: (series, model) => {
      const key = keyOf(series, model, version);
      const known = fresh.get(key) ?? readFit(folder, key);
      if (known) counts.found++;
      else counts.missed++;
      return known;
    },
    has: (series, model) => {
      const key = keyOf(series, model, version);
      return fresh.has(key) || fs.existsSync(path.join(folder, key + ENDING));
    },
    write: (series, model, fit) => fresh.set(keyOf(series, model, version), fit),
    tunings: {
      read: (series) => {
        const key = keyOf(series, TUNING_ENDING, version);
        return weighed.get(key) ?? readTuning(folder, key);
      },
      write: (series, tuning) => weighed.set(keyOf(series, TUNING_ENDING, version), tuning),
    },
    flush: () => {
      if (fresh.size === 0 && weighed.size === 0) return;
      try {
        fs.mkdirSync(folder, { recursive: true });
        for (const [key, fit] of fresh) writeWhole(folder, key + ENDING, encodeFit(key, fit));
        for (const [key, tuning] of weighed) {
          writeWhole(folder, key + TUNING_ENDING, JSON.stringify({ v: TUNING_VERSION, key, tuning }));
        }
        makeRoom(folder, mostBytes);
      } catch {
        // A full or read-only disk: forecasts are made anew then.
      }
      fresh.clear();
      weighed.clear();
    },
  };
}

/** Name of a content: everything that a fit depends on. */
function keyOf({ startMs, stepMs, values }: Series, model: string, version: string): string {
  return createHash("sha256")
    .update(`${version}\n${model}\n${String(startMs)}\n${String(stepMs)}\n`)
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest("hex")
    .slice(0, 40);
}

function readFit(folder: string, key: string): KeptFit | undefined {
  const file = path.join(folder, key + ENDING);
  try {
    const fit = decodeFit(key, fs.readFileSync(file));
    if (fit) touch(file);
    return fit;
  } catch {
    return undefined;
  }
}

/** Another version of the form is not read. */
const TUNING_VERSION = 1;

function readTuning(folder: string, key: string): EnsembleTuning | undefined {
  const file = path.join(folder, key + TUNING_ENDING);
  try {
    const kept = JSON.parse(fs.readFileSync(file, "utf8")) as { v: number; key: string; tuning: EnsembleTuning };
    if (kept.v !== TUNING_VERSION || kept.key !== key) return undefined;
    touch(file);
    return kept.tuning;
  } catch {
    // None, or cut off: it is weighed anew then.
    return undefined;
  }
}

function touch(file: string): void {
  const now = Date.now();
  if (now - fs.statSync(file).mtimeMs > TOUCH_AFTER_MS) fs.utimesSync(file, new Date(now), new Date(now));
}

/** Writes a file that others see whole or not at all. */
export function writeWhole(folder: string, name: string, content: Buffer | string): void {
  const file = path.join(folder, name);
  const half = `${file}.${String(process.pid)}-${randomBytes(4).toString("hex")}`;
  try {
    fs.writeFileSync(half, content);
    fs.renameSync(half, file);
  } catch (error) {
    fs.rmSync(half, { force: true });
    throw error;
  }
}

/** Deletes what was not used for longest until the rest fits. */
function makeRoom(folder: string, mostBytes: number): void {
  const now = Date.now();
  const files = fs.readdirSync(folder).flatMap((name) => {
    const file = path.join(folder, name);
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    return stat?.isFile() === true ? [{ file, size: stat.size, usedMs: stat.mtimeMs }] : [];
  });
  for (const { file, usedMs } of files) {
    const isHalf = !isWhole(file) && ENDINGS.some((ending) => path.basename(file).includes(ending));
    if (isHalf && now - usedMs > STALE_MS) fs.rmSync(file, { force: true });
  }
  const whole = files.filter(({ file }) => isWhole(file)).sort((a, b) => a.usedMs - b.usedMs);
  let total = whole.reduce((sum, { size }) => sum + size, 0);
  if (total <= mostBytes) return;
  for (const { file, size } of whole) {
    if (total <= mostBytes * LEFT_SHARE) return;
    fs.rmSync(file, { force: true });
    total -= size;
  }
}

function isWhole(file: string): boolean {
  return ENDINGS.some((ending) => file.endsWith(ending));
}
