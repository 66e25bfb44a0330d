/**
 * The tasks of the forecast benchmark, and how a file's series become those of a task.
 *
 * Not for: scoring (scores.ts) and forecasting (forecasters.ts).
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readSeriesFile, type RawSeries } from "./series-file";

/** One task: what is forecast, how far, and from how many origins. */
export interface Task {
  readonly name: string;
  readonly files: readonly string[];
  /** Ids that are taken. @default all */
  readonly takes?: (id: string) => boolean;
  /** Every n-th series only. @default 1 */
  readonly every?: number;
  readonly stepS: number;
  /** Steps of a season; 1: none. */
  readonly season: number;
  /** Least number of points. */
  readonly minLength: number;
  readonly horizon: number;
  readonly origins: number | readonly number[];
  /** Share of the series in which origins lie. */
  readonly share: number;
  /** File of the values that come after the series of `files`: the only origin lies between them. @default none */
  readonly continuation?: string;
  /** Length of the slot that the decision test chooses. @default no decision test */
  readonly slotSteps?: number;
  /** Values to reach. */
  readonly goals: Readonly<Record<string, number>>;
}

/** One series of a task, without gaps. */
export interface TaskSeries {
  readonly set: string;
  readonly id: string;
  readonly startS: number;
  readonly values: Float64Array;
  /** Numbers of points known at each origin, ascending. */
  readonly origins: readonly number[];
}

/** What was left out of a task, by reason. */
export type LeftOut = Readonly<Record<"missing file" | "coarser step" | "too short" | "gaps" | "constant", number>>;

const HOUR = { stepS: 3600, season: 24, minLength: 336, horizon: 48, origins: 5, share: 0.3, slotSteps: 2 } as const;
const FIVE_MINUTES = { stepS: 300, season: 288, share: 0.25 } as const;
const CLUSTERS = ["cells_google_alibaba_5min", "azure_alibaba_google_agg", "clusterpool_5min", "google2019_tasks_5min"];
const MACHINES = ["azure_v1_vm100_5min", "bitbrains_fast_5min_sample"];
const isCloudMetric = (id: string): boolean => /ec2_|rds_|elb_|grok|cpu_util/.test(id);
/** Most of a series that may be missing. */
const MOST_GAPS = 0.1;

/** All tasks: M4 hourly, days ahead, hours ahead, and the cold start. */
export const TASKS: readonly Task[] = [
  {
    name: "T1",
    files: ["m4_hourly_train"],
    continuation: "m4_hourly_test",
    stepS: 3600,
    season: 24,
    minLength: 336,
    horizon: 48,
    origins: 1,
    share: 0,
    goals: { owa: 0.4, msis: 6.5 },
  },
  { name: "T2a", files: ["azure_v1_vm100_5min"], ...HOUR, goals: { relPin: 0.68 } },
  { name: "T2b", files: ["bitbrains_fast_hourly"], ...HOUR, goals: { relPin: 0.47 } },
  {
    name: "T2c",
    files: [
      "nab_cloud_5min",
      "cells_google_alibaba_5min",
      "azure_alibaba_google_agg",
      "clusterpool_5min",
      "crane_dsp_1min",
      "web_requests_1min",
      "google2019_tasks_5min",
    ],
    ...HOUR,
    goals: { relPin: 0.7 },
  },
  {
    name: "T3a_1h",
    files: CLUSTERS,
    ...FIVE_MINUTES,
    minLength: 2016,
    horizon: 12,
    origins: 40,
    goals: { relPin: 0.43 },
  },
  {
    name: "T3a_24h",
    files: CLUSTERS,
    ...FIVE_MINUTES,
    minLength: 2016,
    horizon: 288,
    origins: 6,
    slotSteps: 24,
    goals: { relPin: 0.65 },
  },
  {
    name: "T3b_1h",
    files: MACHINES,
    ...FIVE_MINUTES,
    minLength: 2016,
    horizon: 12,
    origins: 20,
    goals: { relPin: 0.42 },
  },
  {
    name: "T3b_24h",
    files: MACHINES,
    ...FIVE_MINUTES,
    minLength: 2016,
    horizon: 288,
    origins: 4,
    slotSteps: 24,
    goals: { relPin: 0.51 },
  },
  ...(
    [
      ["T4_1h", 12, 40, 0.32],
      ["T4_4h", 48, 20, 0.36],
      ["T4_24h", 288, 6, 0.48],
    ] as const
  ).map(([name, horizon, origins, relPin]) => ({
    name,
    files: ["nab_cloud_5min"],
    takes: isCloudMetric,
    ...FIVE_MINUTES,
    minLength: 2880,
    horizon,
    origins,
    goals: { relPin },
  })),
  {
    name: "T5",
    files: ["crane_dsp_1min", "web_requests_1min"],
    stepS: 60,
    season: 1440,
    minLength: 14_400,
    horizon: 60,
    origins: 30,
    share: 0.25,
    goals: { relPin: 0.5 },
  },
  {
    name: "T6",
    files: ["planetlab_1day_5min", "google_vm_1day_5min"],
    every: 8,
    stepS: 300,
    season: 1,
    minLength: 60,
    horizon: 12,
    origins: [12, 24, 48],
    share: 1,
    goals: { relPin: 1 },
  },
];

/** The series of a task in a folder, and what was left out. */
export function readTask(
  task: Task,
  folder: string,
): { readonly series: readonly TaskSeries[]; readonly leftOut: LeftOut } {
  const leftOut = { "missing file": 0, "coarser step": 0, "too short": 0, gaps: 0, constant: 0 };
  const series: TaskSeries[] = [];
  for (const file of task.files) {
    const path = findFile(folder, file);
    const after = task.continuation === undefined ? undefined : findFile(folder, task.continuation);
    if (path === undefined || (task.continuation !== undefined && after === undefined)) {
      leftOut["missing file"] += 1;
      continue;
    }
    const continuations = new Map((after ? readSeriesFile(after) : []).map(({ id, values }) => [id, values]));
    const taken = readSeriesFile(path)
      .filter(({ id }) => task.takes?.(id) ?? true)
      .map((raw) => ({ ...raw, values: concatenate(raw.values, continuations.get(raw.id)) }));
    for (const raw of taken.filter((_, index) => index % (task.every ?? 1) === 0)) {
      const prepared = prepareForTask(task, raw);
      if (typeof prepared === "string") leftOut[prepared] += 1;
      else series.push(prepared);
    }
  }
  return { series, leftOut };
}

function findFile(folder: string, name: string): string | undefined {
  return [`${name}.csv.gz`, `${name}.csv`].map((file) => join(folder, file)).find(existsSync);
}

function concatenate(values: Float64Array, continuation: Float64Array | undefined): Float64Array {
  return continuation === undefined ? values : Float64Array.from([...values, ...continuation]);
}

/** One series on the task's step, without gaps, or why it is left out. */
export function prepareForTask(task: Task, raw: RawSeries): TaskSeries | keyof LeftOut {
  // A file that does not say its step has the task's.
  const stepS = raw.stepS || task.stepS;
  const factor = task.stepS / stepS;
  if (!(factor >= 1 && Number.isInteger(factor))) return "coarser step";
  if (raw.values.filter(Number.isNaN).length > MOST_GAPS * raw.values.length) return "gaps";
  const values = means(fillLinearly(raw.values), factor);
  if (values.length < task.minLength) return "too short";
  const origins = originsOf(task, values.length);
  const training = values.subarray(0, origins[0]);
  const isConstant = values.every((value) => value === values[0]);
  if (isConstant || (task.season > 1 && seasonalError(training, task.season) === 0)) return "constant";
  const startS = raw.startS + (raw.values.length - values.length * factor) * stepS;
  return { set: raw.set, id: raw.id, startS, values, origins };
}

/** Mean absolute difference of values one season apart. */
export function seasonalError(values: Float64Array, season: number): number {
  let sum = 0;
  for (let index = season; index < values.length; index += 1) {
    sum += Math.abs((values[index] ?? 0) - (values[index - season] ?? 0));
  }
  return values.length > season ? sum / (values.length - season) : 0;
}

function originsOf({ origins, share, horizon }: Task, count: number): readonly number[] {
  if (typeof origins !== "number") return origins.filter((origin) => origin + horizon <= count);
  const last = count - horizon;
  if (origins === 1) return [last];
  const first = Math.min(Math.floor(count * (1 - share)), last);
  return Array.from({ length: origins }, (_, index) => Math.round(first + ((last - first) * index) / (origins - 1)));
}

/** Means of `factor` values each, aligned at the end. */
function means(values: Float64Array, factor: number): Float64Array {
  const count = Math.floor(values.length / factor);
  const offset = values.length - count * factor;
  return Float64Array.from({ length: count }, (_, index) => {
    const part = values.subarray(offset + index * factor, offset + (index + 1) * factor);
    return part.reduce((sum, value) => sum + value, 0) / factor;
  });
}

/** Straight lines over gaps; at both ends the nearest value. */
function fillLinearly(values: Float64Array): Float64Array {
  const filled = values.slice();
  let before = -1;
  for (let index = 0; index <= filled.length; index += 1) {
    if (index < filled.length && Number.isNaN(filled[index])) continue;
    const to = filled[index] ?? filled[before] ?? 0;
    const from = before < 0 ? to : (filled[before] ?? to);
    for (let gap = before + 1; gap < index; gap += 1) {
      filled[gap] = from + ((to - from) * (gap - before)) / (index - before);
    }
    before = index;
  }
  return filled;
}
