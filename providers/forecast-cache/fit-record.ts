/**
 * A kept fit as bytes: a JSON head, then all numbers as little-endian 32-bit floats (levels as 64-bit), so that
 * thousands are read in a second.
 *
 * Not for: files (fit-cache.ts).
 *
 * Invariant: what does not fit together (another version, cut off, of another key) is no record, never a wrong one.
 */
import type { KeptFit } from "../forecast/remembered";

/** Version of the form; another one is not read. */
const VERSION = 1;
/** Bytes before the head: its length, and the length of the whole. */
const PREFIX = 8;

interface Head {
  readonly v: number;
  readonly key: string;
  readonly notes: readonly string[];
  readonly warnings?: readonly string[];
  readonly cycles: readonly number[];
  readonly residuals: number;
  readonly forecasts: readonly {
    readonly horizon: number;
    readonly skip: number;
    readonly levels: readonly number[];
    readonly count: number;
  }[];
}

/** Writes a fit. */
export function encodeFit(key: string, { notes, warnings, cycles, residuals, forecasts }: KeptFit): Buffer {
  const head: Head = {
    v: VERSION,
    key,
    notes,
    ...(warnings === undefined ? {} : { warnings }),
    cycles,
    residuals: residuals.length,
    forecasts: forecasts.map(({ horizon, skip, levels, rows }) => ({ horizon, skip, levels, count: rows.length })),
  };
  const text = Buffer.from(JSON.stringify(head), "utf8");
  // Numbers begin at a multiple of four, so that they can be read where they lie.
  const padded = (text.length + 3) & ~3;
  const parts = [residuals, ...forecasts.map(({ rows }) => rows)];
  const length = PREFIX + padded + 4 * parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = Buffer.alloc(length, 0x20);
  bytes.writeUInt32LE(padded, 0);
  bytes.writeUInt32LE(length, 4);
  text.copy(bytes, PREFIX);
  let at = PREFIX + padded;
  for (const part of parts) {
    Buffer.from(part.buffer, part.byteOffset, part.byteLength).copy(bytes, at);
    at += part.byteLength;
  }
  return bytes;
}

/** Reads what {@link encodeFit} wrote for the same key; undefined for anything else. */
export function decodeFit(key: string, bytes: Buffer): KeptFit | undefined {
  if (bytes.length < PREFIX || bytes.readUInt32LE(4) !== bytes.length) return undefined;
  const padded = bytes.readUInt32LE(0);
  let head: Head;
  try {
    head = JSON.parse(bytes.toString("utf8", PREFIX, PREFIX + padded)) as Head;
  } catch {
    return undefined;
  }
  if (head.v !== VERSION || head.key !== key) return undefined;
  let at = PREFIX + padded;
  const take = (count: number): Float32Array => {
    const part = new Float32Array(new Uint8Array(bytes.subarray(at, at + 4 * count)).buffer);
    at += 4 * count;
    return part;
  };
  const { notes, warnings, cycles } = head;
  const residuals = take(head.residuals);
  const forecasts = head.forecasts.map(({ horizon, skip, levels, count }) => ({
    horizon,
    skip,
    levels,
    rows: take(count),
  }));
  if (at !== bytes.length) return undefined;
  return { notes, ...(warnings === undefined ? {} : { warnings }), cycles, residuals, forecasts };
}
