/**
 * Units: public values carry their unit in the text ("5 minutes", "2 GiB", "30%"); inside, numbers carry it in
 * their name (`soakMs`, `memoryBytes`, `cpuMillis`).
 *
 * Not for: calendars (providers/calendar) and series.
 *
 * Invariant: `parseX(formatX(v)) === v` for every whole number of base units.
 */
import { MistakeError } from "./errors";

/** A length of time such as `"90 seconds"`, `"5 minutes"`, `"3 hours"`, `"250 ms"`. Never negative. */
export type Duration = string;
/** An amount of memory or storage such as `"512 MiB"`, `"2 GiB"`, `"1.5 GB"`. Never negative. */
export type ByteSize = string;
/** A share such as `"30%"`. Between `"0%"` and `"100%"`. */
export type Percentage = string;
/** A number of cores such as `"2 cores"` or `"500 millicores"`. */
export type CpuAmount = string;

const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  millisecond: 1,
  milliseconds: 1,
  s: 1000,
  second: 1000,
  seconds: 1000,
  min: 60_000,
  minute: 60_000,
  minutes: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  hours: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  days: 86_400_000,
};

const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  bytes: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

const CPU_MILLIS: Readonly<Record<string, number>> = {
  core: 1000,
  cores: 1000,
  millicore: 1,
  millicores: 1,
};

/**
 * Parses a duration to milliseconds.
 * @param field name used in the message
 * @throws MistakeError when the text is not a number and a unit of time
 */
export function parseDuration(text: Duration, field = "duration"): number {
  return parseAmount(text, field, DURATION_MS, 'a number and a unit of time, like "90 seconds" or "5 minutes"');
}

/**
 * Parses an amount of bytes.
 * @throws MistakeError when the text is not a number and a unit of size
 */
export function parseByteSize(text: ByteSize, field = "size"): number {
  return parseAmount(text, field, BYTES, 'a number and a unit of size, like "512 MiB" or "2 GB"');
}

/**
 * Parses a number of cores to millicores.
 * @throws MistakeError when the text is not a number and "cores" or "millicores"
 */
export function parseCpu(text: CpuAmount, field = "cpu"): number {
  return parseAmount(text, field, CPU_MILLIS, 'a number and a unit, like "2 cores" or "500 millicores"');
}

/**
 * Parses a percentage to a fraction from 0 to 1.
 * @throws MistakeError when the text is not a percentage between 0% and 100%
 */
export function parsePercentage(text: Percentage, field = "share"): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*%\s*$/.exec(text);
  const percent = match ? Number(match[1]) : Number.NaN;
  if (!(percent >= 0 && percent <= 100)) {
    throw MistakeError.of(field, text, 'must be a percentage between "0%" and "100%"', 'write it like "30%"');
  }
  return percent / 100;
}

/** Formats milliseconds exactly, in the largest unit that divides them: 300000 -> "5 minutes". */
export function formatDuration(ms: number): Duration {
  for (const [unit, size] of [
    ["day", 86_400_000],
    ["hour", 3_600_000],
    ["minute", 60_000],
    ["second", 1000],
  ] as const) {
    if (ms >= size && ms % size === 0) return `${String(ms / size)} ${unit}${ms === size ? "" : "s"}`;
  }
  return `${String(ms)} ms`;
}

/** Formats milliseconds for people, rounded to two units: 3_725_000 -> "1 h 2 min", 850 -> "850 ms". */
export function formatDurationShort(ms: number): string {
  if (!Number.isFinite(ms)) return "unknown";
  if (ms < 0) return `-${formatDurationShort(-ms)}`;
  if (ms < 1000) return `${String(Math.round(ms))} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${String(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60)
    return seconds % 60 === 0 ? `${String(minutes)} min` : `${String(minutes)} min ${String(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${String(hours)} h` : `${String(hours)} h ${String(minutes % 60)} min`;
}

/** Formats bytes exactly, in the largest binary unit that divides them: 2147483648 -> "2 GiB". */
export function formatByteSize(bytes: number): ByteSize {
  for (const [unit, size] of [
    ["TiB", 2 ** 40],
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10],
  ] as const) {
    if (bytes >= size && bytes % size === 0) return `${String(bytes / size)} ${unit}`;
  }
  return `${String(bytes)} B`;
}

/** Formats millicores exactly: 2000 -> "2 cores", 500 -> "500 millicores". */
export function formatCpu(cpuMillis: number): CpuAmount {
  if (cpuMillis >= 1000 && cpuMillis % 1000 === 0)
    return `${String(cpuMillis / 1000)} core${cpuMillis === 1000 ? "" : "s"}`;
  return `${String(cpuMillis)} millicores`;
}

/** Formats a fraction as a percentage: 0.3 -> "30%". */
export function formatPercentage(fraction: number): Percentage {
  return `${String(Number((fraction * 100).toPrecision(12)))}%`;
}

function parseAmount(text: string, field: string, units: Readonly<Record<string, number>>, rule: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*$/.exec(text);
  const unit = match?.[2] ?? "";
  const size = Object.hasOwn(units, unit) ? units[unit] : undefined;
  if (!match || size === undefined) {
    throw MistakeError.of(field, text, `must be ${rule}`, `known units: ${Object.keys(units).join(", ")}`);
  }
  return Number(match[1]) * size;
}
