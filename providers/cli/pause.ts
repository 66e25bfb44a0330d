/** `archipelago pause`: holds a run at its next step border. */
import { ask, REQUEST_OPTIONS, showAsked, waitUntil } from "./request";
import { defineCommand } from "./command";
import { EXIT_CODES } from "./exit-codes";
import { watchInterrupts } from "./interrupts";
import { chooseFamily, openStore } from "./store";

/** Asks for a pause. */
export const pauseCommand = defineCommand({
  name: "pause",
  summary: "hold a run at its next step border",
  about: `The step under way is finished, then nothing is begun before "resume". What the run holds it keeps while its
window is open; when the window closes, everything is brought to a safe state. An armed run does not start.`,
  positionals: [{ name: "RUN", isOptional: true, completes: "runs" }],
  options: REQUEST_OPTIONS,
  examples: [["archipelago pause kernel --why 'incident 4711'", "hold everything while somebody looks"]],
  async run({ options, positionals: [word], isJson, terminal }) {
    const opened = await openStore(options);
    const family = await chooseFamily(opened, word);
    const { request, run, isHeld } = await ask(opened.store, family, "pause", options.why);
    if (!isHeld || options["no-wait"]) {
      const text = isHeld
        ? "asked to pause at its next step border"
        : `is ${run.phase}, and no process works on it: it is not begun or carried on before "archipelago resume ${family}"`;
      showAsked(request, run, text, isJson, terminal);
      return EXIT_CODES.done;
    }
    const interrupts = watchInterrupts();
    const after = await waitUntil(opened.store, run.id, ["paused"], terminal, interrupts.signal);
    interrupts.close();
    showAsked(request, after, `${after.phase}: ${after.phaseReason}`, isJson, terminal);
    return after.phase === "paused" || interrupts.signal.aborted ? EXIT_CODES.done : EXIT_CODES.failed;
  },
});
