/**
 * What `pulumi up`, the runner and the command line do for one HostUpdate: carry on what is unfinished, else plan, arm
 * or start, and report at the end.
 *
 * Not for: steps (providers/execute) and the run itself (run.ts).
 */
import * as fs from "node:fs/promises";
import {
  canonicalJson,
  isFinalPhase,
  isKind,
  messageOf,
  type HostUpdateSpec,
  type LeaseHeldError,
  type MigrationPlan,
  type Opening,
  type Phase,
  type RunState,
} from "../../sdk/model";
import { currentOpening } from "../calendar";
import type { Progress } from "../clock";
import { joinFollowers, type JournalFollower } from "../journal/follower";
import { attach, ownerAgain, waitForOwner } from "./attend";
import { planNow, type RunEnvironment } from "./environment";
import { createFollowers } from "./followers";
import { describeRunner, findRunner, listRunners } from "./heartbeat";
import { runResource } from "./leases";
import { nextAction } from "./next-action";
import { describeBlockers } from "./re-plan";
import { recordRun, reportPath } from "./recorder";
import { readRequest } from "./requests";
import { carryOut, createRun, endRun, giveBack, readRun, type RunDependencies } from "./run";
import { recoverRun } from "./recover-run";
import { nextRunId, readLatestRun } from "./run-family";
import { noteNothingToDo } from "./stages";

/** What was decided, and where the run stands. */
export interface UpdateOutcome {
  readonly phase: Phase;
  readonly reason: string;
  /** Absent while no run has been made. */
  readonly run?: RunState;
  /** The plan that was followed or made; absent when a run's own holds. */
  readonly plan?: MigrationPlan;
  /** Path of the HTML report of a run that ended here. */
  readonly report?: string;
}

/** Who does it and how it is told. */
export interface UpdateCaller {
  /** Name shared by the runs of this HostUpdate, see run-family.ts. */
  readonly family: string;
  /** Unique per process; the owner of leases. */
  readonly owner: string;
  /** Engine or command, for the report. */
  readonly engine: string;
  readonly progress: Progress;
  /** Aborts at the next step border. */
  readonly signal: AbortSignal;
  /**
   * Who it is. `startedBy: "runner"` keeps a run from being started by `pulumi up`, not by a runner or by a person who
   * names it. A runner does not wait for what others hold: it looks again later.
   * @default "up"
   */
  readonly role?: "up" | "runner" | "person";
  /** Length of the run's leases. @default LEASE_TTL_MS of leases.ts */
  readonly leaseTtlMs?: number;
  /** Follows each run, besides audit log, notices and traces. @default nobody does */
  readonly follower?: () => JournalFollower;
}

/**
 * Carries out what there is to do now.
 * @throws InterruptedError, LeaseLostError, StoreError; a failed run is an outcome, not an exception
 */
export async function performHostUpdate(environment: RunEnvironment, caller: UpdateCaller): Promise<UpdateOutcome> {
  const { spec, store, clock } = environment;
  const latest = await readLatestRun(store, caller.family);
  const same = latest !== undefined && canonicalJson(latest.bundle.spec) === canonicalJson(spec);
  if (latest && !isFinalPhase(latest.phase)) {
    if (latest.phase !== "armed") {
      // Half done: it goes on as it was approved, also when the arguments have changed since; the new ones come after.
      const ended = await carryOnRun(environment, caller, latest);
      if (same || ended.phase !== "done") return ended;
    } else if (!same) {
      await endRun(
        latest.id,
        "cancelled",
        "its arguments changed before it began",
        dependenciesOf(environment, caller),
      );
    } else {
      const action = nextAction(latest, await readRequest(store, latest.id), clock.now());
      if (action.kind === "settle") return goOn(environment, caller, latest.id);
    }
  }
  if (same && (latest.phase === "failed" || latest.phase === "cancelled"))
    return { phase: latest.phase, reason: latest.phaseReason, run: latest };
  const { plan, bundle } = await planNow(environment, caller.signal);
  if (plan.decision === "nothing" && !spec.rebalance) {
    await noteNothingToDo(store, caller.family, latest);
    return { phase: "done", reason: "every host matches already", plan };
  }

  const opening = currentOpening(spec.windows, clock.now());
  const isArmed = same && latest.phase === "armed";
  const verdict = judge(spec, plan, opening, caller.role);
  if (verdict.phase === "skipped" || verdict.phase === "failed") return { ...verdict, plan };
  const run = isArmed
    ? latest
    : await createRun(dependenciesOf(environment, caller), {
        runId: nextRunId(caller.family, latest?.id),
        spec,
        plan,
        bundle,
        phase: "armed",
        reason: verdict.reason,
      });
  if (verdict.phase !== "armed") return goOn(environment, caller, run.id);
  const separator = verdict.reason.includes("\n") ? "\n  " : "; ";
  return { phase: "armed", reason: [verdict.reason, await describeStarter(environment)].join(separator), run, plan };
}

/**
 * Does what there is to do about a run that is stored: starts it, carries it on, recovers it, or changes its phase.
 * @param run its newest state
 * @throws as performHostUpdate; LeaseHeldError for a runner while another process has the run or one of its hosts
 */
export async function carryOnRun(
  environment: RunEnvironment,
  caller: UpdateCaller,
  run: RunState,
): Promise<UpdateOutcome> {
  const { spec, store, clock } = environment;
  const request = await readRequest(store, run.id);
  const action = nextAction(run, request, clock.now());
  if (action.kind === "none" || action.kind === "wait") return { phase: run.phase, reason: action.reason, run };
  if (action.kind === "start") {
    const { plan } = await planNow(environment, caller.signal);
    const { phase, reason } = judge(spec, plan, action.opening, caller.role);
    // What blocks is shown, and looked at again later. A run that was told to fail does so itself, in its journal, and one
    // that nothing but a stage blocks says so there: what it waits for may take days.
    const isOnlyStage = plan.blockers.length > 0 && plan.blockers.every(({ code }) => code === "stage");
    if (phase === "armed" && !isOnlyStage) return { phase, reason, run, plan };
  } else if ((caller.role ?? "up") === "up" && spec.startedBy === "runner" && action.kind !== "settle") {
    const runner = await findRunner(store);
    if (runner) return { phase: run.phase, reason: `${run.phaseReason}; ${describeRunner(runner)} carries it on`, run };
  }
  return goOn(environment, caller, run.id);
}

/**
 * Brings a run to a safe state on a person's word.
 * @param reason who asks and why, for the journal
 * @throws as recoverRun
 */
export function recoverHostUpdate(
  environment: RunEnvironment,
  caller: UpdateCaller,
  runId: string,
  reason: string,
): Promise<UpdateOutcome> {
  return carryOutAndReport(environment, caller, runId, (id, deps) => recoverRun(id, deps, reason));
}

/** Gives back what the runs of this HostUpdate hold: marks, reserve, leases. Workloads are left alone. */
export async function giveBackHostUpdate(environment: RunEnvironment, caller: UpdateCaller): Promise<void> {
  const latest = await readLatestRun(environment.store, caller.family);
  if (!latest) return;
  const dependencies = dependenciesOf(environment, caller);
  await giveBack(latest.id, dependencies);
  if (!isFinalPhase(latest.phase)) await endRun(latest.id, "cancelled", "its resource was deleted", dependencies);
}

/** Start, wait, skip or fail: by calendar and blockers. */
function judge(
  spec: HostUpdateSpec,
  plan: MigrationPlan,
  opening: Opening | undefined,
  role: UpdateCaller["role"],
): { readonly phase: Phase; readonly reason: string } {
  const { opening: planned, nextOpenings, slotMs, stages } = plan;
  // An update that waits for a stage may not be able to use the very next opening.
  const next = stages && planned && planned.startMs > slotMs ? planned : nextOpenings[0];
  // A rebalance with nothing to move waits armed: load changes, and whoever looks again finds something to do.
  if (plan.balance && plan.decision === "nothing") return { phase: "armed", reason: plan.balance.reason };
  const mayStart = spec.startedBy === "up" || (role !== undefined && role !== "up");
  const blockers = plan.blockers.filter(({ code }) => code !== "no-runner" || !mayStart);
  if (blockers.length > 0) {
    const reason = `blocked: ${describeBlockers(blockers)}`;
    return { phase: spec.whenBlocked === "fail" ? "failed" : "armed", reason };
  }
  if (opening) {
    const reason = `window ${opening.window} is open`;
    return mayStart ? { phase: "running", reason } : { phase: "armed", reason: `${reason}; only a runner starts it` };
  }
  const when = next ? `opens ${new Date(next.startMs).toISOString()}` : "no opening is left";
  const phases = { arm: "armed", skip: "skipped", fail: "failed" } as const;
  return {
    phase: next || spec.whenClosed !== "arm" ? phases[spec.whenClosed] : "expired",
    reason: `window closed; ${when}`,
  };
}

/** Who will start an armed run, for people. */
async function describeStarter({ spec, store }: RunEnvironment): Promise<string> {
  const [last] = await listRunners(store);
  if (last?.isAlive === true) return describeRunner(last);
  const seen = last ? `${describeRunner(last)} and counts as gone` : "no runner has been seen";
  const start = `start \`archipelago runner --store ${store.url}\``;
  return spec.startedBy === "runner" ? `${seen}: ${start}` : `${seen}: run \`pulumi up\` while it is open, or ${start}`;
}

/** Leases that one `pulumi up` may lose and take again: on a machine that loses more, something else is wrong. */
const MOST_LOSSES = 5;

/**
 * Carries a run to its end or to where it stops; `pulumi up` waits for who has the run or one of its hosts. Where it has
 * lost its own leases it takes them again once they have lapsed, unless somebody else has: then it follows that one.
 */
async function goOn(environment: RunEnvironment, caller: UpdateCaller, runId: string): Promise<UpdateOutcome> {
  const attachment = attach(environment, caller);
  let losses = 0;
  let attached = { ...caller, signal: attachment.signal };
  try {
    for (;;) {
      try {
        return await carryOutAndReport(environment, attached, runId);
      } catch (error) {
        if (caller.role === "runner") throw error;
        const held = isKind(error, "LeaseHeldError") ? (error as LeaseHeldError) : undefined;
        if (!held && (!isKind(error, "LeaseLostError") || attached.signal.aborted || losses >= MOST_LOSSES))
          throw error;
        if (!held) {
          losses++;
          // Another owner than before: calls of before may still be on their way, and only a newer epoch fences them off.
          attached = { ...attached, owner: ownerAgain(caller.owner, losses) };
          caller.progress.line(
            `${messageOf(error).split(";")[0] ?? ""}; run ${runId} is taken up again where it was left`,
          );
        }
        const end = await waitForOwner(environment, attached, runId, held?.resource ?? runResource(runId));
        if (end.kind === "ended") return await outcomeOf(environment, end.run);
        if (end.kind === "closed") return { phase: end.run.phase, reason: end.reason, run: end.run };
      }
    }
  } catch (error) {
    const left = attachment.left();
    const run = left === undefined ? undefined : await readRun(environment.store, runId);
    if (left === undefined || !run || caller.signal.aborted || !isKind(error, "InterruptedError")) throw error;
    return { phase: run.phase, reason: left, run };
  } finally {
    attachment.end();
  }
}

/** With recordings beside it, and a report at the end. */
async function carryOutAndReport(
  environment: RunEnvironment,
  caller: UpdateCaller,
  runId: string,
  work: (runId: string, deps: RunDependencies) => Promise<RunState> = carryOut,
): Promise<UpdateOutcome> {
  const recorder = recordRun(environment, runId);
  let run: RunState;
  try {
    run = await work(runId, dependenciesOf(environment, caller));
  } finally {
    // A recording that cannot be kept must not hide how the run went.
    await recorder.stop().catch((error: unknown) => {
      caller.progress.line(`the recording could not be stored: ${messageOf(error)}`);
    });
  }
  const hasWorked = run.startedAt !== undefined;
  if (run.phase === "done") await armNextRebalance(environment, caller, run);
  if (!isFinalPhase(run.phase) || !hasWorked) return { phase: run.phase, reason: run.phaseReason, run };
  try {
    const report = await recorder.report(run, caller.engine);
    return { phase: run.phase, reason: run.phaseReason, run, report };
  } catch (error) {
    // The run itself has ended and is in the journal; a report can be made again from it.
    caller.progress.line(`the report could not be written: ${messageOf(error)}`);
    return { phase: run.phase, reason: run.phaseReason, run };
  }
}

/** After a rebalance comes the next one: it rests, then looks at the load again. */
async function armNextRebalance(environment: RunEnvironment, caller: UpdateCaller, run: RunState): Promise<void> {
  const { rebalance } = run.bundle.spec;
  if (!rebalance) return;
  const notBeforeMs = environment.clock.now() + rebalance.restMs;
  await createRun(dependenciesOf(environment, caller), {
    runId: nextRunId(caller.family, run.id),
    spec: run.bundle.spec,
    plan: run.plan,
    bundle: { ...run.bundle, notBeforeMs },
    phase: "armed",
    reason: `rests until ${new Date(notBeforeMs).toISOString()} after ${run.id}`,
  });
}

/** A run that another process has brought to its end, with the report that it wrote where that can be seen from here. */
async function outcomeOf({ reportFolder }: RunEnvironment, run: RunState): Promise<UpdateOutcome> {
  const report = reportPath(reportFolder, run.id);
  const isHere = await fs.access(report).then(
    () => true,
    () => false,
  );
  return { phase: run.phase, reason: run.phaseReason, run, ...(isHere ? { report } : {}) };
}

function dependenciesOf(environment: RunEnvironment, caller: UpdateCaller): RunDependencies {
  const { owner, progress, signal, leaseTtlMs } = caller;
  const { store, clock, spec } = environment;
  return {
    ...environment,
    owner,
    progress,
    signal,
    ...(leaseTtlMs === undefined ? {} : { leaseTtlMs }),
    follow: (who) => {
      const followers = createFollowers({ store, clock, progress }, spec, who);
      return caller.follower ? joinFollowers([followers, caller.follower()]) : followers;
    },
  };
}
