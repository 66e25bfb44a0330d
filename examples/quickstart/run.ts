/**
 * `npm run quickstart`: starts a fleet on this machine, puts traffic on it, previews and carries out a host update
 * through Pulumi, and shows what was measured.
 */
import { setTimeout as sleep } from "node:timers/promises";
import * as fs from "node:fs";
import * as path from "node:path";
import { verifyLedger } from "../../bench/load";
import { formatDurationShort, type RunReport } from "../../sdk/model";
import { renderTextReport } from "../../providers/report/text-report";
import { endEarlierFleet, startDemonstration, type Demonstration } from "./demonstration";
import { HELP, parseOptions } from "./options";
import { hosts, root } from "./settings";

const KEPT = `
The fleet is still running, without traffic. With the pulumi CLI, in this folder:
  export PATH=$PWD/node_modules/.bin:$PATH    # a Node.js of at least 22.12
  export PULUMI_BACKEND_URL=file://$PWD/.archipelago PULUMI_CONFIG_PASSPHRASE=quickstart
  pulumi stack init quickstart
  pulumi preview    # nothing to do; for another update: pulumi config set version 3.0.0
To end the fleet: npm run quickstart -- --stop`;

/** A run that is told to stop ends the step under way first. */
const STOP_MS = 30_000;
/** Exit code of a program that Ctrl-C has ended. */
const EXIT_INTERRUPTED = 130;
/** Traffic before the update, so that the steady state is measured. */
const STEADY_MS = 6000;
/** Traffic after the update. */
const AFTER_MS = 3000;

async function main(): Promise<number> {
  const values = parseOptions(process.argv.slice(2));
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (values.stop) {
    if (!(await endEarlierFleet(console.log))) console.log("there is no fleet of an earlier run");
    return 0;
  }
  outliveReaders();
  endOnInterrupt(values.keep);
  const started = Date.now();
  heading("A fleet of six hosts on this machine");
  const demonstration = await startDemonstration({
    load: { ratePerSecond: values.rate },
    seed: values.seed,
    tell: (line) => {
      console.log(`  ${line}`);
    },
  });
  let isGood: boolean;
  try {
    isGood = await updateHosts(demonstration, values.fail, started);
  } finally {
    await demonstration.close({ keep: values.keep });
  }
  if (values.keep) console.log(KEPT);
  return isGood ? 0 : 1;
}

/** What the engine does just now. */
let underWay: Promise<unknown> = Promise.resolve();
let isInterrupted = false;

/** Waits for an operation of the engine; after Ctrl-C nothing follows it. */
async function operate<T>(operation: Promise<T>): Promise<T> {
  underWay = operation;
  const result = await operation;
  if (isInterrupted) await new Promise(() => undefined);
  return result;
}

/** On Ctrl-C, of which a terminal tells the engine too: waits for the engine, then ends the fleet. */
function endOnInterrupt(keep: boolean): void {
  process.once("SIGINT", () => {
    isInterrupted = true;
    console.log(
      "\nCtrl-C: the run stops at its next step border, then the fleet is ended; Ctrl-C again leaves it there",
    );
    const ended = Promise.race([underWay.catch(() => undefined), sleep(STOP_MS)]);
    ended
      .then(async () => {
        if (keep) console.log("the fleet is still running: npm run quickstart -- --stop");
        else await endEarlierFleet(() => undefined);
      })
      .catch((error: unknown) => {
        console.error(error instanceof Error ? error.message : error);
      })
      .finally(() => process.exit(EXIT_INTERRUPTED));
  });
}

/** Who reads the output may end before the fleet does, as `tee` on the same Ctrl-C. */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
}

async function updateHosts(
  { update, load, endpoints }: Demonstration,
  fail: boolean,
  started: number,
): Promise<boolean> {
  if (fail) await update.setConfig("command", "echo 'no space left on device' >&2; exit 28");
  await sleep(STEADY_MS);

  heading("pulumi preview");
  const preview = await operate(update.preview({ onOutput: show }));
  if (preview.exitCode !== 0) {
    console.log("\nNOT OK: the preview failed; nothing was changed");
    return false;
  }

  heading("pulumi up");
  await load.mark("window");
  const up = await operate(update.up({ onOutput: show }));
  await load.mark("after");
  await sleep(AFTER_MS);
  const measured = await load.stop();
  const verdict = await verifyLedger(endpoints["ledger"] ?? "", measured.ackedLedgerIds);

  heading("What was measured");
  const { report: page = "" } = (await update.outputs()) as { readonly report?: string };
  const report =
    page === "" ? undefined : (JSON.parse(fs.readFileSync(page.replace(/\.html$/, ".json"), "utf8")) as RunReport);
  if (report) console.log(renderTextReport(report));
  const { window } = measured.phases;
  console.log(
    `  clients   ${String(measured.requests)} requests, ${String(measured.failed)} failed; ledger: ${String(measured.ackedLedgerIds.length)} writes acknowledged, ${String(verdict.lost.length)} lost`,
  );
  for (const failure of measured.failures.slice(0, 5)) console.log(`            ${failure.request}: ${failure.reason}`);
  if (page !== "") console.log(`  page      ${path.relative(process.cwd(), page)}`);

  const broken = report?.violations.length ?? 0;
  const isKept = measured.failed === 0 && verdict.lost.length === 0 && broken === 0;
  const updated = report?.hosts.filter(({ outcome }) => outcome === "updated").length ?? 0;
  // A run that waits for something that is in its way has failed no engine, and updated nothing.
  const isAsAsked = isKept && (fail ? up.exitCode !== 0 : up.exitCode === 0 && updated === hosts);
  const done = updated === hosts ? String(hosts) : `${String(updated)} of ${String(hosts)}`;
  console.log(
    `\n${isAsAsked ? "OK" : "NOT OK"}: ${fail ? "the failing update was taken back" : `${done} hosts updated`} under ${String(window?.requests ?? 0)} requests, ` +
      `${String(measured.failed)} failed, ${String(verdict.lost.length)} acknowledged writes lost, ${String(broken)} promises broken, in ${formatDurationShort(Date.now() - started)} (engine: ${update.kind})`,
  );
  return isAsAsked;
}

function heading(text: string): void {
  console.log(`\n== ${text}`);
}

function show(line: string): void {
  console.log(`  ${line}`);
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
