/** `archipelago cancel`: undoes the wave under way and ends the run. */
import { isFinalPhase } from "../../sdk/model";
import { carryOnRun } from "../runner/host-update";
import { describeProcess } from "./caller";
import { defineCommand } from "./command";
import { EXIT_CODES } from "./exit-codes";
import { watchInterrupts } from "./interrupts";
import { ask, REQUEST_OPTIONS, showAsked, waitUntil } from "./request";
import { chooseUpdate, openLatest } from "./update";

/** Cancels a run. */
export const cancelCommand = defineCommand({
  name: "cancel",
  summary: "undo the wave under way and end a run",
  about: `The step under way is finished, its wave is undone, what the run holds is given back, and the run has ended as
"cancelled". Hosts of waves that were done stay updated. The process that works on the run does it; without one this
command does. A cancelled run begins anew when "attempt" is raised.`,
  positionals: [{ name: "RUN", isOptional: true, completes: "runs" }],
  options: REQUEST_OPTIONS,
  examples: [["archipelago cancel kernel --why 'wrong image'", "take it back and end it"]],
  async run({ options, positionals: [word], isJson, terminal }) {
    const update = await chooseUpdate(options, word);
    const { family, latest, opened } = update;
    const { request, run, isHeld } = await ask(opened.store, family, "cancel", options.why);
    if (options["no-wait"]) {
      const who = isHeld ? "its process honours it at the next step border" : "whoever carries it on honours it";
      showAsked(request, run, `asked to cancel; ${who}`, isJson, terminal);
      return EXIT_CODES.done;
    }
    const interrupts = watchInterrupts(() => {
      terminal.note(`no longer waiting; the request stays: see "archipelago status ${family}"`);
    });
    try {
      let after = await waitUntil(opened.store, run.id, [], terminal, interrupts.signal);
      if (!isFinalPhase(after.phase) && !interrupts.signal.aborted && latest) {
        const environment = await openLatest(update, latest);
        const { progress } = terminal;
        const caller = { family, owner: describeProcess(), engine: "archipelago", progress, signal: interrupts.signal };
        try {
          after = (await carryOnRun(environment, { ...caller, role: "person" }, after)).run ?? after;
        } finally {
          await environment.close();
        }
      }
      showAsked(request, after, `${after.phase}: ${after.phaseReason}`, isJson, terminal);
      return after.phase === "cancelled" || interrupts.signal.aborted ? EXIT_CODES.done : EXIT_CODES.failed;
    } finally {
      interrupts.close();
    }
  },
});
