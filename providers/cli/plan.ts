/** `archipelago plan`: the plan of a run, of a window file as of now, or rebuilt from the bundle of a run. */
import { writeFile } from "node:fs/promises";
import { createPlanView, renderPlanTable, type Bundle, type MigrationPlan } from "../../sdk/model";
import { systemClock } from "../clock";
import { defineCommand, UsageError } from "./command";
import { EXIT_CODES } from "./exit-codes";
import { renderDemand } from "./demand-explanation";
import { renderExplanation, renderWorkload } from "./explanation";
import { renderIslands } from "./island-proposals";
import { watchInterrupts } from "./interrupts";
import { chooseFamily, openStore, STORE_OPTIONS } from "./store";
import { renderAnswer, suppose } from "./supposed";
import { readWindowFile } from "./window-file";
import type { Terminal } from "./terminal";

/** Shows a plan; changes nothing. */
export const planCommand = defineCommand({
  name: "plan",
  summary: "show the plan of a run, of a window file, or rebuilt from a bundle",
  about: `Shows waves, moves, reserve, demand against capacity, cost, blockers with a fix, and the next openings.
Nothing is changed. The plan is one of:

  RUN             the plan that a run of the store was approved with
  --file FILE     a plan made now for a window file, as "start" would follow it
  --bundle FILE   a plan made again from the inputs that a run stored: fleet, forecast, policy, slot and seed.
                  The same bundle gives the same plan anywhere; no fleet is asked.`,
  positionals: [{ name: "RUN", isOptional: true, completes: "runs" }],
  options: {
    ...STORE_OPTIONS,
    bundle: { value: "FILE", about: "bundle, such as the report folder's <run>.bundle.json" },
    explain: { about: "show the reason of every move with its scores, and what is known of the demand ahead" },
    islands: { about: "propose islands for the workloads as they were found, as a declaration with the reasons" },
    workload: { value: "NAME", about: "show what the plan decides about one workload, with the reason of every move" },
    "what-if": {
      value: "CHANGES",
      about:
        "plan as if demand were another one, its callees' with it: front=20% when it is degraded by 80 %, front=200% " +
        "when it doubles, front=moved; several with commas",
    },
    page: { value: "FILE", about: "write the plan's HTML page" },
  },
  examples: [
    ["archipelago plan --file window.yaml", "what would happen now"],
    ["archipelago plan kernel --explain", "why the run of kernel moves what it moves"],
    [
      "archipelago plan kernel --what-if checkout=200%",
      "whether it would still fit if checkout had twice as much to do",
    ],
    ["archipelago plan kernel --islands", "which islands the workloads of kernel could be in, with their shares"],
    ["archipelago plan --bundle kernel-1.bundle.json --page plan.html", "the same plan on another machine"],
  ],
  async run({ options, positionals: [word], isJson, terminal }) {
    const sources = [word, options.bundle, options.file].filter((source) => source !== undefined);
    const isAmbiguous = options.bundle !== undefined ? sources.length > 1 : word !== undefined && sources.length > 2;
    if (isAmbiguous) throw new UsageError("name one of RUN, --bundle FILE and --file FILE");
    const planned =
      options.bundle !== undefined
        ? await rebuild(options.bundle)
        : options.file !== undefined && word === undefined
          ? await planWindowFile(options.file, options.store, terminal)
          : await readPlan(options, word);
    const supposed = options["what-if"] === undefined ? undefined : await suppose(planned.bundle, options["what-if"]);
    const { plan } = supposed ?? planned;
    const { spec } = planned.bundle;
    const forecast = supposed?.answer.forecast ?? planned.bundle.forecast;
    if (options.page !== undefined) {
      const { renderPlanPage } = await import("../report/plan-page.js");
      await writeFile(options.page, renderPlanPage(spec, plan, forecast, { fleet: planned.bundle.fleet }));
    }
    if (isJson) {
      terminal.printJson(supposed ? { plan, peaks: supposed.answer.peaks, notes: supposed.answer.notes } : plan);
      return EXIT_CODES.done;
    }
    if (options.islands) {
      const { proposeIslands } = await import("../plan/islands/propose-islands.js");
      terminal.print(renderIslands(proposeIslands(planned.bundle.fleet, forecast, spec)));
      return EXIT_CODES.done;
    }
    const timezone = spec.windows[0]?.timezone ?? "UTC";
    terminal.print(
      renderPlanTable(createPlanView(plan, timezone, options.page ?? "(none; write it with --page FILE)"), spec.name),
    );
    if (supposed) terminal.print(`\n${renderAnswer(supposed.answer)}`);
    if (options.workload !== undefined) terminal.print(`\n${renderWorkload(plan, options.workload)}`);
    if (options.explain) {
      const demand = renderDemand(forecast, planned.bundle.fleet);
      terminal.print(`\n${renderExplanation(plan)}\n\n${demand}`);
    }
    return EXIT_CODES.done;
  },
});

interface Planned {
  readonly bundle: Bundle;
  readonly plan: MigrationPlan;
}

async function rebuild(file: string): Promise<Planned> {
  const { readBundle } = await import("../journal/bundle.js");
  const { inputOf, plan } = await import("../plan/plan.js");
  const bundle = await readBundle(file);
  return { bundle, plan: plan(inputOf(bundle)) };
}

async function readPlan(
  options: { readonly store: string | undefined; readonly file: string | undefined },
  word: string | undefined,
): Promise<Planned> {
  const opened = await openStore(options);
  const { readLatestRun } = await import("../runner/run-family.js");
  const family = await chooseFamily(opened, word);
  const run = await readLatestRun(opened.store, family);
  if (!run) throw new UsageError(`${family} has no run yet; show its plan with --file FILE`);
  return { bundle: run.bundle, plan: run.plan };
}

async function planWindowFile(file: string, store: string | undefined, terminal: Terminal): Promise<Planned> {
  const { openRunEnvironment, planNow } = await import("../runner/environment.js");
  const { findApprovalBlocker } = await import("../runner/approval-blocker.js");
  const { spec, family } = await readWindowFile(file);
  const interrupts = watchInterrupts();
  terminal.progress.status("observing the fleet and planning ...");
  const environment = await openRunEnvironment(store === undefined ? spec : { ...spec, store }, systemClock);
  try {
    const planned = await planNow(environment, interrupts.signal);
    const place = { store: environment.store, clock: systemClock, family };
    const blocker = planned.plan.decision === "run" && (await findApprovalBlocker(spec, planned.plan, place));
    if (!blocker) return planned;
    const blockers = [...planned.plan.blockers, blocker];
    return { ...planned, plan: { ...planned.plan, decision: "blocked", blockers } };
  } finally {
    interrupts.close();
    await environment.close();
    terminal.progress.status("");
  }
}
