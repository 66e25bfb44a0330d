/** What a command of the command line is. */

/** One command. */
export interface Command {
  readonly name: string;
  /** One line for the list. */
  readonly summary: string;
  /** Shown by `--help`. */
  readonly help: string;
  /** @returns the exit code @throws UsageError for wrong arguments */
  run(args: readonly string[]): Promise<number>;
}

/** Wrong arguments: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
