/**
 * `npm run bench:forecast`: scores this package's forecast on public traces, beside the baselines. Writes the tasks that
 * it ran into bench/results/forecast.json.
 */
import { once } from "node:events";
import * as fs from "node:fs";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { createGzip } from "node:zlib";
import { runCommand } from "../command";
import { resultsFile, writeResults } from "../results";
import type { DecisionScore } from "./decision";
import { mergeRows, printOfForecasts } from "./results-file";
import { LEVELS, meanOf, medianOf, relativeLoss, type SeriesScore } from "./scores";
import { runScale } from "./scale";
import { readTask, TASKS, type LeftOut, type Task, type TaskSeries } from "./tasks";
import type { ScoreAnswer, ScoreOrder } from "./worker";

const HELP = `Usage: npm run bench:forecast [-- --data DIR] [--task T2a,T2b,...] [--forecasts FILE.csv.gz] [--quick]

Quantile forecasts from rolling origins on public cloud traces and M4 hourly: loss relative to seasonal naive
(relPin), MASE, OWA and MSIS for M4, what choosing the quietest slot by the forecast costs, coverage at 80 and 95 %, shares above P90 and P99, CPU per forecast. The data is not part of this package.

  --data DIR         folder with the files; one that is missing is named and left out  [$ARCHIPELAGO_BENCH_DATA]
  --task NAMES       tasks: ${TASKS.map(({ name }) => name).join(", ")}  [all];
                     results of the other tasks stay in the file, and those of another forecast are named
  --forecasts FILE   also write every forecast of this package as task,set,series_id,origin,step,actual,q0.01,...
  --quick            at most 24 series of each task
  --peers            a sample of each task (8 series, 3 origins), beside @bsull/augurs (MSTL + AutoETS) and arima; goals
                     are of whole tasks and not of samples
  --scale            instead: CPU and memory of 10,000 generated series (500 with --quick), and of an LSTM's fit`;

const QUICK_SERIES = 24;
const THREADS = 2;
/** What peers are compared on. */
const PEER_SAMPLE = { series: 8, origins: 3 } as const;

/** Scores of Naive2 on the hourly series of M4 that are in the task. */
const NAIVE_2 = { smape: 18.29, mase: 2.575 } as const;

interface TaskResult {
  readonly relPin: number;
  /** Mean of sMAPE and MASE relative to Naive2; T1 only. */
  readonly owa?: number;
  readonly smape: number;
  readonly msis: number;
  readonly mase: number;
  readonly maseMedian: number;
  readonly c80: number;
  readonly c95: number;
  readonly u90: number;
  readonly u99: number;
  readonly faults: number;
  readonly cpuMsPerSeries: number;
  readonly series: number;
  /** Choice of the quietest slot by P90, reserved by P99; see decision.ts. */
  readonly decision?: DecisionScore;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      data: { type: "string" },
      task: { type: "string" },
      forecasts: { type: "string" },
      quick: { type: "boolean", default: false },
      peers: { type: "boolean", default: false },
      scale: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (values.scale) {
    await runScale(values.quick);
    return 0;
  }
  const folder = values.data ?? process.env["ARCHIPELAGO_BENCH_DATA"];
  if (folder === undefined || !fs.existsSync(folder)) {
    console.error(`--data (${folder ?? "not given"}) must be the folder with the benchmark's files; see --help`);
    return 2;
  }
  const names = values.task?.split(",") ?? TASKS.map(({ name }) => name);
  const unknown = names.filter((name) => !TASKS.some((task) => task.name === name));
  if (unknown.length > 0) {
    console.error(`--task: unknown ${unknown.join(", ")}; known: ${TASKS.map(({ name }) => name).join(", ")}`);
    return 2;
  }
  const dump = values.forecasts === undefined ? undefined : openDump(values.forecasts);
  const tasks: Record<string, TaskResult> = {};
  const beside: Record<string, Readonly<Record<string, TaskResult>>> = {};
  printHead();
  for (const task of TASKS.filter(({ name }) => names.includes(name))) {
    const { series, leftOut } = readTask(task, folder);
    const taken = values.peers ? sampleOf(series) : values.quick ? series.slice(0, QUICK_SERIES) : series;
    if (taken.length === 0) {
      console.log(`${task.name}: no series (${describeLeftOut(leftOut)})`);
      continue;
    }
    const answers = await scoreAll(task, taken, { keepsForecasts: dump !== undefined, hasPeers: values.peers });
    dump?.add(task, taken, answers);
    const results = summarize(task, answers);
    printTask(task, taken.length, leftOut, results);
    const own = results.get("archipelago");
    if (own) tasks[task.name] = own;
    if (values.peers) beside[task.name] = Object.fromEntries(results);
  }
  await dump?.close();
  if (values.peers)
    writeResults("forecast-peers", { series: PEER_SAMPLE.series, origins: PEER_SAMPLE.origins, tasks: beside });
  else keep(tasks, values.quick);
  return 0;
}

/** Threads take one series after the other, so that the order of the answers does not depend on their speed. */
async function scoreAll(
  task: Task,
  series: readonly TaskSeries[],
  wanted: Pick<ScoreOrder, "keepsForecasts" | "hasPeers">,
): Promise<ScoreAnswer[]> {
  const answers: ScoreAnswer[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    const worker = new Worker(path.join(__dirname, "worker.js"));
    try {
      for (;;) {
        const index = next;
        next += 1;
        const one = series[index];
        if (!one) return;
        const answer = Promise.withResolvers<ScoreAnswer>();
        worker.once("message", answer.resolve);
        worker.once("error", answer.reject);
        const { stepS, season, horizon, slotSteps } = task;
        worker.postMessage({
          index,
          task: { stepS, season, horizon, ...(slotSteps === undefined ? {} : { slotSteps }) },
          series: one,
          ...wanted,
        } satisfies ScoreOrder);
        answers[index] = await answer.promise;
        worker.off("error", answer.reject);
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: THREADS }, work));
  return answers;
}

function summarize(task: Task, answers: readonly ScoreAnswer[]): ReadonlyMap<string, TaskResult> {
  const names = answers[0]?.results.map(({ forecaster }) => forecaster) ?? [];
  const resultsOf = (name: string) =>
    answers.flatMap(({ results }) => results.filter(({ forecaster }) => forecaster === name));
  const scoresOf = (name: string): readonly SeriesScore[] => resultsOf(name).map(({ score }) => score);
  const yardstick = scoresOf(names[0] ?? "");
  return new Map(
    names.map((name) => {
      const scores = scoresOf(name);
      const decisions = resultsOf(name).flatMap(({ decision }) => (decision ? [decision] : []));
      const [smape, mase] = [meanOf(scores, "smape"), meanOf(scores, "mase")];
      const cpuMs = resultsOf(name).reduce((sum, result) => sum + result.cpuMs, 0) / scores.length;
      return [
        name,
        {
          relPin: round(relativeLoss(scores, yardstick)),
          ...(task.name === "T1" ? { owa: round((smape / NAIVE_2.smape + mase / NAIVE_2.mase) / 2) } : {}),
          smape: round(smape),
          msis: round(meanOf(scores, "msis")),
          mase: round(mase),
          maseMedian: round(medianOf(scores, "mase")),
          c80: round(meanOf(scores, "c80")),
          c95: round(meanOf(scores, "c95")),
          u90: round(meanOf(scores, "u90")),
          u99: round(meanOf(scores, "u99")),
          faults: scores.reduce((sum, { faults }) => sum + faults, 0),
          cpuMsPerSeries: round(cpuMs),
          series: scores.length,
          ...(decisions.length === 0 ? {} : { decision: meanDecision(decisions) }),
        },
      ];
    }),
  );
}

function meanDecision(decisions: readonly DecisionScore[]): DecisionScore {
  const mean = (key: keyof DecisionScore, among = decisions): number =>
    among.length === 0 ? 0 : round(among.reduce((sum, decision) => sum + decision[key], 0) / among.length);
  const passed = decisions.filter(({ exceeded }) => exceeded > 0);
  return {
    regret: mean("regret"),
    regretByMedian: mean("regretByMedian"),
    exceeded: mean("exceeded"),
    excess: mean("excess", passed),
  };
}

function printHead(): void {
  const columns = ["relPin", "goal", "MASE", "c80", "c95", "u90", "u99", "faults", "CPU ms"];
  console.log(`${"task".padEnd(9)}${"forecast".padEnd(16)}${columns.map((name) => name.padStart(8)).join("")}`);
}

function printTask(task: Task, count: number, leftOut: LeftOut, results: ReadonlyMap<string, TaskResult>): void {
  for (const [name, result] of results) {
    const isOwn = name === "archipelago";
    const cells = [
      result.relPin.toFixed(3),
      isOwn ? String(task.goals["relPin"] ?? "") : "",
      result.mase.toFixed(3),
      result.c80.toFixed(3),
      result.c95.toFixed(3),
      result.u90.toFixed(3),
      result.u99.toFixed(3),
      isOwn ? String(result.faults) : "",
      result.cpuMsPerSeries.toFixed(1),
    ];
    console.log(`${task.name.padEnd(9)}${name.padEnd(16)}${cells.map((cell) => cell.padStart(8)).join("")}`);
  }
  for (const [name, { owa, smape, mase, msis, decision }] of results) {
    if (owa !== undefined) {
      const goals = `goals: OWA <= ${String(task.goals["owa"])}, MSIS <= ${String(task.goals["msis"])}`;
      console.log(
        `${"".padEnd(9)}${name}: OWA ${owa.toFixed(3)}, sMAPE ${smape.toFixed(2)}, MASE ${mase.toFixed(3)}, MSIS ${msis.toFixed(2)} (${goals})`,
      );
    }
    if (decision !== undefined) {
      const { regret, regretByMedian, exceeded, excess } = decision;
      const [lost, lostByMedian, share, by] = [regret, regretByMedian, exceeded, excess].map(
        (value) => `${(100 * value).toFixed(1)} %`,
      );
      console.log(
        `${"".padEnd(9)}${name}: 2 h slot by P90: regret ${lost ?? ""} (by the median ${lostByMedian ?? ""}); peak above P99 in ${share ?? ""}, then by ${by ?? ""}`,
      );
    }
  }
  console.log(`${"".padEnd(9)}${String(count)} series; left out: ${describeLeftOut(leftOut)}`);
}

function describeLeftOut(leftOut: LeftOut): string {
  const parts = Object.entries(leftOut).filter(([, count]) => count > 0);
  return parts.length === 0 ? "none" : parts.map(([reason, count]) => `${String(count)} ${reason}`).join(", ");
}

/** Writes forecasts of this package as CSV, one line per step. */
function openDump(file: string): {
  add(task: Task, series: readonly TaskSeries[], answers: readonly ScoreAnswer[]): void;
  close(): Promise<void>;
} {
  const gzip = createGzip();
  const out = fs.createWriteStream(file);
  gzip.pipe(out);
  gzip.write(`task,set,series_id,origin,step,actual,${LEVELS.map((level) => `q${String(level)}`).join(",")}\n`);
  return {
    add: (task, series, answers) => {
      answers.forEach(({ results }, index) => {
        const one = series[index];
        const forecasts = results.find(({ forecaster }) => forecaster === "archipelago")?.forecasts ?? [];
        if (!one) return;
        forecasts.forEach((rows, position) => {
          const origin = one.origins[position] ?? 0;
          for (let h = 0; h < task.horizon; h += 1) {
            const actual = one.values[origin + h] ?? Number.NaN;
            const cells = rows.map((row) => String(row[h] ?? Number.NaN));
            gzip.write([task.name, one.set, one.id, origin, h + 1, actual, ...cells].join(",") + "\n");
          }
        });
      });
    },
    close: async () => {
      const closed = once(out, "close");
      gzip.end();
      await closed;
    },
  };
}

/** Series and origins equally spaced over those of the task: the peers cost up to a second a forecast. */
function sampleOf(series: readonly TaskSeries[]): readonly TaskSeries[] {
  return spaced(series, PEER_SAMPLE.series).map((one) => ({
    ...one,
    origins: spaced(one.origins, PEER_SAMPLE.origins),
  }));
}

function spaced<T>(all: readonly T[], count: number): readonly T[] {
  if (all.length <= count) return all;
  return Array.from({ length: count }, (_, i) => all[Math.round((i * (all.length - 1)) / (count - 1))] as T);
}

/** Keeps rows beside those of tasks that were not run. */
function keep(tasks: Readonly<Record<string, TaskResult>>, isSample: boolean): void {
  const stamp = {
    version: packageVersion(),
    forecasts: printOfForecasts(),
    ...(isSample ? { sample: QUICK_SERIES } : {}),
  };
  const others = mergeRows(
    resultsFile("forecast"),
    stamp,
    tasks,
    TASKS.map(({ name }) => name),
  );
  if (others.length > 0) console.log(`forecast.json holds results of other forecasts than these: ${others.join(", ")}`);
}

function packageVersion(): string {
  const file = require.resolve("pulumi-archipelago/package.json");
  return (JSON.parse(fs.readFileSync(file, "utf8")) as { readonly version: string }).version;
}

function round(value: number): number {
  return Number(value.toFixed(4));
}

runCommand(main);
