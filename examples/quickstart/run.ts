/**
 * `npm run quickstart`: starts a fleet on this machine, puts traffic on it, previews and carries out a host update
 * through Pulumi, and shows what was measured.
 */
import { parseArgs } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import * as fs from "node:fs";
import * as path from "node:path";
import { verifyLedger } from "../../bench/load";
import { formatDurationShort, type RunReport } from "../../sdk/model";
import { renderTextReport } from "../../providers/report/text-report";
import { startDemonstration, type Demonstration } from "./demonstration";
import { root } from "./settings";

const HELP = `Usage: npm run quickstart -- [options]

Starts six hosts (agent processes) in three zones on this machine, puts live traffic on their workloads,
previews and carries out a host update through Pulumi, and prints the measured report.

  --keep        leave the fleet running, for "pulumi preview" and "pulumi up" in this folder
  --seed N      seed of the generated load history (default 1)
  --rate N      requests a second (default 150)
  --fail        let the update fail on its first host, to see what happens then
  --help        show this`;

/** Traffic before the update, so that the steady state is measured. */
const STEADY_MS = 6000;
/** Traffic after the update. */
const AFTER_MS = 3000;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      keep: { type: "boolean", default: false },
      fail: { type: "boolean", default: false },
      seed: { type: "string", default: "1" },
      rate: { type: "string", default: "150" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const started = Date.now();
  heading("A fleet of six hosts on this machine");
  const demonstration = await startDemonstration({
    load: { ratePerSecond: Number(values.rate) },
    seed: Number(values.seed),
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
  if (values.keep)
    console.log(
      '\nThe fleet is still running. Try "pulumi preview" and "pulumi up" here; "npm run quickstart" replaces it.',
    );
  return isGood ? 0 : 1;
}

async function updateHosts(
  { update, load, endpoints }: Demonstration,
  fail: boolean,
  started: number,
): Promise<boolean> {
  if (fail) await update.setConfig("command", "echo 'no space left on device' >&2; exit 28");
  await sleep(STEADY_MS);

  heading("pulumi preview");
  const preview = await update.preview({ onOutput: show });
  if (preview.exitCode !== 0) return false;

  heading("pulumi up");
  await load.mark("window");
  const up = await update.up({ onOutput: show });
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
  const isAsAsked = isKept && (up.exitCode === 0) !== fail;
  const updated = report?.hosts.filter(({ outcome }) => outcome === "updated").length ?? 0;
  console.log(
    `\n${isAsAsked ? "OK" : "NOT OK"}: ${fail ? "the failing update was taken back" : `${String(updated)} hosts updated`} under ${String(window?.requests ?? 0)} requests, ` +
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
