/**
 * Several calendars as one: at any moment those with the highest precedence among the ones that have the moment
 * decide. One that closes wins over those that open; of the limits of those that open the strictest count.
 *
 * Not for: when a single calendar has its times (openings.ts).
 *
 * Invariants
 * 1. Stretches are sorted and disjoint, and in each the same calendars decide.
 * 2. The order in which calendars are given does not matter.
 */
import { HOST_LIMITS, type WindowLimits, type WindowSpec } from "../../sdk/model";
import type { Span } from "./freeze";

/** A stretch of time in which the same calendars are open and decide. */
export interface OpenStretch extends Span {
  readonly windows: readonly WindowSpec[];
}

/** A calendar with the times that it has: sorted, disjoint, drawn as far as they are needed. */
export interface CalendarTimes {
  readonly window: WindowSpec;
  readonly spans: Generator<Span>;
}

interface Cursor {
  readonly times: CalendarTimes;
  span: Span | undefined;
}

/** When runs may work, by all calendars together. */
export function* composeCalendars(calendars: readonly CalendarTimes[]): Generator<OpenStretch> {
  const cursors = calendars.map((times): Cursor => ({ times, span: drawSpan(times) }));
  let nowMs = -Infinity;
  for (;;) {
    for (const cursor of cursors) {
      while (cursor.span && cursor.span.endMs <= nowMs) cursor.span = drawSpan(cursor.times);
    }
    let nextMs = Infinity;
    for (const { span } of cursors) {
      if (span) nextMs = Math.min(nextMs, span.startMs > nowMs ? span.startMs : span.endMs);
    }
    if (nextMs === Infinity) return;
    const current = cursors.flatMap(({ span, times }) => (span && span.startMs <= nowMs ? [times.window] : []));
    const deciding = decide(current);
    if (deciding.length > 0) yield { startMs: nowMs, endMs: nextMs, windows: deciding };
    nowMs = nextMs;
  }
}

/** The calendars that open a moment; none where one closes it. */
function decide(windows: readonly WindowSpec[]): readonly WindowSpec[] {
  const highest = Math.max(...windows.map(precedenceOf));
  const deciding = windows.filter((window) => precedenceOf(window) === highest);
  return deciding.some(({ effect }) => effect === "closed") ? [] : deciding;
}

/** The strictest limits of some calendars; undefined when none has any. */
export function strictestLimits(windows: readonly Pick<WindowSpec, "limits">[]): WindowLimits | undefined {
  const all = windows.flatMap(({ limits }) => (limits ? [limits] : []));
  const lowest = (pick: (limits: WindowLimits) => number | undefined): number | undefined => {
    const values = all.map(pick).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : Math.min(...values);
  };
  const hosts = HOST_LIMITS.flatMap((name) => {
    const value = lowest((limits) => limits[name]);
    return value === undefined ? [] : [[name, value] as const];
  });
  const workloads = [...new Set(all.flatMap(({ maxUnavailable }) => Object.keys(maxUnavailable ?? {})))].sort();
  const budgets = workloads.map((name) => [name, lowest((limits) => limits.maxUnavailable?.[name])] as const);
  if (hosts.length === 0 && budgets.length === 0) return undefined;
  return {
    ...Object.fromEntries(hosts),
    ...(budgets.length === 0 ? {} : { maxUnavailable: Object.fromEntries(budgets) as Record<string, number> }),
  };
}

function precedenceOf({ precedence }: WindowSpec): number {
  return precedence ?? 0;
}

function drawSpan({ spans }: CalendarTimes): Span | undefined {
  const next = spans.next();
  return next.done ? undefined : next.value;
}
