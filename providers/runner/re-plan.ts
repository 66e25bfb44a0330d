/**
 * What comes next in a run: before every wave the fleet is observed, load is forecast and the rest is planned afresh.
 * Inside the approved envelope that happens silently; outside it the run stops with the difference.
 *
 * Not for: planning itself (providers/plan) and acting on the answer (run.ts, recover.ts).
 */
import { formatDurationShort, InterruptedError } from "../../sdk/model";
import type { Blocker, DriverError, Fleet, MigrationPlan, Opening, RunState, Wave } from "../../sdk/model";
import { currentOpening } from "../calendar";
import { driverErrorCode, interruptedBy } from "../execute/calls";
import { resolveDurations, undoDuration, waysInWave } from "../plan/durations";
import { compareEnvelopes } from "../plan/envelope";
import type { PlanInput, PlanProgress } from "../plan/plan-input";
import { planningSlot, SLOT_MS } from "../plan/plan-input";
import type { RunDependencies } from "./dependencies";
import { isToStop, type RunSession } from "./session";
import { openWave, originsOf, reservedHosts, updatedHosts } from "./run-facts";

/** The next thing to do. */
export type NextWave =
  | { readonly kind: "wave"; readonly wave: Wave; readonly note: string }
  /** A quieter time of this opening is better; everything is planned anew then. */
  | { readonly kind: "wait"; readonly untilMs: number }
  /** Every host is updated, and nothing is left to bring back. */
  | { readonly kind: "finished" }
  /** No window is open, or the next wave would not be safe before this one closes. */
  | { readonly kind: "closed"; readonly reason: string }
  | { readonly kind: "blocked"; readonly blockers: readonly Blocker[] }
  | { readonly kind: "outside"; readonly differences: readonly string[] }
  /** Somebody has asked the run to hold or to end; nothing was planned. */
  | { readonly kind: "asked" };

/** Looks at what blocks before the run gives up: hosts and copies come back by themselves. */
const LOOKS = 6;
const LOOK_AGAIN_MS = 10_000;

/** Plans, and again while something is in the way that may pass by itself. */
export async function planPatiently(
  { deps, journal, leases, requests }: RunSession,
  planNext: (deps: RunDependencies, state: RunState) => Promise<NextWave>,
): Promise<NextWave> {
  for (let looks = 1; ; looks++) {
    const next = await planNext(deps, journal.state()).catch(blockedByPlatform);
    // Told to stop, it may have been cut short: its answer is worth nothing then.
    if (deps.signal.aborted) throw new InterruptedError("told to stop");
    if (next.kind !== "blocked" || looks >= LOOKS) return next;
    deps.progress.status(`blocked: ${describeBlockers(next.blockers)}`);
    await deps.clock.sleep(LOOK_AGAIN_MS, AbortSignal.any([deps.signal, leases.signal]));
    leases.assertHeld();
    if (journal.phase !== "recovering" && isToStop(await requests.current())) return { kind: "asked" };
  }
}

/** Blockers for people: one on the same line, several below it. */
export function describeBlockers(blockers: readonly Blocker[]): string {
  const texts = blockers.map(({ subject, reason, fix }) => `${subject}: ${reason} (fix: ${fix})`);
  return texts.length === 1 ? texts.join() : [`${String(texts.length)} reasons`, ...texts].join("\n  ");
}

/** A platform that cannot be observed is in the way like a host that cannot be. */
function blockedByPlatform(error: unknown): NextWave {
  const code = driverErrorCode(error);
  if (code === undefined) throw error;
  if (code === "unauthorized") throw interruptedBy(error);
  const { subject, message } = error as DriverError;
  const fix = "make it reachable, then let the run go on";
  return { kind: "blocked", blockers: [{ code: "unreachable", subject, reason: message, fix }] };
}

/** Plans what is left and takes the first wave of it. */
export async function planNextWave(deps: RunDependencies, state: RunState): Promise<NextWave> {
  const { spec } = state.bundle;
  const nowMs = deps.clock.now();
  const opening = currentOpening(spec.windows, nowMs);
  if (!opening) return { kind: "closed", reason: "the window has closed" };
  const fleet = await observeApproved(deps, state);
  const plan = await deps.plan(await createInput(deps, state, fleet, opening));
  const differences = compareEnvelopes(state.plan.envelope, plan.envelope);
  if (differences.length > 0) return { kind: "outside", differences };
  if (plan.decision === "blocked") return judgeBlockers(plan.blockers);
  const [wave] = plan.waves;
  if (plan.decision === "nothing" || !wave) return { kind: "finished" };
  if (wave.startMs > deps.clock.now() + SLOT_MS) return { kind: "wait", untilMs: wave.startMs };
  const safeAt = safeEndMs(deps.clock.now(), state, plan, wave);
  if (wave.kind !== "failback" && safeAt > opening.endMs) {
    const overMs = safeAt - opening.endMs;
    return {
      kind: "closed",
      reason: `wave ${String(wave.index)} and the way back from it could end ${formatDurationShort(overMs)} after the window`,
    };
  }
  return { kind: "wave", wave, note: describePlan(state, plan, wave) };
}

/** Plans only what brings copies off the reserve and home, and releases it; undefined when nothing is left of that. */
export async function planClosingWave(deps: RunDependencies, state: RunState): Promise<NextWave> {
  if (reservedHosts(state).length === 0 && state.wavesDone.length === 0) return { kind: "finished" };
  const observed = await observeApproved(deps, state);
  // With every host taken as updated, what is left to plan is the failback.
  const fleet: Fleet = {
    ...observed,
    hosts: observed.hosts.map((host) => ({ ...host, probe: { output: host.probe?.output ?? "", matches: true } })),
  };
  const nowMs = deps.clock.now();
  const { windows } = state.bundle.spec;
  // Giving back is allowed after the window; a plan needs some time to lie in.
  const opening = currentOpening(windows, nowMs) ?? state.plan.opening;
  if (!opening) return { kind: "finished" };
  const endMs = Math.max(opening.endMs, nowMs + CLOSING_MS);
  const input = await createInput(deps, state, fleet, { ...opening, endMs });
  // A host that is still cordoned by now is one that could not be brought back: its mark counts like a foreign one.
  const { owner: _, ...progress } = input.progress;
  const plan = await deps.plan({ ...input, progress });
  if (plan.decision === "blocked") return { kind: "blocked", blockers: plan.blockers };
  const wave = plan.waves.find((candidate) => candidate.kind === "failback");
  return wave ? { kind: "wave", wave, note: "gives back what the run holds" } : { kind: "finished" };
}

/** Time that giving back may take when the window is over. */
const CLOSING_MS = 3_600_000;

/**
 * The fleet as it is now, with the number of copies and the budgets that were approved: in the middle of a run the
 * number of copies found is no one's wish.
 */
async function observeApproved(deps: RunDependencies, state: RunState): Promise<Fleet> {
  const fleet = await deps.observe(deps.signal);
  const approved = new Map(state.bundle.fleet.workloads.map((workload) => [workload.name, workload]));
  return { ...fleet, workloads: fleet.workloads.map((workload) => approved.get(workload.name) ?? workload) };
}

async function createInput(
  deps: RunDependencies,
  state: RunState,
  fleet: Fleet,
  opening: Opening,
): Promise<PlanInput & { readonly progress: PlanProgress }> {
  const { spec, durations } = state.bundle;
  const nowMs = deps.clock.now();
  const slotMs = planningSlot(nowMs);
  const isRepeated = slotMs !== state.bundle.slotMs;
  const forecast = await deps.forecast(fleet, slotMs, deps.signal, { isRepeated });
  return {
    fleet,
    forecast,
    spec,
    slotMs,
    nowMs,
    durations,
    progress: {
      owner: state.id,
      opening,
      reservedHosts: reservedHosts(state),
      updatedHosts: updatedHosts(state),
      approvedEnvelope: state.plan.envelope,
      waveOffset: (openWave(state) ?? state.waves.at(-1))?.index ?? 0,
      origins: originsOf(state, fleet),
    },
  };
}

/** Only time is missing: the run waits for the next opening. Anything else is in the way. */
function judgeBlockers(blockers: readonly Blocker[]): NextWave {
  const isTime = blockers.every(({ code }) => code === "fit" || code === "window");
  if (!isTime) return { kind: "blocked", blockers };
  return { kind: "closed", reason: blockers.map(({ reason }) => reason).join("; ") };
}

/**
 * When the fleet is in a safe state at the latest, if the wave starts now: the wave at its P95, then either the undo
 * of a host's update or the failback.
 */
function safeEndMs(nowMs: number, state: RunState, plan: MigrationPlan, wave: Wave): number {
  const { spec, durations } = state.bundle;
  const failbackMs = plan.waves
    .filter((candidate) => candidate.kind === "failback")
    .reduce((sum, failback) => sum + failback.endMs - failback.startMs, 0);
  const undoMs = undoDuration(spec, resolveDurations(spec, durations), waysInWave(wave, spec.update));
  return nowMs + (wave.endP95Ms - wave.startMs) + Math.max(undoMs, failbackMs);
}

function describePlan(state: RunState, plan: MigrationPlan, wave: Wave): string {
  const hosts = wave.hosts.join(", ");
  const approved = state.plan.waves.find((candidate) => candidate.index === wave.index);
  const isSame = approved?.hosts.join() === wave.hosts.join();
  const left = plan.waves.length - 1;
  return `${wave.kind}: ${hosts}${isSame ? "" : "; re-planned"}; ${String(left)} more wave${left === 1 ? "" : "s"} to come`;
}
