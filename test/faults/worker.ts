/** Entry of a thread that plays scenarios by their seeds. */
import { parentPort } from "node:worker_threads";
import { playScenario, type Finding } from "./play";
import { createScenario } from "./random-scenario";

/** What a thread is asked and answers. */
export interface SeedRange {
  readonly from: number;
  readonly count: number;
}
/** Findings of a range: counts by phase, and each seed that showed a fault. */
export interface RangeResult {
  readonly played: number;
  readonly phases: Readonly<Record<string, number>>;
  readonly incidents: Readonly<Record<string, number>>;
  readonly failing: readonly { readonly seed: number; readonly finding: Finding }[];
}

parentPort?.on("message", (range: SeedRange) => {
  void playRange(range).then((result) => parentPort?.postMessage(result));
});

async function playRange({ from, count }: SeedRange): Promise<RangeResult> {
  const phases: Record<string, number> = {};
  const incidents: Record<string, number> = {};
  const failing: { readonly seed: number; readonly finding: Finding }[] = [];
  for (let seed = from; seed < from + count; seed += 1) {
    const scenario = createScenario(seed);
    const finding = await playScenario(scenario);
    const end = finding.isPlanned ? (finding.phase ?? "none") : "blocked";
    phases[end] = (phases[end] ?? 0) + 1;
    for (const { kind } of scenario.incidents) incidents[kind] = (incidents[kind] ?? 0) + 1;
    if (finding.faults.length > 0) failing.push({ seed, finding });
  }
  return { played: count, phases, incidents, failing };
}
