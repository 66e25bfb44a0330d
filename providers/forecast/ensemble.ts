/**
 * A blend of seasonal shapes and empirical forecasts, weighted for each horizon by how well each did on rolling origins
 * of the series itself. What does not pay is left out.
 *
 * Not for: the members (shape-model.ts, empirical.ts).
 *
 * Invariants
 * 1. Quantile rows never cross, hold no NaN and are >= 0.
 * 2. Pure: the same series gives the same numbers, whatever the machine and in whatever order horizons are asked for.
 * 3. The work is counted, not timed: members x horizons x origins.
 *
 * Sources: weights by inverse backtest loss, Bates and Granger, "The Combination of Forecasts", Operational Research
 * Quarterly 20(4), 1969; averaging quantiles, Lichtendahl, Grushka-Cockayne and Winkler, "Is It Better to Average
 * Probabilities or Quantiles?", Management Science 59(7), 2013; pinball loss, Koenker and Bassett 1978.
 */
import type { Series } from "../../sdk/model";
import { empiricalQuantiles, sortValues, type EmpiricalKernel } from "./empirical";
import type { FittedModel, Model } from "./model";
import type { PreparedSeries } from "./prepare";
import { prepareSeries } from "./prepare";
import { renderForecast } from "./render-forecast";
import { seasonalNaive } from "./seasonal-naive";
import type { QuantilesAt, ShapeModel } from "./shape-model";
import { candidateShapes, cycleSteps, describeShape, fitShape, WARM_UP_SHARE, wholeSteps } from "./shape-model";

const DAY_MS = 86_400_000;
/** Fewer values than this cannot tell members apart. */
const FEWEST_VALUES = 12;
const TESTED_SEASONS = 4;
/** Levels on which members are judged. */
const JUDGED_LEVELS: readonly number[] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
/** Origins of the backtest for each horizon. */
const ORIGINS = 10;
/** Horizons of the backtest: between two of them the nearer one decides. */
const HORIZON_GROWTH = 1.4;
/** The backtest looks back over so many seasons, or so many times the horizon. */
const JUDGED_SEASONS = 5;
const JUDGED_HORIZONS = 3;
/** How sharply weights fall with the loss at the horizon, and with the loss over all horizons. */
const SHARPNESS = { horizon: 2, overall: 3 } as const;
/** Members below this share of the best weight are left out. */
const LEAST_SHARE = 0.1;
/**
 * Averaging pulls the tails of members together, and members were chosen on the same past: factor on the distance from
 * the median, by level. Set once so that P99 holds about 99 % on the public traces of bench/forecast.
 */
const WIDENING = { middle: 1.0, tails: 0.2, power: 6 } as const;
/** A member may not look better than this share of the worst: on a constant past several are perfect. */
const LEAST_RELATIVE_LOSS = 1e-6;

interface Member {
  readonly name: string;
  /** See FittedMember.key. */
  readonly key: string;
  readonly at: (levels: readonly number[]) => QuantilesAt;
}

/** Creates the model. */
export function ensemble(): Model {
  return { name: "ensemble", fit };
}

function fit(series: Series): FittedModel {
  const daySteps = wholeSteps(DAY_MS, series.stepMs);
  const prepared = prepareSeries(series, daySteps);
  const count = prepared.values.length;
  if (count < FEWEST_VALUES) return seasonalNaive().fit(series);
  const shapes = candidateShapes(count, series.stepMs).map((shape) => fitShape(prepared, shape, TESTED_SEASONS));
  const season = count >= 2 * daySteps ? daySteps : 0;
  const members = createMembers(prepared, shapes, season, series.stepMs);
  const blend = new Blend(prepared, members, season);
  const notes = [...prepared.notes, blend.describe()];
  return {
    name: "ensemble",
    notes,
    warnings: prepared.warnings,
    predict: (horizon, levels, skip = 0) =>
      renderForecast(series, prepared, { name: "ensemble", notes }, { horizon, levels, skip }, blend.at(levels)),
    residualCycles:
      (shapes[blend.bestOf(shapes.length)] ?? shapes[0])?.residualCycles(cycleSteps(count, daySteps)) ?? [],
    members: members.map(({ name, key, at }, index) => ({
      name,
      key,
      weight: blend.typicalWeights()[index] ?? 0,
      predict: (horizon, levels, skip = 0) => {
        const quantilesAt = at(levels);
        const request = { horizon, levels, skip };
        return renderForecast(series, prepared, { name, notes }, request, (ahead) => quantilesAt(count - 1, ahead));
      },
    })),
  };
}

/** Shapes first, in their order. */
function createMembers(
  prepared: PreparedSeries,
  shapes: readonly ShapeModel[],
  season: number,
  stepMs: number,
): readonly Member[] {
  const sorted = sortValues(prepared);
  return [
    ...shapes.map((model, index) => ({
      name: describeShape(model.shape, stepMs),
      // Levels look at a share of the series: their number of values grows with it.
      key:
        model.shape.seasonSteps === 1 ? `level ${String(shapes.length - index)}` : describeShape(model.shape, stepMs),
      at: (levels: readonly number[]) => model.at(levels),
    })),
    ...kernelsFor(prepared.values.length, season).map(({ name, kernel }) => ({
      name,
      key: name,
      at: (levels: readonly number[]) => empiricalQuantiles(sorted, kernel, levels),
    })),
  ];
}

function kernelsFor(
  count: number,
  season: number,
): readonly { readonly name: string; readonly kernel: EmpiricalKernel }[] {
  const any = (name: string, ageSteps: number) => ({ name, kernel: { ageSteps, seasonSteps: 1, widthSteps: 0 } });
  if (season === 0) {
    return [any("newest values", count / 12), any("recent values", count / 4), any("all values", count)];
  }
  const daily = (name: string, days: number, widthSteps: number) => ({
    name,
    kernel: { ageSteps: days * season, seasonSteps: season, widthSteps: Math.max(1, Math.round(widthSteps)) },
  });
  return [
    any("values of the last hours", season / 4),
    any("values of the last day", season),
    any("values of the last days", 4 * season),
    any("values of the last weeks", 30 * season),
    daily("that hour in the last days", 3, season / 16),
    daily("that hour in the last weeks", 10, season / 16),
    daily("those hours in the last weeks", 30, season / 8),
  ];
}

/** Members with their weights, made when a horizon is first asked for. */
class Blend {
  private readonly judges: readonly QuantilesAt[];
  private readonly horizons: readonly number[];
  private readonly losses = new Map<number, Float64Array>();
  private readonly weights = new Map<number, Float64Array>();
  /** Mean loss of each member over the horizons of one season, relative to the best of each. */
  private readonly overall: Float64Array;

  constructor(
    private readonly prepared: PreparedSeries,
    private readonly members: readonly Member[],
    private readonly season: number,
  ) {
    this.judges = members.map((member) => member.at(JUDGED_LEVELS));
    const longest = Math.max(1, Math.floor(prepared.values.length / 4));
    this.horizons = gridUpTo(longest);
    this.overall = this.judgeOverall();
  }

  /** Quantiles after the series' end, one call for each horizon; not yet monotone. */
  at(levels: readonly number[]): (horizon: number) => Float64Array {
    const forecasts = this.members.map((member) => member.at(levels));
    const factors = levels.map((level) => WIDENING.middle + WIDENING.tails * Math.abs(2 * level - 1) ** WIDENING.power);
    const medianAt = this.members.map((member) => member.at([0.5]));
    const origin = this.prepared.values.length - 1;
    return (horizon) => {
      const weights = this.weightsAt(horizon);
      const sum = new Float64Array(levels.length);
      let median = 0;
      weights.forEach((weight, member) => {
        if (weight === 0) return;
        const quantiles = forecasts[member]?.(origin, horizon) ?? [];
        for (let l = 0; l < sum.length; l++) sum[l] = (sum[l] ?? 0) + weight * (quantiles[l] ?? 0);
        median += weight * (medianAt[member]?.(origin, horizon)[0] ?? 0);
      });
      return sum.map((value, l) => median + (value - median) * (factors[l] ?? 1));
    };
  }

  /** The best over all horizons among the first members. */
  bestOf(count: number): number {
    const judged = Array.from(this.overall.subarray(0, count));
    return judged.indexOf(Math.min(...judged));
  }

  /** Who speaks at the middle of a season, for people. */
  describe(): string {
    const speaking = Array.from(this.typicalWeights(), (weight, member) => ({
      weight,
      name: this.members[member]?.name ?? "",
    }))
      .filter(({ weight }) => weight > 0)
      .sort((a, b) => b.weight - a.weight);
    const named = speaking.slice(0, 3).map(({ name, weight }) => `${name} (${String(Math.round(100 * weight))} %)`);
    const others = speaking.length - named.length;
    return `blend of ${named.join(", ")}${others > 0 ? ` and ${String(others)} more` : ""}`;
  }

  /** Shares of the members in the middle of a season. */
  typicalWeights(): Float64Array {
    return this.weightsAt(Math.max(1, Math.round((this.season || this.prepared.values.length / 4) / 2)));
  }

  private weightsAt(horizon: number): Float64Array {
    const position = this.nearest(horizon);
    const known = this.weights.get(position);
    if (known) return known;
    const losses = this.smoothedLosses(position);
    const least = floorOf(losses);
    const leastOverall = floorOf(this.overall);
    const raw = losses.map(
      (loss, member) =>
        (Math.max(loss, least) / least) ** -SHARPNESS.horizon *
        (Math.max(this.overall[member] ?? 1, leastOverall) / leastOverall) ** -SHARPNESS.overall,
    );
    const cut = LEAST_SHARE * Math.max(...raw);
    const kept = raw.map((weight) => (weight < cut ? 0 : weight));
    const total = kept.reduce((sum, weight) => sum + weight, 0);
    const weights = kept.map((weight) => weight / total);
    this.weights.set(position, weights);
    return weights;
  }

  /** Losses around one horizon of the grid: few origins judge each alone. */
  private smoothedLosses(position: number): Float64Array {
    const around = [position - 1, position, position + 1].filter((other) => other in this.horizons);
    const sum = new Float64Array(this.members.length);
    for (const other of around)
      this.lossesAt(other).forEach((loss, member) => (sum[member] = (sum[member] ?? 0) + loss));
    return sum;
  }

  private judgeOverall(): Float64Array {
    const longest = this.season || Number.POSITIVE_INFINITY;
    const sum = new Float64Array(this.members.length);
    this.horizons.forEach((horizon, position) => {
      if (horizon > longest) return;
      const losses = this.lossesAt(position);
      const least = floorOf(losses);
      losses.forEach((loss, member) => (sum[member] = (sum[member] ?? 0) + Math.max(loss, least) / least));
    });
    return sum;
  }

  /** Summed pinball loss of each member at one horizon of the grid. */
  private lossesAt(position: number): Float64Array {
    const known = this.losses.get(position);
    if (known) return known;
    const { values, measured } = this.prepared;
    const horizon = this.horizons[position] ?? 1;
    const last = values.length - 1 - horizon;
    const span = Math.max(JUDGED_SEASONS * this.season, JUDGED_HORIZONS * horizon, ORIGINS);
    const first = Math.min(last, Math.max(Math.ceil(values.length * WARM_UP_SHARE), last - span));
    const losses = new Float64Array(this.members.length);
    for (let turn = 0; turn < ORIGINS; turn++) {
      const origin = Math.round(first + ((last - first) * turn) / (ORIGINS - 1));
      if (measured[origin + horizon] === 0) continue;
      const actual = values[origin + horizon] ?? 0;
      this.judges.forEach((judge, member) => {
        losses[member] = (losses[member] ?? 0) + pinball(judge(origin, horizon), actual);
      });
    }
    this.losses.set(position, losses);
    return losses;
  }

  private nearest(horizon: number): number {
    const after = this.horizons.findIndex((known) => known >= horizon);
    if (after <= 0) return after < 0 ? this.horizons.length - 1 : 0;
    const [low, high] = [this.horizons[after - 1] ?? 1, this.horizons[after] ?? 1];
    return horizon / low < high / horizon ? after - 1 : after;
  }
}

function pinball(quantiles: ArrayLike<number>, actual: number): number {
  let loss = 0;
  JUDGED_LEVELS.forEach((level, l) => {
    const error = actual - Math.max(0, quantiles[l] ?? 0);
    loss += Math.max(level * error, (level - 1) * error);
  });
  return loss;
}

/** 1, 2, 3, 4, 6, 8, ... and the longest. */
function gridUpTo(longest: number): readonly number[] {
  const grid: number[] = [];
  for (let horizon = 1; horizon < longest; horizon = Math.max(horizon + 1, Math.round(horizon * HORIZON_GROWTH))) {
    grid.push(horizon);
  }
  return [...grid, longest];
}

/** The smallest of some losses, but not so small that a ratio to it means nothing. */
function floorOf(losses: Float64Array): number {
  return Math.max(Math.min(...losses), LEAST_RELATIVE_LOSS * Math.max(...losses), Number.MIN_VALUE);
}
