/**
 * `npm run bench:optimality [-- --quick] [--bound N]`: the placement search against exact solutions by HiGHS on 200
 * random small fleets. Writes bench/results/optimality.json.
 */
import { parseArgs } from "node:util";
import { searchPlacement } from "../../providers/plan/search/search";
import { createModel, type PlacementModel } from "../../providers/plan/search/model";
import { runCommand } from "../command";
import { writeResults } from "../results";
import { compareFleet, type Comparison } from "./compare";
import { loadHighs, solveExactly, type Solve } from "./exact";
import { smallFleet } from "./small-fleets";

const HELP = `Usage: npm run bench:optimality [-- --quick] [--bound N]

The cost of the placement search (the best of 4 seeds, 500,000 tried moves each) against the optimum that HiGHS proves, on 200
random fleets of 3 to 6 hosts and 5 to 14 copies. Ends with 1 where the mean gap is above 1 %, the
worst above 5 %, or the search is below a proven optimum, which would be a fault of the comparison.

  --quick    40 fleets
  --bound N  beside it, the gap to the bound by linear relaxation on one fleet N times as large`;

const MEAN_GAP = 0.01;
const WORST_GAP = 0.05;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      bound: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const solve = await loadHighs();
  const count = values.quick ? 40 : 200;
  const compared = Array.from({ length: count }, (_, index) => compareFleet(solve, index + 1));
  const summary = summarize(compared);
  printTable(compared, summary);
  if (values.bound !== undefined) printBound(solve, Number(values.bound));
  if (!values.quick) writeResults("optimality", summary);
  return summary.meanGap <= MEAN_GAP && summary.worstGap <= WORST_GAP && summary.below === 0 ? 0 : 1;
}

interface Summary {
  readonly fleets: number;
  readonly proven: number;
  readonly optimal: number;
  readonly meanGap: number;
  readonly worstGap: number;
  /** Fleets on which the search is below a proven optimum. */
  readonly below: number;
  /** Mean share of the initial cost that the optimum is. */
  readonly optimumShare: number;
}

function summarize(compared: readonly Comparison[]): Summary {
  const gaps = compared.map(({ gap }) => gap);
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    fleets: compared.length,
    proven: compared.filter(({ isProven }) => isProven).length,
    optimal: gaps.filter((gap) => gap === 0).length,
    meanGap: mean(gaps),
    worstGap: Math.max(...gaps),
    below: compared.filter(({ gap, isProven }) => isProven && gap < 0).length,
    optimumShare: mean(compared.map(({ optimum, initial }) => optimum / Math.max(1, initial))),
  };
}

function printTable(compared: readonly Comparison[], summary: Summary): void {
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  console.log("fleet  hosts  copies  initial   found  optimum      gap");
  for (const one of [...compared].sort((a, b) => b.gap - a.gap).slice(0, 10)) {
    const cells = [one.seed, one.hosts, one.copies, one.initial, one.found, one.optimum].map((value) =>
      String(value).padStart(7),
    );
    console.log(`${cells.join(" ")}  ${percent(one.gap).padStart(8)}${one.isProven ? "" : "  (not proven)"}`);
  }
  console.log(
    `${String(summary.fleets)} fleets, ${String(summary.proven)} optima proven: ${String(summary.optimal)} found exactly; ` +
      `gap ${percent(summary.meanGap)} in the mean, ${percent(summary.worstGap)} at worst; the optimum is ${percent(summary.optimumShare)} of the initial cost`,
  );
}

/** Some small fleets side by side as one large one, so that a bound is known for what is too large to be solved. */
function printBound(solve: Solve, times: number): void {
  const parts = Array.from({ length: times }, (_, index) => smallFleet(10_000 + index)).filter(
    ({ resourceCount }) => resourceCount === 2,
  );
  const model = joinFleets(parts);
  const found = searchPlacement(model, { seed: 1, budget: { kind: "moves", moves: 20_000 * model.processCount } });
  const bound = solveExactly(solve, model, 120, true);
  const gap = (found.cost.total - bound.cost) / Math.max(1, bound.cost);
  console.log(
    `${String(model.machineCount)} hosts, ${String(model.processCount)} copies: found ${String(found.cost.total)}, ` +
      `bound by linear relaxation ${bound.cost.toFixed(0)}, at most ${(100 * gap).toFixed(2)} % above the optimum`,
  );
}

function joinFleets(parts: readonly PlacementModel[]): PlacementModel {
  const joinFloats = (pick: (part: PlacementModel) => Float64Array): Float64Array =>
    Float64Array.from(parts.flatMap((part) => [...pick(part)]));
  const joinIndexes = (
    pick: (part: PlacementModel) => Int32Array,
    count: (part: PlacementModel) => number,
  ): Int32Array => {
    let base = 0;
    return Int32Array.from(
      parts.flatMap((part) => {
        const shifted = [...pick(part)].map((index) => base + index);
        base += count(part);
        return shifted;
      }),
    );
  };
  return createModel({
    resourceCount: 2,
    capacity: joinFloats(({ capacity }) => capacity),
    safety: joinFloats(({ safety }) => safety),
    transient: Uint8Array.of(1, 0),
    loadWeight: Float64Array.of(2, 3),
    requirement: joinFloats(({ requirement }) => requirement),
    openCost: joinFloats(({ openCost }) => openCost),
    moveCost: joinFloats(({ moveCost }) => moveCost),
    service: joinIndexes(
      ({ service }) => service,
      ({ serviceCount }) => serviceCount,
    ),
    origin: joinIndexes(
      ({ origin }) => origin,
      ({ machineCount }) => machineCount,
    ),
    perMachine: Int32Array.from(parts.flatMap(({ perMachine }) => [...perMachine])),
  });
}

runCommand(main);
