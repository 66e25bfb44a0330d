/**
 * Charts as inline SVG over a common axis of time: lanes, lines, bands and steps.
 *
 * Not for: deciding what is shown; these draw what they are given.
 */
import { formatDurationShort } from "../../../sdk/model";
import { markup, type Markup, type MarkupValue } from "./markup";

/** A span of time, milliseconds since the epoch. */
export interface TimeSpan {
  readonly startMs: number;
  readonly endMs: number;
}

/** One bar in a lane. */
export interface Bar extends TimeSpan {
  readonly label: string;
  /** CSS colour, normally a token like `var(--c1)`. */
  readonly color: string;
  /** Shown as an outline only: planned, or undone. */
  readonly outline?: boolean;
}

/** A named row of bars. */
export interface Lane {
  readonly name: string;
  readonly detail?: string;
  readonly bars: readonly Bar[];
}

/** One line of a chart: x in ms since the epoch. NaN breaks it. */
export interface Line {
  readonly name: string;
  readonly color: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** Drawn as steps instead of slopes. */
  readonly stepped?: boolean;
  readonly dashed?: boolean;
}

/** An area between two curves, such as P5 to P95. */
export interface Band {
  readonly name: string;
  readonly color: string;
  readonly points: readonly { readonly x: number; readonly low: number; readonly high: number }[];
}

const WIDTH = 1100;
const LEFT = 118;
const RIGHT = 16;
const LANE_HEIGHT = 24;
const PLOT_HEIGHT = 170;
const AXIS_HEIGHT = 22;
/** Half of a label's width, as a share of the axis. */
const LABEL_SHARE = 0.015;

/** Lanes over time, one row each, with an axis below. */
export function lanesChart(title: string, span: TimeSpan, lanes: readonly Lane[], timezone: string): Markup {
  const height = lanes.length * LANE_HEIGHT + AXIS_HEIGHT;
  const x = timeScale(span);
  return svg(title, height, [
    timeAxis(span, timezone, lanes.length * LANE_HEIGHT),
    lanes.map((lane, index) => {
      const top = index * LANE_HEIGHT;
      return markup`<text class="strong" x="0" y="${top + 16}">${lane.name}</text>
<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${top + LANE_HEIGHT}" y2="${top + LANE_HEIGHT}" stroke="var(--line)"/>
${lane.bars.map((bar) => {
  const left = x(bar.startMs);
  const width = Math.max(2, x(bar.endMs) - left);
  return markup`<rect x="${round(left)}" y="${top + 4}" width="${round(width)}" height="${LANE_HEIGHT - 8}" rx="3" ${
    bar.outline ? markup`fill="none" stroke="${bar.color}" stroke-dasharray="3 2"` : markup`fill="${bar.color}"`
  }><title>${lane.name}: ${bar.label}, ${formatDurationShort(bar.endMs - bar.startMs)}</title></rect>`;
})}`;
    }),
  ]);
}

/** Lines and bands over time with a value axis from 0. */
export function lineChart(
  title: string,
  span: TimeSpan,
  parts: {
    readonly lines: readonly Line[];
    readonly bands?: readonly Band[];
    readonly marks?: readonly { readonly atMs: number; readonly label: string }[];
  },
  unit: string,
  timezone: string,
): Markup {
  const bands = parts.bands ?? [];
  const values = [
    ...parts.lines.flatMap(({ points }) => points.map(({ y }) => y)),
    ...bands.flatMap(({ points }) => points.map(({ high }) => high)),
  ];
  const top = niceCeiling(values.reduce((highest, value) => (value > highest ? value : highest), 0));
  const x = timeScale(span);
  const y = (value: number): number => PLOT_HEIGHT - (value / top) * (PLOT_HEIGHT - 10);
  return markup`${legend([...bands, ...parts.lines])}${svg(title, PLOT_HEIGHT + AXIS_HEIGHT, [
    timeAxis(span, timezone, PLOT_HEIGHT),
    [0, top / 2, top].map(
      (
        value,
      ) => markup`<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(y(value))}" y2="${round(y(value))}" stroke="var(--line)"/>
<text x="${LEFT - 8}" y="${round(y(value)) + 4}" text-anchor="end">${formatNumber(value)} ${unit}</text>`,
    ),
    bands.map(({ color, points }) => {
      const up = points.map((point) => `${String(round(x(point.x)))},${String(round(y(point.high)))}`);
      const down = points.toReversed().map((point) => `${String(round(x(point.x)))},${String(round(y(point.low)))}`);
      return markup`<polygon points="${[...up, ...down].join(" ")}" fill="${color}" opacity="0.28"/>`;
    }),
    (parts.marks ?? []).map(
      ({ atMs, label }) =>
        markup`<line x1="${round(x(atMs))}" x2="${round(x(atMs))}" y1="0" y2="${PLOT_HEIGHT}" stroke="var(--warn)" stroke-dasharray="2 3"><title>${label}</title></line>`,
    ),
    parts.lines.map(
      (line) =>
        markup`<path d="${pathOf(line, x, y)}" fill="none" stroke="${line.color}" stroke-width="1.8"${line.dashed && markup` stroke-dasharray="5 4"`}><title>${line.name}</title></path>`,
    ),
  ])}`;
}

/** Names and colours, for charts whose parts need telling apart. */
export function legend(items: readonly { readonly name: string; readonly color: string }[]): Markup {
  return markup`<ul class="legend">${items.map(({ name, color }) => markup`<li><i style="background:${color}"></i>${name}</li>`)}</ul>`;
}

/** The n-th colour of the palette. */
export function paletteColor(index: number): string {
  return `var(--c${String((index % 6) + 1)})`;
}

function svg(title: string, height: number, content: MarkupValue): Markup {
  return markup`<div class="scroll" tabindex="0" role="region" aria-label="${title}"><svg class="wide" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${title}">${content}</svg></div>`;
}

function timeScale({ startMs, endMs }: TimeSpan): (ms: number) => number {
  const length = Math.max(1, endMs - startMs);
  return (ms) => LEFT + Math.min(1, Math.max(0, (ms - startMs) / length)) * (WIDTH - LEFT - RIGHT);
}

function timeAxis(span: TimeSpan, timezone: string, top: number): Markup {
  const length = span.endMs - span.startMs;
  const step = TICKS_MS.find((candidate) => length / candidate <= 10) ?? 86_400_000;
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone: timezone,
    hour: "2-digit",
    minute: "2-digit",
    ...(step < 60_000 ? { second: "2-digit" as const } : {}),
    ...(length > 2 * 86_400_000 ? { day: "2-digit" as const, month: "short" as const } : {}),
  });
  const x = timeScale(span);
  const ticks: number[] = [];
  // A label at the very end would be cut off.
  const lastMs = span.endMs - length * LABEL_SHARE;
  for (let at = Math.ceil(span.startMs / step) * step; at <= lastMs; at += step) ticks.push(at);
  return markup`${ticks.map(
    (
      at,
    ) => markup`<line x1="${round(x(at))}" x2="${round(x(at))}" y1="0" y2="${top}" stroke="var(--line)" stroke-dasharray="1 3"/>
<text x="${round(x(at))}" y="${top + 15}" text-anchor="middle">${format.format(at)}</text>`,
  )}`;
}

const TICKS_MS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200].map(
  (seconds) => seconds * 1000,
);

function pathOf(line: Line, x: (ms: number) => number, y: (value: number) => number): string {
  let path = "";
  let isDrawing = false;
  for (const point of line.points) {
    if (Number.isNaN(point.y)) {
      isDrawing = false;
      continue;
    }
    const px = String(round(x(point.x)));
    const py = String(round(y(point.y)));
    if (!isDrawing) path += `M${px} ${py}`;
    else path += line.stepped ? `H${px}V${py}` : `L${px} ${py}`;
    isDrawing = true;
  }
  return path;
}

function niceCeiling(value: number): number {
  if (value <= 0) return 1;
  const magnitude = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 2.5, 5, 10].find((factor) => factor * magnitude >= value) ?? 10) * magnitude;
}

function formatNumber(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
