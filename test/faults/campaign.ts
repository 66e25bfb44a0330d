/**
 * Many scenarios on all cores: seeds are dealt out to threads in small ranges, so that one slow seed holds up none.
 *
 * Not for: what a scenario is (scenario.ts).
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { RangeResult, SeedRange } from "./worker";

/** What to play. */
export interface CampaignOptions {
  readonly runs: number;
  /** Seed of the first scenario; the others follow. */
  readonly seed: number;
  /** Ends early after so many failing seeds. @default 20 */
  readonly mostFailures?: number;
  readonly onProgress?: (played: number) => void;
}

/** Findings of all of them. */
export interface CampaignResult extends RangeResult {
  readonly elapsedMs: number;
}

const RANGE = 20;
const MOST_THREADS = 8;

/** Plays scenarios in worker threads. @throws the error of a thread that ended */
export async function playCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { runs, seed, mostFailures = 20, onProgress } = options;
  const startedMs = performance.now();
  const results: RangeResult[] = [];
  let next = 0;
  const failures = (): number => results.reduce((sum, result) => sum + result.failing.length, 0);
  const work = async (): Promise<void> => {
    const thread = new Worker(join(__dirname, "worker.js"), { execArgv: [] });
    try {
      while (next < runs && failures() < mostFailures) {
        const range = { from: seed + next, count: Math.min(RANGE, runs - next) };
        next += range.count;
        results.push(await ask(thread, range));
        onProgress?.(results.reduce((sum, { played }) => sum + played, 0));
      }
    } finally {
      await thread.terminate();
    }
  };
  const threads = Math.min(MOST_THREADS, availableParallelism(), Math.ceil(runs / RANGE));
  await Promise.all(Array.from({ length: threads }, work));
  return { ...addUp(results), elapsedMs: performance.now() - startedMs };
}

function ask(thread: Worker, range: SeedRange): Promise<RangeResult> {
  return new Promise((resolve, reject) => {
    const onError = (error: unknown): void => {
      reject(new Error(`seeds from ${String(range.from)}: the thread failed`, { cause: error }));
    };
    thread.once("error", onError).once("message", (result: RangeResult) => {
      thread.off("error", onError);
      resolve(result);
    });
    thread.postMessage(range);
  });
}

function addUp(results: readonly RangeResult[]): RangeResult {
  const sum = (field: "phases" | "incidents"): Readonly<Record<string, number>> => {
    const total: Record<string, number> = {};
    for (const result of results)
      for (const [name, count] of Object.entries(result[field])) total[name] = (total[name] ?? 0) + count;
    return total;
  };
  return {
    played: results.reduce((total, { played }) => total + played, 0),
    phases: sum("phases"),
    incidents: sum("incidents"),
    failing: results.flatMap(({ failing }) => failing).sort((a, b) => a.seed - b.seed),
  };
}
