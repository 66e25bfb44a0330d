/**
 * The guard of a run in one process: whether it may start, whether it may go on, and what is done when it may not.
 *
 * Not for: judging (providers/guard).
 *
 * Invariants
 * 1. It is asked before every step and every few seconds in long ones.
 * 2. It never stands in the way of recovery: a run on its way to a safe state is not stopped by it.
 * 3. A verdict of a stop rule is carried out through the journal and the run's request, so that it outlives the process.
 */
import * as path from "node:path";
import { InterruptedError, runRequestName, STOP_RULE_STEP } from "../../sdk/model";
import type { Forecast, GuardVerdict, RunFailure, RunRequest, RunState } from "../../sdk/model";
import { currentOpening } from "../calendar";
import type { RunJournal } from "../execute/run-journal";
import { findApproval } from "../guard/approvals";
import { appendAudit } from "../guard/audit-log";
import { KILL_REASON, KillSwitchWatch } from "../guard/kill-switch";
import { StopWatch } from "../guard/stop-watch";
import type { TrackVerdict } from "../forecast/tracker/track-demand";
import type { RunDependencies } from "./dependencies";
import type { RequestWatch } from "./requests";
import { familyOf } from "./run-family";
import { findUnfinishedStage } from "./stages";
import type { RunSession } from "./session";
import { decide, enterPhase } from "./session";

/** Guards one run. */
export class RunGuard {
  private readonly killSwitch: KillSwitchWatch;
  private readonly stopRules: StopWatch | undefined;

  constructor(
    private readonly deps: RunDependencies,
    private readonly journal: RunJournal,
    requests: RequestWatch,
  ) {
    const { store, clock, platform, progress } = deps;
    const { spec, folder = "." } = journal.isEmpty ? {} : journal.state().bundle;
    // A relative path begins in the folder of the program that declared it, not in this process's.
    const file = spec?.killSwitchFile === undefined ? undefined : path.resolve(folder, spec.killSwitchFile);
    this.killSwitch = new KillSwitchWatch({ store, clock, file, environment: variablesOf(deps) });
    const rules = spec?.stopRules ?? [];
    if (journal.isEmpty || (rules.length === 0 && !platform.sampler)) return;
    const alarms = rules.flatMap((rule) => (rule.kind === "alarms" ? rule.alarms : []));
    this.stopRules = new StopWatch({
      rules,
      platform,
      clock,
      progress,
      alarms: alarms.length === 0 ? undefined : deps.openAlarms?.(alarms),
      state: () => journal.state(),
      resumedMs: async () => {
        const request = await requests.current();
        return request?.wish === "resume" ? request.at : undefined;
      },
    });
  }

  /** A fresh forecast that the next wave is planned on. */
  noteForecast(forecast: Forecast): void {
    this.stopRules?.noteForecast(forecast);
  }

  /** Islands whose demand deviates from its forecast; each is told once until it deviates again. */
  deviations(): readonly { readonly island: string; readonly verdict: TrackVerdict }[] {
    const found = (this.stopRules?.tracks() ?? []).filter(({ verdict }) => verdict.state !== "within band");
    for (const { island } of found) this.stopRules?.notePlannedAgain(island);
    return found;
  }

  /** Whether demand deviates from what the wave under way was planned on, as of the last look. */
  isDeviating(): boolean {
    return this.stopRules?.isDeviating() === true;
  }

  /** Why the run must not begin its next step, or undefined. */
  async verdict(): Promise<GuardVerdict | undefined> {
    if (this.journal.isEmpty || this.journal.phase === "recovering") return undefined;
    const killed = await this.killSwitch.current();
    if (killed) return killed;
    // What the rules look at begins with the run.
    return this.journal.phase === "running" ? this.stopRules?.current() : undefined;
  }

  /** Why the run must not be started or carried on by this process, or undefined. */
  async gate(state: RunState): Promise<GuardVerdict | undefined> {
    if (state.phase === "recovering") return undefined;
    const isOpen = currentOpening(state.bundle.spec.windows, this.deps.clock.now()) !== undefined;
    const killed = await this.killSwitch.current();
    // Outside of the windows only the way to a safe state is left, and that is free.
    if (killed) return isOpen ? killed : undefined;
    if (state.phase !== "armed" || !isOpen) return undefined;
    return (await findUnfinishedStage(state.bundle.spec.after ?? [], this.deps)) ?? this.approve(state);
  }

  private async approve(state: RunState): Promise<GuardVerdict | undefined> {
    const { spec, folder = "." } = state.bundle;
    if (!spec.approval) return undefined;
    const file = spec.approval.file === undefined ? {} : { file: path.resolve(folder, spec.approval.file) };
    const approval = { ...spec.approval, ...file };
    const { store, clock } = this.deps;
    const request = { run: state.id, digest: state.digest, envelope: state.plan.envelope };
    const found = await findApproval(approval, request, { store, clock, environment: variablesOf(this.deps) });
    if (found.kind === "missing") return found.verdict;
    const why = `plan ${state.digest} may be carried out`;
    await this.journal.write({ kind: "decision", text: `approved by ${found.by}: ${why}` });
    await appendAudit(store, { who: found.by, what: "approve", subject: state.id, why });
    return undefined;
  }
}

/**
 * Shows on a run that is not started or carried on why. An armed run waits; one that was begun is interrupted.
 * @returns its state @throws InterruptedError when it was begun
 */
export async function holdAtGate(session: RunSession, verdict: GuardVerdict): Promise<RunState> {
  await noteHeld(session, verdict);
  const state = session.journal.state();
  if (state.phase !== "armed") throw new InterruptedError(verdict.reason, verdict.remedy);
  return state;
}

/**
 * Does what the guard wants of a run that is being carried out. False when it wants nothing.
 * @throws InterruptedError when the run is held as it is
 */
export async function heedGuard(session: RunSession): Promise<boolean> {
  const { deps, journal, requests } = session;
  const verdict = await session.guard.verdict();
  const state = journal.state();
  if (!verdict) {
    const wasHeld = state.phase === "running" && state.phaseReason.startsWith(KILL_REASON);
    if (wasHeld) await enterPhase(session, "running", "the kill switch is off again");
    return wasHeld;
  }
  switch (verdict.action) {
    case "hold": {
      if (!currentOpening(state.bundle.spec.windows, deps.clock.now())) {
        await enterPhase(session, "recovering", `${verdict.reason}; and the window has closed`);
        return true;
      }
      await noteHeld(session, verdict);
      throw new InterruptedError(verdict.reason, verdict.remedy);
    }
    case "rollback": {
      deps.progress.line(verdict.reason);
      const failure: RunFailure = {
        subject: verdict.subject,
        step: STOP_RULE_STEP,
        reason: verdict.reason,
        undone: [],
        notUndone: [],
        remedy: `${verdict.remedy}; then raise \`attempt\` and run \`pulumi up\` again`,
      };
      await enterPhase(session, "recovering", verdict.reason, { kind: "failure", failure });
      return true;
    }
    case "pause": {
      const request: RunRequest = {
        v: 1,
        run: state.id,
        wish: "pause",
        by: `stop rule ${verdict.rule}`,
        why: `${verdict.reason}; ${verdict.remedy}, then \`archipelago resume ${familyOf(state.id)}\``,
        at: await deps.store.now(),
      };
      await decide(session, `stop rule ${verdict.rule}: ${verdict.reason}`);
      await deps.store.putDocument(runRequestName(familyOf(state.id)), JSON.stringify(request));
      requests.note(request);
      return true;
    }
  }
}

/** Puts the reason into the phase, once. */
async function noteHeld(session: RunSession, verdict: GuardVerdict): Promise<void> {
  const { phase, phaseReason } = session.journal.state();
  const reason = `${verdict.reason}; ${verdict.remedy}`;
  session.deps.progress.line(reason);
  if (phaseReason !== reason) await enterPhase(session, phase, reason);
}

function variablesOf(deps: RunDependencies): Readonly<Record<string, string | undefined>> {
  return deps.variables ?? process.env;
}
