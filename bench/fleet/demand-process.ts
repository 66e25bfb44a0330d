/**
 * Demand of generated workloads as a random process: a daily and weekly shape in each island's time zone, a level and
 * a drift that a family has in common, and noise of each workload's own.
 *
 * Not for: forecasting. Forecast paths and the paths that simulated runs meet are draws of the same process with
 * different seeds: the forecast is calibrated, and no run meets a path that was planned with.
 */
import { createRandom } from "../../providers/testing";

/** A workload as the process sees it. */
export interface DemandSource {
  /** Mean CPU of all copies together, millicores. */
  readonly meanCpuMillis: number;
  /** Index of the family whose level and drift it shares. */
  readonly family: number;
  /** Local time minus UTC, hours. */
  readonly offsetHours: number;
  /** True for work that is done at night. */
  readonly nightly: boolean;
}

/** Time that paths cover. */
export interface DemandSpan {
  readonly startMs: number;
  readonly stepMs: number;
  readonly steps: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Deviations of a family's level and drift and of a workload's noise, as shares of its demand. */
const LEVEL = 0.04;
const DRIFT = 0.04;
const NOISE = 0.1;
/** Correlation of drift and noise with what they were an hour before. */
const HOURLY_CORRELATION = 0.8;
/** Demand is busiest at this local hour. */
const PEAK_HOUR = 14;
const LOWEST = 0.3;
const WEEKEND = 0.7;
const NORMALS = 1 << 16;

/** Expected demand relative to the daily peak, 0..1, at a time. */
export function shapeAt(source: Pick<DemandSource, "offsetHours" | "nightly">, timeMs: number): number {
  const localMs = timeMs + source.offsetHours * HOUR_MS;
  const hour = (localMs % DAY_MS) / HOUR_MS;
  const peak = source.nightly ? (PEAK_HOUR + 12) % 24 : PEAK_HOUR;
  const daily = LOWEST + (1 - LOWEST) * ((1 + Math.cos((2 * Math.PI * (hour - peak)) / 24)) / 2) ** 1.3;
  // 1 January 1970 was a Thursday.
  const weekday = (Math.floor(localMs / DAY_MS) + 4) % 7;
  return daily * (weekday === 0 || weekday === 6 ? WEEKEND : 1);
}

/** True in the hours in which demand is above the middle between its daily lowest and highest. */
export function isBusy(source: Pick<DemandSource, "offsetHours" | "nightly">, timeMs: number): boolean {
  return shapeAt(source, timeMs) > (1 + LOWEST) / 2;
}

/** Draws paths. */
export class DemandProcess {
  private readonly normals: Float32Array;
  private readonly shapes = new Map<string, Float64Array>();
  private readonly families: number;

  constructor(
    private readonly sources: readonly DemandSource[],
    private readonly span: DemandSpan,
  ) {
    const random = createRandom(1);
    this.normals = Float32Array.from({ length: NORMALS }, () => random.normal());
    this.families = Math.max(0, ...sources.map(({ family }) => family + 1));
  }

  /** One path: `path[w * steps + h]`, millicores of all copies of workload w at step h. */
  draw(seed: number): Float32Array {
    const { steps, stepMs } = this.span;
    const keep = HOURLY_CORRELATION ** (stepMs / HOUR_MS);
    const fresh = Math.sqrt(1 - keep * keep);
    const common = new Float32Array(this.families * steps);
    let state = (seed * 2654435761 + 12345) >>> 0;
    const normal = (): number => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return this.normals[state & (NORMALS - 1)] as number;
    };
    state ||= 1;
    for (let family = 0; family < this.families; family++) {
      const level = LEVEL * normal();
      let drift = normal();
      for (let step = 0; step < steps; step++) {
        if (step > 0) drift = keep * drift + fresh * normal();
        common[family * steps + step] = 1 + level + DRIFT * drift;
      }
    }
    const path = new Float32Array(this.sources.length * steps);
    this.sources.forEach((source, w) => {
      const shape = this.shapeOf(source);
      let noise = normal();
      for (let step = 0; step < steps; step++) {
        if (step > 0) noise = keep * noise + fresh * normal();
        const value =
          source.meanCpuMillis *
          (shape[step] as number) *
          (common[source.family * steps + step] as number) *
          (1 + NOISE * noise);
        path[w * steps + step] = Math.max(0, value);
      }
    });
    return path;
  }

  private shapeOf(source: DemandSource): Float64Array {
    const key = `${String(source.offsetHours)} ${String(source.nightly)}`;
    let shape = this.shapes.get(key);
    if (!shape) {
      const { startMs, stepMs, steps } = this.span;
      shape = Float64Array.from({ length: steps }, (_, step) => shapeAt(source, startMs + (step + 0.5) * stepMs));
      this.shapes.set(key, shape);
    }
    return shape;
  }
}
