/**
 * What an update itself does to a host: how much CPU and disk IO, when in its course, from its package and from what
 * earlier runs measured.
 *
 * Not for: how long it takes (pooled-durations.ts).
 *
 * Invariants
 * 1. Without a declared package and without a measured run there is no impact: nothing is made up.
 * 2. The course is in ten parts of the update's time, so that a quick host's and a slow one's can be laid upon each
 *    other; P50 <= P95 in each.
 */
import type { DurationQuantiles, ImpactPart, OperationLoad, UpdateImpact, UpdatePackage } from "../../../sdk/model";
import { quantileOfSorted } from "../../../sdk/model";

/** Parts of an update's course. */
const PARTS = 10;
/** A measured course weighs as much as this many guesses. */
const GUESS_WEIGHT = 0.5;

/**
 * First guesses by kind of load: bytes of package a second, cores, and bytes of disk IO for each byte of package. Package
 * tools work with one thread; what they unpack is written, read again by triggers, and synced.
 */
const GUESSES = {
  cpu: { bytesPerSecond: 2e6, cpuMillis: 1000, diskBytesPerByte: 2 },
  disk: { bytesPerSecond: 8e6, cpuMillis: 400, diskBytesPerByte: 6 },
  network: { bytesPerSecond: 5e6, cpuMillis: 200, diskBytesPerByte: 2 },
} as const;
/** Before and after the work on the package itself. */
const FIXED_MS = 5_000;
const P95_FACTOR = 3;

/** First guess of the time that a package takes; undefined without its size. @param timeoutMs the command's deadline */
export function guessDuration(update: UpdatePackage | undefined, timeoutMs: number): DurationQuantiles | undefined {
  if (update?.bytes === undefined) return undefined;
  const p50Ms = FIXED_MS + (update.bytes / GUESSES[update.load ?? "disk"].bytesPerSecond) * 1000;
  return { p50Ms: Math.round(Math.min(p50Ms, timeoutMs)), p95Ms: Math.round(Math.min(P95_FACTOR * p50Ms, timeoutMs)) };
}

/** What is known of an update's own load. @param duration how long it is expected to take */
export function estimateImpact(
  update: UpdatePackage | undefined,
  duration: DurationQuantiles,
  measured: readonly OperationLoad[],
): UpdateImpact | undefined {
  const courses = measured.filter(({ cpuMillis }) => cpuMillis.length > 0).map(courseOf);
  const guess = guessCourse(update, duration);
  if (courses.length === 0 && !guess) return undefined;
  return {
    duration,
    parts: Array.from({ length: PARTS }, (_, part): ImpactPart => {
      const at = (field: keyof Course, level: number): number =>
        Math.round(
          blend(
            courses.map((course) => course[field][part] ?? 0),
            guess?.[field],
            level,
          ),
        );
      return {
        cpuMillis: { p50: at("cpuMillis", 0.5), p95: at("cpuMillis", 0.95) },
        diskBytesPerSecond: { p50: at("disk", 0.5), p95: at("disk", 0.95) },
      };
    }),
    measuredHosts: courses.length,
  };
}

interface Course {
  readonly cpuMillis: readonly number[];
  readonly disk: readonly number[];
}

function courseOf({ cpuMillis, diskBytesPerSecond }: OperationLoad): Course {
  return { cpuMillis: inParts(cpuMillis), disk: inParts(diskBytesPerSecond) };
}

/** Means over tenths; a short course stands in several of them. */
function inParts(values: readonly number[]): readonly number[] {
  return Array.from({ length: PARTS }, (_, part) => {
    const from = Math.floor((part * values.length) / PARTS);
    const to = Math.max(from + 1, Math.floor(((part + 1) * values.length) / PARTS));
    const inside = values.slice(from, to);
    return inside.reduce((sum, value) => sum + value, 0) / Math.max(1, inside.length);
  });
}

function guessCourse(
  update: UpdatePackage | undefined,
  duration: DurationQuantiles,
): Readonly<Record<keyof Course, number>> | undefined {
  if (!update) return undefined;
  const { cpuMillis, diskBytesPerByte } = GUESSES[update.load ?? "disk"];
  const seconds = Math.max(1, duration.p50Ms / 1000);
  return { cpuMillis, disk: ((update.bytes ?? 0) * diskBytesPerByte) / seconds };
}

/** Quantile of what was measured; a guess is one more value of less weight, and its P95 is twice of it. */
function blend(values: readonly number[], guess: number | undefined, level: number): number {
  const guessed = guess === undefined ? undefined : level > 0.5 ? 2 * guess : guess;
  if (values.length === 0) return guessed ?? 0;
  const sorted = [...values].sort((a, b) => a - b);
  const seen =
    level > 0.5 ? Math.max(quantileOfSorted(sorted, level), sorted.at(-1) ?? 0) : quantileOfSorted(sorted, level);
  if (guessed === undefined) return seen;
  return (values.length * seen + GUESS_WEIGHT * guessed) / (values.length + GUESS_WEIGHT);
}
