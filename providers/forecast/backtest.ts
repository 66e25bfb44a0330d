/**
 * What a forecast would have said at moments of the past, against what came: accuracy and calibration of the blend and
 * of each of its members, what would have been reserved, and whether the calmest slot was found.
 *
 * Not for: reading files and rendering (providers/cli, providers/report).
 *
 * Invariants
 * 1. At each origin a model sees only what came before it; gaps are never judged.
 * 2. Pure: the same series and setting give the same scores.
 *
 * Sources: pinball loss, Koenker and Bassett, 1978; weighted quantile loss as in the M5 competition and GluonTS; MASE,
 * Hyndman and Koehler, 2006; rolling origins, Tashman, International Journal of Forecasting 16(4), 2000.
 */
import type { Series } from "../../sdk/model";
import { SeriesError } from "../../sdk/model";
import { lastSeason } from "./last-season";
import type { FittedMember, Model } from "./model";
import { ScoreSum, type ForecastScore } from "./score-sum";

/** What is tested, and how. */
export interface BacktestSetting {
  readonly series: Series;
  readonly model: Model;
  /** Steps of each forecast, >= 1. */
  readonly horizon: number;
  /** Forecasts made, equally spaced over the last part of the series, >= 1. */
  readonly origins: number;
  /** Share of the series from whose end the origins are taken, in (0, 1). */
  readonly share: number;
  /** Steps of a season, for the yardstick; 1: none. */
  readonly season: number;
  /** Length of the slot that is looked for, steps, <= horizon. */
  readonly slotSteps: number;
}

/** Result of a backtest. */
export interface Backtest {
  readonly id: string;
  readonly horizon: number;
  readonly stepMs: number;
  readonly season: number;
  readonly slotSteps: number;
  /** Moments at which forecasts were made, milliseconds since the epoch. */
  readonly originsMs: readonly number[];
  /** What was repaired in the series, and what the models made of it at the last moment; for people. */
  readonly notes: readonly string[];
  /** The blend first, then its members by loss, the yardstick last. */
  readonly models: readonly ModelScore[];
  /** What the blend said at each origin beside what came; for plots. */
  readonly said: readonly {
    readonly originMs: number;
    /** NaN: not measured. */
    readonly actual: readonly number[];
    /** Rows of P5, P50, P95 and P99. */
    readonly rows: readonly (readonly number[])[];
  }[];
}

/** One forecaster of a backtest. */
export interface ModelScore extends ForecastScore {
  readonly name: string;
  readonly role: "blend" | "member" | "yardstick";
  /** Mean share of the blend, members only. */
  readonly weight?: number;
  /** Loss relative to the yardstick's; below 1 is better. */
  readonly relativeLoss: number;
}

/** Levels that every model is asked for. */
export const TESTED_LEVELS: readonly number[] = [
  0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99,
];
/** Levels that are kept for plots. */
const SHOWN_LEVELS: readonly number[] = [0.05, 0.5, 0.95, 0.99];
/** Loads of which less than this is known before the first origin cannot be judged. */
const FEWEST_KNOWN = 24;
/** Losses relative to a yardstick that is never wrong mean nothing. */
const LARGEST_RATIO = 100;

/**
 * Tests a model.
 * @param onOrigin called before each origin with its number, from 0 on
 * @throws SeriesError `too-short` when the series leaves no room for an origin
 */
export function backtest(setting: BacktestSetting, onOrigin?: (turn: number) => void): Backtest {
  const { series, model, horizon, season } = setting;
  const yardstick = lastSeason(season);
  const origins = placeOrigins(setting);
  const training = series.values.subarray(0, origins[0] ?? 0);
  const scale = seasonalError(training, season);
  const create = (): ScoreSum => new ScoreSum(TESTED_LEVELS, scale, setting.slotSteps);
  const sums = { blend: create(), yardstick: create() };
  const members = new Map<string, { name: string; weight: number; turns: number; sum: ScoreSum }>();
  const said: Backtest["said"][number][] = [];
  let notes: readonly string[] = [];

  origins.forEach((origin, turn) => {
    onOrigin?.(turn);
    const known: Series = { ...series, values: series.values.subarray(0, origin) };
    const actual = series.values.subarray(origin, origin + horizon);
    const fitted = model.fit(known);
    notes = fitted.notes;
    const { rows } = fitted.predict(horizon, TESTED_LEVELS);
    sums.blend.add(rows, actual);
    sums.yardstick.add(yardstick.fit(known).predict(horizon, TESTED_LEVELS).rows, actual);
    for (const member of fitted.members ?? []) addMember(members, member, horizon, actual, create);
    said.push({
      originMs: series.startMs + origin * series.stepMs,
      actual: Array.from(actual),
      rows: SHOWN_LEVELS.map((level) => rows[TESTED_LEVELS.indexOf(level)] ?? []),
    });
  });

  const base = sums.yardstick.result();
  const scored = (name: string, role: ModelScore["role"], sum: ScoreSum, weight?: number): ModelScore => {
    const score = sum.result();
    const relativeLoss =
      base.wql > 0 ? Math.min(LARGEST_RATIO, score.wql / base.wql) : score.wql === 0 ? 1 : LARGEST_RATIO;
    return { name, role, ...score, relativeLoss, ...(weight === undefined ? {} : { weight }) };
  };
  return {
    id: series.id,
    horizon,
    stepMs: series.stepMs,
    season,
    slotSteps: setting.slotSteps,
    originsMs: said.map(({ originMs }) => originMs),
    notes,
    models: [
      scored(model.name, "blend", sums.blend),
      ...[...members.values()]
        // A member that a longer series brought in was asked other questions: its scores compare with none.
        .filter(({ turns }) => turns === origins.length)
        .map(({ name, weight, turns, sum }) => scored(name, "member", sum, weight / turns))
        .sort((a, b) => a.wql - b.wql),
      scored(yardstick.name, "yardstick", sums.yardstick),
    ],
    said,
  };
}

function addMember(
  members: Map<string, { name: string; weight: number; turns: number; sum: ScoreSum }>,
  member: FittedMember,
  horizon: number,
  actual: Float64Array,
  create: () => ScoreSum,
): void {
  const known = members.get(member.key) ?? { name: member.name, weight: 0, turns: 0, sum: create() };
  known.name = member.name;
  known.weight += member.weight;
  known.turns++;
  known.sum.add(member.predict(horizon, TESTED_LEVELS).rows, actual);
  members.set(member.key, known);
}

/** Numbers of values known at each origin, ascending. */
function placeOrigins({ series, horizon, origins, share }: BacktestSetting): readonly number[] {
  const count = series.values.length;
  const last = count - horizon;
  if (last < FEWEST_KNOWN) {
    throw new SeriesError(
      "too-short",
      series.id,
      `has ${String(count)} values; a backtest over ${String(horizon)} steps needs at least ${String(FEWEST_KNOWN + horizon)}`,
      "record more of it, or test a shorter horizon",
    );
  }
  const first = Math.max(FEWEST_KNOWN, Math.min(last, Math.floor(count * (1 - share))));
  const placed = Array.from({ length: origins }, (_, turn) =>
    origins === 1 ? last : Math.round(first + ((last - first) * turn) / (origins - 1)),
  );
  return [...new Set(placed)];
}

/** Mean absolute difference of measured values one season apart. */
function seasonalError(values: Float64Array, season: number): number {
  let sum = 0;
  let count = 0;
  for (let index = season; index < values.length; index++) {
    const error = Math.abs((values[index] ?? 0) - (values[index - season] ?? 0));
    if (Number.isNaN(error)) continue;
    sum += error;
    count++;
  }
  return count === 0 ? 0 : sum / count;
}
