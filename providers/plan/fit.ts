/**
 * Which opening a schedule goes into: nothing starts that cannot reach a safe state before the opening ends.
 *
 * Not for: the calendar itself (providers/calendar).
 */
import type { Blocker, JudgedOpening, Opening, Wave } from "../../sdk/model";
import { canonicalJson, formatDurationShort, isMovesOnly } from "../../sdk/model";
import { currentOpening, nextOpenings, strictestLimits } from "../calendar";

import { describeConflict, type Declared } from "./conflict";
import { undoDuration, waysInWave, type StepDurations } from "./durations";
import type { Fix } from "./fixes";
import { SLOT_MS, type PlanInput } from "./plan-input";
import type { Schedule } from "./schedule";
import { readyAt } from "./stages";

/** Openings that a plan names. */
const NAMED_OPENINGS = 5;
const MINUTE_MS = 60_000;

/** Openings in question. */
export interface Openings {
  /**
   * The one that the run is in or that is open now, then the next ones: where a run could start, soonest first. One that
   * another follows without a gap, with other limits, comes again as one with that.
   */
  readonly candidates: readonly Opening[];
  /** The next five that have not begun. */
  readonly next: readonly Opening[];
}

/** Finds the openings of a plan. They depend on the slot, not on the moment in it, and on when its stages are done. */
export function findOpenings(input: PlanInput): Openings {
  const { spec, slotMs, progress } = input;
  const next = nextOpenings(spec.windows, slotMs, NAMED_OPENINGS);
  if (progress) return { candidates: [progress.opening], next };
  const fromMs = Math.max(slotMs, readyAt(input));
  const current = currentOpening(spec.windows, fromMs);
  const later = fromMs === slotMs ? next : nextOpenings(spec.windows, fromMs, NAMED_OPENINGS);
  return { candidates: withJoined(current ? [current, ...later] : later), next };
}

/**
 * Openings, each followed by those that it makes with the ones right behind it: limits change in between, the strictest
 * count all through. A run goes on there, wave by wave with the limits of its time.
 */
function withJoined(openings: readonly Opening[]): readonly Opening[] {
  return openings.flatMap((first, at) => {
    const joined: Opening[] = [first];
    let whole = first;
    for (const next of openings.slice(at + 1)) {
      if (next.startMs !== whole.endMs || canonicalJson(next.limits ?? null) === canonicalJson(whole.limits ?? null))
        break;
      const limits = strictestLimits([whole, next]);
      const window = [...new Set([...whole.window.split(" + "), ...next.window.split(" + ")])].sort().join(" + ");
      whole = { window, startMs: first.startMs, endMs: next.endMs, ...(limits === undefined ? {} : { limits }) };
      joined.push(whole);
    }
    return joined;
  });
}

/** Openings with other limits that begin within an opening. */
export function limitChanges({ spec }: Pick<PlanInput, "spec">, { startMs, endMs }: Opening): readonly Opening[] {
  let before = canonicalJson(currentOpening(spec.windows, startMs)?.limits ?? null);
  return nextOpenings(spec.windows, startMs, NAMED_OPENINGS).filter((opening) => {
    const limits = canonicalJson(opening.limits ?? null);
    // Long openings are cut where weeks begin: then nothing changes.
    const isChange = opening.startMs < endMs && limits !== before;
    before = limits;
    return isChange;
  });
}

/** When work begins in an opening. */
export function startIn(opening: Opening | undefined, input: PlanInput): number {
  const { slotMs, nowMs, progress } = input;
  return Math.max(progress ? nowMs : slotMs, opening?.startMs ?? 0, readyAt(input));
}

/** Time in an opening that is left for a run. The latest start in this slot counts: the plan is the same for all. */
export function timeIn(opening: Opening, input: PlanInput): number {
  const { slotMs, nowMs, progress } = input;
  const fromMs = progress ? nowMs : Math.min(slotMs + SLOT_MS, opening.endMs);
  return opening.endMs - Math.max(fromMs, opening.startMs, readyAt(input));
}

/**
 * Time that must be left: to the end of the run and, for each wave, until its update is undone, at P95. A run under
 * way asks for its next wave only: what does not fit goes back to wait for the next opening.
 */
export function neededTime(schedule: Schedule, input: PlanInput, durations: StepDurations): number {
  const startMs = schedule.waves[0]?.startMs ?? 0;
  const undoMs = (wave: Wave): number => undoDuration(input.spec, durations, waysInWave(wave, input.spec.update));
  const waves = input.progress ? schedule.waves.slice(0, 1) : schedule.waves;
  return Math.max(0, ...waves.map((wave) => wave.endP95Ms - startMs + (isMovesOnly(wave) ? 0 : undoMs(wave))));
}

/** The first opening that has room for `neededMs`. */
export function chooseOpening(candidates: readonly Opening[], neededMs: number, input: PlanInput): Opening | undefined {
  return candidates.find((opening) => timeIn(opening, input) >= neededMs);
}

/**
 * Why each opening was taken or not.
 * @param isUsable false where the provider works on every host
 */
export function judgeOpenings(
  candidates: readonly Opening[],
  chosen: Opening | undefined,
  { neededMs, waitMs, fits }: { readonly neededMs: number; readonly waitMs: number; readonly fits: boolean },
  input: PlanInput,
  isUsable: (opening: Opening) => boolean,
): readonly JudgedOpening[] {
  const wait = waitMs > 0 ? `, ${formatDurationShort(waitMs)} of them until it is quiet` : "";
  const takenAt = candidates.findIndex(({ startMs, endMs }) => startMs === chosen?.startMs && endMs === chosen.endMs);
  return candidates.map((opening, index): JudgedOpening => {
    const hasMs = timeIn(opening, input);
    const numbers = `${formatDurationShort(hasMs)} are left in it, ${formatDurationShort(neededMs)} are needed with the way back (P95)${wait}`;
    if (index === takenAt) {
      const reason = fits ? `the first that is long enough: ${numbers}` : `none is long enough: ${numbers}`;
      return { opening, isChosen: fits, reason };
    }
    if (!isUsable(opening)) return { opening, isChosen: false, reason: "the provider works on every host in it" };
    if (hasMs < neededMs) return { opening, isChosen: false, reason: `too short: ${numbers}` };
    return { opening, isChosen: false, reason: "later than the one that was taken" };
  });
}

/** Says that no opening comes. */
export function windowBlocker({ spec }: PlanInput): Blocker {
  return {
    code: "window",
    subject: spec.windows.map((window) => window.name).join(", ") || spec.name,
    reason: spec.windows.length === 0 ? "no maintenance window is declared" : "no window opens any more",
    fix:
      spec.windows.length === 0
        ? "add a maintenance window"
        : "check cron, timezone and freezes of the window; `archipelago plan` lists its openings",
  };
}

/** The opening that leaves most time for a run. */
export function longestOpening(candidates: readonly Opening[], input: PlanInput): Opening {
  return candidates.reduce((a, b) => (timeIn(b, input) > timeIn(a, input) ? b : a));
}

/**
 * Says how many minutes are missing in the longest opening.
 * @param conflict end of the reason: what cannot be kept together
 */
export function fitBlocker(
  longest: Opening,
  neededMs: number,
  input: PlanInput,
  conflict: readonly Declared[],
  fixes: readonly Fix[],
): Blocker {
  const missing = Math.ceil((neededMs - timeIn(longest, input)) / MINUTE_MS);
  const what = input.progress ? "the next wave" : "the run";
  return {
    code: "fit",
    subject: longest.window,
    reason:
      `${what} needs ${formatDurationShort(neededMs)} to a safe state (P95, undo included), ` +
      `the opening has ${formatDurationShort(Math.max(0, timeIn(longest, input)))}: ${String(missing)} min are missing` +
      // That the opening is too short alone is said already.
      (conflict.length > 1 ? describeConflict(conflict) : ""),
    ...(conflict.length === 0 ? {} : { conflict: conflict.map(({ text }) => text) }),
    fix:
      fixes.length === 0
        ? "a longer opening, or fewer hosts in one update"
        : fixes.map(({ text }) => text).join(", or "),
  };
}
