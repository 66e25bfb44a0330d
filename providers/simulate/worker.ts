/** Entry of a thread that plays runs of a simulation. */
import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../../sdk/model";
import { planSimulation, simulateRun } from "./simulate-run";
import type { RunSample, SimulationInput } from "./simulation";

/** Runs that a thread is asked to play. */
export interface RunRange {
  readonly from: number;
  readonly count: number;
}

/** What it answers. */
export type RangeAnswer =
  | { readonly kind: "samples"; readonly samples: readonly RunSample[] }
  | { readonly kind: "error"; readonly message: string };

const input = workerData as SimulationInput;
const shared = parentPort ? planSimulation(input) : undefined;

parentPort?.on("message", (range: RunRange) => {
  play(range).then(
    (samples) => parentPort?.postMessage({ kind: "samples", samples } satisfies RangeAnswer),
    (error: unknown) => parentPort?.postMessage({ kind: "error", message: messageOf(error) } satisfies RangeAnswer),
  );
});

async function play({ from, count }: RunRange): Promise<readonly RunSample[]> {
  const samples: RunSample[] = [];
  if (!shared) return samples;
  for (let run = from; run < from + count; run += 1) samples.push(await simulateRun(input, shared, run));
  return samples;
}
