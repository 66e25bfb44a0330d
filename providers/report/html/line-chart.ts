/**
 * Lines, steps and bands over time with a value axis from 0, and the same as a table.
 *
 * Not for: deciding what is shown. Lines differ by dashes as well as by colour. The table of a long chart has one row for
 * a group of moments with the lowest and highest value in it, so that nothing is left out.
 */
import { markup, type Markup } from "./markup";
import { dataTable } from "./page";
import { shareOf, ticksOf, timeFormat, timeLabels, type TimeSpan } from "./time-axis";

/** One line of a chart: x in ms since the epoch. NaN breaks it. */
export interface Line {
  readonly name: string;
  readonly color: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** Drawn as steps instead of slopes. */
  readonly stepped?: boolean;
}

/** An area between two curves, such as P5 to P95. NaN breaks it. */
export interface Band {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly low: number; readonly high: number }[];
}

/** A chart of lines. */
export interface LineChart {
  /** What is drawn; unique on its page. */
  readonly caption: string;
  /** What to see in it, in words. */
  readonly summary?: string;
  readonly unit: string;
  readonly span: TimeSpan;
  readonly timezone: string;
  readonly lines: readonly Line[];
  readonly bands?: readonly Band[];
  /** Moments worth a line of their own, such as the starts of waves. */
  readonly marks?: readonly number[];
}

const WIDTH = 1000;
const HEIGHT = 170;
/** Room above the highest value. */
const HEADROOM = 6;
const DASHES = ["", "6 4", "2 3", "9 3 2 3"] as const;
const MOST_ROWS = 24;

/** Draws lines and bands. */
export function lineChart(chart: LineChart): Markup {
  const { span, timezone, lines, bands = [] } = chart;
  const values = [
    ...lines.flatMap(({ points }) => points.map(({ y }) => y)),
    ...bands.flatMap(({ points }) => points.map(({ high }) => high)),
  ];
  const top = niceCeiling(values.reduce((highest, value) => (value > highest ? value : highest), 0));
  const x = (ms: number): number => round(shareOf(span, ms) * WIDTH);
  const y = (value: number): number => round(HEIGHT - (value / top) * (HEIGHT - HEADROOM));
  const ticks = ticksOf(span, timezone);
  const levels = [0, top / 2, top];
  const widest = levels.map(formatNumber).reduce((long, text) => (text.length > long.length ? text : long), "");
  return markup`<figure><figcaption><b>${chart.caption}</b>, ${chart.unit}${chart.summary !== undefined && `. ${chart.summary}`}</figcaption>
<ul class="legend" aria-hidden="true">${bands.map(({ name }) => markup`<li><span class="bar pale"></span>${name}</li>`)}${lines.map(
    ({ name, color }, index) =>
      markup`<li><svg viewBox="0 0 28 12"><path d="M0 6H28" fill="none" stroke="${color}" stroke-width="2.5"${dashOf(index)}/></svg>${name}</li>`,
  )}</ul>
<div class="plot" aria-hidden="true"><div class="values"><i>${widest}</i>${levels.map(
    (level) => markup`<span style="top:${round((y(level) / HEIGHT) * 100)}%">${formatNumber(level)}</span>`,
  )}</div><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none">${levels.map(
    (level) => markup`<path class="grid-line" d="M0 ${y(level)}H${WIDTH}"/>`,
  )}${bands.flatMap(({ points }) =>
    piecesOf(points).map((piece) => markup`<polygon points="${outline(piece, x, y)}" fill="var(--band)"/>`),
  )}${(chart.marks ?? []).map((atMs) => markup`<path class="mark" d="M${x(atMs)} 0V${HEIGHT}"/>`)}${lines.map(
    (line, index) =>
      markup`<path d="${pathOf(line, x, y)}" fill="none" stroke="${line.color}" stroke-width="2" stroke-linejoin="round"${dashOf(index)}/>`,
  )}</svg>${timeLabels(ticks)}</div>
${dataTable({
  caption: `${chart.caption}, ${chart.unit}`,
  columns: ["Time", ...bands.map(({ name }) => name), ...lines.map(({ name }) => name)],
  rows: rowsOf(chart),
  numeric: [...bands, ...lines].map(({ name }) => name),
})}</figure>`;
}

function dashOf(index: number): Markup | false {
  const dash = DASHES[index % DASHES.length] ?? "";
  return dash !== "" && markup` stroke-dasharray="${dash}"`;
}

/** Points between breaks. */
function piecesOf(points: Band["points"]): readonly Band["points"][] {
  const pieces: Band["points"][number][][] = [[]];
  for (const point of points) {
    if (Number.isNaN(point.high)) pieces.push([]);
    else pieces.at(-1)?.push(point);
  }
  return pieces.filter((piece) => piece.length > 0);
}

function outline(points: Band["points"], x: (ms: number) => number, y: (value: number) => number): string {
  const up = points.map((point) => `${String(x(point.x))},${String(y(point.high))}`);
  const down = points.toReversed().map((point) => `${String(x(point.x))},${String(y(point.low))}`);
  return [...up, ...down].join(" ");
}

function pathOf(line: Line, x: (ms: number) => number, y: (value: number) => number): string {
  let path = "";
  let isDrawing = false;
  for (const point of line.points) {
    if (Number.isNaN(point.y)) {
      isDrawing = false;
      continue;
    }
    const px = String(x(point.x));
    const py = String(y(point.y));
    if (!isDrawing) path += `M${px} ${py}`;
    else path += line.stepped ? `H${px}V${py}` : `L${px} ${py}`;
    isDrawing = true;
  }
  return path;
}

/** One row for each moment, or for each group of them. */
function rowsOf({ span, timezone, lines, bands = [] }: LineChart): string[][] {
  const inSpan = ({ x }: { readonly x: number }): boolean => x >= span.startMs && x <= span.endMs;
  const columns: readonly (readonly { readonly x: number; readonly low: number; readonly high: number }[])[] = [
    ...bands.map(({ points }) => points.filter(inSpan)),
    ...lines.map(({ points }) => points.filter(inSpan).map(({ x, y }) => ({ x, low: y, high: y }))),
  ];
  const moments = [...new Set(columns.flatMap((column) => column.map(({ x }) => x)))].sort((a, b) => a - b);
  const group = Math.ceil(moments.length / MOST_ROWS);
  const format = timeFormat(span, timezone, span.endMs - span.startMs < 2 * 3_600_000);
  const rows: string[][] = [];
  for (let index = 0; index < moments.length; index += group) {
    const [from, until] = [moments[index] ?? 0, moments[index + group] ?? Infinity];
    const cells = columns.map((column) => {
      const seen = column.filter(({ x, high }) => x >= from && x < until && !Number.isNaN(high));
      if (seen.length === 0) return "";
      const low = formatNumber(Math.min(...seen.map((point) => point.low)));
      const high = formatNumber(Math.max(...seen.map((point) => point.high)));
      return low === high ? low : `${low} to ${high}`;
    });
    rows.push([format.format(from), ...cells]);
  }
  return rows;
}

/** A round number above the value whose half is round as well. */
function niceCeiling(value: number): number {
  if (value <= 0) return 1;
  const magnitude = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 6, 8, 10].find((factor) => factor * magnitude >= value) ?? 10) * magnitude;
}

function formatNumber(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
