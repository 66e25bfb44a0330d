/** `archipelago resume`: takes a pause back. */
import { ask, REQUEST_OPTIONS, showAsked } from "./request";
import { defineCommand } from "./command";
import { EXIT_CODES } from "./exit-codes";
import { chooseFamily, openStore } from "./store";

const { "no-wait": _, ...OPTIONS } = REQUEST_OPTIONS;

/** Takes a pause back. */
export const resumeCommand = defineCommand({
  name: "resume",
  summary: "let a paused run go on",
  about: `Takes a pause back. The process that works on the run goes on with it; without one, a runner or "start" does.`,
  positionals: [{ name: "RUN", isOptional: true, completes: "runs" }],
  options: OPTIONS,
  async run({ options, positionals: [word], isJson, terminal }) {
    const opened = await openStore(options);
    const family = await chooseFamily(opened, word);
    const { request, run, isHeld } = await ask(opened.store, family, "resume", options.why);
    const who = isHeld ? "it goes on" : `a runner, or "archipelago start ${family}", carries it on`;
    showAsked(request, run, `may go on; ${who}`, isJson, terminal);
    return EXIT_CODES.done;
  },
});
