/**
 * `npm run bench:rebalance [-- --quick]`: a real fleet under load, first left as it is, then evened out by a
 * rebalance. Writes bench/results/rebalance.json.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { RunReport } from "../../sdk/model";
import { runCommand } from "../command";
import { startLoad, type LoadResult, type RunningLoad } from "../load";
import { writeResults } from "../results";
import { BUSY, openUnevenFleet, type UnevenFleet } from "./uneven-fleet";

const HELP = `Usage: npm run bench:rebalance [-- --quick]

Two hosts of real processes. Two busy services are on one of them, two idle ones on the other. The copies of a
host share its core: a queue in which each request is served for 50 ms in the mean (exponential), so that
other work of this machine hardly counts. Open-loop load is measured without rebalancing, while a
rebalance moves a copy, and after it, on the same fleet. Ends with 1 where a request failed, a promise
was broken, nothing moved, or the p99 is not lower after it.

  --quick  phases of 10 seconds instead of 60; its result is not written`;

/** Two services with so many requests a second keep a core 80 % busy. */
const RATE_PER_SECOND = 8;
const WORK_MS = 50;
const PHASES = ["without", "moving", "with"] as const;
const WARM_UP_MS = 6_000;

interface Result {
  readonly seconds: number;
  readonly ratePerSecond: number;
  readonly moves: number;
  readonly movingSeconds: number;
  readonly failed: number;
  readonly violations: number;
  /** Of both services together: the worse of the two. */
  readonly p99Ms: Readonly<Record<(typeof PHASES)[number], number>>;
  readonly p50Ms: Readonly<Record<(typeof PHASES)[number], number>>;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { quick: { type: "boolean", default: false }, help: { type: "boolean", default: false } },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const root = path.join(require.resolve("pulumi-archipelago/package.json"), "..");
  const folder = path.join(root, ".archipelago", "bench-rebalance");
  fs.mkdirSync(folder, { recursive: true });
  const fleet = await openUnevenFleet(folder, WORK_MS);
  try {
    const result = await measure(fleet, values.quick ? 10 : 60);
    printResult(result);
    if (!values.quick) writeResults("rebalance", result);
    const { failed, violations, moves, p99Ms } = result;
    return failed === 0 && violations === 0 && moves > 0 && p99Ms.with < p99Ms.without ? 0 : 1;
  } finally {
    await fleet.close();
  }
}

async function measure(fleet: UnevenFleet, seconds: number): Promise<Result> {
  const loads = await Promise.all(BUSY.map((service, index) => loadOf(fleet, service, index)));
  const mark = (phase: string): Promise<unknown> => Promise.all(loads.map((load) => load.mark(phase)));
  await sleep(WARM_UP_MS);
  await mark("without");
  await sleep(seconds * 1000);
  await mark("moving");
  const begunMs = Date.now();
  const outcome = await fleet.rebalance(RATE_PER_SECOND * WORK_MS, (line) => {
    console.log(`rebalance: ${line}`);
  });
  const movingSeconds = (Date.now() - begunMs) / 1000;
  console.log(`rebalance: ${outcome.phase}: ${outcome.reason}`);
  await mark("with");
  await sleep(seconds * 1000);
  const results = await Promise.all(loads.map((load) => load.stop()));
  results.forEach(({ phases }, index) => {
    const told = PHASES.map((phase) => {
      const { page, maxLagMs } = phases[phase] ?? { page: { p99Ms: 0 }, maxLagMs: 0 };
      return `${phase} p99 ${page.p99Ms.toFixed(1)} ms (generator at most ${maxLagMs.toFixed(0)} ms late)`;
    });
    console.log(`${BUSY[index] ?? ""}: ${told.join(", ")}`);
  });
  const report = outcome.report === undefined ? undefined : readReport(outcome.report);
  return {
    seconds,
    ratePerSecond: RATE_PER_SECOND,
    moves: outcome.run?.waves.reduce((sum, wave) => sum + wave.moves.length, 0) ?? 0,
    movingSeconds: round(movingSeconds),
    failed: results.reduce((sum, { failed }) => sum + failed, 0),
    violations: report?.violations.length ?? 0,
    p99Ms: byPhase(results, "p99Ms"),
    p50Ms: byPhase(results, "p50Ms"),
  };
}

function loadOf(fleet: UnevenFleet, service: string, index: number): Promise<RunningLoad> {
  return startLoad(
    {
      services: { front: fleet.endpoints[service] ?? "" },
      ratePerSecond: RATE_PER_SECOND,
      slowShare: 0,
      newConnectionShare: 0,
      seed: index + 1,
      phase: "start",
    },
    () => undefined,
  );
}

function readReport(page: string): RunReport {
  return JSON.parse(fs.readFileSync(page.replace(/\.html$/, ".json"), "utf8")) as RunReport;
}

function byPhase(results: readonly LoadResult[], quantile: "p50Ms" | "p99Ms"): Result["p99Ms"] {
  const of = (phase: string): number =>
    round(Math.max(...results.map(({ phases }) => phases[phase]?.page[quantile] ?? 0)));
  return { without: of("without"), moving: of("moving"), with: of("with") };
}

function printResult({ p50Ms, p99Ms, moves, movingSeconds, failed, violations }: Result): void {
  console.log("\n              without   moving     with");
  for (const [name, row] of [["p50", p50Ms] as const, ["p99", p99Ms] as const]) {
    const cells = [row.without, row.moving, row.with].map((value) => `${value.toFixed(1)} ms`.padStart(9));
    console.log(`${name}        ${cells.join("")}`);
  }
  const gain = p99Ms.with > 0 ? p99Ms.without / p99Ms.with : 0;
  console.log(
    `${String(moves)} move(s) in ${movingSeconds.toFixed(1)} s; ${String(failed)} failed, ${String(violations)} promises broken; p99 ${gain.toFixed(2)} times lower`,
  );
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

runCommand(main);
