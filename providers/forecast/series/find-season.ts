/**
 * The season of a series, of any length: a peak of the periodogram, confirmed by a hill of the autocorrelation.
 *
 * The periodogram finds candidates but not their exact length, and is fooled by wandering levels; the autocorrelation
 * knows the length but also peaks at all multiples. A candidate counts where both agree.
 *
 * Not for: whether a season pays for a forecast (choose-seasons.ts).
 *
 * Invariants
 * 1. Level, scale and single outliers change nothing: deviations are cut off at a few robust deviations first.
 * 2. Pure: the same values give the same season.
 *
 * Source: AUTOPERIOD, Vlachos, Yu and Castelli, "On Periodicity Detection and Structural Periodic Similarity", SIAM
 * International Conference on Data Mining 2005; robust deviation as 1.4826 times the median absolute one, Hampel, JASA
 * 69, 1974. Candidates are judged against the power around them instead of a permuted series, so that nothing is drawn.
 */
import { quantileOfSorted } from "../../../sdk/model";
import { createSpectrum, type Spectrum } from "./spectrum";

/** A season that was found. */
export interface FoundSeason {
  /** Its length, steps. */
  readonly steps: number;
  /** Correlation with the values one season ago, 0 to 1. */
  readonly strength: number;
}

/** Deviations count up to so many robust ones. */
const CUT_DEVIATIONS = 4;
/** So many seasons must have been seen. */
const FEWEST_SEASONS = 3;
/** Correlations with values longer ago rest on few of them. */
const LONGEST_LAG_SHARE = 0.7;
/** Shorter ones are the business of levels. */
const SHORTEST_STEPS = 3;
/** A candidate's power against the median of the frequencies from half to twice its own. */
const POWER_ABOVE_MEDIAN = 8;
const MOST_CANDIDATES = 12;
const SAMPLED_FREQUENCIES = 64;
/** A length is corrected by up to this share, by so many of its multiples. */
const SHARPENED_SHARE = 0.08;
const MOST_MULTIPLES = 12;
/** How high the hill must be above the valleys before and behind it, and in itself. */
const LEAST_RISE = 0.2;
const LEAST_STRENGTH = 0.25;
/** A shorter season whose multiple is the strongest one explains it, if it is nearly as strong. */
const FUNDAMENTAL_SHARE = 0.85;
/** A multiple within this share of a step a season counts as one. */
const MULTIPLE_TOLERANCE = 0.06;

/** The strongest season; undefined where there is none. @param values without gaps */
export function findSeason(values: Float64Array): FoundSeason | undefined {
  const count = values.length;
  const longest = Math.floor(count / FEWEST_SEASONS);
  if (longest < SHORTEST_STEPS) return undefined;
  const level = withoutTrend(cutOff(values));
  if (level === undefined) return undefined;
  const spectrum = createSpectrum(level, Math.floor(count * LONGEST_LAG_SHARE));
  const found = candidatesOf(spectrum, count, longest).flatMap((period) => confirm(spectrum, period, count));
  const strongest = found.reduce<FoundSeason | undefined>(
    (best, one) => (best === undefined || one.strength > best.strength ? one : best),
    undefined,
  );
  if (strongest === undefined) return undefined;
  return found
    .filter((one) => isMultiple(strongest.steps, one.steps) && one.strength >= FUNDAMENTAL_SHARE * strongest.strength)
    .reduce((shortest, one) => (one.steps < shortest.steps ? one : shortest), strongest);
}

/** Deviations from the median, none larger than some robust deviations. */
function cutOff(values: Float64Array): Float64Array {
  const middle = quantileOfSorted(values.slice().sort(), 0.5);
  const deviations = values.map((value) => value - middle);
  const sizes = deviations.map(Math.abs).sort();
  const typical = 1.4826 * quantileOfSorted(sizes, 0.5);
  // Where most values are the same, the deviation of the others tells what is usual for them.
  const limit = typical > 0 ? CUT_DEVIATIONS * typical : quantileOfSorted(sizes, 0.95);
  return deviations.map((deviation) => Math.max(-limit, Math.min(limit, deviation)));
}

/** Without its straight line; undefined where nothing is left. */
function withoutTrend(values: Float64Array): Float64Array | undefined {
  const count = values.length;
  const centre = (count - 1) / 2;
  let [sum, products, squares] = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    sum += values[i] ?? 0;
    products += (i - centre) * (values[i] ?? 0);
    squares += (i - centre) ** 2;
  }
  const [mean, slope] = [sum / count, products / squares];
  const left = values.map((value, i) => value - mean - slope * (i - centre));
  const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return left.some((value) => Math.abs(value) > 1e-9 * scale) ? left : undefined;
}

/** Periods at peaks of the periodogram, the highest first. */
function candidatesOf({ size, power }: Spectrum, count: number, longest: number): readonly number[] {
  const first = Math.max(2, Math.ceil(size / (longest * 1.1)));
  const last = Math.floor(size / SHORTEST_STEPS);
  const found: { readonly period: number; readonly power: number }[] = [];
  // Padding draws every peak out over some neighbours: only the top of each hill of that width counts.
  const reach = Math.max(1, Math.round(size / count / 2));
  for (let k = first; k <= last && k + 1 < power.length; k++) {
    const own = power[k] ?? 0;
    let isPeak = own > 0;
    for (let other = k - reach; other <= k + reach && isPeak; other++) isPeak = (power[other] ?? 0) <= own;
    if (isPeak) found.push({ period: size / k, power: own });
  }
  return found
    .sort((a, b) => b.power - a.power)
    .slice(0, MOST_CANDIDATES)
    .filter((one) => one.power > POWER_ABOVE_MEDIAN * medianAround(power, size / one.period))
    .map(({ period }) => period);
}

/** Some of the frequencies from half to twice `k`, evenly spaced: a median needs no more. */
function medianAround(power: Float64Array, k: number): number {
  const from = Math.max(1, Math.floor(k / 2));
  const to = Math.min(power.length, Math.ceil(k * 2) + 3);
  const stride = Math.max(1, Math.floor((to - from) / SAMPLED_FREQUENCIES));
  const around = Float64Array.from(
    { length: Math.ceil((to - from) / stride) },
    (_, i) => power[from + i * stride] ?? 0,
  );
  return quantileOfSorted(around.sort(), 0.5);
}

/** The top of the hill on which a candidate lies; none where it lies on a slope or in a valley. */
function confirm({ correlation, size }: Spectrum, period: number, count: number): readonly FoundSeason[] {
  // The frequencies beside it stand for lengths around it; a peak may lie anywhere among them.
  const width = Math.max(1, Math.round((period * period) / Math.min(size, 2 * count)));
  const [from, to] = [Math.max(SHORTEST_STEPS, Math.round(period - width)), Math.round(period + width)];
  let top = from;
  for (let lag = from; lag <= Math.min(to, correlation.length - 1); lag++) {
    if ((correlation[lag] ?? 0) > (correlation[top] ?? 0)) top = lag;
  }
  top = sharpen(correlation, top);
  const strength = correlation[top] ?? 0;
  if (top * FEWEST_SEASONS > count || strength < LEAST_STRENGTH) return [];
  // Above what chance gives: twice the deviation of a correlation of independent values.
  if (strength < 2 / Math.sqrt(count)) return [];
  const valley = (begin: number, end: number): number => {
    let least = 1;
    for (let lag = Math.max(1, begin); lag <= Math.min(end, correlation.length - 1); lag++) {
      least = Math.min(least, correlation[lag] ?? 1);
    }
    return least;
  };
  const before = valley(Math.floor(top * 0.4), top);
  const behind = valley(top, Math.ceil(top * 1.5));
  if (strength - Math.max(before, behind) < LEAST_RISE * Math.min(1, strength * 2)) return [];
  return [{ steps: top, strength: Math.min(1, strength) }];
}

/** The length near `top` whose multiples are high as well: a wide hill has its top anywhere, that of the fifth multiple does not. */
function sharpen(correlation: Float64Array, top: number): number {
  const reach = Math.max(1, Math.round(top * SHARPENED_SHARE));
  const multiples = Math.max(1, Math.min(MOST_MULTIPLES, Math.floor((correlation.length - 1) / (top + reach))));
  let [best, most] = [top, Number.NEGATIVE_INFINITY];
  for (let lag = Math.max(SHORTEST_STEPS, top - reach); lag <= top + reach; lag++) {
    let sum = 0;
    for (let m = 1; m <= multiples; m++) sum += correlation[m * lag] ?? 0;
    if (sum > most) [best, most] = [lag, sum];
  }
  // At the border it is a slope: a wandering level lies under all multiples.
  return Math.abs(best - top) < reach ? best : top;
}

function isMultiple(long: number, short: number): boolean {
  const times = Math.round(long / short);
  return times >= 1 && Math.abs(long / short - times) <= MULTIPLE_TOLERANCE * times;
}
