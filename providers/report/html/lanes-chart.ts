/**
 * Lanes over time: one row a host, bars for what happens on it, and the same as a table.
 *
 * Not for: deciding what is shown. Bars differ by pattern as well as by colour.
 */
import { formatDurationShort } from "../../../sdk/model";
import { markup, type Markup } from "./markup";
import { dataTable } from "./page";
import { percent, shareOf, ticksOf, timeFormat, timeLabels, type TimeSpan } from "./time-axis";

/** How bars of one sort look. */
export interface BarStyle {
  readonly name: string;
  /** CSS colour, normally a token like `var(--c1)`. */
  readonly color: string;
  /** Told apart without colour. `pale` is a background for others. */
  readonly pattern?: "striped" | "dotted" | "lined" | "crossed" | "pale";
}

/** One bar in a lane. */
export interface Bar extends TimeSpan {
  readonly label: string;
  readonly style: BarStyle;
  /** Written on the bar where there is room. */
  readonly text?: string;
  /** Shown as an outline only: failed or undone. */
  readonly outline?: boolean;
}

/** A named row of bars. */
export interface Lane {
  readonly name: string;
  readonly bars: readonly Bar[];
}

/** A chart of lanes. */
export interface LanesChart {
  readonly caption: string;
  readonly span: TimeSpan;
  readonly lanes: readonly Lane[];
  readonly legend: readonly BarStyle[];
  readonly timezone: string;
}

/** More rows than this are not read one by one. */
const MOST_LANES = 120;
/** Bars shorter than this have no room for text. */
const TEXT_SHARE = 0.08;

/** Draws lanes. */
export function lanesChart({ caption, span, lanes, legend, timezone }: LanesChart): Markup {
  const ticks = ticksOf(span, timezone);
  const drawn = lanes.slice(0, MOST_LANES);
  const time = timeFormat(span, timezone, true);
  const rules = ticks.map(({ share }) => markup`<span class="rules" style="left:${percent(share)}"></span>`);
  return markup`<figure><figcaption><b>${caption}</b>${
    drawn.length < lanes.length && ` (the first ${String(drawn.length)} of ${String(lanes.length)})`
  }</figcaption>
<ul class="legend" aria-hidden="true">${legend.map((style) => markup`<li>${barOf(style)}${style.name}</li>`)}</ul>
<div class="plot" aria-hidden="true">${drawn.map(
    ({ name, bars }) =>
      markup`<div class="lane" title="${name}">${name}</div><div class="track">${rules}${bars.map((bar) => drawBar(bar, span))}</div>\n`,
  )}${timeLabels(ticks)}</div>
${dataTable({
  caption,
  columns: ["Lane", "What", "From", "To", "Takes"],
  rows: lanes.flatMap(({ name, bars }) =>
    bars.map((bar) => [
      name,
      bar.label,
      time.format(bar.startMs),
      time.format(bar.endMs),
      formatDurationShort(bar.endMs - bar.startMs),
    ]),
  ),
  numeric: ["Takes"],
})}</figure>`;
}

function drawBar(bar: Bar, span: TimeSpan): Markup {
  const left = shareOf(span, bar.startMs);
  const width = shareOf(span, bar.endMs) - left;
  const text = bar.text !== undefined && width >= TEXT_SHARE && markup`<b>${bar.text}</b>`;
  const place = `left:${percent(left)};width:${percent(width)};`;
  return barOf(bar.style, place, `${bar.label}, ${formatDurationShort(bar.endMs - bar.startMs)}`, text, bar.outline);
}

function barOf(style: BarStyle, place = "", title?: string, text?: Markup | false, isOutline = false): Markup {
  const look = isOutline ? " outline" : style.pattern ? ` ${style.pattern}` : "";
  return markup`<span class="bar${look}" style="${place}--tone:${style.color}"${title !== undefined && markup` title="${title}"`}>${text}</span>`;
}
