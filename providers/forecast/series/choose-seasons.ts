/**
 * The seasons that a forecast is made with: the day and the week where the calendar rules, what was found in the values
 * where something else does and pays for it (shifts of eight hours, a batch every seven, a cycle of ten days).
 *
 * Not for: finding one (find-season.ts).
 *
 * Invariants
 * 1. A season that the day holds, or that is made of whole days, never takes the day away: both are used.
 * 2. Any other takes its place only where the values of the past were forecast better with it.
 */
import { formatDurationShort } from "../../../sdk/model";
import { backtestLoss, createBuckets } from "../horizon-errors";
import type { PreparedSeries } from "../prepare";
import { createProfile, type Shape } from "../seasonal-shape";
import { candidateShapes, wholeSteps } from "../shape-model";
import { findSeason } from "./find-season";

/** Seasons of a series. */
export interface ChosenSeasons {
  /** Lengths in steps, ascending; empty: none. */
  readonly seasons: readonly number[];
  /** Shapes that are tried; one without a season among them. */
  readonly shapes: readonly Shape[];
  /** What was found beside the calendar, for people. */
  readonly note?: string;
}

const DAY_MS = 86_400_000;
const DAYS_PER_WEEK = 7;
/** Weekly members need so many weeks. */
const FEWEST_WEEKS = 2.2;
/** A length this close to one of the calendar is that one: work goes by the clock. */
const CALENDAR_TOLERANCE = 0.04;
/** Longest season of whole days that is looked at beside the day. */
const MOST_DAYS = 31;
/** Parts of a day that count as one: from half a day to half an hour. */
const MOST_PARTS = 48;
/** The loss with a season that is not of the calendar must be this share of the loss with the day, or less. */
const LEAST_GAIN = 0.95;
/** Numbers of seasons averaged for the parts of a day. */
const PARTS_AVERAGED = [2, 6] as const;

/** Chooses them. */
export function chooseSeasons(prepared: PreparedSeries, stepMs: number): ChosenSeasons {
  const { values } = prepared;
  const daySteps = wholeSteps(DAY_MS, stepMs);
  const calendar = calendarSeasons(values.length, daySteps, stepMs);
  const found = findSeason(values);
  if (found === undefined) return calendar;
  const { steps, strength } = found;
  const hasDay = calendar.seasons.length > 0;
  const tell = (length: number, rest: string): string =>
    `a season of ${formatDurationShort(length * stepMs)} was found (correlation ${strength.toFixed(2)})${rest}`;
  const days = daySteps > 0 ? nearestWhole(steps / daySteps, MOST_DAYS) : undefined;
  if (days === 1 || days === DAYS_PER_WEEK) return calendar;
  if (hasDay && days !== undefined) {
    const seasons = [daySteps, days * daySteps];
    const cycle = { seasonSteps: days * daySteps, seasons: 1 };
    return { seasons, shapes: [...calendar.shapes, cycle], note: tell(days * daySteps, ", beside that of the day") };
  }
  const parts = daySteps > 0 ? nearestWhole(daySteps / steps, MOST_PARTS) : undefined;
  if (hasDay && parts !== undefined && Number.isInteger(daySteps / parts)) {
    const seasonSteps = daySteps / parts;
    const shapes = PARTS_AVERAGED.map((seasons) => ({ seasonSteps, seasons }));
    return { ...calendar, shapes: [...calendar.shapes, ...shapes], note: tell(seasonSteps, ", which the day holds") };
  }
  const length = parts !== undefined && Number.isInteger(daySteps / parts) ? daySteps / parts : steps;
  const own = candidateShapes(values.length, stepMs, length * stepMs).filter(isMember(length));
  const gain = lossOf(prepared, own, calendar.shapes) / lossOf(prepared, calendar.shapes, own);
  if (!(gain <= LEAST_GAIN)) return calendar;
  return { seasons: [length], shapes: own, note: tell(length, hasDay ? " and used in place of the day" : "") };
}

function calendarSeasons(count: number, daySteps: number, stepMs: number): ChosenSeasons {
  const shapes = candidateShapes(count, stepMs).filter(isMember(daySteps));
  if (daySteps === 0 || count < 2 * daySteps) return { seasons: [], shapes };
  const weekSteps = DAYS_PER_WEEK * daySteps;
  return { seasons: count >= FEWEST_WEEKS * weekSteps ? [daySteps, weekSteps] : [daySteps], shapes };
}

/** Shapes between which others lie add work, not sense. */
function isMember(seasonOf: number): (shape: Shape) => boolean {
  return ({ seasonSteps, seasons }) => seasonSteps === 1 || (seasonSteps === seasonOf ? seasons !== 2 : seasons === 1);
}

/** The whole number that is meant, from 1 to `most`; undefined where it lies between two. */
function nearestWhole(ratio: number, most: number): number | undefined {
  const whole = Math.round(ratio);
  return whole >= 1 && whole <= most && Math.abs(ratio - whole) <= CALENDAR_TOLERANCE * Math.min(whole, 2)
    ? whole
    : undefined;
}

/** Least loss of some shapes over the targets that all of them, and those compared with, can forecast. */
function lossOf(prepared: PreparedSeries, shapes: readonly Shape[], others: readonly Shape[]): number {
  const { values } = prepared;
  const all = [...shapes, ...others];
  const firstTarget = Math.max(...all.map(({ seasonSteps, seasons }) => seasonSteps * seasons)) + 1;
  const longest = Math.max(
    1,
    Math.min(Math.floor(values.length / 4), ...all.map(({ seasonSteps }) => seasonSteps).filter((steps) => steps > 1)),
  );
  const buckets = createBuckets(longest, longest);
  return Math.min(
    ...shapes.map((shape) =>
      backtestLoss({ ...prepared, profile: createProfile(values, shape), firstTarget }, buckets),
    ),
  );
}
