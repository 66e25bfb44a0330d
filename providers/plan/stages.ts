/**
 * Stages in a plan: it begins once the updates that go before are done, or planned to be, and were watched.
 *
 * Not for: finding out how those stand (providers/runner/stages.ts), which is asked again before the start.
 */
import type { Blocker, StageGate } from "../../sdk/model";
import type { PlanInput } from "./plan-input";

/** When the last stage is expected to be done and watched, ms since the epoch; 0 where none is waited for. */
export function readyAt({ stages = [], progress }: Pick<PlanInput, "stages" | "progress">): number {
  if (progress) return 0;
  return Math.max(0, ...stages.map((gate) => (gate.kind === "stopped" ? 0 : gate.endMs + gate.soakMs)));
}

/** Stages that do not end by themselves. */
export function stageBlockers({ stages = [], progress }: Pick<PlanInput, "stages" | "progress">): readonly Blocker[] {
  if (progress) return [];
  return stages.flatMap((gate: StageGate): readonly Blocker[] =>
    gate.kind === "stopped" ? [{ code: "stage", subject: gate.stage, reason: gate.reason, fix: gate.fix }] : [],
  );
}
