/**
 * Actual against predicted: whether demand still behaves as it was forecast, judged step by step over a run.
 *
 * Each measured step is read as its place among the joint paths (probability integral transform), that as a standard
 * normal score. What a step has from the one before, as much as the paths themselves say, is taken out, and two
 * cumulative sums look for a lasting shift up or down. One step far out says little; many that lean say a lot.
 *
 * How far a sum may rise is read from the paths too: they put whole days of the series' own backtest errors, in their
 * order in time, into the calibrated quantiles (joint-paths.ts), so that what their sums reach is what sums reach by
 * chance on this load (a block bootstrap). Loads whose errors last longer than one step says get wider limits.
 *
 * Not for: gathering measurements (providers/guard/evidence.ts) and acting (providers/runner).
 *
 * Sources: Page, "Continuous Inspection Schemes", Biometrika 41, 1954 (CUSUM; k = 0.5 is tuned to shifts of one
 * deviation); Rosenblatt, "Remarks on a Multivariate Transformation", 1952 (the transform); residuals of autocorrelated
 * data in control charts, Alwan and Roberts, "Time-Series Modeling for Statistical Process Control", JBES 6(1), 1988;
 * control limits from a bootstrap, Chatterjee and Qiu, "Distribution-free Cumulative Sum Control Charts Using
 * Bootstrap-Based Control Limits", Annals of Applied Statistics 3(1), 2009.
 *
 * Invariants
 * 1. The same steps give the same verdict.
 * 2. Less demand than forecast never stops anything: it is a reason to plan again.
 */
import { quantileOfSorted } from "../../../sdk/model";
import { normalQuantile } from "../conformal";

/** A step that has passed: what was needed, and what the paths said of it. */
export interface TrackedStep {
  readonly startMs: number;
  readonly actualCpuMillis: number;
  /** Demand on each path at that step, ascending. */
  readonly paths: ArrayLike<number>;
}

/** What the tracker tells. */
export interface TrackVerdict {
  readonly state: "within band" | "re-plan" | "stop";
  readonly direction: "above" | "below" | undefined;
  /** Highest of the two sums now. */
  readonly sum: number;
  /** First step of the deviation, ms since the epoch; absent within the band. */
  readonly sinceMs?: number;
  /** The numbers, for people. */
  readonly evidence: string;
}

/** What an island's paths say of chance; see {@link limitsOf}. */
export interface TrackLimits {
  /** How much of a step's score comes from the step before, 0..1. */
  readonly persistence: number;
  /** Sums from which on demand is planned again, and the run stopped. @default REPLAN_SUM, STOP_SUM */
  readonly replanSum?: number;
  readonly stopSum?: number;
}

/** Shift that is looked for, in deviations, halved. */
const SLACK = 0.5;
/** With forecasts that are right a sum passes these about once in 1,000 steps, and once in 10,000 to 30,000. */
const REPLAN_SUM = 6;
const STOP_SUM = 8;
/** Farther out than all paths, scores go on with the paths' own deviation, up to this. */
const LARGEST_SCORE = 8;
/** A step counts no more than this unless the one before was as far out on the same side: a spike is no shift. */
const LARGEST_ALONE = 4;
/** Paths that judged by the others pass the limits within so many steps, as shares. */
const CHANCE = { replan: 0.02, stop: 0.002 } as const;
/** Steps that chance is measured over: some hours. */
const CHANCE_STEPS = 36;
/** Beyond this share of the paths the tail is taken as exponential, as that of a cumulative sum is. */
const TAIL_FROM = 0.9;
/** Fewer paths tell nothing of a tail. */
const FEWEST_PATHS = 40;
/** Deviations that are said to last for ever would never count again after the first step. */
const MOST_PERSISTENT = 0.95;
/** One step far out may be a spike of five minutes. */
const FEWEST_TO_STOP = 2;
const MOST_SHOWN = 4;

/** Judges the steps of a run, oldest first. */
export function trackDemand(
  steps: readonly TrackedStep[],
  { persistence, replanSum = REPLAN_SUM, stopSum = STOP_SUM }: TrackLimits,
): TrackVerdict {
  const scores = withoutSpikes(steps.map(({ actualCpuMillis, paths }) => scoreOf(actualCpuMillis, paths)));
  let [above, below] = [0, 0];
  let [aboveFrom, belowFrom] = [0, 0];
  addUp(scores, persistence, (sums, i) => {
    if (above === 0) aboveFrom = i;
    if (below === 0) belowFrom = i;
    [above, below] = sums;
  });
  const isAbove = above >= below;
  const sum = Math.max(above, below);
  if (sum < replanSum)
    return { state: "within band", direction: undefined, sum, evidence: describeCalm(steps, scores) };
  const from = isAbove ? aboveFrom : belowFrom;
  const isLasting = steps.length - from >= FEWEST_TO_STOP;
  return {
    state: isAbove && isLasting && sum >= stopSum ? "stop" : "re-plan",
    direction: isAbove ? "above" : "below",
    sum,
    sinceMs: steps[from]?.startMs ?? 0,
    evidence: describeShift(steps.slice(from), isAbove, sum),
  };
}

/** Scores with those held down that stand out alone. */
function withoutSpikes(scores: readonly number[]): readonly number[] {
  return scores.map((score, i) => {
    const before = scores[i - 1] ?? 0;
    const most = Math.max(LARGEST_ALONE, score * before > 0 ? Math.abs(before) : 0);
    return Math.max(-most, Math.min(most, score));
  });
}

/** The two cumulative sums of scores after each of them. */
function addUp(
  scores: readonly number[],
  persistence: number,
  onStep: (sums: readonly [above: number, below: number], index: number) => void,
): void {
  const keep = Math.min(MOST_PERSISTENT, Math.max(0, persistence));
  let [above, below] = [0, 0];
  scores.forEach((score, i) => {
    const before = scores[i - 1];
    const fresh = before === undefined ? score : (score - keep * before) / Math.sqrt(1 - keep ** 2);
    above = Math.max(0, above + fresh - SLACK);
    below = Math.max(0, below - fresh - SLACK);
    onStep([above, below], i);
  });
}

/**
 * What chance does to the sums of an island, from its paths: each is judged by all of them.
 * @param paths `paths[p][h]`, for `steps` steps
 */
export function limitsOf(paths: readonly ArrayLike<number>[], steps: number): TrackLimits {
  if (steps < 2 || paths.length < 3) return { persistence: 0 };
  const scores = scorePaths(paths, steps);
  const persistence = persistenceOf(scores);
  if (paths.length < FEWEST_PATHS) return { persistence };
  const highest = paths
    .map((_, p) => {
      let most = 0;
      addUp(
        scores.slice(0, CHANCE_STEPS).map((row) => row[p] ?? 0),
        persistence,
        ([above, below]) => (most = Math.max(most, above, below)),
      );
      return most;
    })
    .sort((a, b) => a - b);
  const from = quantileOfSorted(highest, TAIL_FROM);
  const beyond = highest.filter((sum) => sum > from);
  const scale = beyond.reduce((sum, one) => sum + one - from, 0) / Math.max(1, beyond.length);
  const limit = (chance: number): number => from + scale * Math.log((1 - TAIL_FROM) / chance);
  return {
    persistence,
    replanSum: Math.max(REPLAN_SUM, limit(CHANCE.replan)),
    stopSum: Math.max(STOP_SUM, limit(CHANCE.stop)),
  };
}

/** `scores[h][p]`: of each path among all of them at a step. */
function scorePaths(paths: readonly ArrayLike<number>[], steps: number): readonly (readonly number[])[] {
  return Array.from({ length: steps }, (_, h) => {
    const sorted = Float64Array.from(paths, (path) => path[h] ?? 0).sort();
    return paths.map((path) => scoreOf(path[h] ?? 0, sorted));
  });
}

/** Lag-1 correlation of the scores within the paths: how much a step says of the next one. */
function persistenceOf(scores: readonly (readonly number[])[]): number {
  let [products, squares] = [0, 0];
  for (let h = 1; h < scores.length; h++) {
    scores[h]?.forEach((score, p) => {
      const before = scores[h - 1]?.[p] ?? 0;
      products += score * before;
      squares += before * before;
    });
  }
  return squares === 0 ? 0 : Math.min(1, Math.max(0, products / squares));
}

/** Standard normal score of a value among ascending ones; ties sit in their middle. */
function scoreOf(value: number, ascending: ArrayLike<number>): number {
  const count = ascending.length;
  if (count === 0) return 0;
  let [lower, equal] = [0, 0];
  for (let i = 0; i < count; i++) {
    const other = ascending[i] ?? 0;
    if (other < value) lower++;
    else if (other === value) equal++;
  }
  const place = Math.min(1 - 0.5 / count, Math.max(0.5 / count, (lower + equal / 2) / count));
  const score = normalQuantile(place);
  const beyond =
    lower === count ? value - (ascending[count - 1] ?? 0) : lower + equal === 0 ? value - (ascending[0] ?? 0) : 0;
  if (beyond === 0) return score;
  // Paths that all agree leave no deviation: a hundredth of their value stands in.
  const spread = quantileOfSorted(ascending, 0.84) - quantileOfSorted(ascending, 0.16);
  const deviation = Math.max(spread / 2, Math.abs(quantileOfSorted(ascending, 0.5)) / 100, 1);
  return Math.max(-LARGEST_SCORE, Math.min(LARGEST_SCORE, score + beyond / deviation));
}

function describeCalm(steps: readonly TrackedStep[], scores: readonly number[]): string {
  if (steps.length === 0) return "no step of the forecast has passed yet";
  const inside = scores.filter((score) => Math.abs(score) <= 1.645).length;
  return `${String(inside)} of ${String(steps.length)} steps within P5 to P95`;
}

function describeShift(steps: readonly TrackedStep[], isAbove: boolean, sum: number): string {
  const shown = steps.slice(-MOST_SHOWN).map(({ actualCpuMillis, paths }) => {
    const bound = quantileOfSorted(paths, isAbove ? 0.95 : 0.05);
    return `${cores(actualCpuMillis)} (median ${cores(quantileOfSorted(paths, 0.5))}, ${isAbove ? "P95" : "P5"} ${cores(bound)})`;
  });
  return (
    `${isAbove ? "more" : "less"} demand than forecast for ${String(steps.length)} step${steps.length === 1 ? "" : "s"}, ` +
    `cumulative sum ${sum.toFixed(1)}: needed cores ${shown.join(", ")}`
  );
}

function cores(cpuMillis: number): string {
  return (cpuMillis / 1000).toFixed(2);
}
