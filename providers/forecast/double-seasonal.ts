/**
 * Exponential smoothing with a daily and a weekly season and an autoregressive error: level, shape of the day and shape
 * of the week each follow the newest values at a speed of their own.
 *
 * Not for: quantiles (bucket-errors.ts).
 *
 * Source: J. W. Taylor, "Short-term electricity demand forecasting using double seasonal exponential smoothing",
 * Journal of the Operational Research Society 54(8), 2003, equations 7 to 11 in their additive form without trend.
 * With one season it is the additive Holt-Winters method (Winters, Management Science 6(3), 1960) with that error.
 */
import type { PointAt } from "./bucket-errors";
import { onceEach } from "./shape-model";

/** Speeds of the parts, each in [0, 1). */
export interface SmoothingSpeeds {
  readonly level: number;
  readonly day: number;
  readonly week: number;
  /** Share of the last error that is left after one step. */
  readonly error: number;
}

/** States after every value. */
export interface DoubleSeasonalFit {
  readonly speeds: SmoothingSpeeds;
  /** Mean absolute error one step ahead. */
  readonly loss: number;
  readonly point: PointAt;
}

const KEYS = ["level", "day", "week", "error"] as const;
const START: SmoothingSpeeds = { level: 0.1, day: 0.1, week: 0.1, error: 0.5 };
const FIRST_MOVES: SmoothingSpeeds = { level: 0.1, day: 0.1, week: 0.1, error: 0.3 };
const HIGHEST: SmoothingSpeeds = { level: 0.9, day: 0.9, week: 0.9, error: 0.98 };
/** Rounds of the search along each speed, and how the moves shrink: a budget, so that equal input gives equal output. */
const ROUNDS = 5;
const SHRINK = 0.6;
/** Longer series are searched on their newest values. */
const MOST_VALUES = 4000;

/**
 * Fits the speeds by coordinate search on the absolute error one step ahead.
 * @param values at least two days
 * @param weekSteps 0: no weekly season; else at most half of the series
 */
export function fitDoubleSeasonal(values: Float64Array, daySteps: number, weekSteps: number): DoubleSeasonalFit {
  const searched = values.subarray(Math.max(0, values.length - Math.max(MOST_VALUES, 2 * weekSteps, 2 * daySteps)));
  // The states of every trial are written over those of the one before: only the loss is looked at.
  const states = startStates(searched, daySteps, weekSteps);
  const lossOf = (speeds: SmoothingSpeeds): number => smooth(states, searched, daySteps, weekSteps, speeds);
  let best: SmoothingSpeeds = weekSteps > 0 ? START : { ...START, week: 0 };
  let loss = lossOf(best);
  let moves = FIRST_MOVES;
  for (let round = 0; round < ROUNDS; round++) {
    for (const key of KEYS) {
      if (key === "week" && weekSteps === 0) continue;
      for (const direction of [1, -1]) {
        const moved = Math.min(HIGHEST[key], Math.max(0, best[key] + direction * moves[key]));
        const candidate = { ...best, [key]: moved };
        const other = moved === best[key] ? loss : lossOf(candidate);
        if (other >= loss) continue;
        [best, loss] = [candidate, other];
        break;
      }
    }
    moves = {
      level: moves.level * SHRINK,
      day: moves.day * SHRINK,
      week: moves.week * SHRINK,
      error: moves.error * SHRINK,
    };
  }
  return smoothDoubleSeasonal(values, daySteps, weekSteps, best);
}

/** Smooths with given speeds. */
export function smoothDoubleSeasonal(
  values: Float64Array,
  daySteps: number,
  weekSteps: number,
  speeds: SmoothingSpeeds,
): DoubleSeasonalFit {
  const states = startStates(values, daySteps, weekSteps);
  const loss = smooth(states, values, daySteps, weekSteps, speeds);
  const { level, day, week, error } = states;
  const shareLeft = onceEach((horizon) => speeds.error ** horizon);
  return {
    speeds,
    loss,
    point: (origin, horizon) => {
      const target = origin + horizon;
      const ofDay = day[target - Math.ceil(horizon / daySteps) * daySteps + daySteps] ?? 0;
      const ofWeek = weekSteps > 0 ? (week[target - Math.ceil(horizon / weekSteps) * weekSteps + weekSteps] ?? 0) : 0;
      return (level[origin] ?? 0) + ofDay + ofWeek + shareLeft(horizon) * (error[origin] ?? 0);
    },
  };
}

/** `day` and `week` begin one season before the series, with what is assumed of its first one. */
interface States {
  readonly level: Float64Array;
  readonly day: Float64Array;
  readonly week: Float64Array;
  /** Value minus level and shapes as they were before it. */
  readonly error: Float64Array;
  /** Level before the first value. */
  readonly first: number;
}

function startStates(values: Float64Array, daySteps: number, weekSteps: number): States {
  const day = new Float64Array(values.length + daySteps);
  const week = new Float64Array(values.length + weekSteps);
  const first = startShapes(values, daySteps, weekSteps, day, week);
  return { level: new Float64Array(values.length), day, week, error: new Float64Array(values.length), first };
}

/** Writes the states after every value. @returns the mean absolute error one step ahead */
function smooth(
  { level, day, week, error, first }: States,
  values: Float64Array,
  daySteps: number,
  weekSteps: number,
  speeds: SmoothingSpeeds,
): number {
  const count = values.length;
  let last = first;
  let lastError = 0;
  let sum = 0;
  const judgedFrom = weekSteps > 0 ? weekSteps : 2 * daySteps;
  for (let t = 0; t < count; t++) {
    const value = values[t] as number;
    const ofDay = day[t] as number;
    const ofWeek = weekSteps > 0 ? (week[t] as number) : 0;
    const off = value - last - ofDay - ofWeek;
    const surprise = off - speeds.error * lastError;
    if (t >= judgedFrom) sum += Math.abs(surprise);
    last += speeds.level * surprise;
    day[t + daySteps] = ofDay + speeds.day * surprise;
    if (weekSteps > 0) week[t + weekSteps] = ofWeek + speeds.week * surprise;
    level[t] = last;
    error[t] = off;
    lastError = off;
  }
  return sum / Math.max(1, count - judgedFrom);
}

/** Fills the first season of each shape from the first values; returns the level there. */
function startShapes(
  values: Float64Array,
  daySteps: number,
  weekSteps: number,
  day: Float64Array,
  week: Float64Array,
): number {
  const meanOf = (from: number, steps: number): number => {
    let sum = 0;
    for (let i = from; i < from + steps; i++) sum += values[i] ?? 0;
    return sum / steps;
  };
  const days = Math.max(
    1,
    Math.min(Math.floor(values.length / daySteps), weekSteps > 0 ? Math.round(weekSteps / daySteps) : 3),
  );
  for (let d = 0; d < days; d++) {
    const mean = meanOf(d * daySteps, daySteps);
    for (let i = 0; i < daySteps; i++) day[i] = (day[i] ?? 0) + ((values[d * daySteps + i] ?? 0) - mean) / days;
  }
  if (weekSteps === 0) return meanOf(0, daySteps);
  const mean = meanOf(0, weekSteps);
  for (let i = 0; i < weekSteps; i++) week[i] = (values[i] ?? 0) - mean - (day[i % daySteps] ?? 0);
  return mean;
}
