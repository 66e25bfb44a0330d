/**
 * How a run in the provider's process learns that it shall stop at the next step border: the program's stop request
 * (one Ctrl-C), the end of standard input (the CLI was killed), or a signal to the provider itself.
 *
 * Not for: undoing anything. The journal says how to go on.
 */
import * as fs from "node:fs";
import { stopRequestPath } from "../../sdk/model";

/** How often the stop request's file is looked for. */
const POLL_MS = 250;
/** What is still to be told and written after the last run has stopped. */
const LAST_WORDS_MS = 3000;

/** Runs of this process that are watched. */
let watches = 0;

/** A signal that aborts with the reason, and its end. */
export interface StopSignal {
  readonly signal: AbortSignal;
  /** Why it was aborted. */
  readonly reason: () => string | undefined;
  close(): void;
}

/** Watches everything that asks this process to stop the run of `urn`. */
export function watchStopSignals(urn: string, folder = process.cwd()): StopSignal {
  const controller = new AbortController();
  let reason: string | undefined;
  let isOrphan = false;
  const stop = (why: string): void => {
    reason ??= why;
    controller.abort();
  };
  const file = stopRequestPath(folder, urn);
  const timer = setInterval(() => {
    if (fs.existsSync(file)) stop("stopped by Ctrl-C");
  }, POLL_MS);
  const onEnd = (): void => {
    isOrphan = true;
    stop("the pulumi process is gone");
  };
  const onSignal = (): void => {
    // A second Ctrl-C: what is thrown from here on is lost, and the engine kills this process 5 s later.
    stop("interrupted");
    process.exit(130);
  };
  watches += 1;
  process.stdin.on("end", onEnd);
  process.stdin.on("error", onEnd);
  process.stdin.resume();
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  return {
    signal: controller.signal,
    reason: () => reason,
    close: () => {
      clearInterval(timer);
      process.stdin.off("end", onEnd);
      process.stdin.off("error", onEnd);
      process.stdin.pause();
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
      fs.rmSync(file, { force: true });
      watches -= 1;
      // Nobody ends a provider whose CLI was killed: its server would keep it alive for ever.
      if (isOrphan && watches === 0) setTimeout(() => process.exit(1), LAST_WORDS_MS).unref();
    },
  };
}
