/**
 * Brings an abandoned run to a safe state on a person's word, whether its window is open or not: the wave under way is
 * undone or driven to a safe state, what it holds is given back, then it has failed, or waits for its next opening.
 *
 * Not for: runs that go on (run.ts).
 */
import { isFinalPhase, type RunState } from "../../sdk/model";
import type { RunDependencies } from "./dependencies";
import { giveBack } from "./give-back";
import { recover } from "./recover";
import { enterPhase, requireRun, takeOver, withSession } from "./session";

/**
 * Recovers a run; one that has ended gives back what it still holds.
 * @param reason who asks and why, for the journal
 * @throws LeaseHeldError while another process works on it; InterruptedError at a step border; ArchipelagoError naming
 *   what could not be given back
 */
export async function recoverRun(runId: string, deps: RunDependencies, reason: string): Promise<RunState> {
  const state = await withSession(runId, deps, async (session) => {
    const { phase } = requireRun(session, runId);
    if (isFinalPhase(phase) || phase === "armed") return session.journal.state();
    await takeOver(session);
    if (phase !== "recovering") await enterPhase(session, "recovering", reason);
    return recover(session);
  });
  await giveBack(runId, deps);
  return state;
}
