/**
 * What `pulumi up`, the runner and the command line do for one HostUpdate: carry on what is unfinished, else plan, arm
 * or start, and report at the end.
 *
 * Not for: steps (providers/execute) and the run itself (run.ts).
 */
import {
  canonicalJson,
  isFinalPhase,
  messageOf,
  type HostUpdateSpec,
  type MigrationPlan,
  type Opening,
  type Phase,
  type RunState,
} from "../../sdk/model";
import { currentOpening } from "../calendar";
import type { Progress } from "../clock";
import { planNow, type RunEnvironment } from "./environment";
import { recordRun } from "./recorder";
import { carryOut, createRun, endRun, giveBack, type RunDependencies } from "./run";
import { nextRunId, readLatestRun } from "./run-family";

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
  /** Length of the run's leases. @default LEASE_TTL_MS of leases.ts */
  readonly leaseTtlMs?: number;
}

/**
 * Carries out what there is to do now.
 * @throws InterruptedError, LeaseHeldError, LeaseLostError, StoreError; a failed run is an outcome, not an exception
 */
export async function performHostUpdate(environment: RunEnvironment, caller: UpdateCaller): Promise<UpdateOutcome> {
  const { spec, store, clock } = environment;
  const latest = await readLatestRun(store, caller.family);
  const same = latest !== undefined && canonicalJson(latest.bundle.spec) === canonicalJson(spec);
  if (latest && !isFinalPhase(latest.phase)) {
    if (latest.phase !== "armed") {
      // Half done: it goes on as it was approved, also when the arguments have changed since; the new ones come after.
      const ended = await goOn(environment, caller, latest.id);
      if (same || ended.phase !== "done") return ended;
    } else if (!same) {
      await endRun(
        latest.id,
        "cancelled",
        "its arguments changed before it began",
        dependenciesOf(environment, caller),
      );
    }
  }
  if (same && (latest.phase === "failed" || latest.phase === "cancelled"))
    return { phase: latest.phase, reason: latest.phaseReason, run: latest };
  const { plan, bundle } = await planNow(environment, caller.signal);
  if (plan.decision === "nothing") return { phase: "done", reason: "every host matches already", plan };

  const opening = currentOpening(spec.windows, clock.now());
  const isArmed = same && latest.phase === "armed";
  const verdict = judge(spec, plan, opening);
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
  return verdict.phase === "armed" ? { ...verdict, run, plan } : goOn(environment, caller, run.id);
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
): { readonly phase: Phase; readonly reason: string } {
  const next = plan.nextOpenings[0];
  if (plan.decision === "blocked") {
    const reason = `blocked: ${plan.blockers.map(({ subject, reason: why, fix }) => `${subject}: ${why} (fix: ${fix})`).join("; ")}`;
    return { phase: spec.whenBlocked === "fail" ? "failed" : "armed", reason };
  }
  if (opening) return { phase: "running", reason: `window ${opening.window} is open` };
  const when = next ? `opens ${new Date(next.startMs).toISOString()}` : "no opening is left";
  const phases = { arm: "armed", skip: "skipped", fail: "failed" } as const;
  return {
    phase: next || spec.whenClosed !== "arm" ? phases[spec.whenClosed] : "expired",
    reason: `window closed; ${when}`,
  };
}

/** Carries a run to its end or to where it stops, with recordings beside it, and reports. */
async function goOn(environment: RunEnvironment, caller: UpdateCaller, runId: string): Promise<UpdateOutcome> {
  const recorder = recordRun(environment, runId);
  let run: RunState;
  try {
    run = await carryOut(runId, dependenciesOf(environment, caller));
  } finally {
    // A recording that cannot be kept must not hide how the run went.
    await recorder.stop().catch((error: unknown) => {
      caller.progress.line(`the recording could not be stored: ${messageOf(error)}`);
    });
  }
  if (!isFinalPhase(run.phase)) return { phase: run.phase, reason: run.phaseReason, run };
  try {
    const report = await recorder.report(run, caller.engine);
    return { phase: run.phase, reason: run.phaseReason, run, report };
  } catch (error) {
    // The run itself has ended and is in the journal; a report can be made again from it.
    caller.progress.line(`the report could not be written: ${messageOf(error)}`);
    return { phase: run.phase, reason: run.phaseReason, run };
  }
}

function dependenciesOf(environment: RunEnvironment, caller: UpdateCaller): RunDependencies {
  const { owner, progress, signal, leaseTtlMs } = caller;
  return { ...environment, owner, progress, signal, ...(leaseTtlMs === undefined ? {} : { leaseTtlMs }) };
}
