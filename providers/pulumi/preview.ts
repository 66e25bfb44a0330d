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
import { isSimulated, readPageSource, TOO_LARGE } from "./page-source";

/** The inputs of a run as a program knows them in a preview. */
export interface PreviewedRun {
  readonly spec: HostUpdateSpec;
  readonly urn: string;
  readonly plan: PlanView;
}

/** As few as a P95 can be read off, at half a second's work; `archipelago simulate` plays a thousand. */
const RUNS = 20;

/** The plan's rows with what else there is to say; the page beside them gets it too. */
export async function completePreview({ spec, urn, plan: view }: PreviewedRun): Promise<PlanView> {
  const source = await readPageSource(view.page);
  if (source === undefined || view.decision !== "run") return view;
  try {
    const parts = source.parts();
    // The page of a large fleet changes only where somebody has to approve the plan.
    if (!parts) return { ...view, simulated: TOO_LARGE };
    const { plan, bundle } = parts;
    const [blocker, simulated] = await Promise.all([
      findBlocker(spec, urn, plan),
      isSimulated(source.facts) ? simulatePlan(bundle) : undefined,
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
    return { ...blockView(view, blockers), simulated: simulated?.line ?? TOO_LARGE };
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
