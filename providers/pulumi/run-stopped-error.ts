/** How a run that did not end well leaves its state with the engine. */
import type { RunOutputs } from "./run-inputs";

/** A run that failed or was interrupted; the adapter throws it in the engine's own form, so that the state is kept. */
export class RunStoppedError extends Error {
  override readonly name = "RunStoppedError";
  constructor(
    readonly id: string,
    readonly outputs: RunOutputs,
    message: string,
  ) {
    super(message);
  }
}
