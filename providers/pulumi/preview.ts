/**
 * What a preview shows besides the plan: whether it is approved, and how simulated runs of it end. It is shown and not
 * among the inputs, because approving a plan must not change it: `up --plan` refuses a plan that has changed.
 *
 * Not for: updates, which neither simulate nor wait for this.
 *
 * Invariant: a preview does not fail because of it; what could not be found out is told as a warning.
 */
import * as fs from "node:fs/promises";
import { blockView, messageOf } from "../../sdk/model";
import type { Blocker, Bundle, HostUpdateSpec, MigrationPlan, PlanView } from "../../sdk/model";
import { systemClock } from "../clock";

/** The inputs of a run as a program knows them in a preview. */
export interface PreviewedRun {
  readonly spec: HostUpdateSpec;
  readonly urn: string;
  readonly plan: PlanView;
}

/** What is to know of a page before the rest is read. */
interface PageFacts {
  /** Of the resource that it is the plan of. */
  readonly urn: string;
  /** Wall time, ms since the epoch. */
  readonly madeAt: number;
}

/** Plan and bundle of a page, beside it. Of large fleets the bundle's forecast is condensed: see condense-forecast.ts. */
export interface PageSource extends PageFacts {
  readonly plan: MigrationPlan;
  readonly bundle: Bundle;
}

/** As few as a P95 can be read off, at half a second's work; `archipelago simulate` plays a thousand. */
const RUNS = 20;
/** Larger fleets would keep a preview waiting. */
const MOST_HOSTS = 24;

/** Keeps what a page was made of beside it: a line of facts, then the rest, which may be large. */
export async function writePageSource(page: string, { urn, madeAt, plan, bundle }: PageSource): Promise<void> {
  const facts: PageFacts & { readonly hosts: number } = { urn, madeAt, hosts: plan.envelope.hosts.length };
  const rest = { plan, bundle: isSimulated(facts) ? bundle : await condense(bundle) };
  await fs.writeFile(sourceOf(page), `${JSON.stringify(facts)}\n${JSON.stringify(rest)}\n`, { mode: 0o600 });
}

/** Only simulated runs need the demand of every workload. */
async function condense(bundle: Bundle): Promise<Bundle> {
  const { condenseForecast } = await import("../report/condense-forecast.js");
  return { ...bundle, forecast: condenseForecast(bundle.forecast, bundle.fleet.workloads) };
}

function isSimulated({ hosts }: { readonly hosts: number }): boolean {
  return hosts <= MOST_HOSTS;
}

/** The plan's rows with what else there is to say; the page beside them gets it too. */
export async function completePreview({ spec, urn, plan: view }: PreviewedRun): Promise<PlanView> {
  const text = await readSourceText(view.page);
  if (text === undefined || view.decision !== "run") return view;
  try {
    const isSmall = isSimulated(JSON.parse(text.facts) as { readonly hosts: number });
    const tooLarge = `not in previews of more than ${String(MOST_HOSTS)} hosts; \`archipelago simulate\` does it`;
    // The plan of a large fleet is read only where its page may change.
    if (!isSmall && !spec.approval) return { ...view, simulated: tooLarge };
    const { plan, bundle } = JSON.parse(text.rest) as Pick<PageSource, "plan" | "bundle">;
    const [blocker, simulated] = await Promise.all([
      findBlocker(spec, urn, plan),
      isSmall ? simulatePlan(bundle) : undefined,
    ]);
    const blockers = blocker ? [blocker] : [];
    if (blocker || simulated) {
      const { renderPlanPage } = await import("../report/plan-page.js");
      const shown = blocker ? { ...plan, decision: "blocked" as const, blockers } : plan;
      await fs.writeFile(
        `${view.page}.new`,
        renderPlanPage(spec, shown, bundle.forecast, { ...simulated?.parts, fleet: bundle.fleet }),
      );
      await fs.rename(`${view.page}.new`, view.page);
    }
    return { ...blockView(view, blockers), simulated: simulated?.line ?? tooLarge };
  } catch (error) {
    const warning = `whether it is approved and when it will end is not known: ${messageOf(error)}`;
    return { ...view, warnings: [...view.warnings, warning] };
  }
}

async function findBlocker(spec: HostUpdateSpec, urn: string, plan: MigrationPlan): Promise<Blocker | undefined> {
  if (!spec.approval) return undefined;
  const { openRunEnvironment } = await import("../runner/environment.js");
  const { findApprovalBlocker } = await import("../runner/approval-blocker.js");
  const { runFamily } = await import("../runner/run-family.js");
  const environment = await openRunEnvironment(spec, systemClock);
  try {
    const place = { store: environment.store, clock: systemClock, family: runFamily(spec.name, urn) };
    return await findApprovalBlocker(spec, plan, place);
  } finally {
    await environment.close();
  }
}

/** Loads what a preview of a plan takes, ahead of it. */
export async function preparePreview(): Promise<void> {
  await Promise.all([loadSimulation(), import("../report/plan-page.js")]);
}

async function loadSimulation() {
  const [{ simulate }, { DEFAULT_ASSUMPTIONS }, { describeSimulation, simulationParts }] = await Promise.all([
    import("../simulate/simulate.js"),
    import("../simulate/simulation.js"),
    import("../simulate/render-page.js"),
  ]);
  return { simulate, DEFAULT_ASSUMPTIONS, describeSimulation, simulationParts };
}

async function simulatePlan(bundle: Bundle) {
  const { simulate, DEFAULT_ASSUMPTIONS, describeSimulation, simulationParts } = await loadSimulation();
  const input = { bundle, runs: RUNS, seed: bundle.spec.seed, assumptions: DEFAULT_ASSUMPTIONS };
  const result = await simulate(input);
  return { line: describeSimulation(result), parts: simulationParts(result) };
}

/** What a page was made of; undefined where it was made elsewhere, as of a plan kept from an earlier preview. */
export async function readPageSource(page: string): Promise<PageSource | undefined> {
  const text = await readSourceText(page);
  if (!text) return undefined;
  return {
    ...(JSON.parse(text.facts) as PageFacts),
    ...(JSON.parse(text.rest) as Pick<PageSource, "plan" | "bundle">),
  };
}

async function readSourceText(page: string): Promise<{ readonly facts: string; readonly rest: string } | undefined> {
  const text = await fs.readFile(sourceOf(page), "utf8").catch(() => "");
  const [facts = "", rest = "", end] = text.split("\n", 3);
  // A file without its end is still being written, or of an earlier version.
  return end === "" ? { facts, rest } : undefined;
}

function sourceOf(page: string): string {
  return page.replace(/\.html$/, ".json");
}
