/**
 * Ctrl-C and SIGTERM for commands that work: the first one asks to stop at the next step border, the second ends the
 * process at once; the journal says how to go on then.
 *
 * Not for: `pulumi up` (providers/pulumi/stop-signal.ts).
 */
import { EXIT_CODES } from "./exit-codes";

/** Aborts at the first interrupt. */
export interface Interrupts {
  readonly signal: AbortSignal;
  /** Signals end the process again, as they do by default. */
  close(): void;
}

/** Listens for interrupts. @param onFirst told at the first one */
export function watchInterrupts(onFirst: () => void = () => undefined): Interrupts {
  const controller = new AbortController();
  const listener = (): void => {
    if (controller.signal.aborted) process.exit(EXIT_CODES.interrupted);
    controller.abort();
    onFirst();
  };
  process.on("SIGINT", listener);
  process.on("SIGTERM", listener);
  return {
    signal: controller.signal,
    close: () => {
      process.off("SIGINT", listener);
      process.off("SIGTERM", listener);
    },
  };
}
