/** One size of the fleet benchmark, in a process of its own: plans, baselines and simulated runs. */
import { plan, type PlanInput } from "../../providers/plan/plan";
import type { MigrationPlan } from "../../sdk/model";
import { canaryOf, findFixedBatch, rollFixed, withLoadNow, withoutForecast } from "./baselines";
import { generateFleet } from "./generate-fleet";
import { lowerBound } from "./lower-bound";
import { measurePreview, measureReplan } from "./measure-planning";
import { SimulatedPlan } from "./simulated-run";

/** What is written for a size. */
export interface SizeResult {
  /** Of the fastest of three plans; CPU time of all threads beside it. */
  readonly planMs: number;
  readonly planCpuMs: number;
  /** What a preview adds with metrics and fits at hand: plan from its thread, view and page; cold: the thread starts. */
  readonly previewMs: number;
  readonly previewColdMs: number;
  /** What is left, planned when half of the hosts are updated. */
  readonly replanMs: number;
  /** Highest of the process that generated the fleet, forecast and one plan, and after the other plans. */
  readonly rssMb: number;
  readonly rssAllPlansMb: number;
  readonly copies: number;
  readonly moves: number;
  readonly waves: number;
  /** Medians of simulated runs. */
  readonly makespanMin: number;
  /** No plan within the limits is shorter: every place taken all the time by lanes of this plan. */
  readonly lowerBoundMin: number;
  readonly fixedBatchHosts: number;
  /** In batches; the same with the policy's canary before them. */
  readonly fixedBatchMin: number;
  readonly fixedCanaryMin: number;
  readonly fixedRollingMin: number;
  readonly oneByOneMin: number;
  readonly makespanGain: number;
  readonly makespanGainWithCanary: number;
  readonly makespanGainToRolling: number;
  readonly busyDataGain: number;
  readonly violations: number;
  readonly limitViolations: number;
  /** Share of runs in which any host was over its share at any time, and its exact 95 % interval. */
  readonly overCapacityShare: number;
  readonly overCapacityInterval: readonly [number, number];
  /** The same of consolidation by the load now. */
  readonly greedyOverCapacityShare: number;
  readonly runs: number;
}

const PLANS = 3;
/** Runs of baselines: their times spread little. */
const BASELINE_RUNS = 50;
const MINUTE_MS = 60_000;

async function measure(size: string, runs: number, seed: number): Promise<SizeResult> {
  const [hosts = 0, workloads = 0] = size.split("x").map(Number);
  const generated = generateFleet({ hosts, workloads }, seed);
  const { input } = generated;
  const { made, ms, cpuMs, firstMs, rssMb, rssAllPlansMb } = measurePlan(input);
  if (made.decision !== "run") throw new Error(`${size} is ${made.decision}: ${JSON.stringify(made.blockers[0])}`);
  const moves = made.waves.reduce((sum, wave) => sum + wave.moves.length, 0);
  print(
    size,
    `${String(input.fleet.replicas.length)} copies, ${String(moves)} moves in ${String(made.waves.length)} waves`,
  );
  print(
    size,
    `plan ${ms.toFixed(0)} ms (CPU ${cpuMs.toFixed(0)} ms, first ${firstMs.toFixed(0)} ms), ${String(rssMb)} MB (${String(rssAllPlansMb)} MB after ${String(PLANS)} plans)`,
  );

  const replanMs = measureReplan(input, made);
  const preview = await measurePreview(input);
  print(
    size,
    `a preview adds ${preview.warmMs.toFixed(0)} ms (cold ${preview.coldMs.toFixed(0)} ms); planning again from the middle ${replanMs.toFixed(0)} ms`,
  );

  const simulated = new SimulatedPlan(generated, made);
  const outcomes = Array.from({ length: runs }, (_, run) => simulated.play(run));
  const over = outcomes.filter(({ overIslands }) => overIslands.length > 0).length;
  const interval = exactInterval(over, runs);
  const violations = outcomes.reduce((sum, { budgetViolations }) => sum + budgetViolations, 0);
  const limitViolations = outcomes.reduce((sum, outcome) => sum + outcome.limitViolations, 0);
  const bound = lowerBound(input, made);
  const makespan = median(outcomes.map(({ makespanMs }) => makespanMs));
  print(
    size,
    `${String(runs)} runs: ${String(violations)} budget and ${String(limitViolations)} limit violations; over capacity in ` +
      `${percent(over / runs)} (95 % interval ${percent(interval[0])} to ${percent(interval[1])})`,
  );

  const fixed = findFixedBatch(input);
  const timeOf = (waves: ConstructorParameters<typeof SimulatedPlan>[1]): number => {
    const played = new SimulatedPlan(generated, waves);
    return median(Array.from({ length: BASELINE_RUNS }, (_, run) => played.play(run, false).makespanMs));
  };
  const fixedMs = timeOf({ waves: fixed.waves });
  const { canaryHosts } = input.spec.limits;
  const canaryMs = timeOf({ waves: fixed.waves.slice(0, 1).map((wave) => canaryOf(wave, canaryHosts)) });
  const rollingMs = timeOf(rollFixed(fixed.waves, fixed.hosts));
  const oneByOneMs = timeOf(rollFixed(fixed.waves, 1));
  print(
    size,
    `makespan ${minutes(makespan)} (bound ${minutes(bound)}); ${String(fixed.hosts)} at a time ${minutes(fixedMs)} in batches (${minutes(canaryMs + fixedMs)} with a canary), ${minutes(rollingMs)} rolling; ` +
      `one at a time ${minutes(oneByOneMs)}`,
  );

  const data = simulated.dataMoved();
  const blind = plan(withoutForecast(input));
  const blindData = new SimulatedPlan(generated, blind).dataMoved();
  print(
    size,
    `moved in busy hours ${gib(data.busyBytes)} of ${gib(data.bytes)}; without the forecast ` +
      (blind.decision === "run"
        ? `${gib(blindData.busyBytes)} of ${gib(blindData.bytes)}`
        : `no plan (${blind.blockers[0]?.reason ?? ""})`),
  );
  const greedy = plan(withLoadNow(input));
  const greedyPlayed = new SimulatedPlan(generated, greedy);
  const greedyRuns = Math.min(runs, BASELINE_RUNS);
  const greedyOver = Array.from({ length: greedyRuns }, (_, run) => greedyPlayed.play(run)).filter(
    ({ overIslands }) => overIslands.length > 0,
  ).length;
  print(size, `by the load now: over capacity in ${percent(greedyOver / greedyRuns)} of ${String(greedyRuns)} runs`);
  return {
    planMs: Math.round(ms),
    planCpuMs: Math.round(cpuMs),
    previewMs: Math.round(preview.warmMs),
    previewColdMs: Math.round(preview.coldMs),
    replanMs: Math.round(replanMs),
    rssMb,
    rssAllPlansMb,
    copies: input.fleet.replicas.length,
    moves,
    waves: made.waves.length,
    makespanMin: round(makespan / MINUTE_MS),
    lowerBoundMin: round(bound / MINUTE_MS),
    fixedBatchHosts: fixed.hosts,
    fixedBatchMin: round(fixedMs / MINUTE_MS),
    fixedCanaryMin: round((canaryMs + fixedMs) / MINUTE_MS),
    fixedRollingMin: round(rollingMs / MINUTE_MS),
    oneByOneMin: round(oneByOneMs / MINUTE_MS),
    makespanGain: round(1 - makespan / fixedMs),
    makespanGainWithCanary: round(1 - makespan / (canaryMs + fixedMs)),
    makespanGainToRolling: round(1 - makespan / rollingMs),
    busyDataGain: round(blindData.busyBytes > 0 ? 1 - data.busyBytes / blindData.busyBytes : 0),
    violations,
    limitViolations,
    overCapacityShare: over / runs,
    overCapacityInterval: [round(interval[0]), round(interval[1])],
    greedyOverCapacityShare: round(greedyOver / greedyRuns),
    runs,
  };
}

/** Plans some times, one plan in memory at a time as in a run; times are of the fastest. */
function measurePlan(input: PlanInput): {
  readonly made: MigrationPlan;
  readonly ms: number;
  readonly cpuMs: number;
  readonly firstMs: number;
  readonly rssMb: number;
  readonly rssAllPlansMb: number;
} {
  const before = Array.from({ length: PLANS - 1 }, () => timePlan(input).times);
  const { made, times } = timePlan(input);
  const best = [...before, times].reduce((fastest, one) => (one.ms < fastest.ms ? one : fastest));
  const [first = times] = before;
  return { made, ...best, firstMs: first.ms, rssMb: first.rssMb, rssAllPlansMb: times.rssMb };
}

/** A plan and what it took; a loop around it would hold on to the plan before. */
function timePlan(input: PlanInput): {
  readonly made: MigrationPlan;
  readonly times: { readonly ms: number; readonly cpuMs: number; readonly rssMb: number };
} {
  const cpu = process.cpuUsage();
  const begun = performance.now();
  const made = plan(input);
  const ms = performance.now() - begun;
  const { user, system } = process.cpuUsage(cpu);
  const rssMb = Math.round(process.resourceUsage().maxRSS / 1024);
  return { made, times: { ms, cpuMs: (user + system) / 1000, rssMb } };
}

function print(size: string, text: string): void {
  console.log(`${size.padStart(11)}  ${text}`);
}

/** Interval of a binomial share (Clopper and Pearson, 1934), by bisection of the distribution. */
function exactInterval(hits: number, runs: number): readonly [number, number] {
  const solve = (isBelow: (share: number) => boolean): number => {
    let low = 0;
    let high = 1;
    for (let step = 0; step < 50; step++) {
      const middle = (low + high) / 2;
      if (isBelow(middle)) low = middle;
      else high = middle;
    }
    return low;
  };
  const atMost = (count: number, share: number): number => {
    let term = runs * Math.log(1 - share);
    let sum = Math.exp(term);
    for (let k = 1; k <= count; k++) {
      term += Math.log(((runs - k + 1) / k) * (share / (1 - share)));
      sum += Math.exp(term);
    }
    return sum;
  };
  return [
    hits === 0 ? 0 : solve((share) => 1 - atMost(hits - 1, share) < 0.025),
    hits === runs ? 1 : solve((share) => atMost(hits, share) > 0.025),
  ];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function minutes(ms: number): string {
  return `${(ms / MINUTE_MS).toFixed(0)} min`;
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(0)} GiB`;
}

const [size = "", runs = "1000", seed = "1"] = process.argv.slice(2);
measure(size, Number(runs), Number(seed)).then(
  (result) => process.send?.(result),
  (error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  },
);
