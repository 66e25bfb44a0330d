/** `archipelago start`: plans, arms and carries out a host update, or carries on its run, without Pulumi. */
import { isFinalPhase, isKind, InterruptedError, RunFailedError } from "../../sdk/model";
import { performHostUpdate, type UpdateOutcome } from "../runner/host-update";
import { describeProcess } from "./caller";
import { defineCommand, UsageError } from "./command";
import { EXIT_CODES, exitCodeOf } from "./exit-codes";
import { watchInterrupts } from "./interrupts";
import { STORE_OPTIONS } from "./store";
import { chooseUpdate, openUpdate } from "./update";
import type { Terminal } from "./terminal";

/** Does what `pulumi up` does for a HostUpdate. */
export const startCommand = defineCommand({
  name: "start",
  summary: "carry out a window file's update, or carry on a run",
  about: `With --file: plans and, while a window is open, carries the update out; outside of the windows the run is
armed, and a runner or a later "start" begins it. With RUN: begins an armed run of the store whose window is
open, or carries on one whose process died. The same as "pulumi up" does, and stays with the run to its end.

Ctrl-C stops at the next step border, and "start" carries on; a second one ends at once.`,
  positionals: [{ name: "RUN", isOptional: true, completes: "runs" }],
  options: STORE_OPTIONS,
  examples: [
    ["archipelago start --file window.yaml", "in a maintenance night's cron job, say"],
    ["archipelago start kernel", "carry on the run of kernel"],
  ],
  async run({ options, positionals: [word], isJson, terminal }) {
    if (word === undefined && options.file === undefined) throw new UsageError("name a RUN, or --file WINDOW-FILE");
    const update = await chooseUpdate(options, word);
    const { family, latest } = update;
    if (word !== undefined && latest && isFinalPhase(latest.phase) && latest.phase !== "failed") {
      throw new UsageError(`run ${latest.id} is ${latest.phase} (${latest.phaseReason}); there is nothing to start`);
    }
    const interrupts = watchInterrupts(() => {
      terminal.note("stopping at the next step border; Ctrl-C again ends at once");
    });
    terminal.progress.status("observing the fleet and planning ...");
    const environment = await openUpdate(update);
    try {
      const outcome = await performHostUpdate(environment, {
        family,
        owner: describeProcess(),
        engine: "archipelago",
        role: "person",
        progress: terminal.progress,
        signal: interrupts.signal,
      });
      return showOutcome(outcome, isJson, terminal);
    } catch (error) {
      // What is cut short by a stop looks like a host that does not answer.
      const isCutShort = interrupts.signal.aborted && isKind(error, "DriverError");
      if (!isCutShort && !isKind(error, "InterruptedError")) throw error;
      const reason = isCutShort ? "stopped before anything was begun" : (error as Error).message.split(";")[0];
      throw new InterruptedError(reason ?? "stopped", `\`archipelago start ${family}\` carries on`);
    } finally {
      interrupts.close();
      await environment.close();
    }
  },
});

function showOutcome({ phase, reason, run, report }: UpdateOutcome, isJson: boolean, terminal: Terminal): number {
  terminal.progress.status("");
  if (isJson) {
    terminal.printJson({
      v: 1,
      phase,
      reason,
      ...(run ? { run: run.id } : {}),
      ...(report === undefined ? {} : { report }),
      ...(run?.failure ? { failure: run.failure } : {}),
    });
  } else {
    terminal.print(`${run ? `${run.id}: ` : ""}${phase}: ${reason}`);
    if (report !== undefined) terminal.print(`report: ${report}`);
    if (run?.failure) terminal.note(new RunFailedError(run.failure).message);
  }
  return exitCodeOf(phase) ?? EXIT_CODES.done;
}
