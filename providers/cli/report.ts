/** `archipelago report RUN | FILE`: shows the measured report of a run. */
import { access, readFile, writeFile } from "node:fs/promises";
import * as path from "node:path";
import { isFinalPhase, MistakeError, messageOf, type RunReport } from "../../sdk/model";
import { readRun } from "../runner/session";
import { defineCommand } from "./command";
import { EXIT_CODES } from "./exit-codes";
import { chooseFamily, openStore, STORE_OPTIONS, type OpenedStore } from "./store";

/** Renders a stored report as text. */
export const reportCommand = defineCommand({
  name: "report",
  summary: "show the measured report of a run",
  about: `Shows what was measured: hosts, requests, latency, pauses, budgets, forecast against actual, cost, promises
kept. RUN is an update's name, its family or a run's id; FILE the JSON beside a report's page. Without either,
the store's only update.`,
  positionals: [{ name: "RUN|FILE", isOptional: true, completes: "runs" }],
  options: { ...STORE_OPTIONS, page: { value: "FILE", about: "write the report's HTML page" } },
  examples: [
    ["archipelago report kernel", "the report of the newest run of kernel"],
    ["archipelago report kernel --page report.html", "the page, to be opened or sent"],
  ],
  async run({ options, positionals: [word], isJson, terminal }) {
    const { renderTextReport } = await import("../report/text-report.js");
    const found = await findReport(options, word);
    if (found.newest !== undefined) {
      terminal.note(`run ${found.newest} has no report yet; this is the last one before it`);
    }
    if (options.page !== undefined) await writePage(found, options.page);
    if (isJson) terminal.printJson(found.report);
    else terminal.print(renderTextReport(found.report));
    return EXIT_CODES.done;
  },
});

interface FoundReport {
  readonly report: RunReport;
  /** The page that was made with it, where there is one. */
  readonly readPage?: () => Promise<string | undefined>;
  /** The newest run, where the report is of an earlier one. */
  readonly newest?: string;
}

async function findReport(
  options: { readonly store: string | undefined; readonly file: string | undefined },
  word: string | undefined,
): Promise<FoundReport> {
  if (word !== undefined && (word.endsWith(".json") || word.includes("/"))) return readReportFile(word);
  const opened = await openStore(options);
  const family = await chooseFamily(opened, word);
  const runs = (await opened.store.list()).filter((run) => run === word || run.startsWith(`${family}-`));
  const asked = word !== undefined && runs.includes(word) ? [word] : runs;
  for (const [index, run] of asked.entries()) {
    const report = await readStoredReport(opened, run);
    if (report) return { ...report, ...(index > 0 && asked[0] !== undefined ? { newest: asked[0] } : {}) };
  }
  throw await withoutReport(opened, runs[0] ?? family);
}

/** A report in the store's documents, or in the folder beside a `file:` store. */
async function readStoredReport({ store, url }: OpenedStore, run: string): Promise<FoundReport | undefined> {
  const name = `reports/${run}.json`;
  const stored = await store.getDocument(name);
  if (stored !== undefined) {
    return { report: parseReport(stored, name), readPage: () => store.getDocument(`reports/${run}.html`) };
  }
  if (!url.startsWith("file:")) return undefined;
  const { parseFileUrl } = await import("../journal/file-store.js");
  const file = path.join(parseFileUrl(url), "reports", `${run}.json`);
  return (await isThere(file)) ? readReportFile(file) : undefined;
}

async function withoutReport({ store }: OpenedStore, run: string): Promise<MistakeError> {
  const state = await readRun(store, run);
  const why = state && !isFinalPhase(state.phase) ? `is ${state.phase} and has no report yet` : "has no report";
  const remedy =
    state && !isFinalPhase(state.phase) ? "see `archipelago status`" : "see its journal with `archipelago status RUN`";
  return MistakeError.of("run", run, why, remedy);
}

async function readReportFile(file: string): Promise<FoundReport> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw unreadable(file, messageOf(error));
  }
  const page = file.replace(/\.json$/, ".html");
  return {
    report: parseReport(text, file),
    ...((await isThere(page)) ? { readPage: () => readFile(page, "utf8") } : {}),
  };
}

function parseReport(text: string, name: string): RunReport {
  let report: Partial<RunReport>;
  try {
    report = JSON.parse(text) as Partial<RunReport>;
  } catch (error) {
    throw unreadable(name, messageOf(error));
  }
  if (report.v === 1) return report as RunReport;
  throw MistakeError.of("FILE", name, "is not a report of version 1", "use the version of archipelago that wrote it");
}

function unreadable(name: string, why: string): MistakeError {
  return MistakeError.of("FILE", name, `must be a readable report (${why})`, "name the .json beside the report's page");
}

async function writePage({ report, readPage }: FoundReport, to: string): Promise<void> {
  const made = await readPage?.();
  const { renderReportPage } = await import("../report/report-page.js");
  await writeFile(to, made ?? renderReportPage(report));
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
