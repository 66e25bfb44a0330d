/**
 * How the program tells the provider that the user pressed Ctrl-C: the engine tells the provider nothing, so the
 * program's SIGINT listener leaves a file that the run reads at each step border.
 */

/** Path of the stop request of a run, below the program's folder, which both processes run in. */
export function stopRequestPath(programFolder: string, urn: string): string {
  return `${programFolder}/.archipelago/stop/${urn.replace(/[^A-Za-z0-9]+/g, "-").slice(-120)}.json`;
}
