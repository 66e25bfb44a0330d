/**
 * The plan that `check` adds to the inputs.
 *
 * Invariant: within one planning slot, and as long as nothing changed, the answer is the same: check runs several
 * times in one `up`, in different processes, and `up --plan` refuses another answer than the preview's.
 */
import * as fs from "node:fs/promises";
import * as path from "node:path";
import {
  DONE_STAGE,
  MistakeError,
  canonicalJson,
  createPlanView,
  type Bundle,
  type HostUpdateSpec,
  type MigrationPlan,
  type PlanView,
  type RunState,
  type StageSpec,
} from "../../sdk/model";
import { systemClock } from "../clock";
import { openRunEnvironment, planNow } from "../runner/environment";
import { readLatestRun, runFamily } from "../runner/run-family";
import type { PlannedStage } from "../runner/stages";
import { findMistakes } from "../runner/validate-spec";
import { pageSourcePath, readPageSource, writePageSource } from "./page-source";
import type { RunInputs } from "./run-inputs";
import { lookAtRun, type RunLook } from "./run-look";

/** Folder of plan pages, below the program's: the only thing a preview writes. */
const PLAN_CACHE = path.join(".archipelago", "plans");
/** Pages of an update that are kept: some days of previews. */
const MOST_PAGES = 50;

/** The plan as rows, and the digest of its envelope. */
interface CheckedPlan {
  readonly view: PlanView;
  readonly digest: string;
}

/** What a check finds out. */
export interface CheckAnswer extends CheckedPlan {
  /** For the diff that follows. */
  readonly look: RunLook;
}

/**
 * Plans for the inputs, or keeps the plan that still holds: that of a run under way, or of one that is done while
 * every host still matches.
 * @throws MistakeError for arguments that only the provider can judge
 */
export async function planForCheck(news: RunInputs, olds: Partial<RunInputs>): Promise<CheckAnswer> {
  const { spec } = news;
  const mistakes = findMistakes(spec);
  if (mistakes.length > 0) throw new MistakeError(`HostUpdate "${spec.name}"`, mistakes);
  const environment = await openRunEnvironment(spec, systemClock, { planHere: true });
  try {
    const latest = await readLatestRun(environment.store, runFamily(spec.name, news.urn_));
    const sameSpec = olds.spec !== undefined && canonicalJson(olds.spec) === canonicalJson(spec);
    const kept = sameSpec && olds.plan && olds.planDigest ? { view: olds.plan, digest: olds.planDigest } : undefined;
    const look = await lookAtRun(environment.store, latest, spec);
    if (latest && isBound(look)) return { ...(kept ?? viewOf(latest.plan, spec)), look };
    const signal = AbortSignal.timeout(PLANNING_LIMIT_MS);
    const { plan, bundle } = await planNow(environment, signal, { plannedStage: findPlannedStage, latest });
    const fresh = viewOf(plan, spec);
    if (kept && saysTheSame(kept, fresh, latest)) return { ...kept, look };
    await writePlanPage(news.urn_, { bundle, plan, kept: olds.plan?.page });
    return { ...fresh, look };
  } finally {
    await environment.close();
  }
}

/** A check that takes longer has lost its fleet. */
const PLANNING_LIMIT_MS = 120_000;

/** True when the plan of this run is what will happen or has: it is under way, or ended without reaching its end. */
function isBound(look: RunLook): boolean {
  if (!look || look.phase === "armed" || look.phase === "done" || look.phase === "skipped") return false;
  return look.isOfSpec;
}

/** True when a fresh plan differs from the stored one in its times at most, so that showing it would be noise. */
function saysTheSame(kept: CheckedPlan, fresh: CheckedPlan, latest: RunState | undefined): boolean {
  if (fresh.view.decision === "nothing") return true;
  const isArmed =
    latest?.phase === "armed" && fresh.digest === kept.digest && fresh.view.decision === kept.view.decision;
  const doneStages = ({ view }: CheckedPlan): string[] =>
    Object.entries(view.stages ?? {}).flatMap(([stage, row]) => (row.startsWith(DONE_STAGE) ? [stage] : []));
  if (canonicalJson(doneStages(kept)) !== canonicalJson(doneStages(fresh))) return false;
  return isArmed && canonicalJson(fresh.view.blockers) === canonicalJson(kept.view.blockers);
}

function viewOf(plan: MigrationPlan, spec: HostUpdateSpec): CheckedPlan {
  const view = createPlanView(plan, spec.windows[0]?.timezone ?? "UTC", planPagePath(spec.name, plan));
  const stages = (spec.after ?? []).map(({ name }) => name).join(", ");
  const starts = `${STARTS[spec.startedBy]}${stages === "" ? "" : `; once ${stages} is done`}`;
  return { view: { ...view, starts }, digest: plan.digest };
}

const STARTS = {
  up: "by any `pulumi up` while a window is open, or by a runner",
  runner: "by a runner; `pulumi up` only arms it",
} as const;

/** Writes the page of a plan beside the others; the name tells slot and envelope, so equal plans share it. */
async function writePlanPage(
  urn: string,
  { bundle, plan, kept }: { readonly bundle: Bundle; readonly plan: MigrationPlan; readonly kept: string | undefined },
): Promise<void> {
  const { renderPlanPage } = await import("../report/plan-page.js");
  const { spec, forecast, fleet } = bundle;
  await fs.mkdir(PLAN_CACHE, { recursive: true });
  const file = planPagePath(spec.name, plan);
  await fs.writeFile(`${file}.new`, renderPlanPage(spec, plan, forecast, { fleet }));
  await fs.rename(`${file}.new`, file);
  await writePageSource(file, { urn, madeAt: systemClock.now() }, { plan, bundle });
  await removeOldPages(spec.name, [file, kept]);
}

/** Removes the oldest pages of an update beyond the newest ones, but for those that are named. */
async function removeOldPages(name: string, named: readonly (string | undefined)[]): Promise<void> {
  const isOfUpdate = (file: string): boolean =>
    file.startsWith(`${name}-`) && /^(\d+-){5}[0-9a-f]{12}\.html$/.test(file.slice(name.length + 1));
  // Names sort as their slots do.
  const pages = (await fs.readdir(PLAN_CACHE)).filter(isOfUpdate).sort();
  const old = pages.slice(0, -MOST_PAGES).map((file) => path.join(PLAN_CACHE, file));
  for (const page of old.filter((file) => !named.includes(file))) {
    await fs.rm(page, { force: true });
    await fs.rm(pageSourcePath(page), { force: true });
  }
}

/** The plan of a stage in the plan cache: the one that this preview, or one in the same slot, has made of it. */
async function findPlannedStage({ name, urn }: StageSpec, slotMs: number): Promise<PlannedStage | undefined> {
  const files = await fs.readdir(PLAN_CACHE).catch(() => []);
  const pages = files.filter((file) => file.startsWith(`${name}-${slotText(slotMs)}-`) && file.endsWith(".html"));
  const found = await Promise.all(
    pages.map(async (page): Promise<PlannedStage | undefined> => {
      const source = await readPageSource(path.join(PLAN_CACHE, page));
      if (source?.facts.urn !== urn) return undefined;
      const { plan, windows, madeAt } = source.facts;
      return { plan, windows, madeAt };
    }),
  );
  return found.filter((stage) => stage !== undefined).sort((a, b) => b.madeAt - a.madeAt)[0];
}

/** Path of a plan's page. */
function planPagePath(name: string, plan: Pick<MigrationPlan, "slotMs" | "digest">): string {
  return path.join(PLAN_CACHE, `${name}-${slotText(plan.slotMs)}-${plan.digest.slice(0, 12)}.html`);
}

function slotText(slotMs: number): string {
  return new Date(slotMs).toISOString().slice(0, 16).replace(/[:T]/g, "-");
}
