/**
 * Stages: how the updates that go before one stand: done, planned to be done, or stopped. Regions and clusters are
 * updates of their own, each with its own approval.
 *
 * Not for: the order of hosts inside an update, and where a plan lies after its stages (both providers/plan).
 */
import {
  formatDurationShort,
  isFinalPhase,
  nothingToDoName,
  type GuardVerdict,
  type MigrationPlan,
  type RunState,
  type StageGate,
  type StageSpec,
  type Wave,
  type WindowSpec,
} from "../../sdk/model";
import { currentOpening, nextOpenings } from "../calendar";
import type { Clock } from "../clock";
import type { RunStore } from "../journal/run-store";
import { readLatestRun, runFamily } from "./run-family";

/** A plan of a stage that has not become a run yet, as a preview of both makes it. */
export interface PlannedStage {
  readonly plan: StagePlan;
  readonly windows: readonly WindowSpec[];
  /** When it was made, ms since the epoch: a run that was armed or has ended after that says more. */
  readonly madeAt: number;
}

/** What later stages need to know of a plan. */
export type StagePlan = Pick<MigrationPlan, "decision" | "blockers" | "opening"> & {
  readonly waves: readonly Pick<Wave, "startMs" | "endP95Ms">[];
};

/** That of a plan. */
export function stagePlanOf({ decision, blockers, opening, waves }: MigrationPlan): StagePlan {
  return {
    decision,
    blockers,
    ...(opening ? { opening } : {}),
    waves: waves.map(({ startMs, endP95Ms }) => ({ startMs, endP95Ms })),
  };
}

/** Where stages are looked for. */
export interface StageSources {
  readonly store: RunStore;
  /** Plans, made in a slot, that no run follows yet. @default there are none */
  readonly planned?: (stage: StageSpec, slotMs: number) => Promise<PlannedStage | undefined>;
}

/** How each stage stands at a time. @throws StoreError */
export function foreseeStages(
  stages: readonly StageSpec[],
  sources: StageSources,
  nowMs: number,
): Promise<readonly StageGate[]> {
  return Promise.all(stages.map((stage) => foreseeStage(stage, sources, nowMs)));
}

/** Why a run must wait for an earlier stage; undefined when all are done and were watched. @throws StoreError */
export async function findUnfinishedStage(
  stages: readonly StageSpec[],
  { store, clock }: { readonly store: RunStore; readonly clock: Clock },
): Promise<GuardVerdict | undefined> {
  for (const gate of await foreseeStages(stages, { store }, clock.now())) {
    const hold = (reason: string, remedy: string): GuardVerdict => ({
      action: "hold",
      rule: "stage",
      subject: gate.stage,
      reason,
      remedy,
    });
    if (gate.kind === "stopped") return hold(`waits for stage ${gate.stage}: ${gate.reason}`, gate.fix);
    const leftMs = gate.endMs + gate.soakMs - clock.now();
    if (gate.kind === "done" && leftMs <= 0) continue;
    const goesOn = "it goes on by itself after that";
    return gate.kind === "done"
      ? hold(`waits for stage ${gate.stage}: done, and watched for ${formatDurationShort(leftMs)} more`, goesOn)
      : hold(`waits for stage ${gate.stage}: planned to be done ${new Date(gate.endMs).toISOString()}`, goesOn);
  }
  return undefined;
}

/**
 * Keeps that an update had nothing to do, so that what comes after it need not wait for a run that is never made. Kept
 * once: what is watched after it begins with the first time.
 */
export async function noteNothingToDo(store: RunStore, family: string, latest: RunState | undefined): Promise<void> {
  if (latest?.phase === "done") return;
  const known = await readNothingToDo(store, family);
  if (known !== undefined && known >= (latest ? lastChangeOf(latest) : 0)) return;
  await store.putDocument(nothingToDoName(family), JSON.stringify({ v: 1, at: await store.now() }));
}

async function readNothingToDo(store: RunStore, family: string): Promise<number | undefined> {
  const content = await store.getDocument(nothingToDoName(family));
  if (content === undefined) return undefined;
  const { at } = JSON.parse(content) as { readonly at?: unknown };
  return typeof at === "number" ? at : undefined;
}

async function foreseeStage(stage: StageSpec, { store, planned }: StageSources, nowMs: number): Promise<StageGate> {
  const { name, urn, soakMs } = stage;
  const family = runFamily(name, urn);
  const run = await readLatestRun(store, family);
  const preview = await planned?.(stage, nowMs);
  if (preview && (!run || lastChangeOf(run) < preview.madeAt)) {
    return foreseePlan(stage, preview.plan, preview.windows, nowMs);
  }
  const nothingAt = await readNothingToDo(store, family);
  if (nothingAt !== undefined && (!run || (isFinalPhase(run.phase) && lastChangeOf(run) < nothingAt))) {
    return { kind: "done", stage: name, endMs: nothingAt, soakMs };
  }
  if (!run) {
    const fix = `carry ${name} out first, or take it out of \`after\``;
    return { kind: "stopped", stage: name, reason: `it has no run in ${store.url}`, fix };
  }
  if (run.phase === "done") return { kind: "done", stage: name, endMs: run.endedAt ?? run.createdAt, soakMs };
  if (isFinalPhase(run.phase) || run.phase === "paused") return stoppedBy(stage, run);
  if (run.phase !== "armed") {
    // What is left of a run under way is not known from here: its end was planned, and it is not over yet.
    return { kind: "planned", stage: name, endMs: Math.max(nowMs, endOf(run.plan) ?? nowMs), soakMs };
  }
  return foreseePlan(stage, run.plan, run.bundle.spec.windows, nowMs);
}

/** When a plan that has not begun is at its end: in its opening, or as long after the start of the next one. */
function foreseePlan(
  { name, soakMs }: StageSpec,
  plan: StagePlan,
  windows: readonly WindowSpec[],
  nowMs: number,
): StageGate {
  const [first] = plan.waves;
  const lastMs = endOf(plan);
  if (plan.decision === "blocked") {
    const reasons = plan.blockers.map(({ subject, reason }) => `${subject}: ${reason}`).join("; ");
    const fix = plan.blockers.map((blocker) => blocker.fix).join("; ");
    return { kind: "stopped", stage: name, reason: `its plan is blocked: ${reasons}`, fix };
  }
  if (!first || lastMs === undefined) return { kind: "planned", stage: name, endMs: nowMs, soakMs };
  if (plan.opening && nowMs < plan.opening.endMs) return { kind: "planned", stage: name, endMs: lastMs, soakMs };
  const opening = currentOpening(windows, nowMs) ?? nextOpenings(windows, nowMs, 1)[0];
  if (!opening) {
    const fix = `give ${name} a window that still opens`;
    return { kind: "stopped", stage: name, reason: "none of its windows opens any more", fix };
  }
  const startMs = Math.max(nowMs, opening.startMs);
  return { kind: "planned", stage: name, endMs: startMs + lastMs - first.startMs, soakMs };
}

function stoppedBy({ name }: StageSpec, run: RunState): StageGate {
  const reason = `its run ${run.id} is ${run.phase} (${run.phaseReason.split("\n")[0] ?? ""})`;
  const fix =
    run.phase === "paused"
      ? `\`archipelago resume ${run.id}\` when it may go on`
      : `see \`archipelago report ${run.id}\`, mend it, raise \`attempt\` of ${name} and run \`pulumi up\` or ` +
        `\`archipelago start\` for it; this one goes on once that is done`;
  return { kind: "stopped", stage: name, reason, fix };
}

/** Planned end at P95, the way home included. */
function endOf({ waves }: StagePlan): number | undefined {
  return waves.length === 0 ? undefined : Math.max(...waves.map((wave) => wave.endP95Ms));
}

function lastChangeOf(run: RunState): number {
  return Math.max(run.createdAt, run.startedAt ?? 0, run.endedAt ?? 0);
}
