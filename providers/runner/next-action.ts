/**
 * What there is to do about a run now: by its phase, the calendar and what was asked of it. The same answer for
 * `pulumi up`, the runner and the command line. Pure.
 *
 * Not for: doing it (host-update.ts) and whether another process does it already (its lease tells).
 */
import type { Opening, RunRequest, RunState } from "../../sdk/model";
import { currentOpening, nextOpenings } from "../calendar";
import { describeRequest } from "./requests";
import { openWave, reservedHosts } from "./run-facts";

/** The next thing to do, with the reason. */
export type NextAction =
  /** It has ended. */
  | { readonly kind: "none"; readonly reason: string }
  /** Nothing now; with the opening that it waits for, where it waits for one. */
  | { readonly kind: "wait"; readonly reason: string; readonly opening?: Opening }
  /** Its window is open and nothing was begun yet in it. */
  | { readonly kind: "start"; readonly reason: string; readonly opening: Opening }
  /** It was begun and its window is open. */
  | { readonly kind: "carry-on"; readonly reason: string }
  /** Outside of the windows: only the way to a safe state. */
  | { readonly kind: "recover"; readonly reason: string }
  /** A change of its phase alone: a request, or no opening that is left. */
  | { readonly kind: "settle"; readonly reason: string };

/** @param request what was asked of this run, see requests.ts */
export function nextAction(run: RunState, request: RunRequest | undefined, nowMs: number): NextAction {
  const { windows } = run.bundle.spec;
  const open = currentOpening(windows, nowMs);
  const next = open ?? nextOpenings(windows, nowMs, 1)[0];
  const wish = request?.wish;
  switch (run.phase) {
    case "done":
    case "failed":
    case "cancelled":
    case "skipped":
    case "expired":
      return { kind: "none", reason: `it is ${run.phase}` };
    case "running":
    case "recovering":
      return open
        ? { kind: "carry-on", reason: "it was begun, and its window is open" }
        : { kind: "recover", reason: "it was begun, and its window is closed" };
    case "armed":
      if (request && (wish === "cancel" || wish === "pause")) return settle(describeRequest(request));
      if (run.bundle.notBeforeMs !== undefined && nowMs < run.bundle.notBeforeMs) {
        return { kind: "wait", reason: `rests until ${new Date(run.bundle.notBeforeMs).toISOString()}` };
      }
      if (open) return { kind: "start", reason: `window ${open.window} is open`, opening: open };
      return next ? waitFor(next) : settle("no opening is left");
    case "paused":
      if (request && wish !== "pause") {
        if (open) return { kind: "carry-on", reason: describeRequest(request) };
        return holdsSomething(run) || (wish === "cancel" && run.startedAt !== undefined)
          ? { kind: "recover", reason: describeRequest(request) }
          : settle(describeRequest(request));
      }
      if (open) return { kind: "wait", reason: run.phaseReason };
      if (holdsSomething(run)) return { kind: "recover", reason: "the window has closed while it was paused" };
      return next ? { kind: "wait", reason: run.phaseReason, opening: next } : settle("no opening is left");
  }
}

/** True while hosts bear marks of the run, or copies are on the move. */
function holdsSomething(run: RunState): boolean {
  return openWave(run) !== undefined || reservedHosts(run).length > 0;
}

function settle(reason: string): NextAction {
  return { kind: "settle", reason };
}

function waitFor(opening: Opening): NextAction {
  return { kind: "wait", reason: `opens ${new Date(opening.startMs).toISOString()}`, opening };
}
