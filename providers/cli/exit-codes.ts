/**
 * Exit codes of the command line, for scripts and pipelines. Documented in docs/cli.md; they never change their
 * meaning.
 */
import type { Phase } from "../../sdk/model";

export const EXIT_CODES = {
  /** What was asked for is done. */
  done: 0,
  /** The run failed, or the command could not do its work. */
  failed: 1,
  /** Wrong usage; nothing was changed. */
  usage: 2,
  /** The run ended without the update: cancelled, expired or skipped. */
  notDone: 3,
  /** The time to wait has passed; the run goes on without the command. */
  timeout: 4,
  /** Ended by Ctrl-C (128 and the number of SIGINT). */
  interrupted: 130,
} as const;

/** Exit code of a run that has ended; undefined for one that has not. */
export function exitCodeOf(phase: Phase): number | undefined {
  switch (phase) {
    case "done":
      return EXIT_CODES.done;
    case "failed":
      return EXIT_CODES.failed;
    case "cancelled":
    case "expired":
    case "skipped":
      return EXIT_CODES.notDone;
    case "armed":
    case "running":
    case "paused":
    case "recovering":
      return undefined;
  }
}
