/**
 * Which phase of a run may follow which.
 *
 * Not for: deciding; run.ts and recover.ts do.
 */
import { ArchipelagoError } from "../../sdk/model";
import type { JournalEvent, Phase } from "../../sdk/model";

/** `recovering` brings everything to a safe state, then the run has failed, ended or waits again. */
const NEXT: Readonly<Record<Phase, readonly Phase[]>> = {
  armed: ["running", "paused", "cancelled", "skipped", "expired"],
  running: ["armed", "paused", "recovering", "done", "cancelled"],
  paused: ["running", "recovering", "cancelled", "armed"],
  recovering: ["armed", "failed", "cancelled", "expired", "done"],
  done: [],
  // Only what a failed or cancelled run still holds is brought back.
  failed: ["recovering"],
  cancelled: ["recovering"],
  skipped: [],
  expired: [],
};

/** True when a run may go from one phase to the other. */
export function canFollow(from: Phase, to: Phase): boolean {
  return NEXT[from].includes(to);
}

/** The entry of a change of phase. @throws ArchipelagoError when it is not legal */
export function phaseEvent(from: Phase, to: Phase, reason: string): JournalEvent {
  if (from !== to && !canFollow(from, to)) {
    throw new ArchipelagoError(`a run that is ${from} cannot become ${to}`, {
      remedy: "read its journal with `archipelago status`",
    });
  }
  return { kind: "phase", phase: to, reason };
}
