/** Entry of a thread that plays runs of a simulation. */
import { parentPort, workerData } from "node:worker_threads";
import { ArchipelagoError, messageOf } from "../../sdk/model";
import { answerQuestions } from "../threads";
import { planSimulation, simulateRun } from "./simulate-run";
import type { RunSample, SimulationInput } from "./simulation";

/** Runs that a thread is asked to play. */
export interface RunRange {
  readonly from: number;
  readonly count: number;
}

const input = workerData as SimulationInput;
const shared = parentPort ? planSimulation(input) : undefined;

answerQuestions(play);

async function play({ from, count }: RunRange): Promise<readonly RunSample[]> {
  const samples: RunSample[] = [];
  if (!shared) return samples;
  for (let run = from; run < from + count; run += 1) samples.push(await playOne(shared, run));
  return samples;
}

async function playOne(plans: NonNullable<typeof shared>, run: number): Promise<RunSample> {
  try {
    return await simulateRun(input, plans, run);
  } catch (cause) {
    throw new ArchipelagoError(`simulation: run ${String(run)}: ${messageOf(cause)}`, { cause });
  }
}
