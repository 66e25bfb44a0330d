/**
 * Generates load history for examples: plausible, seeded, and always labelled as generated.
 *
 * Not for: benchmarks of forecasts. It is easy to forecast what one generated oneself.
 *
 * Invariant: what is rendered carries a disclosure line, so that no report passes it off as measured.
 */
import type { Series } from "../../sdk/model";
import { floorToGrid } from "../../sdk/model";
import type { Random } from "../forecast/random";
import { createRandom } from "../forecast/random";

/** A workload to make history for. */
export interface GeneratedWorkload {
  readonly name: string;
  /** CPU of all its replicas together at an ordinary day's peak. */
  readonly peakCpuMillis: number;
  /** Memory of one replica. */
  readonly memoryBytes: number;
}

export interface GenerateHistoryOptions {
  readonly workloads: readonly GeneratedWorkload[];
  /** End of the history, milliseconds since the epoch; rounded down to a step. */
  readonly endMs: number;
  /** @default 14 */
  readonly days?: number;
  /** @default 300000 (5 minutes) */
  readonly stepMs?: number;
  readonly seed: number;
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const DEFAULT_DAYS = 14;
const DEFAULT_STEP_MS = 300_000;

/** Load at the quietest hour as a share of the peak. */
const NIGHT_SHARE = 0.25;
/** Load of Saturday and Sunday as a share of a working day's. */
const WEEKEND_SHARE = 0.7;
/** Hour of the day (UTC) of the highest load; each workload is up to two hours off it. */
const PEAK_HOUR = 14;
/** How much of a workload's noise it shares with all others: users come and go for all services at once. */
const SHARED_NOISE = 0.6;
const NOISE_DEVIATION = 0.06;
/** Share of the noise that stays after one hour. */
const NOISE_PER_HOUR = 0.5;
const BURSTS_PER_DAY = 0.4;
/** A burst adds up to this share of the peak, and lasts 15 to 60 minutes. */
const BURST_HEIGHT = 0.35;

/**
 * Makes two series per workload, `workload/<name>` in `cpuMillis` (all replicas together) and in `memoryBytes` (one
 * replica): a daily and a weekly shape, noise that lasts for a while and is partly shared by all, and a few bursts.
 */
export function generateHistory(options: GenerateHistoryOptions): readonly Series[] {
  const stepMs = options.stepMs ?? DEFAULT_STEP_MS;
  const count = Math.round(((options.days ?? DEFAULT_DAYS) * DAY_MS) / stepMs);
  const startMs = floorToGrid(options.endMs, stepMs) - count * stepMs;
  const shared = createNoise(createRandom(options.seed), count, stepMs);
  return options.workloads.flatMap((workload, index) => {
    // A stream of its own for each workload: adding one does not change the others.
    const random = createRandom(options.seed * 1_000_003 + index + 1);
    const own = createNoise(random, count, stepMs);
    const bursts = createBursts(random, count, stepMs);
    const peakHour = PEAK_HOUR + (random.next() * 4 - 2);
    const load = Float64Array.from({ length: count }, (_, i) => {
      const noise = SHARED_NOISE * (shared[i] ?? 0) + (1 - SHARED_NOISE) * (own[i] ?? 0);
      const share = shapeAt(startMs + i * stepMs, peakHour) * (1 + noise) + (bursts[i] ?? 0);
      return Math.max(0, share);
    });
    const id = `workload/${workload.name}`;
    return [
      {
        id,
        unit: "cpuMillis",
        startMs,
        stepMs,
        values: load.map((share) => Math.round(share * workload.peakCpuMillis)),
      },
      // Memory follows load weakly: most of it is code, caches and heap that stay.
      {
        id,
        unit: "memoryBytes",
        startMs,
        stepMs,
        values: load.map((share) => Math.round((0.85 + 0.15 * share) * workload.memoryBytes)),
      },
    ] satisfies Series[];
  });
}

/** The disclosure of a generated history, for {@link renderRecordedCsv} and the inventory. */
export function describeGeneratedHistory(seed: number): string {
  return `load history generated with seed ${String(seed)}, not measured`;
}

/** Renders series in the wide form of recorded.ts; gaps become `nan`. */
export function renderRecordedCsv(series: readonly Series[], disclosure?: string): string {
  const rows = series.map(({ id, unit, startMs, stepMs, values }) => {
    const text = Array.from(values, (value) => (Number.isNaN(value) ? "nan" : String(value))).join(" ");
    return `${id},${unit},${String(startMs)},${String(stepMs)},${text}`;
  });
  return [
    ...(disclosure === undefined ? [] : [`# disclosure: ${disclosure}`]),
    "subject,unit,start_ms,step_ms,values",
    ...rows,
    "",
  ].join("\n");
}

/** Load at a time as a share of the peak: a raised cosine over the day, lower at the weekend. */
function shapeAt(timeMs: number, peakHour: number): number {
  const hour = (timeMs % DAY_MS) / HOUR_MS;
  const day = (1 + Math.cos((2 * Math.PI * (hour - peakHour)) / 24)) / 2;
  const weekday = new Date(timeMs).getUTCDay();
  const week = weekday === 0 || weekday === 6 ? WEEKEND_SHARE : 1;
  return (NIGHT_SHARE + (1 - NIGHT_SHARE) * day) * week;
}

/** Autoregressive noise of first order, stationary from its first value on. */
function createNoise(random: Random, count: number, stepMs: number): Float64Array {
  const stays = NOISE_PER_HOUR ** (stepMs / HOUR_MS);
  const fresh = NOISE_DEVIATION * Math.sqrt(1 - stays * stays);
  let value = random.normal() * NOISE_DEVIATION;
  return Float64Array.from({ length: count }, () => {
    value = value * stays + random.normal() * fresh;
    return value;
  });
}

function createBursts(random: Random, count: number, stepMs: number): Float64Array {
  const added = new Float64Array(count);
  const perStep = (BURSTS_PER_DAY * stepMs) / DAY_MS;
  for (let start = 0; start < count; start++) {
    if (random.next() >= perStep) continue;
    const length = Math.max(1, Math.round(((0.25 + 0.75 * random.next()) * HOUR_MS) / stepMs));
    const height = BURST_HEIGHT * (0.4 + 0.6 * random.next());
    for (let i = start; i < Math.min(count, start + length); i++) added[i] = Math.max(added[i] ?? 0, height);
  }
  return added;
}
