/**
 * `npm run bench:window [-- --quick]`: a whole host update under real traffic, and a plain rolling restart of the same
 * fleet as the baseline. Writes bench/results/window.json.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startDemonstration, type Demonstration } from "../../examples/quickstart/demonstration";
import { applyCommand, inventory, root } from "../../examples/quickstart/settings";
import { openAgentPlatform } from "../../providers/drivers/agent-platform";
import type { RunReport } from "../../sdk/model";
import { startLoad, verifyLedger, type LoadResult } from "../load";
import { rollingRestart } from "./rolling-restart";

const HELP = `Usage: npm run bench:window [-- --quick]

A host update under open-loop traffic: keep-alive and new connections, 5 % slow requests of 2 s
(counted apart), writes to a single-writer ledger. Then a plain rolling restart of the same fleet.

Ends with 1 where a request failed, an acknowledged write was lost or a promise was broken, and, in the
full form, where the p99 of the window is above 1.2 x that of the steady state.

  --quick    20,000 requests on three hosts in about a minute, instead of 100,000 in the window on six;
             its steady state is too short to judge a p99 by, which is shown only
  --rate N   requests a second`;

/** The goal: p99 of the window against that of the steady state. */
const P99_RATIO = 1.2;

interface Size {
  readonly hosts: number;
  readonly requests: number;
  readonly ratePerSecond: number;
  readonly warmUpMs: number;
  readonly steadyMs: number;
  readonly soak: string;
  /** Whether the steady state is long enough to judge the window's p99 by. */
  readonly judgesP99: boolean;
}
/** The soak of an ordinary window: it makes the window itself long enough for its 100,000 requests. */
const FULL: Size = {
  hosts: 6,
  requests: 100_000,
  ratePerSecond: 300,
  warmUpMs: 20_000,
  steadyMs: 90_000,
  soak: "70 seconds",
  judgesP99: true,
};
const QUICK: Size = {
  hosts: 3,
  requests: 20_000,
  ratePerSecond: 560,
  warmUpMs: 0,
  steadyMs: 5_000,
  soak: "0 ms",
  judgesP99: false,
};
const PROGRESS_MS = 250;
/** The short form is about requests; its history need not be near. */
const QUICK_MEASURE_MS = 2000;

interface WindowResult {
  readonly engine: string;
  readonly requests: number;
  readonly requestsInWindow: number;
  readonly failed: number;
  readonly lostWrites: number;
  readonly p99SteadyMs: number;
  readonly p99WindowMs: number;
  readonly maxPauseMs: number;
  readonly windowSeconds: number;
  readonly slowRequests: number;
  readonly violations: number;
  readonly baseline: {
    readonly requests: number;
    readonly failed: number;
    readonly lostWrites: number;
    readonly p99Ms: number;
  };
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      rate: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const preset = values.quick ? QUICK : FULL;
  const size = { ...preset, ratePerSecond: Number(values.rate ?? preset.ratePerSecond) };
  const demonstration = await startDemonstration({
    load: { ratePerSecond: size.ratePerSecond, maxSeconds: 1200, phase: "start" },
    seed: 1,
    warmUpMs: size.warmUpMs,
    hosts: size.hosts,
    ...(values.quick ? { measureMs: QUICK_MEASURE_MS } : {}),
    tell,
  });
  try {
    const window = await measureWindow(demonstration, size);
    const baseline = await measureBaseline(demonstration, size);
    const result = { ...window, baseline };
    printTable(result);
    write(result);
    const isKept = result.failed === 0 && result.lostWrites === 0 && result.violations === 0;
    const isFast = !size.judgesP99 || result.p99WindowMs <= P99_RATIO * result.p99SteadyMs;
    return isKept && isFast ? 0 : 1;
  } finally {
    await demonstration.close({ keep: false });
  }
}

async function measureWindow(
  { update, load, requests, endpoints }: Demonstration,
  size: Size,
): Promise<Omit<WindowResult, "baseline">> {
  await update.setConfig("soak", size.soak);
  await load.mark("steady");
  await sleep(size.steadyMs);
  tell("update: begins");
  // What the engine needs to start its own processes is not the window's doing, and is counted apart.
  await load.mark("engine");
  let marking: Promise<void> | undefined;
  const up = await update.up({
    onOutput: (line) => {
      if (line.includes("wave 1: ")) marking ??= load.mark("window");
    },
  });
  await marking;
  await load.mark("after");
  tell(`update: ended with ${String(up.exitCode)}`);
  if (up.exitCode !== 0) console.log(up.stdout);
  // The rest of the requests that were promised come after the window.
  while (requests() < size.requests) await sleep(PROGRESS_MS);
  const measured = await load.stop();
  for (const failure of measured.failures) tell(`failed: ${failure.phase} ${failure.request}: ${failure.reason}`);
  for (const phase of ["steady", "window"]) {
    const result = measured.phases[phase];
    if (!result) continue;
    const p99 = (["page", "ledger"] as const).map((kind) => `${kind} ${result[kind].p99Ms.toFixed(1)} ms`);
    tell(
      `${phase}: ${String(result.requests)} requests, p99 ${p99.join(", ")}; generator at most ${result.maxLagMs.toFixed(0)} ms late`,
    );
  }
  const verdict = await verifyLedger(endpoints["ledger"] ?? "", measured.ackedLedgerIds);
  const { report: page = "" } = (await update.outputs()) as { readonly report?: string };
  const report = JSON.parse(fs.readFileSync(page.replace(/\.html$/, ".json"), "utf8")) as RunReport;
  for (const violation of report.violations)
    tell(`broken promise: ${violation.rule} ${violation.subject}: ${violation.text}`);
  return {
    engine: `${update.kind} ${update.version}`,
    requests: measured.requests,
    requestsInWindow: measured.phases["window"]?.requests ?? 0,
    failed: measured.failed + (up.exitCode === 0 ? 0 : 1),
    lostWrites: verdict.lost.length,
    p99SteadyMs: round(measured.phases["steady"]?.latency.p99Ms ?? 0),
    p99WindowMs: round(measured.phases["window"]?.latency.p99Ms ?? 0),
    maxPauseMs: round(Math.max(0, ...report.pauses.map(({ pauseMs }) => pauseMs))),
    windowSeconds: round((report.endMs - report.startMs) / 1000),
    slowRequests: measured.slow.requests,
    violations: report.violations.length,
  };
}

/** The same fleet and traffic; the update's command is run again, which installs the same version anew. */
async function measureBaseline({ endpoints }: Demonstration, size: Size): Promise<WindowResult["baseline"]> {
  const { front, ledger } = endpoints;
  if (front === undefined || ledger === undefined) throw new Error("the fleet has no endpoints for front and ledger");
  const load = await startLoad(
    { ratePerSecond: size.ratePerSecond, maxSeconds: 600, services: { front, ledger }, phase: "restart", seed: 2 },
    () => undefined,
  );
  const platform = await openAgentPlatform(inventory);
  let measured: LoadResult;
  try {
    await rollingRestart(platform, applyCommand, tell);
  } finally {
    measured = await load.stop();
    await platform.close();
  }
  const verdict = await verifyLedger(ledger, measured.ackedLedgerIds);
  return {
    requests: measured.requests,
    failed: measured.failed,
    lostWrites: verdict.lost.length,
    p99Ms: round(measured.phases["restart"]?.latency.p99Ms ?? 0),
  };
}

function printTable(result: WindowResult): void {
  const ratio = result.p99WindowMs / result.p99SteadyMs;
  const rows: readonly (readonly [string, string, string])[] = [
    ["", "Archipelago", "rolling restart"],
    ["requests", String(result.requests), String(result.baseline.requests)],
    ["of them in the window", String(result.requestsInWindow), ""],
    ["failed", String(result.failed), String(result.baseline.failed)],
    ["acknowledged writes lost", String(result.lostWrites), String(result.baseline.lostWrites)],
    ["p99 steady", `${String(result.p99SteadyMs)} ms`, ""],
    [
      "p99 in the window",
      `${String(result.p99WindowMs)} ms (${ratio.toFixed(2)} x)`,
      `${String(result.baseline.p99Ms)} ms`,
    ],
    ["longest pause", `${String(result.maxPauseMs)} ms`, ""],
    ["window", `${String(result.windowSeconds)} s`, ""],
    ["broken promises", String(result.violations), ""],
  ];
  console.log(`\nEngine: ${result.engine}`);
  for (const [label, ours, theirs] of rows) console.log(`${label.padEnd(26)}${ours.padEnd(22)}${theirs}`);
}

function write(result: WindowResult): void {
  const folder = path.join(root, "bench", "results");
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, "window.json"), `${JSON.stringify(result, null, 2)}\n`);
}

function tell(line: string): void {
  console.log(line);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

process.chdir(root);
main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  },
);
