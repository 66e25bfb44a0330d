/**
 * Whole forecasts of large fleets in a folder, for the slots that they serve: a second preview, and the checks of one `up`,
 * need not read weeks of history and thousands of fits again.
 *
 * Not for: fits (fit-cache.ts), which know nothing of slots.
 *
 * Invariants
 * 1. A cache is never needed: what cannot be read counts as unknown, what cannot be written is not kept.
 * 2. Every number comes back as it was; what does not fit together is no forecast.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import type { DemandPath, Forecast } from "../../sdk/model";
import { writeWhole } from "./fit-cache";

/** Forecasts by all that they depend on. */
export interface SlotCache {
  /** @param facts plain data */
  read(facts: unknown): Forecast | undefined;
  write(facts: unknown, forecast: Forecast): void;
}

/** Version of the form; another one is not read. */
const VERSION = 1;
/** Longer than any step: after its step a forecast is of no use. */
const KEPT_MS = 60 * 60_000;
const KEY_LENGTH = 40;
/** Bytes before the head: its length, and the number of values of a path. */
const PREFIX = 8;

interface Head {
  readonly v: number;
  readonly key: string;
  readonly bytes: 4 | 8;
  readonly paths: number;
  readonly forecast: Forecast;
}

/**
 * Opens a cache; nothing is read yet.
 * @param folder made when something is written
 * @param code version of what forecasts
 */
export function openSlotCache(folder: string, code: string): SlotCache {
  const keyOf = (facts: unknown): string =>
    createHash("sha256")
      .update(`${code}\n${JSON.stringify(facts)}`)
      .digest("hex")
      .slice(0, KEY_LENGTH);
  const nameOf = (key: string): string => `${key}.forecast`;
  return {
    read: (facts) => {
      const key = keyOf(facts);
      try {
        return decode(key, fs.readFileSync(path.join(folder, nameOf(key))));
      } catch {
        return undefined;
      }
    },
    write: (facts, forecast) => {
      const key = keyOf(facts);
      try {
        fs.mkdirSync(folder, { recursive: true });
        removeOld(folder);
        writeWhole(folder, nameOf(key), encode(key, forecast));
      } catch {
        // A full or read-only disk: the forecast is made anew then.
      }
    },
  };
}

function removeOld(folder: string): void {
  const now = Date.now();
  for (const name of fs.readdirSync(folder)) {
    const file = path.join(folder, name);
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (stat && now - stat.mtimeMs > KEPT_MS) fs.rmSync(file, { force: true });
  }
}

function encode(key: string, forecast: Forecast): Buffer {
  const { demand } = forecast;
  const { cpuMillis } = demand;
  const bytes = cpuMillis.every(isExact) ? 4 : 8;
  const rest: Forecast = { ...forecast, demand: { ...demand, cpuMillis: [] } };
  const head: Head = { v: VERSION, key, bytes, paths: cpuMillis.length, forecast: rest };
  const text = Buffer.from(JSON.stringify(head), "utf8");
  const length = cpuMillis[0]?.length ?? 0;
  const whole = Buffer.alloc(PREFIX + text.length + cpuMillis.length * length * bytes);
  whole.writeUInt32LE(text.length, 0);
  whole.writeUInt32LE(length, 4);
  text.copy(whole, PREFIX);
  cpuMillis.forEach((path, index) => {
    const numbers = bytes === 4 ? Float32Array.from(path) : Float64Array.from(path);
    Buffer.from(numbers.buffer).copy(whole, PREFIX + text.length + index * length * bytes);
  });
  return whole;
}

function decode(key: string, whole: Buffer): Forecast | undefined {
  const start = PREFIX + whole.readUInt32LE(0);
  const length = whole.readUInt32LE(4);
  const { v, key: of, bytes, paths, forecast } = JSON.parse(whole.toString("utf8", PREFIX, start)) as Head;
  if (v !== VERSION || of !== key || whole.length !== start + paths * length * bytes) return undefined;
  const cpuMillis = Array.from({ length: paths }, (_, index): DemandPath => {
    const at = start + index * length * bytes;
    const { buffer } = new Uint8Array(whole.subarray(at, at + length * bytes));
    return bytes === 4 ? new Float32Array(buffer) : new Float64Array(buffer);
  });
  return { ...forecast, demand: { ...forecast.demand, cpuMillis } };
}

function isExact(path: DemandPath): boolean {
  for (const value of path) if (Math.fround(value) !== value) return false;
  return true;
}
