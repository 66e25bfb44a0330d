/**
 * Simulates a plan many times over on all cores: what its distribution of end, pauses, violations and failures is.
 *
 * Not for: one run (simulate-run.ts).
 *
 * Invariant: the result follows from the input alone; neither the number of threads nor their speed changes it.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { MistakeError } from "../../sdk/model";
import { askThread, startThread } from "../threads";
import { planSimulation, simulateRun } from "./simulate-run";
import type { RunSample, SimulationInput, SimulationResult } from "./simulation";
import { summarize } from "./summarize";
import type { RunRange } from "./worker";

/** Runs that a thread takes at once. */
const RANGE = 10;
const MOST_THREADS = 8;
/** So few runs are played before threads would have loaded. */
const FEW_RUNS = 20;

/**
 * Simulates.
 * @param onProgress told the number of runs played
 * @throws MistakeError when the plan does not run: it is blocked, or there is nothing to do
 */
export async function simulate(
  input: SimulationInput,
  onProgress: (played: number) => void = () => undefined,
): Promise<SimulationResult> {
  const shared = planSimulation(input);
  if (shared.plan.decision !== "run") {
    const reasons = shared.plan.blockers.map(({ reason }) => reason).join("; ");
    throw MistakeError.of(
      "plan",
      shared.plan.decision,
      `must be one that runs${reasons === "" ? "" : `: ${reasons}`}`,
      "see it with `archipelago plan`, remove what is in its way, and simulate again",
    );
  }
  const samples = input.runs <= FEW_RUNS ? await playHere() : await playInThreads(input, onProgress);
  return summarize(input, shared, samples);

  async function playHere(): Promise<readonly RunSample[]> {
    const played: RunSample[] = [];
    for (let run = 0; run < input.runs; run += 1) played.push(await simulateRun(input, shared, run));
    onProgress(played.length);
    return played;
  }
}

async function playInThreads(
  input: SimulationInput,
  onProgress: (played: number) => void,
): Promise<readonly RunSample[]> {
  const ranges: (readonly RunSample[])[] = [];
  let next = 0;
  let played = 0;
  const work = async (): Promise<void> => {
    const thread = startThread(join(__dirname, "worker.js"), { workerData: input });
    try {
      while (next < input.runs) {
        const from = next;
        next += RANGE;
        const range: RunRange = { from, count: Math.min(RANGE, input.runs - from) };
        const subject = `simulation: run ${String(from)} and following`;
        const samples = await askThread<readonly RunSample[]>(thread, range, subject);
        ranges[from / RANGE] = samples;
        played += samples.length;
        onProgress(played);
      }
    } finally {
      await thread.terminate();
    }
  };
  const threads = Math.min(MOST_THREADS, availableParallelism(), Math.ceil(input.runs / RANGE));
  await Promise.all(Array.from({ length: threads }, work));
  return ranges.flat();
}
