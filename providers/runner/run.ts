/**
 * A run from its first wave to its end: observe -> forecast -> plan -> execute -> verify, once for every wave, then
 * the failback. The whole flow is `drive` below.
 *
 * Not for: when a run may start (host-update.ts), single steps (providers/execute) and the report.
 *
 * Invariants
 * 1. What happens next follows from the journal and the live platform alone, so that whoever takes the lease can go
 *    on from any entry.
 * 2. A failed run is a result: everything is brought to a safe state first, and what was not is named.
 */
import { ArchipelagoError, InterruptedError, isFinalPhase } from "../../sdk/model";
import type {
  Blocker,
  Bundle,
  HostUpdateSpec,
  JournalEvent,
  MigrationPlan,
  Phase,
  RunFailure,
  RunRequest,
  RunState,
  Wave,
} from "../../sdk/model";
import { currentOpening, nextOpenings } from "../calendar";
import { executeWave, GENERAL_REMEDY } from "../execute/executor";
import type { RunDependencies } from "./dependencies";
import { heedGuard, holdAtGate } from "./guarding";
import { nextAction } from "./next-action";
import { askedEvents, recover } from "./recover";
import { describeBlockers, planNextWave, planPatiently } from "./re-plan";
import { hasFailedStep, openWave } from "./run-facts";
import type { RunSession } from "./session";
import { describeRequest } from "./requests";
import { createExecution, decide, enterPhase, isToStop, leaseWave, requireRun, takeOver, withSession } from "./session";
import { describeVersionSkew, endSkewedRun } from "./version-skew";

export type { RunDependencies } from "./dependencies";
export { giveBack } from "./give-back";
export { readRun } from "./session";

/** What a new run begins with. */
export interface NewRun {
  readonly runId: string;
  readonly spec: HostUpdateSpec;
  readonly plan: MigrationPlan;
  readonly bundle: Bundle;
  readonly phase: "armed" | "running";
  readonly reason?: string;
}

/**
 * Carries a run out, or on, to its end or to where it has to wait: a final phase, or `armed` for its next opening.
 * A run that failed is returned as such, with `failure`.
 * @throws InterruptedError when told to stop, with its state kept; LeaseHeldError; LeaseLostError; StoreError
 */
export async function carryOut(runId: string, deps: RunDependencies): Promise<RunState> {
  return withSession(runId, deps, async (session) => {
    const state = requireRun(session, runId);
    if (isFinalPhase(state.phase)) return state;
    const skew = describeVersionSkew(session);
    if (skew !== undefined) return endSkewedRun(session, skew);
    const action = nextAction(state, await session.requests.current(), deps.clock.now());
    if (action.kind === "wait") return state;
    if (action.kind === "settle") return settle(session);
    const held = isToStop(await session.requests.current()) ? undefined : await session.guard.gate(state);
    if (held) return holdAtGate(session, held);
    await takeOver(session);
    return drive(session);
  });
}

/** Stores a new run. @throws ArchipelagoError when there is one of that id */
export async function createRun(
  deps: RunDependencies,
  { runId, spec, plan, bundle, phase, reason }: NewRun,
): Promise<RunState> {
  return withSession(runId, deps, async ({ journal }) => {
    if (!journal.isEmpty) throw new ArchipelagoError(`run ${runId} exists already`, { remedy: "take another id" });
    await journal.write(
      { kind: "created", digest: plan.digest, attempt: spec.attempt, bundle: { ...bundle, spec }, plan },
      { kind: "phase", phase, reason: reason ?? "created" },
    );
    return journal.state();
  });
}

/** Ends a run that has nothing under way. @throws ArchipelagoError when the phase does not allow it */
export async function endRun(
  runId: string,
  phase: Extract<Phase, "cancelled" | "skipped" | "expired">,
  reason: string,
  deps: RunDependencies,
): Promise<RunState> {
  return withSession(runId, deps, async (session) => {
    requireRun(session, runId);
    await enterPhase(session, phase, reason);
    return session.journal.state();
  });
}

/** The flow of a run. Each turn of the loop leaves the run in a state from which it can be carried on. */
async function drive(session: RunSession): Promise<RunState> {
  const { deps, journal } = session;
  for (;;) {
    const state = journal.state();
    const wave = openWave(state);
    if (state.phase === "recovering") return recover(session);
    if (wave && hasFailedStep(state, wave)) {
      await enterPhase(session, "recovering", state.failure?.reason ?? "a step was deferred");
      continue;
    }
    const request = await session.requests.current();
    const isOpen = currentOpening(state.bundle.spec.windows, deps.clock.now()) !== undefined;
    if (state.phase === "paused" && !isOpen && request?.wish !== "cancel") {
      await enterPhase(session, "recovering", "the window has closed while it was paused");
      continue;
    }
    if (isToStop(request)) {
      if (await heed(session, request)) return journal.state();
      continue;
    }
    if (await heedGuard(session)) continue;
    const stopReason = await session.stop.reason();
    if (stopReason !== undefined) throw new InterruptedError(stopReason);
    if (state.phase !== "running") {
      const reason = state.phase === "paused" && request ? describeRequest(request) : "its window is open";
      await enterPhase(session, "running", reason, ...(state.phase === "paused" ? askedEvents(request) : []));
      continue;
    }
    // Whoever comes late only brings back what was begun; the rest is for the next opening.
    if (wave && wave.kind !== "failback" && !isOpen) {
      await enterPhase(session, "recovering", "the window has closed");
      continue;
    }
    if (wave) {
      await carryOutWave(session, wave);
      continue;
    }
    for (const { island, verdict } of session.guard.deviations()) {
      await decide(
        session,
        `${island} deviates from its forecast, so what is left is planned on a new one: ${verdict.evidence}`,
      );
    }
    const next = await planPatiently(session, planNextWave);
    switch (next.kind) {
      case "wave":
        deps.progress.line(`wave ${String(next.wave.index)}: ${next.note}`);
        await journal.write({ kind: "wave-planned", wave: next.wave, note: next.note });
        break;
      case "wait":
        await waitForQuiet(session, next.untilMs);
        break;
      case "finished":
        await enterPhase(
          session,
          "done",
          state.bundle.spec.rebalance ? "every move is made and checked" : "every host is updated and validated",
        );
        return journal.state();
      case "closed":
        await enterPhase(session, "recovering", next.reason);
        break;
      case "blocked":
        await stopBlocked(session, next.blockers);
        break;
      case "outside":
        await stopOutside(session, next.differences);
        break;
      case "asked":
        break;
    }
  }
}

/** Time between two looks whether the run was told to stop while it waits for a quiet time. */
const QUIET_LOOK_MS = 15_000;

async function waitForQuiet({ deps, requests, stop, leases }: RunSession, untilMs: number): Promise<void> {
  deps.progress.line(`waits for a quieter time, until ${new Date(untilMs).toISOString()}`);
  while (deps.clock.now() < untilMs) {
    const ms = Math.min(QUIET_LOOK_MS, untilMs - deps.clock.now());
    await deps.clock.sleep(ms, AbortSignal.any([deps.signal, leases.signal]));
    leases.assertHeld();
    if (isToStop(await requests.current()) || (await stop.reason()) !== undefined) return;
  }
}

async function carryOutWave(session: RunSession, wave: Wave): Promise<void> {
  await leaseWave(session, wave);
  const isOutdated = (): boolean => session.guard.isDeviating();
  const outcome = await executeWave({ ...createExecution(session), isOutdated }, wave);
  if (outcome.kind === "stopped") {
    // What was asked of the run is no interruption of this process, nor is what guards it: the next turn of the flow
    // honours both.
    const { deps, requests, guard } = session;
    if (!deps.signal.aborted && (isToStop(await requests.current()) || (await guard.verdict()))) return;
    throw new InterruptedError(outcome.reason);
  }
  if (outcome.kind === "done") {
    await session.journal.write({ kind: "wave-done", index: wave.index });
    session.deps.progress.line(`wave ${String(wave.index)} is done`);
    return;
  }
  if (outcome.kind === "cut-short") {
    const text = `wave ${String(wave.index)} ends early: ${nameSome(outcome.left)} had not begun and will be planned anew`;
    await session.journal.write({ kind: "decision", text }, { kind: "wave-done", index: wave.index });
    session.deps.progress.line(text);
    return;
  }
  const { step, failure } = outcome.failed;
  session.deps.progress.line(`${step.id} failed: ${failure.reason}`);
  await enterPhase(session, "recovering", failure.reason);
}

/** Hosts that a sentence names; the rest are counted. */
const MOST_NAMED = 3;

function nameSome(hosts: readonly string[]): string {
  const rest = hosts.length - MOST_NAMED;
  return rest > 1 ? `${hosts.slice(0, MOST_NAMED).join(", ")} and ${String(rest)} more` : hosts.join(", ");
}

/** A blocked run gives back what it holds and waits, unless it was asked to fail. */
async function stopBlocked(session: RunSession, blockers: readonly Blocker[]): Promise<void> {
  const reason = `blocked: ${describeBlockers(blockers)}`;
  const [first] = blockers;
  if (session.journal.state().bundle.spec.whenBlocked !== "fail" || !first) {
    await enterPhase(session, "recovering", reason);
    return;
  }
  await failPlanning(session, { subject: first.subject, reason, remedy: first.fix });
}

async function stopOutside(session: RunSession, differences: readonly string[]): Promise<void> {
  await failPlanning(session, {
    subject: session.journal.state().bundle.spec.name,
    reason: `what is left to do is outside of what was approved: ${differences.join("; ")}`,
    remedy: "look at the new plan with `pulumi preview`, raise `attempt` and approve it with `pulumi up`",
  });
}

async function failPlanning(
  session: RunSession,
  { subject, reason, remedy }: { readonly subject: string; readonly reason: string; readonly remedy?: string },
): Promise<void> {
  const failure: RunFailure = {
    subject,
    step: "plan",
    reason,
    undone: [],
    notUndone: [],
    remedy: remedy ?? GENERAL_REMEDY,
  };
  const event: JournalEvent = { kind: "failure", failure };
  session.deps.progress.line(`${subject}: ${reason}`);
  await enterPhase(session, "recovering", reason, event);
}

/** Changes the phase where nothing on the platform has to change: a request, or no opening that is left. */
async function settle(session: RunSession): Promise<RunState> {
  const { deps, journal } = session;
  const request = await session.requests.current();
  if (isToStop(request)) {
    await heed(session, request);
    return journal.state();
  }
  const { phase, bundle } = journal.state();
  const [next] = nextOpenings(bundle.spec.windows, deps.clock.now(), 1);
  if (phase === "paused") await enterPhase(session, "armed", request ? describeRequest(request) : "no longer paused");
  if (!next) await enterPhase(session, "expired", "no opening is left");
  return journal.state();
}

/** Pauses or cancels. True when nothing is left to do about it now. */
async function heed(session: RunSession, request: RunRequest): Promise<boolean> {
  const { phase, startedAt } = session.journal.state();
  const reason = describeRequest(request);
  session.deps.progress.line(reason);
  if (request.wish === "pause") {
    await enterPhase(session, "paused", reason, ...askedEvents(request));
    return true;
  }
  const isBegun = phase !== "armed" && startedAt !== undefined;
  await enterPhase(session, isBegun ? "recovering" : "cancelled", reason, ...askedEvents(request));
  return !isBegun;
}
