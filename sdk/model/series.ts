/**
 * A metric on a regular grid of time. Gaps are NaN.
 *
 * Not for: irregular samples; sources put them on a grid first.
 */

/** What a series measures; all are non-negative. */
export type MetricUnit =
  "cpuMillis" | "memoryBytes" | "requestsPerSecond" | "diskBytesPerSecond" | "networkBytesPerSecond";

/** A regular series: `values[i]` is the mean over [start + i*step, start + (i+1)*step). */
export interface Series {
  /** What it belongs to, such as `workload/checkout`. */
  readonly id: string;
  readonly unit: MetricUnit;
  /** Milliseconds since the epoch of the first interval's beginning. */
  readonly startMs: number;
  readonly stepMs: number;
  /** NaN marks a gap. */
  readonly values: Float64Array;
}

/** A series as JSON: gaps are null. */
export interface SeriesJson {
  readonly id: string;
  readonly unit: MetricUnit;
  readonly startMs: number;
  readonly stepMs: number;
  readonly values: readonly (number | null)[];
}

/** Turns a series into JSON-able data. */
export function seriesToJson(series: Series): SeriesJson {
  return { ...series, values: Array.from(series.values, (value) => (Number.isNaN(value) ? null : value)) };
}

/** Reads what {@link seriesToJson} wrote. */
export function seriesFromJson(json: SeriesJson): Series {
  return { ...json, values: Float64Array.from(json.values, (value) => value ?? Number.NaN) };
}

/** End of the last interval, milliseconds since the epoch. */
export function seriesEndMs(series: Series): number {
  return series.startMs + series.values.length * series.stepMs;
}

/** What is known of one workload's past, as far as the sources have it. */
export interface WorkloadHistory {
  readonly workload: string;
  /** CPU of all replicas together, millicores. */
  readonly cpu?: Series;
  /** Memory of one replica, mean over the replicas, bytes. */
  readonly memory?: Series;
  /** Requests per second of all replicas together; stands in where no CPU is known. */
  readonly requests?: Series;
  /** Bytes per second read from and written to disks by all replicas together. */
  readonly disk?: Series;
  /** Bytes per second received and sent by all replicas together. */
  readonly network?: Series;
  /** CPU of all replicas in the last minutes, on a finer step where it can be had; corrects the level of `cpu`. */
  readonly live?: Series;
}
