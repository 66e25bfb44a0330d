/**
 * `npm run bench:roadef`: the placement search on instances of the ROADEF/EURO challenge 2012 (machine reassignment,
 * data by Google), beside published results. Writes bench/results/roadef.json.
 */
import { once } from "node:events";
import * as fs from "node:fs";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { runCommand } from "../command";
import { readResults, writeResults } from "../results";
import { check } from "./checker";
import { readInstance, renderAssignment } from "./instance";
import { findInstance, type InstanceFiles } from "./instance-files";
import { REFERENCES } from "./references";
import { createSharedBest } from "./shared-best";
import type { SearchAnswer, SearchOrder } from "./worker";

const QUICK_SECONDS = 8;
const QUICK_INSTANCES = ["a1_4", "a2_5", "b_1", "b_9"];
/** Kept free for the start of npm before this process, checking and writing. */
const MARGIN_S = 2.5;
/** Checking a result takes about as long as reading, and a little more on a busy machine. */
const READINGS_KEPT_FREE = 4;

const HELP = `Usage: npm run bench:roadef [-- --data DIR] [--instances a1_4,b_1] [--seconds 60] [--seeds 1,2,3] [--threads 2] [--quick]
       npm run bench:roadef -- --model FILE --initial FILE [--out FILE] [--seconds 60] [--seeds 1] [--threads 2]

Machine reassignment, ROADEF/EURO challenge 2012: cost after a minute, beside bound, best known and the winner's.
The instances are not part of this package. Each result is judged by a checker of its own.

  --data DIR         folder with model_NAME.txt and assignment_NAME.txt, or archives .tar.gz of them
                     [$ARCHIPELAGO_BENCH_DATA]
  --instances NAMES  [${Object.keys(REFERENCES).join(",")}]
  --model, --initial one instance by its files
  --out FILE         where its assignment goes
  --seconds N        wall time of each run, with reading and the start of threads  [60]
  --seeds N,N        one run of each; results show the worst  [1]
  --threads N        [2]
  --quick            ${String(QUICK_SECONDS)} s each on ${QUICK_INSTANCES.join(", ")}`;

interface Settings {
  readonly seconds: number;
  readonly seeds: readonly number[];
  readonly threads: number;
}

interface Outcome {
  readonly assignment: Int32Array;
  readonly cost: number;
  readonly initial: number;
  readonly faults: readonly string[];
  /** Wall time and CPU time of all threads, with reading. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly moves: number;
}

interface InstanceResult {
  readonly cost: number;
  readonly initial: number;
  readonly feasible: boolean;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly seeds: Readonly<Record<string, number>>;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      data: { type: "string" },
      instances: { type: "string" },
      model: { type: "string" },
      initial: { type: "string" },
      out: { type: "string" },
      seconds: { type: "string" },
      seeds: { type: "string", default: "1" },
      threads: { type: "string", default: "2" },
      quick: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const settings: Settings = {
    seconds: Number(values.seconds ?? (values.quick ? QUICK_SECONDS : 60)),
    seeds: values.seeds.split(",").map(Number),
    threads: Number(values.threads),
  };
  const mistakes = mistakesOf(settings);
  if (values.model !== undefined && values.initial === undefined) {
    mistakes.push("--initial (not given) must name the assignment that --model begins with");
  }
  for (const file of [values.model, values.initial]) {
    if (file !== undefined && !fs.existsSync(file)) mistakes.push(`${file} must be a file; there is none`);
  }
  if (mistakes.length > 0) {
    console.error(mistakes.join("\n"));
    return 2;
  }
  if (values.model !== undefined && values.initial !== undefined) {
    return runOne(values.model, values.initial, values.out, settings);
  }
  const folder = values.data ?? process.env["ARCHIPELAGO_BENCH_DATA"];
  if (folder === undefined || !fs.existsSync(folder)) {
    console.error(`--data (${folder ?? "not given"}) must be the folder with the instances; see --help`);
    return 2;
  }
  const names = values.instances?.split(",") ?? (values.quick ? QUICK_INSTANCES : Object.keys(REFERENCES));
  return runAll(folder, names, settings);
}

function mistakesOf({ seconds, seeds, threads }: Settings): string[] {
  const mistakes: string[] = [];
  if (!(seconds > MARGIN_S)) mistakes.push(`--seconds must be a number above ${String(MARGIN_S)}`);
  if (!seeds.every(Number.isInteger)) mistakes.push("--seeds must be whole numbers with commas between them");
  if (!(Number.isInteger(threads) && threads > 0)) mistakes.push("--threads must be a whole number above 0");
  return mistakes;
}

/** One instance by its files: the best of its seeds goes to `out`. */
async function runOne(
  modelFile: string,
  initialFile: string,
  out: string | undefined,
  settings: Settings,
): Promise<number> {
  let best: Outcome | undefined;
  for (const [index, seed] of settings.seeds.entries()) {
    // What happened since the start of the process counts in the first run.
    const startMs = index === 0 ? performance.timeOrigin : Date.now();
    const files = { model: fs.readFileSync(modelFile), initial: fs.readFileSync(initialFile) };
    const outcome = await search(files, seed, settings, startMs);
    console.log(
      `seed ${String(seed)}: cost ${grouped(outcome.cost)} of ${grouped(outcome.initial)}, ` +
        `${outcome.faults.length === 0 ? "feasible" : outcome.faults.join("; ")}, ` +
        `${outcome.seconds.toFixed(1)} s, CPU ${outcome.cpuSeconds.toFixed(1)} s`,
    );
    if (best === undefined || outcome.cost < best.cost) best = outcome;
    if (out !== undefined) fs.writeFileSync(out, renderAssignment(best.assignment));
  }
  return best?.faults.length === 0 ? 0 : 1;
}

async function runAll(folder: string, names: readonly string[], settings: Settings): Promise<number> {
  const results: Record<string, InstanceResult> = {};
  let isMissing = false;
  printHead();
  for (const name of names) {
    const outcomes: Outcome[] = [];
    for (const seed of settings.seeds) {
      const startMs = Date.now();
      const files = findInstance(folder, name);
      if (files === undefined) break;
      outcomes.push(await search(files, seed, settings, startMs));
    }
    const worst = outcomes.toSorted((a, b) => b.cost - a.cost)[0];
    if (worst === undefined) {
      console.log(`${name}: not in ${folder}`);
      isMissing = true;
      continue;
    }
    results[name] = {
      cost: worst.cost,
      initial: worst.initial,
      feasible: outcomes.every(({ faults }) => faults.length === 0),
      seconds: round(Math.max(...outcomes.map(({ seconds }) => seconds))),
      cpuSeconds: round(Math.min(...outcomes.map(({ cpuSeconds }) => cpuSeconds))),
      seeds: Object.fromEntries(settings.seeds.map((seed, index) => [seed, outcomes[index]?.cost ?? NaN])),
    };
    // One by one: a run that is ended early keeps what it has.
    write(results, settings);
    printRow(name, results[name]);
    for (const { faults } of outcomes) for (const fault of faults) console.log(`${"".padEnd(8)}${fault}`);
  }
  return isMissing || Object.values(results).some(({ feasible }) => !feasible) ? 1 : 0;
}

/** Searches with all threads at once, and has the best result checked. */
async function search(files: InstanceFiles, seed: number, settings: Settings, startMs: number): Promise<Outcome> {
  const cpuBefore = process.cpuUsage();
  const readMs = Date.now();
  const model = readInstance(files.model, files.initial);
  const readingMs = Date.now() - readMs;
  const endMs = startMs + (settings.seconds - MARGIN_S) * 1000 - readingMs * READINGS_KEPT_FREE;
  const searchMs = Date.now();
  const shared = Array.from({ length: settings.threads }, () => createSharedBest(model.processCount));
  const searches = shared.map((_, thread) => ask({ model, seed, thread, shared, startMs: searchMs, endMs }));
  // While the threads have not begun yet, or are at it.
  const initial = check(files.model, files.initial, files.initial).cost;
  const answers = await Promise.all(searches);
  const best = answers.reduce((a, b) => (b.cost < a.cost ? b : a));
  const verdict = check(files.model, files.initial, Buffer.from(renderAssignment(best.assignment)));
  const faults = [...verdict.faults];
  if (verdict.cost !== best.cost) {
    faults.push(`the search says cost ${String(best.cost)}, the checker ${String(verdict.cost)}`);
  }
  const cpu = process.cpuUsage(cpuBefore);
  return {
    assignment: best.assignment,
    cost: verdict.cost,
    initial,
    faults,
    seconds: (Date.now() - startMs) / 1000,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    moves: answers.reduce((sum, { moves }) => sum + moves, 0),
  };
}

async function ask(order: SearchOrder): Promise<SearchAnswer> {
  const worker = new Worker(path.join(__dirname, "worker.js"));
  try {
    worker.postMessage(order);
    const [answer] = (await once(worker, "message")) as [SearchAnswer];
    return answer;
  } finally {
    await worker.terminate();
  }
}

const COLUMNS = ["cost", "to bound", "to reference", "winner 60 s", "winner 300 s", "goal", "wall s", "CPU s"];
const WIDTH = 14;

function printHead(): void {
  console.log(`${"".padEnd(8)}${COLUMNS.map((name) => name.padStart(WIDTH)).join("")}`);
}

function printRow(name: string, { cost, seconds, cpuSeconds }: InstanceResult): void {
  const known = REFERENCES[name];
  const against = (other: number | undefined): string =>
    other === undefined ? "" : `${((cost / other - 1) * 100).toFixed(3)} %`;
  const cells = [
    grouped(cost),
    against(known?.lowerBound),
    against(known?.reference),
    against(known?.winner60),
    against(known?.winner300),
    known === undefined ? "" : cost <= known.goal ? "met" : "missed",
    seconds.toFixed(1),
    cpuSeconds.toFixed(1),
  ];
  console.log(`${name.padEnd(8)}${cells.map((cell) => cell.padStart(WIDTH)).join("")}`);
}

/** Results of other instances of an earlier run stay, so that a run can be done in parts. */
function write(results: Readonly<Record<string, InstanceResult>>, settings: Settings): void {
  const earlier = readResults<{ readonly instances: Readonly<Record<string, InstanceResult>> }>("roadef");
  const { threads, seconds } = settings;
  writeResults("roadef", { threads, secondsGiven: seconds, instances: { ...earlier.instances, ...results } });
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

function round(value: number): number {
  return Number(value.toFixed(1));
}

runCommand(main);
