/**
 * Openings: when runs may work, from the cron patterns, durations and freezes of maintenance windows.
 *
 * Not for: whether a plan fits an opening (providers/plan).
 *
 * Invariants
 * 1. Openings are sorted and disjoint; those of all windows are merged where they overlap or touch.
 * 2. An opening lies in no freeze of the window that opens it.
 * 3. Pure: the same windows give the same openings, wherever the search begins. So that this holds for windows that
 *    never close, an opening longer than a week is cut at fixed moments, Mondays 00:00 UTC.
 */
import { MistakeError, type Opening, type WindowSpec } from "../../sdk/model";
import { CronPattern, cronStarts } from "./cron-starts";
import { freezeSpans, subtractSpans, type Span } from "./freeze";
import { validateWindow } from "./validate-window";

const DAY_MS = 86_400_000;
/** Longest opening; one run's plan does not reach further. */
const LONGEST_MS = 7 * DAY_MS;
/** The first Monday after the epoch, 1970-01-05. */
const FIRST_MONDAY_MS = 4 * DAY_MS;
/** How far openings are looked for: leap days come every four, at times every eight years. */
const DEFAULT_HORIZON_MS = 10 * 366 * DAY_MS;

interface NamedSpan extends Span {
  readonly window: string;
}

/**
 * The first `count` openings that start at `fromMs` or later. Windows that overlap give one opening, named after all
 * of them: `nightly + saturdays`.
 * @param horizonMs how far ahead to look. @default ten years
 * @throws MistakeError for windows that {@link validateWindow} finds mistakes in
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
  let current: Opening | undefined;
  for (const opening of openingsAround(windows, nowMs, nowMs + LONGEST_MS)) {
    if (current) return opening.startMs === current.endMs ? { ...current, endMs: opening.endMs } : current;
    if (opening.startMs > nowMs) return undefined;
    if (nowMs < opening.endMs) current = opening;
  }
  return current;
}

/** The first `count` openings that start after `nowMs`. @throws MistakeError as {@link openingsOf} */
export function nextOpenings(windows: readonly WindowSpec[], nowMs: number, count: number): readonly Opening[] {
  return openingsOf(windows, nowMs + 1, count);
}

/** Openings from some time before `aroundMs`, so that the one around it is whole, to those that start by `untilMs`. */
function* openingsAround(windows: readonly WindowSpec[], aroundMs: number, untilMs: number): Generator<Opening> {
  const mistakes = windows.flatMap(validateWindow);
  if (mistakes.length > 0) throw new MistakeError("windows", mistakes);
  const longest = Math.max(0, ...windows.map((window) => window.durationMs));
  // A day more than the longest opening: what is cut off at the beginning of the search is then long, or over.
  const fromMs = aroundMs - LONGEST_MS - longest - DAY_MS;
  const open = windows.map((window) => openSpans(window, fromMs, untilMs));
  yield* cutLong(mergeSorted(open));
}

/** When one window is open: sorted, disjoint, without its freezes. Long stretches come in pieces that touch. */
function* openSpans(window: WindowSpec, fromMs: number, untilMs: number): Generator<NamedSpan> {
  const freezes = freezeSpans(window.freezes, window.timezone);
  const name = window.name;
  let current: Span | undefined;
  const withoutFreezes = (span: Span): NamedSpan[] =>
    subtractSpans(span, freezes).map((piece) => ({ ...piece, window: name }));
  for (const startMs of cronStarts(new CronPattern(window.cron), window.timezone, fromMs)) {
    const endMs = startMs + window.durationMs;
    if (current && startMs <= current.endMs && current.endMs - current.startMs <= LONGEST_MS) {
      current = { startMs: current.startMs, endMs: Math.max(endMs, current.endMs) };
    } else {
      if (current) yield* withoutFreezes(current);
      // What touches or overlaps a piece that was given out goes on where that one ended.
      current = { startMs: Math.max(startMs, current?.endMs ?? startMs), endMs };
    }
    // Looked at after the opening took it in, so that an opening under way at `untilMs` is whole.
    if (startMs >= untilMs + LONGEST_MS) break;
  }
  if (current) yield* withoutFreezes(current);
}

/** Sorted streams as one, by start. */
function* mergeSorted(streams: readonly Generator<NamedSpan>[]): Generator<NamedSpan> {
  const heads = streams.map((stream) => ({ stream, next: stream.next() }));
  for (;;) {
    let first: (typeof heads)[number] | undefined;
    for (const head of heads) {
      if (head.next.done) continue;
      if (!first || first.next.done || head.next.value.startMs < first.next.value.startMs) first = head;
    }
    if (!first || first.next.done) return;
    yield first.next.value;
    first.next = first.stream.next();
  }
}

/** Joins spans that overlap or touch to openings, and cuts those longer than a week on Mondays. */
function* cutLong(spans: Iterable<NamedSpan>): Generator<Opening> {
  let current: Span | undefined;
  let isLong = false;
  let parts: NamedSpan[] = [];
  const render = (span: Span): Opening => ({
    window: nameOf(parts.filter((part) => part.startMs < span.endMs && part.endMs > span.startMs)),
    startMs: span.startMs,
    endMs: span.endMs,
  });
  for (const span of spans) {
    if (current && span.startMs <= current.endMs) {
      current = { startMs: current.startMs, endMs: Math.max(current.endMs, span.endMs) };
    } else {
      if (current) yield render(current);
      current = span;
      isLong = false;
      parts = [];
    }
    parts.push(span);
    isLong ||= current.endMs - current.startMs > LONGEST_MS;
    for (let cutMs = nextMonday(current.startMs); isLong && cutMs < current.endMs; cutMs += LONGEST_MS) {
      yield render({ startMs: current.startMs, endMs: cutMs });
      current = { startMs: cutMs, endMs: current.endMs };
      parts = parts.filter((part) => part.endMs > cutMs);
    }
  }
  if (current) yield render(current);
}

function nextMonday(afterMs: number): number {
  return (Math.floor((afterMs - FIRST_MONDAY_MS) / LONGEST_MS) + 1) * LONGEST_MS + FIRST_MONDAY_MS;
}

function nameOf(parts: readonly NamedSpan[]): string {
  return [...new Set(parts.map((part) => part.window))].sort().join(" + ");
}
