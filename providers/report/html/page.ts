/**
 * The frame of every page, and the parts it is made of: the answer first, then numbers, then sections.
 *
 * Not for: styles (style.ts) and charts.
 * Invariants
 * 1. No request leaves the page: no script, font or image from elsewhere.
 * 2. Tables and lists are bounded, so that pages of large fleets open at once; where rows are left out it says so.
 */
import { Markup, markup, type MarkupValue } from "./markup";
import { STYLE } from "./style";
import { countOf } from "./words";

/** How good or bad something is; always said in words as well. */
export type Tone = "good" | "bad" | "warn" | "plain";

/** A page: what it is about, the answer in one line, and the rest. */
export interface Page {
  readonly title: string;
  readonly state: { readonly word: string; readonly tone: Tone };
  /** What will happen or what has happened, in one line. */
  readonly answer: string;
  /** What one has to know to read the rest: names, engine, zone of time. */
  readonly meta: string;
  readonly tiles: readonly Tile[];
  readonly sections: readonly Section[];
  readonly footer: string;
}

/** A part of a page that can be jumped to. */
export interface Section {
  readonly id: string;
  readonly heading: string;
  readonly content: MarkupValue;
  readonly note?: string;
  /** Stands out: something needs a person. */
  readonly isAlarm?: boolean;
}

/** One fact as a tile. `tone` colours its edge; the words say the same. */
export interface Tile {
  readonly label: string;
  readonly value: string;
  readonly detail?: string;
  readonly tone?: Exclude<Tone, "plain">;
}

/** Renders a whole page. */
export function renderPage(page: Page): string {
  return (
    "<!doctype html>\n" +
    markup`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${page.title}: ${page.state.word}</title>
<style>${STYLE}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<h1>${page.title} ${badge(page.state.word, page.state.tone)}</h1>
<p class="answer">${page.answer}</p>
<p class="meta">${page.meta}</p>
</header>
<nav aria-label="On this page"><ul>${page.sections.map(({ id, heading }) => markup`<li><a href="#${id}">${heading}</a></li>`)}</ul></nav>
<main id="main" tabindex="-1">
${tiles(page.tiles)}
${page.sections.map(renderSection)}
</main>
<footer>${page.footer}</footer>
</body>
</html>
`.text
  );
}

/** A section whose id comes from its heading. */
export function section(heading: string, content: MarkupValue, note?: string): Section {
  const id = heading.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return { id, heading, content, ...(note === undefined ? {} : { note }) };
}

/** A section that stands out. */
export function alarm(heading: string, content: MarkupValue, note?: string): Section {
  return { ...section(heading, content, note), isAlarm: true };
}

/** What a table shows. */
export interface Table {
  /** For those who hear it; tables stand below a heading that says the same to those who see it. */
  readonly caption: string;
  readonly columns: readonly string[];
  /** The first cell of each row names it. Cells are text or markup. Of many, the first {@link MOST_ROWS} are shown. */
  readonly rows: readonly (readonly MarkupValue[])[];
  /** How many rows there are, where only the first ones are given. @default as many as are given */
  readonly rowCount?: number;
  /** Columns that are aligned to the right. */
  readonly numeric?: readonly string[];
  /** True where cells stand one below the other on a phone, so that none has to be scrolled to. */
  readonly stacks?: boolean;
}

/** Rows of a table and items of a list that a page has. */
export const MOST_ROWS = 200;

/** Cells up to this length stay on one line: names of hosts and times read badly in pieces. */
const SHORT_CELL = 24;

/** A table with a caption and headers for columns and rows. */
export function table({ caption, columns, rows, rowCount = rows.length, numeric = [], stacks = false }: Table): Markup {
  const classOf = (index: number, cell?: MarkupValue): Markup | false => {
    if (numeric.includes(columns[index] ?? "")) return markup` class="number"`;
    return typeof cell === "string" && cell.length <= SHORT_CELL && markup` class="short"`;
  };
  const cellOf = (cell: MarkupValue, index: number): Markup =>
    index === 0
      ? markup`<th scope="row"${classOf(index, cell)}>${cell}</th>`
      : markup`<td${classOf(index, cell)}${stacks && markup` data-column="${columns[index] ?? ""}"`}>${cell}</td>`;
  return markup`<div class="scroll${stacks && " stacks"}" tabindex="0" role="group" aria-label="${caption}"><table>
<caption class="hidden">${caption}</caption>
<thead><tr>${columns.map((column, index) => markup`<th scope="col"${classOf(index)}>${column}</th>`)}</tr></thead>
<tbody>${rows.slice(0, MOST_ROWS).map((row) => markup`<tr>${row.map(cellOf)}</tr>\n`)}</tbody></table></div>${
    rowCount > MOST_ROWS && markup`<p class="note">The first ${String(MOST_ROWS)} of ${countOf(rowCount, "row")}.</p>`
  }`;
}

/** The numbers behind a chart, folded away. */
export function dataTable(content: Table): Markup {
  return markup`<details class="data"><summary>Data: ${content.caption}</summary>${table(content)}</details>`;
}

/** Lines of text, one below the other. */
export function plainList(items: readonly MarkupValue[]): Markup {
  const more = items.length - MOST_ROWS;
  return markup`<ul class="plain">${items.slice(0, MOST_ROWS).map((item) => markup`<li>${item}</li>`)}${
    more > 0 && markup`<li>and ${more.toLocaleString("en-US")} more</li>`
  }</ul>`;
}

/** A short coloured word. */
export function badge(text: string, tone: Tone): Markup {
  return markup`<span class="badge ${tone}">${text}</span>`;
}

function tiles(items: readonly Tile[]): Markup {
  return markup`<dl class="tiles">${items.map(
    ({ label, value, detail, tone }) =>
      markup`<div class="tile${tone ? ` ${tone}` : ""}"><dt>${label}</dt><dd>${value}${detail !== undefined && markup`<small>${detail}</small>`}</dd></div>`,
  )}</dl>`;
}

function renderSection({ id, heading, content, note, isAlarm }: Section): Markup {
  return markup`<section id="${id}" aria-labelledby="${id}-heading"${isAlarm && markup` class="alarm"`}>
<h2 id="${id}-heading">${heading}</h2>
${note !== undefined && markup`<p class="note">${note}</p>`}
${content}
</section>
`;
}
