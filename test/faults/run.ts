/**
 * `npm run test:faults -- --runs 10000 --seed 1`: random fleets, plans and faults. Ends with exit code 1 when a promise
 * was broken; the first failing seed is shortened and printed as a test.
 */
import { parseArgs } from "node:util";
import { playCampaign } from "./campaign";
import { playScenario } from "./play";
import { createScenario } from "./random-scenario";
import { renderAsTest, shrinkScenario } from "./shrink";

const PROGRESS_EVERY = 1000;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { runs: { type: "string", default: "10000" }, seed: { type: "string", default: "1" } },
  });
  const [runs, seed] = [wholeNumber("--runs", values.runs), wholeNumber("--seed", values.seed)];
  let told = 0;
  const result = await playCampaign({
    runs,
    seed,
    onProgress: (played) => {
      if (played - told < PROGRESS_EVERY) return;
      told = played;
      console.log(`${String(played)} of ${String(runs)}`);
    },
  });
  const seconds = (result.elapsedMs / 1000).toFixed(1);
  console.log(`${String(result.played)} runs from seed ${String(seed)} in ${seconds} s`);
  console.log(`ended   ${renderCounts(result.phases)}`);
  console.log(`faults  ${renderCounts(result.incidents)}`);
  const [first] = result.failing;
  if (!first) {
    console.log("every promise was kept");
    return 0;
  }
  for (const failing of result.failing) {
    console.log(`seed ${String(failing.seed)}: ${failing.finding.faults.join("\n  ")}`);
  }
  const shrunk = await shrinkScenario(createScenario(first.seed), first.finding, playScenario);
  console.log(`\nseed ${String(first.seed)} as a test, after ${String(shrunk.tries)} tries to shorten it:\n`);
  console.log(renderAsTest(shrunk));
  return 1;
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  console.error(`${name} ("${text}") must be a whole number above 0; give one, like ${name} 1000`);
  process.exit(2);
}

function renderCounts(counts: Readonly<Record<string, number>>): string {
  const sorted = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return sorted.map(([name, count]) => `${name} ${String(count)}`).join(", ");
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  },
);
