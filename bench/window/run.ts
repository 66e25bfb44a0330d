/**
 * `npm run bench:window [-- --quick] [--traffic ENGINE] [--chaos]`: a whole host update under real traffic, and a plain
 * rolling restart of the same fleet as the baseline. Writes bench/results/window.json.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startDemonstration, type Demonstration } from "../../examples/quickstart/demonstration";
import { applyCommand, inventory, root } from "../../examples/quickstart/settings";
import { openAgentPlatform } from "../../providers/drivers/agent-platform";
import type { RunReport } from "../../sdk/model";
import type { EngineResult } from "../../test/engine/engine-session";
import { runCommand } from "../command";
import { startLoad, verifyLedger, type LoadResult } from "../load";
import { Chaos, RUNNER_MARK } from "./chaos";
import { rollingRestart } from "./rolling-restart";
import { printResult, writeResult, type WindowResult } from "./window-result";

const HELP = `Usage: npm run bench:window [-- --quick] [--traffic embedded|haproxy] [--chaos]

A host update under open-loop traffic: keep-alive and new connections, 5 % slow requests of 2 s
(counted apart), writes to a single-writer ledger. Then a plain rolling restart of the same fleet.

Ends with 1 where a request failed, an acknowledged write was lost or a promise was broken, and, in the
full form, where the p99 of the window is above 1.2 x that of the steady state.

  --quick    20,000 requests on three hosts in about a minute, instead of 100,000 in the window on six;
             its steady state is too short to judge a p99 by, which is shown only
  --traffic  embedded (default), or haproxy: the Debian package haproxy in front of the fleet
  --chaos    every 20 s (6 s with --quick) SIGKILL of an agent or of the runner, by a seed; agents are
             started again after 0.5 to 1 s, the runner by the next up; no baseline, no p99 to judge
  --seed N   which of them is killed when (1)
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
  /** Between two kills under chaos. */
  readonly killEveryMs: number;
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
  killEveryMs: 20_000,
};
const QUICK: Size = {
  hosts: 3,
  requests: 20_000,
  ratePerSecond: 560,
  warmUpMs: 0,
  steadyMs: 5_000,
  soak: "0 ms",
  judgesP99: false,
  killEveryMs: 6_000,
};
/** Chaos is about kills while something happens: there is no use in a long steady state or soak. */
const CHAOS: Size = { ...FULL, requests: 0, warmUpMs: 5_000, steadyMs: 15_000, soak: "15 seconds", judgesP99: false };
/** An `up` whose runner was killed is done again, as a person or a pipeline would; this only ends a loop. */
const MOST_UPS = 60;
const UP_AGAIN_MS = 1_000;
const PROGRESS_MS = 250;
/** The short form is about requests; its history need not be near. */
const QUICK_MEASURE_MS = 2000;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      traffic: { type: "string", default: "embedded" },
      chaos: { type: "boolean", default: false },
      seed: { type: "string", default: "1" },
      rate: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const { traffic, quick, chaos: isChaotic } = values;
  if (traffic !== "embedded" && traffic !== "haproxy") {
    throw new Error(`--traffic ("${traffic}") must be embedded or haproxy; leave it out for embedded`);
  }
  const preset = quick ? QUICK : isChaotic ? CHAOS : FULL;
  const size = { ...preset, ratePerSecond: Number(values.rate ?? preset.ratePerSecond) };
  const demonstration = await startDemonstration({
    load: { ratePerSecond: size.ratePerSecond, maxSeconds: 1200, phase: "start" },
    seed: 1,
    warmUpMs: size.warmUpMs,
    hosts: size.hosts,
    traffic,
    ...(quick ? { measureMs: QUICK_MEASURE_MS } : {}),
    tell,
  });
  const mark = randomUUID();
  const directory = path.dirname(inventory);
  const seed = Number(values.seed);
  const chaos = isChaotic ? new Chaos({ seed, everyMs: size.killEveryMs, directory, mark, tell }) : undefined;
  try {
    const window = await measureWindow(demonstration, size, mark, chaos);
    const result: WindowResult = chaos
      ? { ...window, kills: await chaos.stop() }
      : { ...window, baseline: await measureBaseline(demonstration, size) };
    printResult(result, traffic);
    writeResult(result, traffic);
    const isKept = result.failed === 0 && result.lostWrites === 0 && result.violations === 0;
    const isFast = !size.judgesP99 || result.p99WindowMs <= P99_RATIO * result.p99SteadyMs;
    return isKept && isFast ? 0 : 1;
  } finally {
    await chaos?.stop();
    await demonstration.close({ keep: false });
  }
}

async function measureWindow(
  { update, load, requests, endpoints }: Demonstration,
  size: Size,
  mark: string,
  chaos: Chaos | undefined,
): Promise<WindowResult> {
  await update.setConfig("soak", size.soak);
  await load.mark("steady");
  await sleep(size.steadyMs);
  tell("update: begins");
  // What the engine needs to start its own processes is not the window's doing, and is counted apart.
  await load.mark("engine");
  let marking: Promise<void> | undefined;
  const up = await untilDone(chaos, () =>
    update.up({
      env: { [RUNNER_MARK]: mark },
      onOutput: (line) => {
        if (!line.includes("wave 1: ")) return;
        marking ??= load.mark("window");
        chaos?.start();
      },
    }),
  );
  await chaos?.stop();
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
  if (up.exitCode !== 0) throw new Error("the update did not end well; see above");
  const { report: page = "" } = (await update.outputs()) as { readonly report?: string };
  const report = JSON.parse(fs.readFileSync(page.replace(/\.html$/, ".json"), "utf8")) as RunReport;
  for (const violation of report.violations)
    tell(`broken promise: ${violation.rule} ${violation.subject}: ${violation.text}`);
  return {
    engine: `${update.kind} ${update.version}`,
    requests: measured.requests,
    requestsInWindow: measured.phases["window"]?.requests ?? 0,
    failed: measured.failed,
    lostWrites: verdict.lost.length,
    p99SteadyMs: round(measured.phases["steady"]?.latency.p99Ms ?? 0),
    p99WindowMs: round(measured.phases["window"]?.latency.p99Ms ?? 0),
    maxPauseMs: round(Math.max(0, ...report.pauses.map(({ pauseMs }) => pauseMs))),
    windowSeconds: round((report.endMs - report.startMs) / 1000),
    slowRequests: measured.slow.requests,
    violations: report.violations.length,
  };
}

/** Does an `up` again whose runner was killed, that came before the lease of the killed one had expired, or lost its own. */
async function untilDone(chaos: Chaos | undefined, up: () => Promise<EngineResult>): Promise<EngineResult> {
  for (let count = 1; ; count += 1) {
    const killedBefore = chaos?.runners ?? 0;
    const result = await up();
    if (chaos === undefined || result.exitCode === 0 || count >= MOST_UPS) return result;
    const isKilled = chaos.runners > killedBefore;
    const isEarly = result.stdout.includes("is held by");
    // A machine that is so busy that a lease cannot be renewed in time: the run says that it is to be carried on.
    const isLost = /lease on .* not renewed/.test(result.stdout);
    if (!isKilled && !isEarly && !isLost) return result;
    const reason = isKilled ? "its runner was killed" : isEarly ? "another runner's lease holds" : "it lost its lease";
    tell(`update: ${reason}; the next up`);
    await sleep(UP_AGAIN_MS);
  }
}

/** The same fleet and traffic; the update's command is run again, which installs the same version anew. */
async function measureBaseline(
  { endpoints }: Demonstration,
  size: Size,
): Promise<NonNullable<WindowResult["baseline"]>> {
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

function tell(line: string): void {
  console.log(line);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

process.chdir(root);
runCommand(main);
