/**
 * A common axis of time: places as shares of its width, round ticks, times as people write them.
 *
 * Invariant: places are in percent, so that charts fit every width with text of one size.
 */
import { markup, type Markup } from "./markup";

/** A span of time, milliseconds since the epoch. */
export interface TimeSpan {
  readonly startMs: number;
  readonly endMs: number;
}

/** One labelled moment. */
export interface Tick {
  readonly share: number;
  readonly label: string;
}

const MOST_TICKS = 9;
const DAY_MS = 86_400_000;
/** Labels nearer to an end than this would be cut off. */
const EDGE_SHARE = 0.02;
const STEPS_MS = [
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 43_200].map(
    (seconds) => seconds * 1000,
  ),
  ...[1, 2, 7, 14, 28].map((days) => days * DAY_MS),
];

/** Where a moment is, 0 to 1; moments outside are at the ends. */
export function shareOf({ startMs, endMs }: TimeSpan, atMs: number): number {
  return Math.min(1, Math.max(0, (atMs - startMs) / Math.max(1, endMs - startMs)));
}

/** A share as CSS. */
export function percent(share: number): string {
  return `${String(Math.round(share * 100_000) / 1000)}%`;
}

/** Round moments inside the span. */
export function ticksOf(span: TimeSpan, timezone: string): readonly Tick[] {
  const length = span.endMs - span.startMs;
  const step = STEPS_MS.find((candidate) => length / candidate <= MOST_TICKS) ?? length;
  const format = timeFormat(span, timezone, step < 60_000);
  const ticks: Tick[] = [];
  for (let at = Math.ceil(span.startMs / step) * step; at <= span.endMs; at += step) {
    const share = shareOf(span, at);
    if (share >= EDGE_SHARE && share <= 1 - EDGE_SHARE) ticks.push({ share, label: format.format(at) });
  }
  return ticks;
}

/** Times of a span: with seconds or days where they are needed. */
export function timeFormat({ startMs, endMs }: TimeSpan, timezone: string, withSeconds: boolean): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("en-GB", {
    timeZone: timezone,
    hour: "2-digit",
    minute: "2-digit",
    ...(withSeconds ? { second: "2-digit" as const } : {}),
    ...(endMs - startMs > DAY_MS ? { day: "2-digit" as const, month: "short" as const } : {}),
  });
}

/** The labels below a chart; narrow charts show every second or fourth one. */
export function timeLabels(ticks: readonly Tick[]): Markup {
  return markup`<div class="times">${ticks.map(
    ({ share, label }, index) =>
      markup`<span${index % 2 === 1 ? markup` class="minor"` : index % 4 === 2 && markup` class="rare"`} style="left:${percent(share)}">${label}</span>`,
  )}</div>`;
}
