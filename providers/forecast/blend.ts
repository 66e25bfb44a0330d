/**
 * Many forecasts of one series made one: members weighted for each horizon by how well each did on rolling origins of
 * the series, the middle of their weighted quantiles taken, and the result widened or narrowed to the coverage it had.
 *
 * Not for: the members (members.ts).
 *
 * Invariants
 * 1. The work is counted, not timed: members x horizons x origins, less those of members given up on a part of them.
 * 2. A horizon's quantiles do not depend on which other horizons or levels are asked for.
 *
 * Sources: weights by inverse backtest loss, Bates and Granger, "The Combination of Forecasts", Operational Research
 * Quarterly 20(4), 1969; the interval's factor is a conformity score of
 * Romano, Patterson and Candes, "Conformalized Quantile Regression", NeurIPS 2019, in its relative form (Kivaranovic,
 * Johnson and Leeb, AISTATS 2020); the factor for what is fitted, Akaike, "Fitting Autoregressive Models for Prediction",
 * Annals of the Institute of Statistical Mathematics 21, 1969.
 */
import type { PreparedSeries } from "./prepare";
import type { QuantilesAt } from "./shape-model";
import { TrimmedQuantiles } from "./trimmed-quantiles";

/** One forecast among several. */
export interface Member {
  readonly name: string;
  /** See FittedMember.key. */
  readonly key: string;
  /** How much it is believed before the backtest, against the others. @default 1 */
  readonly prior?: number;
  readonly at: (levels: readonly number[]) => QuantilesAt;
}

/** Levels on which members are judged. */
const JUDGED_LEVELS: readonly number[] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
/** Levels of the two intervals whose coverage is measured, around the judged ones. */
const KEPT_LEVELS: readonly number[] = [0.025, ...JUDGED_LEVELS, 0.975];
/** Places in KEPT_LEVELS of the 95 % interval, the 80 % interval within it and the median in the middle. */
const INTERVALS: readonly number[] = [0.025, 0.1, 0.5, 0.9, 0.975].map((level) => KEPT_LEVELS.indexOf(level));
const ALL_INTERVALS: readonly number[] = INTERVALS.map((_, place) => place);
/** Origins of the backtest for each horizon. */
const ORIGINS = { most: 32, least: 16 } as const;
/** Origins that judge first: who loses so many times as much as the best there is judged no further. */
const PROBED = 8;
const HOPELESS = 3;
/** Longer series get fewer of them, for each forecast reads more there: the work stays within its budget. */
const LONGEST_WITH_MOST = 1500;
/** Horizons of the backtest: between two of them the nearer one decides. */
const HORIZON_GROWTH = 1.6;
/** Horizons of the grid on each side that speak for one: few origins judge each alone. */
const NEAR = 1;
const AROUND = 3;
/** The backtest looks back over so many seasons, or so many times the horizon, but not into the beginning. */
const JUDGED_SEASONS = 7;
const JUDGED_HORIZONS = 4;
const WARM_UP_SHARE = 0.4;
/**
 * How sharply weights fall with the loss. The sum of square roots keeps a few bursts from deciding alone; the plain sum
 * keeps members out that fail rarely but badly.
 */
const SHARPNESS = { rootNear: 4, rootAround: 2, plainAround: 2 } as const;
/** Members below this share of the best weight are left out. */
const LEAST_SHARE = 0.1;
/** A member may not look better than this share of the worst: on a constant past several are perfect. */
const LEAST_RELATIVE_LOSS = 1e-6;
/**
 * How much of the factor that the backtest asks for is applied: the members were weighted on the same past, which flatters
 * them there. Of the 80 % interval small factors were noise: what passes the band counts.
 */
const CALIBRATED_SHARE = { inner: 0.5, outer: 0.7 } as const;
const INNER_BAND = 1.25;
/** Members, weights and speeds that are fitted, together. */
const FITTED_NUMBERS = 20;
/** Shorter series count as this long: what is fitted on them is held by its priors. */
const FEWEST_COUNTED = 300;
const CALIBRATION_BOUNDS = { least: 0.5, most: 2 } as const;
/** Averaging pulls tails together: what the outermost quantiles are widened by. */
const WIDENING = { tails: 1.36, power: 40 } as const;
/**
 * At once after the series' end P10 stands so much nearer to the median, and as the backtest says from so many seasons
 * ahead on: averages of members that know different things cover more than each of them, and where much is known that
 * outweighs how the backtest flatters them. Above the median both are in balance. A load that is often 0 has its P10 there.
 */
const LOWER_SIDE = { least: 0.95, seasons: 0.5 } as const;

/** What the backtest of one horizon of the grid left. */
interface Backtest {
  /** Sums of losses and of their square roots, by member, beside those of the best one. */
  readonly plain: Float64Array;
  readonly root: Float64Array;
  /** 1: not judged to the end, so that it may not speak. */
  readonly dropped: Uint8Array;
  /** What came, by origin; NaN where nothing was judged. */
  readonly actuals: Float64Array;
  /** `quantiles[(o * members + m) * INTERVALS.length]`: what member m said at origin o, at INTERVALS. */
  readonly quantiles: Float64Array;
}

/** Weights and widths at one horizon of the grid. */
export interface Tuning {
  /** Shares of the members, in their order. */
  readonly weights: Float64Array;
  /** Factors on the distances from the median of the 80 % and of the 95 % interval. */
  readonly inner: number;
  readonly outer: number;
}

/** A member that has a share. */
export interface Speaker {
  readonly name: string;
  readonly weight: number;
}

/** Members with their weights, made when a horizon is first asked for. */
export class Blend {
  private readonly judges: readonly QuantilesAt[];
  private readonly horizons: readonly number[];
  private readonly origins: number;
  private readonly backtests = new Map<number, Backtest>();
  private readonly tunings = new Map<number, Tuning>();
  private readonly trimmed: TrimmedQuantiles;
  /** Of one origin, at KEPT_LEVELS. */
  private readonly judged = new Float64Array(KEPT_LEVELS.length);

  /**
   * @param seasonSteps 0: none
   * @param weighed weights and widths found elsewhere. @default the members are judged on the series
   */
  constructor(
    private readonly prepared: PreparedSeries,
    private readonly members: readonly Member[],
    private readonly seasonSteps: number,
    private readonly weighed?: (horizon: number) => Tuning,
  ) {
    this.judges = weighed === undefined ? members.map((member) => member.at(KEPT_LEVELS)) : [];
    this.trimmed = new TrimmedQuantiles(members.length);
    const { length } = prepared.values;
    this.origins = Math.round(
      Math.max(ORIGINS.least, Math.min(ORIGINS.most, (ORIGINS.most * LONGEST_WITH_MOST) / length)),
    );
    this.horizons = judgedHorizons(length);
  }

  /** Quantiles after the series' end, one call for each horizon; not yet monotone. */
  at(levels: readonly number[]): (horizon: number) => Float64Array {
    const known = [...new Set([...levels, 0.5])].sort((a, b) => a - b);
    const places = [...levels, 0.5].map((level) => known.indexOf(level));
    const forecasts = this.members.map((member) => member.at(known));
    const origin = this.prepared.values.length - 1;
    const rows = new Float64Array(this.members.length * known.length);
    const blended = new Float64Array(places.length);
    return (horizon) => {
      const { weights, inner, outer } = this.tuningAt(horizon);
      for (let m = 0; m < forecasts.length; m++) {
        if (weights[m] === 0) continue;
        const row = forecasts[m]?.(origin, horizon);
        for (let l = 0; l < known.length; l++) rows[m * known.length + l] = row?.[l] ?? 0;
      }
      this.trimmed.write(blended, rows, 0, known.length, weights, places);
      const median = blended[levels.length] ?? 0;
      const lower = lowerFactor(horizon, this.seasonSteps);
      const result = new Float64Array(levels.length);
      for (let l = 0; l < result.length; l++) {
        const quantile = blended[l] ?? 0;
        const factor = widthFactor(levels[l] ?? 0.5, inner, outer, quantile > 0 ? lower : 1);
        result[l] = median + (quantile - median) * factor;
      }
      return result;
    };
  }

  /** Shares of all members at a horizon, in their order. */
  weightsAt(horizon: number): Float64Array {
    return this.tuningAt(horizon).weights;
  }

  /** Names and weights of those who speak at a horizon, loudest first. */
  speakersAt(horizon: number): readonly Speaker[] {
    return Array.from(this.weightsAt(horizon), (weight, m) => ({ weight, name: this.members[m]?.name ?? "" }))
      .filter(({ weight }) => weight > 0)
      .sort((a, b) => b.weight - a.weight);
  }

  /** Index of the member among the first `count` that did best around a horizon. */
  bestOf(count: number, horizon: number): number {
    const sums = Array.from(this.lossAround(this.nearest(horizon), AROUND, "plain").subarray(0, count));
    return sums.indexOf(Math.min(...sums));
  }

  /** Weights and widths at a horizon: those of the nearest one that members are judged at. */
  tuningAt(horizon: number): Tuning {
    if (this.weighed !== undefined) return this.weighed(horizon);
    const position = this.nearest(horizon);
    const known = this.tunings.get(position) ?? this.tune(position);
    this.tunings.set(position, known);
    return known;
  }

  private tune(position: number): Tuning {
    const rootNear = this.lossAround(position, NEAR, "root");
    const rootAround = this.lossAround(position, AROUND, "root");
    const plainAround = this.lossAround(position, AROUND, "plain");
    const raw = rootNear.map((loss, m) =>
      this.isDropped(position, m)
        ? 0
        : (this.members[m]?.prior ?? 1) *
          loss ** -SHARPNESS.rootNear *
          (rootAround[m] ?? 1) ** -SHARPNESS.rootAround *
          (plainAround[m] ?? 1) ** -SHARPNESS.plainAround,
    );
    const cut = LEAST_SHARE * Math.max(...raw);
    const kept = raw.map((weight) => (weight < cut ? 0 : weight));
    const total = kept.reduce((sum, weight) => sum + weight, 0);
    // Each was given up at some horizon near this one: the one that lost least around it speaks.
    if (total === 0) kept[rootNear.indexOf(Math.min(...rootNear))] = 1;
    const weights = kept.map((weight) => weight / (total || 1));
    return { weights, ...this.measureWidths(position, weights) };
  }

  /** Whether a member was given up at one of the horizons near one. */
  private isDropped(position: number, member: number): boolean {
    for (let other = position - NEAR; other <= position + NEAR; other++) {
      if (other in this.horizons && this.backtestAt(other).dropped[member] === 1) return true;
    }
    return false;
  }

  /** Losses of the members around one horizon, each horizon's relative to its best member. */
  private lossAround(position: number, reach: number, kind: "plain" | "root"): Float64Array {
    const sum = new Float64Array(this.members.length);
    for (let other = position - reach; other <= position + reach; other++) {
      if (!(other in this.horizons)) continue;
      const losses = this.backtestAt(other)[kind];
      for (let m = 0; m < sum.length; m++) sum[m] = (sum[m] as number) + (losses[m] as number);
    }
    const least = Math.max(leastOf(sum), Number.MIN_VALUE);
    for (let m = 0; m < sum.length; m++) sum[m] = (sum[m] as number) / least;
    return sum;
  }

  /** By what the intervals have to be wider, around one horizon. */
  private measureWidths(position: number, weights: Float64Array): { inner: number; outer: number } {
    const unseen = predictionFactor(this.prepared.values.length);
    const size = INTERVALS.length;
    const most = this.origins * (2 * NEAR + 1);
    const [inner, outer] = [new Float64Array(most), new Float64Array(most)];
    const row = new Float64Array(size);
    let count = 0;
    for (let other = position - NEAR; other <= position + NEAR; other++) {
      if (!(other in this.horizons)) continue;
      const { actuals, quantiles } = this.backtestAt(other);
      for (let o = 0; o < actuals.length; o++) {
        const actual = actuals[o] as number;
        if (Number.isNaN(actual)) continue;
        this.trimmed.write(row, quantiles, o * this.members.length * size, size, weights, ALL_INTERVALS);
        const median = row[2] as number;
        inner[count] = conformity(actual, row[1] as number, median, row[3] as number);
        outer[count++] = conformity(actual, row[0] as number, median, row[4] as number);
      }
    }
    if (count === 0) return { inner: unseen, outer: unseen };
    return {
      inner: unseen * beyondBand(boundedFactor(inner.subarray(0, count), 0.8)) ** CALIBRATED_SHARE.inner,
      outer: unseen * boundedFactor(outer.subarray(0, count), 0.95) ** CALIBRATED_SHARE.outer,
    };
  }

  private backtestAt(position: number): Backtest {
    const known = this.backtests.get(position) ?? this.backtest(this.horizons[position] ?? 1);
    this.backtests.set(position, known);
    return known;
  }

  private backtest(horizon: number): Backtest {
    const { values, measured } = this.prepared;
    const last = values.length - 1 - horizon;
    const span = Math.max(JUDGED_SEASONS * this.seasonSteps, JUDGED_HORIZONS * horizon, this.origins);
    const first = Math.max(0, Math.min(last, Math.max(Math.ceil(values.length * WARM_UP_SHARE), last - span)));
    const count = this.members.length;
    const plain = new Float64Array(count);
    const root = new Float64Array(count);
    const dropped = new Uint8Array(count);
    const actuals = new Float64Array(this.origins).fill(Number.NaN);
    const quantiles = new Float64Array(this.origins * count * INTERVALS.length);
    let judged = 0;
    const judgeAt = (turn: number): void => {
      const origin = Math.round(first + ((last - first) * turn) / (this.origins - 1));
      if (measured[origin + horizon] === 0) return;
      const actual = values[origin + horizon] as number;
      actuals[turn] = actual;
      judged++;
      for (let m = 0; m < count; m++) {
        if (dropped[m] === 1) continue;
        const loss = this.judge(m, origin, horizon, actual);
        plain[m] = (plain[m] as number) + loss;
        root[m] = (root[m] as number) + Math.sqrt(loss);
        const at = (turn * count + m) * INTERVALS.length;
        for (let i = 0; i < INTERVALS.length; i++) quantiles[at + i] = this.judged[INTERVALS[i] as number] as number;
      }
    };
    const every = Math.max(1, Math.floor(this.origins / PROBED));
    for (let turn = 0; turn < this.origins; turn += every) judgeAt(turn);
    const probed = judged;
    const hopeless = HOPELESS * leastOf(plain);
    if (hopeless > 0) for (let m = 0; m < count; m++) dropped[m] = (plain[m] as number) > hopeless ? 1 : 0;
    for (let turn = 0; turn < this.origins; turn++) if (turn % every !== 0) judgeAt(turn);
    const share = judged / Math.max(1, probed);
    for (let m = 0; m < count; m++) {
      if (dropped[m] === 0) continue;
      plain[m] = (plain[m] as number) * share;
      root[m] = (root[m] as number) * share;
    }
    return { plain: besideLeast(plain), root: besideLeast(root), dropped, actuals, quantiles };
  }

  /** Loss of what a member says at KEPT_LEVELS, which is written to `judged`. */
  private judge(member: number, origin: number, horizon: number, actual: number): number {
    const { judged } = this;
    const row = this.judges[member]?.(origin, horizon);
    for (let l = 0; l < judged.length; l++) judged[l] = Math.max(0, row?.[l] ?? 0);
    return pinball(judged, actual);
  }

  private nearest(horizon: number): number {
    return nearestPlace(this.horizons, horizon);
  }
}

/** Horizons at which members of a series of `count` values are judged, ascending. */
export function judgedHorizons(count: number): readonly number[] {
  return gridUpTo(Math.max(1, Math.floor(count / 4)));
}

/** Place of the one of ascending horizons that decides for any horizon. */
export function nearestPlace(horizons: readonly number[], horizon: number): number {
  const after = horizons.findIndex((known) => known >= horizon);
  if (after <= 0) return after < 0 ? horizons.length - 1 : 0;
  const [low, high] = [horizons[after - 1] ?? 1, horizons[after] ?? 1];
  return horizon / low < high / horizon ? after - 1 : after;
}

function leastOf(numbers: Float64Array): number {
  let least = Number.POSITIVE_INFINITY;
  for (const number of numbers) least = Math.min(least, number);
  return least;
}

/** Losses beside the least of them; in place. */
function besideLeast(losses: Float64Array): Float64Array {
  let most = 0;
  for (const loss of losses) most = Math.max(most, loss);
  const least = Math.max(leastOf(losses), LEAST_RELATIVE_LOSS * most, Number.MIN_VALUE);
  for (let m = 0; m < losses.length; m++) losses[m] = Math.max(losses[m] as number, least) / least;
  return losses;
}

/** How many times as wide the side of the interval would have to be to reach the actual value. */
function conformity(actual: number, low: number, median: number, high: number): number {
  if (actual === median) return 0;
  const side = actual > median ? high - median : median - low;
  return side > 0 ? Math.abs(actual - median) / side : CALIBRATION_BOUNDS.most;
}

/** @param scores are sorted */
function boundedFactor(scores: Float64Array, level: number): number {
  const sorted = scores.sort();
  const rank = Math.min(sorted.length - 1, Math.ceil((sorted.length + 1) * level) - 1);
  return Math.min(CALIBRATION_BOUNDS.most, Math.max(CALIBRATION_BOUNDS.least, sorted[rank] ?? 1));
}

/** What of a factor lies beyond the band around 1. */
function beyondBand(factor: number): number {
  return Math.max(1, factor / INNER_BAND) * Math.min(1, factor * INNER_BAND);
}

/** How much larger errors are on values that nothing was fitted on: the square root of Akaike's final prediction error. */
function predictionFactor(count: number): number {
  const counted = Math.max(count, FEWEST_COUNTED);
  return Math.sqrt((counted + FITTED_NUMBERS) / (counted - FITTED_NUMBERS));
}

/** Factor on a level's distance from the median. @param lower see lowerFactor */
function widthFactor(level: number, inner: number, outer: number, lower: number): number {
  const central = Math.abs(2 * level - 1);
  const share = Math.min(1, Math.max(0, (central - 0.8) / 0.15));
  const near = level < 0.5 ? inner * lower : inner;
  return (near + (outer - near) * share) * (1 + WIDENING.tails * central ** WIDENING.power);
}

/** Factor on the distances of the 80 % interval below the median. @param seasonSteps 0: none */
function lowerFactor(horizon: number, seasonSteps: number): number {
  const ahead = seasonSteps > 0 ? horizon / (LOWER_SIDE.seasons * seasonSteps) : 1;
  return 1 - (1 - LOWER_SIDE.least) * Math.max(0, 1 - ahead);
}

/** Loss of a row of KEPT_LEVELS. */
function pinball(row: Float64Array, actual: number): number {
  let loss = 0;
  for (let l = 0; l < JUDGED_LEVELS.length; l++) {
    const level = JUDGED_LEVELS[l] as number;
    const error = actual - (row[l + 1] as number);
    loss += Math.max(level * error, (level - 1) * error);
  }
  return loss;
}

/** 1, 2, 3, 5, 8, ... and the longest. */
function gridUpTo(longest: number): readonly number[] {
  const grid: number[] = [];
  for (let horizon = 1; horizon < longest; horizon = Math.max(horizon + 1, Math.round(horizon * HORIZON_GROWTH))) {
    grid.push(horizon);
  }
  return [...grid, longest];
}
