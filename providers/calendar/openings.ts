/**
 * Openings: when runs may work, from the patterns, durations, freezes and precedence of maintenance windows.
 *
 * Not for: whether a plan fits an opening (providers/plan).
 *
 * Invariants
 * 1. Openings are sorted and disjoint; those of all windows are merged where they overlap or touch and have the same
 *    limits, so that in an opening the same limits hold all through.
 * 2. An opening lies in no freeze of a window that opens it, and in no time that a window of the same or of a higher
 *    precedence closes.
 * 3. Pure: the same windows give the same openings, wherever the search begins. So that this holds for windows that
 *    never close, an opening longer than a week is cut at fixed moments, Mondays 00:00 UTC. The last answers are
 *    remembered for the list of windows that they are of, since a run asks before each of its turns.
 */
import { canonicalJson, MistakeError, type Opening, type WindowSpec } from "../../sdk/model";
import { composeCalendars, strictestLimits, type OpenStretch } from "./compose";
import { freezeSpans, subtractSpans, type Span } from "./freeze";
import { patternStarts, startPatternOf } from "./start-pattern";
import { validateWindows } from "./validate-window";

const DAY_MS = 86_400_000;
/** Longest opening; one run's plan does not reach further. */
const LONGEST_MS = 7 * DAY_MS;
/** The first Monday after the epoch, 1970-01-05. */
const FIRST_MONDAY_MS = 4 * DAY_MS;
/** How far openings are looked for: leap days come every four, at times every eight years. */
const DEFAULT_HORIZON_MS = 10 * 366 * DAY_MS;

/**
 * The first `count` openings that start at `fromMs` or later. Windows that overlap give one opening, named after all
 * of them: `nightly + saturdays`; where their limits differ, one opening ends and another begins.
 * @param horizonMs how far ahead to look. @default ten years
 * @throws MistakeError for windows that {@link validateWindows} finds mistakes in
 */
export function openingsOf(
  windows: readonly WindowSpec[],
  fromMs: number,
  count: number,
  horizonMs = DEFAULT_HORIZON_MS,
): readonly Opening[] {
  const found: Opening[] = [];
  for (const opening of openingsAround(windows, fromMs, fromMs + horizonMs)) {
    if (found.length >= count || opening.startMs >= fromMs + horizonMs) break;
    if (opening.startMs >= fromMs) found.push(opening);
  }
  return found;
}

/**
 * The opening that holds `nowMs`, or undefined. A window that never closes is cut into weeks; the piece that follows
 * without a gap then counts as well, so that what starts late in a week does not meet an end that is none.
 * @throws MistakeError as {@link openingsOf}
 */
export function currentOpening(windows: readonly WindowSpec[], nowMs: number): Opening | undefined {
  const known = rememberedOf(windows).current;
  if (known && known.fromMs <= nowMs && nowMs < known.untilMs) return known.answer;
  const found = findCurrent(windows, nowMs);
  rememberedOf(windows).current = found;
  return found.answer;
}

/**
 * The first `count` openings that start after `nowMs`, and after the end of the {@link currentOpening} where there is
 * one. @throws MistakeError as {@link openingsOf}
 */
export function nextOpenings(windows: readonly WindowSpec[], nowMs: number, count: number): readonly Opening[] {
  const { next } = rememberedOf(windows);
  const known = next.get(count);
  if (known && known.fromMs <= nowMs && nowMs < known.untilMs) return known.answer;
  const current = currentOpening(windows, nowMs);
  const answer = openingsOf(windows, current ? current.endMs : nowMs + 1, count);
  const untilMs = rememberedOf(windows).current?.untilMs ?? nowMs + 1;
  if (answer.length > 0) next.set(count, { fromMs: nowMs, untilMs, answer });
  return answer;
}

/** An answer, and the times for which it is the same. */
interface Remembered<T> {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly answer: T;
}

interface Answers {
  current?: Remembered<Opening | undefined>;
  readonly next: Map<number, Remembered<readonly Opening[]>>;
}

const remembered = new WeakMap<readonly WindowSpec[], Answers>();

function rememberedOf(windows: readonly WindowSpec[]): Answers {
  const known = remembered.get(windows);
  if (known) return known;
  const answers: Answers = { next: new Map() };
  remembered.set(windows, answers);
  return answers;
}

function findCurrent(windows: readonly WindowSpec[], nowMs: number): Remembered<Opening | undefined> {
  let current: Opening | undefined;
  for (const opening of openingsAround(windows, nowMs, nowMs + LONGEST_MS)) {
    if (current) {
      const { startMs: fromMs, endMs: untilMs } = current;
      const goesOn = isContinued(current, opening);
      return { fromMs, untilMs, answer: goesOn ? { ...current, endMs: opening.endMs } : current };
    }
    if (opening.startMs > nowMs) return { fromMs: nowMs, untilMs: opening.startMs, answer: undefined };
    if (nowMs < opening.endMs) current = opening;
  }
  if (current) return { fromMs: current.startMs, untilMs: current.endMs, answer: current };
  // Nothing opens within reach of the search; asked later, it may reach further.
  return { fromMs: nowMs, untilMs: nowMs + 1, answer: undefined };
}

/** Openings from some time before `aroundMs`, so that the one around it is whole, to those that start by `untilMs`. */
function* openingsAround(windows: readonly WindowSpec[], aroundMs: number, untilMs: number): Generator<Opening> {
  const mistakes = validateWindows(windows);
  if (mistakes.length > 0) throw new MistakeError("windows", mistakes);
  const longest = Math.max(0, ...windows.map((window) => window.durationMs));
  // A day more than the longest opening: what is cut off at the beginning of the search is then long, or over.
  const fromMs = aroundMs - LONGEST_MS - longest - DAY_MS;
  yield* joinStretches(
    composeCalendars(windows.map((window) => ({ window, spans: timesOf(window, fromMs, untilMs) }))),
  );
}

/** The times that one window has: sorted, disjoint, without its freezes. Long stretches come in pieces that touch. */
function* timesOf(window: WindowSpec, fromMs: number, untilMs: number): Generator<Span> {
  const freezes = freezeSpans(window.freezes, window.timezone);
  let current: Span | undefined;
  for (const startMs of patternStarts(startPatternOf(window), window.timezone, fromMs)) {
    const endMs = startMs + window.durationMs;
    if (current && startMs <= current.endMs && current.endMs - current.startMs <= LONGEST_MS) {
      current = { startMs: current.startMs, endMs: Math.max(endMs, current.endMs) };
    } else {
      if (current) yield* subtractSpans(current, freezes);
      // What touches or overlaps a piece that was given out goes on where that one ended.
      current = { startMs: Math.max(startMs, current?.endMs ?? startMs), endMs };
    }
    // Looked at after the opening took it in, so that an opening under way at `untilMs` is whole.
    if (startMs >= untilMs + LONGEST_MS) break;
  }
  if (current) yield* subtractSpans(current, freezes);
}

/** Joins stretches that touch and have the same limits to openings, and cuts those longer than a week on Mondays. */
function* joinStretches(stretches: Iterable<OpenStretch>): Generator<Opening> {
  let current: Opening | undefined;
  let isLong = false;
  let parts: OpenStretch[] = [];
  const render = (opening: Opening): Opening => ({
    ...opening,
    window: nameOf(parts.filter((part) => part.startMs < opening.endMs && part.endMs > opening.startMs)),
  });
  for (const stretch of stretches) {
    const limits = strictestLimits(stretch.windows);
    const opening = {
      window: "",
      startMs: stretch.startMs,
      endMs: stretch.endMs,
      ...(limits === undefined ? {} : { limits }),
    };
    if (current && isContinued(current, opening)) {
      current = { ...current, endMs: opening.endMs };
    } else {
      if (current) yield render(current);
      current = opening;
      isLong = false;
      parts = [];
    }
    parts.push(stretch);
    isLong ||= current.endMs - current.startMs > LONGEST_MS;
    for (let cutMs = nextMonday(current.startMs); isLong && cutMs < current.endMs; cutMs += LONGEST_MS) {
      yield render({ ...current, endMs: cutMs });
      current = { ...current, startMs: cutMs };
      parts = parts.filter((part) => part.endMs > cutMs);
    }
  }
  if (current) yield render(current);
}

/** True where the second opening begins as the first one ends, with the same limits. */
function isContinued(first: Opening, second: Opening): boolean {
  return first.endMs === second.startMs && canonicalJson(first.limits ?? null) === canonicalJson(second.limits ?? null);
}

function nextMonday(afterMs: number): number {
  return (Math.floor((afterMs - FIRST_MONDAY_MS) / LONGEST_MS) + 1) * LONGEST_MS + FIRST_MONDAY_MS;
}

function nameOf(parts: readonly OpenStretch[]): string {
  return [...new Set(parts.flatMap(({ windows }) => windows.map(({ name }) => name)))].sort().join(" + ");
}
