/**
 * Brings a run to a safe state: the open wave is undone, what the run still holds is given back, then the run has
 * failed, or waits for its next opening.
 *
 * Not for: why; that is decided before and stands in the journal as a failure or as the reason of the phase.
 *
 * Invariants
 * 1. It can be left and entered again at any entry of the journal.
 * 2. What could not be undone is named in the failure; nothing is left out silently.
 */
import { InterruptedError } from "../../sdk/model";
import type { JournalEvent, RunFailure, RunRequest, RunState, Wave } from "../../sdk/model";
import { nextOpenings } from "../calendar";
import { describeFailure, executeWave, GENERAL_REMEDY } from "../execute/executor";
import { undoWave } from "../execute/undo";
import { describeBlockers, planClosingWave, planPatiently } from "./re-plan";
import { describeRequest } from "./requests";
import { hasFailedStep, openWave, reservedHosts } from "./run-facts";
import type { RunSession } from "./session";
import { createExecution, decide, enterPhase, leaseWave } from "./session";

/** A failback that failed is planned once more, from where everything is then. */
const CLOSING_TRIES = 2;

/** Undoes, gives back and ends the run. @throws InterruptedError at a step border; LeaseLostError; StoreError */
export async function recover(session: RunSession): Promise<RunState> {
  const { journal } = session;
  for (let failed = 0; ;) {
    const state = journal.state();
    const wave = openWave(state);
    if (!wave) {
      const next = await planPatiently(session, planClosingWave);
      if (next.kind === "blocked") {
        await noteLeftOver(session, `placements stay as they are: ${describeBlockers(next.blockers)}`);
        break;
      }
      if (next.kind !== "wave") break;
      await journal.write({ kind: "wave-planned", wave: next.wave, note: next.note });
      continue;
    }
    await leaseWave(session, wave);
    if (wave.kind === "failback" && !hasFailedStep(state, wave)) {
      if (await finishClosingWave(session, wave)) continue;
    }
    await undoOpenWave(session, wave);
    if (wave.kind === "failback" && (failed += 1) >= CLOSING_TRIES) {
      await noteLeftOver(session, "placements stay as they are: the failback failed");
      break;
    }
  }
  return endRecovery(session);
}

/** Carries a wave out that gives back; false when a step of it has failed. */
async function finishClosingWave(session: RunSession, wave: Wave): Promise<boolean> {
  const outcome = await executeWave(createExecution(session), wave);
  if (outcome.kind === "stopped") throw new InterruptedError(outcome.reason);
  if (outcome.kind === "done") {
    await session.journal.write({ kind: "wave-done", index: wave.index });
    return true;
  }
  // Nothing tells it that its plan is outdated: it only brings back.
  if (outcome.kind === "cut-short") throw new RangeError(`wave ${String(wave.index)} was cut short`);
  const { subject, reason } = describeFailure(outcome.failed);
  session.deps.progress.line(`${subject}: ${reason}`);
  return false;
}

async function undoOpenWave(session: RunSession, wave: Wave): Promise<void> {
  const { journal, deps } = session;
  deps.progress.line(`undoing wave ${String(wave.index)}`);
  const { undone, notUndone, stopped } = await undoWave(createExecution(session), wave);
  if (stopped !== undefined) throw new InterruptedError(stopped);
  const text = `wave ${String(wave.index)} was undone${notUndone.length > 0 ? `, but not: ${notUndone.join("; ")}` : ""}`;
  const failure = failureWith(journal.state(), undone, notUndone);
  await journal.write(
    { kind: "decision", text },
    ...(failure ? [{ kind: "failure", failure } satisfies JournalEvent] : []),
    { kind: "wave-done", index: wave.index },
  );
  deps.progress.line(text);
}

/** The failure with more that was or was not undone. A run that only had to wait fails when something is left over. */
function failureWith(state: RunState, undone: readonly string[], notUndone: readonly string[]): RunFailure | undefined {
  const { failure } = state;
  if (failure) {
    return {
      ...failure,
      undone: [...new Set([...failure.undone, ...undone])],
      notUndone: [...new Set([...failure.notUndone, ...notUndone])],
    };
  }
  if (notUndone.length === 0) return undefined;
  return { subject: state.id, step: "undo", reason: state.phaseReason, undone, notUndone, remedy: GENERAL_REMEDY };
}

/** Names in the failure what is not as it should be, and why. */
async function noteLeftOver(session: RunSession, text: string): Promise<void> {
  const failure = failureWith(session.journal.state(), [], [text]);
  if (failure) await session.journal.write({ kind: "failure", failure });
  await decide(session, text);
}

async function endRecovery(session: RunSession): Promise<RunState> {
  const { journal, deps } = session;
  const held = reservedHosts(journal.state());
  if (held.length > 0) await noteLeftOver(session, `reserve ${held.join(", ")} is still held`);
  const { failure, phaseReason, bundle, cancelled } = journal.state();
  const request = await session.requests.current();
  if (failure) {
    await enterPhase(session, "failed", `${failure.subject}: step ${failure.step} failed: ${failure.reason}`);
  } else if (cancelled) {
    await enterPhase(session, "cancelled", describeRequest({ wish: "cancel", ...cancelled }));
  } else if (request?.wish === "cancel") {
    // Asked while it was on its way back anyhow.
    await enterPhase(session, "cancelled", describeRequest(request), ...askedEvents(request));
  } else {
    const [next] = nextOpenings(bundle.spec.windows, deps.clock.now(), 1);
    if (next) await enterPhase(session, "armed", phaseReason);
    else await enterPhase(session, "expired", `${phaseReason}; no opening is left`);
  }
  return journal.state();
}

/** The entry for a request that is honoured. */
export function askedEvents(request: RunRequest | undefined): readonly JournalEvent[] {
  return request ? [{ kind: "asked", wish: request.wish, by: request.by, why: request.why }] : [];
}
