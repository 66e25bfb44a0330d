/** Files of results: `bench/results/<benchmark>.json` of this package. */
import * as fs from "node:fs";
import * as path from "node:path";

const FOLDER = path.join(require.resolve("pulumi-archipelago/package.json"), "..", "bench", "results");

/** What earlier runs wrote. @returns an empty object where there is none, or none that can be read */
export function readResults<T extends object>(benchmark: string): Partial<T> {
  try {
    return JSON.parse(fs.readFileSync(resultsFile(benchmark), "utf8")) as Partial<T>;
  } catch {
    return {};
  }
}

/** Writes what a run measured in place of what was there. */
export function writeResults(benchmark: string, results: object): void {
  fs.mkdirSync(FOLDER, { recursive: true });
  fs.writeFileSync(resultsFile(benchmark), `${JSON.stringify(results, null, 2)}\n`);
}

/** The file of a benchmark. */
export function resultsFile(benchmark: string): string {
  return path.join(FOLDER, `${benchmark}.json`);
}
