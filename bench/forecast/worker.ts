/** Scores all forecasters on one series at a time, in a thread of its own. */
import { parentPort } from "node:worker_threads";
import { DecisionScorer, type DecisionScore } from "./decision";
import { forecastersFor, type Forecaster, type Rows } from "./forecasters";
import { LEVELS, SeriesScorer, type SeriesScore } from "./scores";
import type { Task, TaskSeries } from "./tasks";

/** A series to be scored. */
export interface ScoreOrder {
  readonly index: number;
  readonly task: Pick<Task, "stepS" | "season" | "horizon" | "slotSteps">;
  readonly series: TaskSeries;
  readonly keepsForecasts: boolean;
  /** Also scores other libraries. */
  readonly hasPeers: boolean;
}

/** Its scores by forecaster. */
export interface ScoreAnswer {
  readonly index: number;
  readonly results: readonly {
    readonly forecaster: string;
    readonly score: SeriesScore;
    readonly decision?: DecisionScore;
    readonly cpuMs: number;
    /** By origin, where they were asked for. */
    readonly forecasts?: readonly Rows[];
  }[];
}

/** Scores one series. */
export function scoreSeries(
  { index, task, series, keepsForecasts }: ScoreOrder,
  peers: readonly Forecaster[],
): ScoreAnswer {
  const { values, origins, id, startS } = series;
  const training = values.subarray(0, origins[0]);
  const setting = { id, startS, stepS: task.stepS, season: task.season, horizon: task.horizon, levels: LEVELS };
  return {
    index,
    results: [...forecastersFor(task.season), ...peers].map((forecaster) => {
      const scorer = SeriesScorer.forSeries(training, task.season);
      const decisions = task.slotSteps === undefined ? undefined : new DecisionScorer(task.slotSteps);
      const before = process.threadCpuUsage();
      const forecast = forecaster.start(training, setting);
      const forecasts = origins.map((origin) => forecast(values.slice(0, origin)));
      const { user, system } = process.threadCpuUsage(before);
      forecasts.forEach((rows, position) => {
        const origin = origins[position] ?? 0;
        const actual = values.subarray(origin, origin + task.horizon);
        scorer.add(rows, actual);
        decisions?.add(rows, actual);
      });
      const cpuMs = (user + system) / 1000 / origins.length;
      return {
        forecaster: forecaster.name,
        score: scorer.result(),
        cpuMs,
        ...(decisions ? { decision: decisions.result() } : {}),
        ...(keepsForecasts ? { forecasts } : {}),
      };
    }),
  };
}

let peers: readonly Forecaster[] | undefined;

parentPort?.on("message", (order: ScoreOrder) => {
  void answer(order);
});

async function answer(order: ScoreOrder): Promise<void> {
  if (order.hasPeers) peers ??= await (await import("./peers.js")).loadPeers();
  parentPort?.postMessage(scoreSeries(order, order.hasPeers ? (peers ?? []) : []));
}
