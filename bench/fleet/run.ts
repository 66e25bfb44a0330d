/**
 * `npm run bench:fleet [-- --quick]`: plans fleets of generated hosts and workloads, and plays the plans against baselines.
 * Writes bench/results/fleet.json.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { runCommand } from "../command";
import { readResults, writeResults } from "../results";
import type { SizeResult } from "./measure-size";

const HELP = `Usage: npm run bench:fleet [-- --quick] [--size 500x5000] [--runs 1000] [--seed 1]

Time and memory of a whole plan, of what a preview adds and of planning again from the middle of a run; simulated runs of it (durations and demand drawn): budgets, limits, capacity, makespan
against fixed numbers of hosts at a time, data moved in busy hours against a plan that ignores the forecast.

  --quick      50x500 and 500x5000 with 100 runs each
  --size A,B   only these sizes  [50x500,500x5000,5000x30000]
  --runs N     simulated runs of each plan  [1000]
  --seed N     seed of fleets and runs  [1]`;

const SIZES = ["50x500", "500x5000", "5000x30000"] as const;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      size: { type: "string" },
      runs: { type: "string" },
      seed: { type: "string", default: "1" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  const sizes = values.size?.split(",") ?? (values.quick ? SIZES.slice(0, 2) : SIZES);
  const runs = values.runs ?? (values.quick ? "100" : "1000");
  const results: Record<string, SizeResult> = {};
  for (const size of sizes) {
    if (!/^[0-9]+x[0-9]+$/.test(size)) throw new Error(`--size ("${size}") must be HOSTSxWORKLOADS, like 500x5000`);
    results[size] = await measureApart(size, runs, values.seed);
  }
  // A run of some sizes leaves the results of the others as they were.
  const before = readResults<{ readonly sizes: object }>("fleet");
  writeResults("fleet", { sizes: { ...before.sizes, ...results } });
}

/** Each size in a process of its own, so that its memory can be told. */
async function measureApart(size: string, runs: string, seed: string): Promise<SizeResult> {
  const child = fork(path.join(__dirname, "measure-size.js"), [size, runs, seed], { stdio: "inherit" });
  const answer = once(child, "message");
  const ended = once(child, "exit").then(([code]) => {
    if (code !== 0) throw new Error(`measuring ${size} ended with code ${String(code)}`);
  });
  const [result] = (await Promise.race([answer, ended.then(() => answer)])) as [SizeResult];
  await ended;
  return result;
}

runCommand(main);
