/**
 * Joint sample paths: the demand of all workloads together, drawn so that what moved together in the past moves
 * together ahead.
 *
 * Not for: margins. How wide a workload's demand spreads at a step is its model's business; only the order in which
 * the paths take those values, across workloads and along time, is made here.
 *
 * Invariants
 * 1. A path takes the residuals of the same past day for every workload whose history has that day.
 * 2. At every step the values of a workload over all paths are exactly its quantiles at (i + 0.5) / paths.
 * 3. The same input and seed give the same paths.
 *
 * Sources: resampling whole blocks keeps dependence in time, H. R. Kuensch, "The Jackknife and the Bootstrap for
 * General Stationary Observations", Annals of Statistics 17(3), 1989; putting calibrated margins into the rank order
 * of past joint observations is the Schaake shuffle, M. Clark et al., Journal of Hydrometeorology 5(1), 2004.
 */
import { argsort } from "./argsort";
import type { FittedModel } from "./model";
import { createRandom } from "./random";
import type { Random } from "./random";

/** One workload's model and where its data end. */
export interface PathSource {
  readonly fitted: FittedModel;
  /** End of the last measured interval, milliseconds since the epoch. */
  readonly endMs: number;
}

/** What {@link sampleJointPaths} needs. */
export interface JointPathsInput {
  readonly sources: readonly PathSource[];
  /** First step of the paths, milliseconds since the epoch; not before the end of any source. */
  readonly startMs: number;
  readonly stepMs: number;
  readonly steps: number;
  readonly paths: number;
  readonly seed: number;
}

const DAY_MS = 86_400_000;
/**
 * A resampled day may begin up to this much earlier or later: two weeks of history would else give 200 paths made of
 * a dozen days. Loads of one hour are alike.
 */
const JITTER_MS = 3_600_000;
/** A workload with fewer whole days of residuals does not decide how far back days are taken from. */
const FEWEST_DAYS = 5;

/** `result[p][w * steps + h]`: value of source w at step h on path p, whole numbers >= 0. */
export function sampleJointPaths(input: JointPathsInput): readonly (readonly number[])[] {
  const { sources, steps, paths } = input;
  const random = createRandom(input.seed);
  const origins = drawOrigins(input, random);
  // Sources without residuals follow one order common to all of them: the careful guess, for sums spread widest then.
  const commonOrder = shuffledRanks(paths, random);
  const levels = pathLevels(paths);
  const result = Array.from({ length: paths }, () => new Array<number>(sources.length * steps).fill(0));
  const order = new Float64Array(paths);
  sources.forEach((source, w) => {
    const lead = Math.max(0, Math.round((input.startMs - source.endMs) / input.stepMs));
    const { rows } = source.fitted.predict(lead + steps, levels, lead);
    const places = placesOf(source.fitted.residualCycles.flat());
    const offset = Math.round((input.startMs - source.endMs) / input.stepMs);
    const put = (path: number, rank: number, h: number): void => {
      (result[path] as number[])[w * steps + h] = Math.max(0, Math.round(rows[rank]?.[h] ?? 0));
    };
    for (let h = 0; h < steps; h++) {
      if (places.length === 0) {
        commonOrder.forEach((rank, p) => put(p, rank, h));
        continue;
      }
      // Place and path in one number: sorted as numbers, ties stay in the order of the paths, which is random already.
      for (let p = 0; p < paths; p++) {
        const residual = wrap(offset + h - ((origins[p] as Int32Array)[h] as number), places.length);
        order[p] = (places[residual] as number) * paths + p;
      }
      order.sort();
      for (let rank = 0; rank < paths; rank++) put((order[rank] as number) % paths, rank, h);
    }
  });
  return result;
}

/** Quantile levels whose values a number of paths takes. */
export function pathLevels(paths: number): readonly number[] {
  return Array.from({ length: paths }, (_, i) => (i + 0.5) / paths);
}

/** `origins[p][h]`: how many steps back path p looks at step h; whole days and a jitter, the same for all sources. */
function drawOrigins({ sources, startMs, stepMs, steps, paths }: JointPathsInput, random: Random): Int32Array[] {
  const daySteps = Math.max(1, Math.round(DAY_MS / stepMs));
  const lengths = sources.map(({ fitted }) => fitted.residualCycles.reduce((sum, { length }) => sum + length, 0));
  const wholeDays = lengths.map((length) => Math.floor(length / daySteps));
  const deciding = wholeDays.filter((days) => days >= FEWEST_DAYS);
  const days = deciding.length > 0 ? Math.min(...deciding) : Math.max(1, ...wholeDays);
  // Less than two days know no time of day: their residuals may be taken from anywhere.
  const jitter = days >= 2 ? Math.floor(JITTER_MS / stepMs) : Math.max(...lengths, 1);
  const endMs = Math.max(...sources.map((source) => source.endMs), Number.NEGATIVE_INFINITY);
  return Array.from({ length: paths }, () => {
    const path = new Int32Array(steps);
    for (let from = 0; from < steps; from += daySteps) {
      const until = Math.min(steps, from + daySteps);
      // The fewest days back at which the whole block lies in the past of the source that ends last.
      const aheadSteps = Math.ceil((startMs - endMs) / stepMs) + until;
      const nearest = Math.max(1, Math.ceil(aheadSteps / daySteps));
      const back = (nearest + random.below(days)) * daySteps + random.below(2 * jitter + 1) - jitter;
      path.fill(back, from, until);
    }
    return path;
  });
}

/** Index into residuals that end at the source's end: -1 is the last one; other times wrap around. */
function wrap(stepsFromEnd: number, length: number): number {
  return ((stepsFromEnd % length) + length) % length;
}

/** Place of each value among all of them in ascending order; equal values share one. */
function placesOf(values: readonly number[]): Uint32Array {
  const places = new Uint32Array(values.length);
  let place = 0;
  let before = Number.NEGATIVE_INFINITY;
  for (const index of argsort(values)) {
    const value = values[index] ?? 0;
    if (value > before) place++;
    before = value;
    places[index] = place;
  }
  return places;
}

/** A random permutation (Fisher and Yates). */
function shuffledRanks(count: number, random: Random): Uint32Array {
  const ranks = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [ranks[i], ranks[j]] = [ranks[j] ?? 0, ranks[i] ?? 0];
  }
  return ranks;
}
