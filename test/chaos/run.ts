/**
 * `npm run test:chaos`: a fleet of real processes under traffic is updated again and again while runners and agents are
 * killed and stopped, networks go silent, everything is slow, and the run store's disk is full. Ends with 1 when a promise
 * was broken, a request failed or an acknowledged write was lost.
 */
import { parseArgs } from "node:util";
import { verifyLedger } from "../../bench/load";
import { createRandom } from "../../providers/testing";
import { messageOf, type StepKind } from "../../sdk/model";
import { startChaosFleet, type ChaosFleetOptions } from "./chaos-fleet";
import { runUnderChaos, STEP_KINDS, type IncidentKind } from "./chaos-run";
import { assertKept } from "./chaos-verdict";
import { whyNoSmallDisk } from "./small-disk";

const HELP = `Usage: npm run test:chaos [-- --rounds 6 --seed 1]

Updates a fleet of real processes under traffic, with something wrong in the middle of steps. A round is one update; the
kinds of trouble and the steps that they meet are drawn by the seed.

  --rounds N  updates to carry out; each takes about half a minute
  --seed N    the first round's seed; the others follow`;

const KINDS: readonly IncidentKind[] = [
  "runner-killed",
  "agent-killed",
  "runner-stopped",
  "agent-stopped",
  "half-open",
  "store-full",
];
/** An agent that was stopped or is not reached holds a hand-over up for so long at most. */
const TROUBLE_MS = 6_000;
/** Incidents of one round: with more, a run is hardly ever at work. */
const PER_ROUND = 4;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "6" },
      seed: { type: "string", default: "1" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const [rounds, seed] = [wholeNumber("--rounds", values.rounds), wholeNumber("--seed", values.seed)];
  const noDisk = whyNoSmallDisk();
  if (noDisk !== undefined) console.log(`store-full is left out: ${noDisk}`);
  const kinds = KINDS.filter((kind) => kind !== "store-full" || noDisk === undefined);
  const half = Math.ceil(rounds / 2);
  const slow = { kind: "slow", delayMs: 40, bytesPerSecond: 256 * 1024 } as const;
  const hasSmallDisk = noDisk === undefined;
  const problems = [
    ...(await playRounds("good network", { hasSmallDisk }, kinds, seed, half)),
    ...(await playRounds("slow network", { hasSmallDisk, network: slow }, kinds, seed + half, rounds - half)),
  ];
  console.log(problems.length === 0 ? "every promise was kept" : problems.join("\n"));
  return problems.length === 0 ? 0 : 1;
}

/** Rounds on one fleet. Gives what went wrong. */
async function playRounds(
  name: string,
  options: ChaosFleetOptions,
  kinds: readonly IncidentKind[],
  seed: number,
  rounds: number,
): Promise<readonly string[]> {
  if (rounds === 0) return [];
  const problems: string[] = [];
  const fleet = await startChaosFleet(options);
  try {
    for (let round = 0; round < rounds; round += 1) {
      const version = `${String(round + 2)}.0.0`;
      const incidents = drawIncidents(kinds, seed + round);
      const title = `${name}, seed ${String(seed + round)}`;
      await fleet.load.mark(version);
      try {
        const outcome = await runUnderChaos({ fleet, spec: fleet.specFor(version), incidents });
        await assertKept({ fleet, outcome, version, extraPauseMs: TROUBLE_MS });
        const met = outcome.kills.filter(({ isInMiddle }) => isInMiddle);
        const told = met.map(({ what, step }) => `${what} in ${step.kind}`).join(", ");
        console.log(`${title}: ${outcome.ended.phase}; ${told}`);
      } catch (error) {
        problems.push(`${title}: ${messageOf(error)}`);
        console.log(`${title}: FAILED`);
        break;
      }
    }
    const measured = await fleet.load.stop();
    const { acknowledged, lost, doubled } = await verifyLedger(fleet.ledger, measured.ackedLedgerIds);
    console.log(
      `${name}: ${String(measured.failures.length)} requests failed, ${String(lost.length)} of ${String(acknowledged)} acknowledged writes lost`,
    );
    if (measured.failures.length > 0) problems.push(`${name}: ${JSON.stringify(measured.failures.slice(0, 5))}`);
    if (lost.length + doubled.length > 0) problems.push(`${name}: lost ${lost.join()}, doubled ${doubled.join()}`);
  } finally {
    await fleet.close();
  }
  return problems;
}

function drawIncidents(kinds: readonly IncidentKind[], seed: number): ReadonlyMap<StepKind, IncidentKind> {
  const random = createRandom(seed);
  // A host of the reserve that is given back is gone before anything can be done to its agent.
  const steps = STEP_KINDS.filter((kind) => kind !== "release");
  const incidents = new Map<StepKind, IncidentKind>();
  while (incidents.size < PER_ROUND) {
    const step = steps[random.integer(0, steps.length - 1)];
    const kind = kinds[random.integer(0, kinds.length - 1)];
    if (step && kind) incidents.set(step, kind);
  }
  return incidents;
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  console.error(`${name} ("${text}") must be a whole number above 0; give one, like ${name} 6`);
  process.exit(2);
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
