/** `archipelago wait`: waits for the end of a run and gives a pipeline its exit code. */
import { formatDurationShort, parseDuration } from "../../sdk/model";
import { systemClock } from "../clock";
import { waitForRun } from "../runner/wait-for-run";
import { defineCommand } from "./command";
import { EXIT_CODES, exitCodeOf } from "./exit-codes";
import { chooseFamily, openStore, STORE_OPTIONS } from "./store";

/** Waits for a run. */
export const waitCommand = defineCommand({
  name: "wait",
  summary: "wait for the end of a run; the exit code tells how it went",
  about: `Waits until the run has ended and changes nothing. RUN is the id of a run, or the name of a HostUpdate: then
its newest run is meant.

Exit codes: 0 done; 1 failed; 2 wrong usage; 3 ended without the update: cancelled, expired or skipped; 4 not ended
within the time.`,
  positionals: [{ name: "RUN", isOptional: true, completes: "runs" }],
  options: {
    ...STORE_OPTIONS,
    timeout: { value: "DURATION", about: 'give up after this time, like "2 hours"; without it: wait for ever' },
  },
  examples: [["archipelago wait kernel --timeout '4 hours'", "in a pipeline, after `pulumi up`"]],
  async run({ options, positionals: [word], isJson, terminal }) {
    const timeoutMs = options.timeout === undefined ? undefined : parseDuration(options.timeout, "--timeout");
    const opened = await openStore(options);
    const family = await chooseFamily(opened, word);
    const end = await waitForRun(opened.store, systemClock, word?.startsWith(`${family}-`) === true ? word : family, {
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      onPhase: ({ id, phase, phaseReason }) => {
        if (!isJson) terminal.print(`${id}: ${phase}: ${phaseReason}`);
      },
    });
    const code = exitCodeOf(end.phase);
    if (isJson) terminal.printJson({ v: 1, run: end.id, phase: end.phase, reason: end.phaseReason });
    else if (code === undefined) terminal.note(`${end.id} has not ended within ${formatDurationShort(timeoutMs ?? 0)}`);
    return code ?? EXIT_CODES.timeout;
  },
});
