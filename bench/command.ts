/** How a benchmark ends: with the exit code that it returns, or with 1 and what went wrong. */

/** Runs a command to its end. @param main returns its exit code, or nothing where that is 0 */
export function runCommand(main: () => Promise<number> | Promise<void>): void {
  Promise.resolve(main()).then(
    (code) => {
      process.exitCode = typeof code === "number" ? code : 0;
    },
    (error: unknown) => {
      console.error(error instanceof Error ? error.message : error);
      process.exitCode = 1;
    },
  );
}
