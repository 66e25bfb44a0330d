/** `archipelago simulate`: how a plan would go, many times over, in simulated time. */
import { writeFile } from "node:fs/promises";
import type { Bundle } from "../../sdk/model";
import { systemClock } from "../clock";
import { defineCommand, UsageError } from "./command";
import { EXIT_CODES } from "./exit-codes";
import { watchInterrupts } from "./interrupts";
import { chooseFamily, openStore, STORE_OPTIONS } from "./store";
import type { Terminal } from "./terminal";
import { readWindowFile } from "./window-file";

const DEFAULT_RUNS = 1000;
const MOST_RUNS = 100_000;

/** Plays a plan; changes nothing. */
export const simulateCommand = defineCommand({
  name: "simulate",
  summary: "play a plan many times in simulated time: when it ends, what may go wrong",
  about: `Plays the plan of a run, of a window file or of a bundle with the real planner, runner and checker on a fleet
in memory. Times of steps, demand and failures are drawn anew for each run. Shows when the run ends, how long
hand-overs pause, how often capacity is exceeded and why runs fail. Nothing is changed.

  RUN             the plan that a run of the store was approved with
  --file FILE     a plan made now for a window file
  --bundle FILE   the inputs that a run stored; no fleet is asked`,
  positionals: [{ name: "RUN", isOptional: true, completes: "runs" }],
  options: {
    ...STORE_OPTIONS,
    bundle: { value: "FILE", about: "bundle, such as the report folder's <run>.bundle.json" },
    runs: { value: "NUMBER", about: `runs to play, up to ${String(MOST_RUNS)}; ${String(DEFAULT_RUNS)} without it` },
    seed: { value: "NUMBER", about: "the same seed gives the same result; that of the update without it" },
    "host-failures": { value: "NUMBER", about: "times that a host fails in 30 days; 1/60 without it" },
    "update-failures": { value: "PERCENT", about: "share of updates that fail, such as 1%; 1% without it" },
    page: { value: "FILE", about: "write an HTML page with the distributions" },
  },
  examples: [
    ["archipelago simulate kernel", "when the run of kernel will be over"],
    ["archipelago simulate --file window.yaml --runs 200 --page simulation.html", "a plan made now, as a page"],
  ],
  async run({ options, positionals: [word], isJson, terminal }) {
    const { readWhole, readPerMonth, readShare } = await import("./simulate-options.js");
    const mistakes: string[] = [];
    const runs = readWhole("--runs", options.runs, DEFAULT_RUNS, MOST_RUNS, mistakes);
    const seed = readWhole("--seed", options.seed, undefined, 2 ** 31, mistakes);
    const { DEFAULT_ASSUMPTIONS } = await import("../simulate/simulation.js");
    const assumptions = {
      hostFailuresPerMonth: readPerMonth(options["host-failures"], DEFAULT_ASSUMPTIONS.hostFailuresPerMonth, mistakes),
      updateFailureShare: readShare(
        "--update-failures",
        options["update-failures"],
        DEFAULT_ASSUMPTIONS.updateFailureShare,
        mistakes,
      ),
    };
    if (options.bundle !== undefined && (word !== undefined || options.file !== undefined))
      mistakes.push("name one of RUN, --bundle FILE and --file FILE");
    if (mistakes.length > 0) throw new UsageError(mistakes.join("\n"));
    const bundle = await readInputs(options, word, terminal);
    const { simulate } = await import("../simulate/simulate.js");
    const input = { bundle, runs, seed: seed ?? bundle.spec.seed, assumptions };
    const result = await simulate(input, (played) => {
      terminal.progress.status(`${String(played)} of ${String(input.runs)} runs`);
    });
    terminal.progress.status("");
    if (options.page !== undefined) {
      const { renderSimulationPage } = await import("../simulate/render-page.js");
      await writeFile(options.page, renderSimulationPage(result));
    }
    if (isJson) terminal.printJson(result);
    else {
      const { renderSimulation } = await import("../simulate/render-text.js");
      terminal.print(renderSimulation(result));
    }
    return EXIT_CODES.done;
  },
});

async function readInputs(
  options: {
    readonly bundle: string | undefined;
    readonly file: string | undefined;
    readonly store: string | undefined;
  },
  word: string | undefined,
  terminal: Terminal,
): Promise<Bundle> {
  if (options.bundle !== undefined) {
    const { readBundle } = await import("../journal/bundle.js");
    return readBundle(options.bundle);
  }
  if (options.file !== undefined && word === undefined) return planWindowFile(options.file, options.store, terminal);
  const opened = await openStore(options);
  const { readLatestRun } = await import("../runner/run-family.js");
  const family = await chooseFamily(opened, word);
  const run = await readLatestRun(opened.store, family);
  if (!run) throw new UsageError(`${family} has no run yet; simulate its plan with --file FILE`);
  return run.bundle;
}

async function planWindowFile(file: string, store: string | undefined, terminal: Terminal): Promise<Bundle> {
  const { openRunEnvironment, planNow } = await import("../runner/environment.js");
  const { spec } = await readWindowFile(file);
  const interrupts = watchInterrupts();
  terminal.progress.status("observing the fleet and planning ...");
  const environment = await openRunEnvironment(store === undefined ? spec : { ...spec, store }, systemClock);
  try {
    return (await planNow(environment, interrupts.signal)).bundle;
  } finally {
    interrupts.close();
    await environment.close();
    terminal.progress.status("");
  }
}
