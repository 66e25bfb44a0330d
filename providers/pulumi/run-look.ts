/**
 * What a diff has to know of an update's latest run. Its journal may be tens of megabytes: whoever reads it for the plan
 * takes this down as well.
 *
 * Not for: doing anything about it (providers/runner).
 */
import { canonicalJson, isFinalPhase, type HostUpdateSpec, type Phase, type RunState } from "../../sdk/model";
import { systemClock } from "../clock";
import type { RunEnvironment } from "../runner/environment";
import { listRunners } from "../runner/heartbeat";
import { nextAction, type NextAction } from "../runner/next-action";
import { readRequest } from "../runner/requests";
import type { RunInputs } from "./run-inputs";

/** The latest run; undefined where there is none. */
export type RunLook =
  | {
      readonly phase: Phase;
      readonly action: NextAction["kind"];
      /** True when it was made for the spec that is wanted. */
      readonly isOfSpec: boolean;
      /** True while a runner works on it. */
      readonly isAttended: boolean;
    }
  | undefined;

/** Looks at a run for a spec that is wanted. */
export async function lookAtRun(
  store: RunEnvironment["store"],
  latest: RunState | undefined,
  spec: HostUpdateSpec,
): Promise<RunLook> {
  if (!latest) return undefined;
  const [request, runners] = await Promise.all([readRequest(store, latest.id), listRunners(store)]);
  return {
    phase: latest.phase,
    action: nextAction(latest, request, systemClock.now()).kind,
    isOfSpec: canonicalJson(latest.bundle.spec) === canonicalJson(spec),
    isAttended: runners.some(({ isAlive, heartbeat }) => isAlive && heartbeat.runs.includes(latest.id)),
  };
}

/**
 * True when there is something to do though the inputs are the same: an interrupted run, an open window, a failure to
 * repeat, or the end of a run that a runner has carried out since.
 * @param known phase in the state
 */
export function needsAttention(look: RunLook, { plan, spec }: RunInputs, known: Phase): boolean {
  if (!look) return plan?.decision !== "nothing";
  switch (look.action) {
    case "none":
      return !isFinalPhase(known) || (look.phase === "failed" && look.isOfSpec);
    case "wait":
      return false;
    case "start":
      return spec.startedBy !== "runner" && !look.isAttended;
    case "carry-on":
    case "recover":
    case "settle":
      // What a runner works on is no interrupted run.
      return !look.isAttended;
  }
}
