/** Waits for the end of a run by reading its journal. Changes nothing. */
import { isFinalPhase, isKind, MistakeError, type RunState, type StoreError } from "../../sdk/model";
import type { Clock } from "../clock";
import type { RunStore } from "../journal/run-store";
import { resolveFamily } from "./list-runs";
import { readLatestRun } from "./run-family";
import { readRun } from "./session";

const LOOK_AGAIN_MS = 2000;

/** How long, and whom to tell. */
export interface WaitOptions {
  /** @default for ever */
  readonly timeoutMs?: number;
  /** Told about each new phase or reason. */
  readonly onPhase: (run: RunState) => void;
}

/**
 * Waits for a run, or for the newest run of a HostUpdate; one that is made while it waits is not waited for.
 * @returns its state at its end, or when the time is over
 * @throws MistakeError when there is no such run; StoreError when the store cannot be read
 */
export async function waitForRun(
  store: RunStore,
  clock: Clock,
  name: string,
  { timeoutMs, onPhase }: WaitOptions,
): Promise<RunState> {
  const family = await resolveFamily(store, name);
  const first =
    (name.startsWith(`${family}-`) ? await readRun(store, name) : undefined) ?? (await readLatestRun(store, family));
  if (!first) throw MistakeError.of("run", name, "has no run in this store", "see `archipelago status`");
  const endAt = timeoutMs === undefined ? Infinity : clock.monotonic() + timeoutMs;
  let told = "";
  for (let run = first; ; run = await readAgain(store, run)) {
    const text = `${run.phase} ${run.phaseReason}`;
    if (text !== told) onPhase(run);
    told = text;
    const leftMs = endAt - clock.monotonic();
    if (isFinalPhase(run.phase) || leftMs <= 0) return run;
    await clock.sleep(Math.min(LOOK_AGAIN_MS, leftMs));
  }
}

/** A store that does not answer for a moment is asked again. */
async function readAgain(store: RunStore, run: RunState): Promise<RunState> {
  try {
    return (await readRun(store, run.id)) ?? run;
  } catch (error) {
    if (isKind(error, "StoreError") && (error as StoreError).code === "unavailable") return run;
    throw error;
  }
}
