/**
 * The frame of every page: one self-contained file, light and dark, from 360 px up, printable.
 *
 * Invariant: no request leaves the page: no script, font or image from elsewhere.
 */
import { Markup, markup, type MarkupValue } from "./markup";

/** A page with its title and content. */
export function renderPage(title: string, content: MarkupValue): string {
  return (
    "<!doctype html>\n" +
    markup`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<main id="main">${content}</main>
</body>
</html>
`.text
  );
}

/** A section with a heading; its id comes from the heading. */
export function section(heading: string, content: MarkupValue, note?: string): Markup {
  const id = heading.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return markup`<section aria-labelledby="${id}">
<h2 id="${id}">${heading}</h2>
${note !== undefined && markup`<p class="note">${note}</p>`}
${content}
</section>
`;
}

/** One fact as a tile. `tone` colours its edge. */
export interface Tile {
  readonly label: string;
  readonly value: string;
  readonly detail?: string;
  readonly tone?: "good" | "bad" | "warn";
}

/** The row of tiles on top of a page. */
export function tiles(items: readonly Tile[]): Markup {
  return markup`<dl class="tiles">${items.map(
    ({ label, value, detail, tone }) =>
      markup`<div class="tile${tone ? ` ${tone}` : ""}"><dt>${label}</dt><dd>${value}${detail !== undefined && markup`<small>${detail}</small>`}</dd></div>`,
  )}</dl>`;
}

/** A table; cells are text or markup. Columns named in `numeric` are aligned to the right. */
export function table(
  columns: readonly string[],
  rows: readonly (readonly MarkupValue[])[],
  numeric: readonly string[] = [],
): Markup {
  const classOf = (index: number, cell?: MarkupValue): Markup | false => {
    if (numeric.includes(columns[index] ?? "")) return markup` class="number"`;
    return typeof cell === "string" && cell.length <= SHORT_CELL && markup` class="short"`;
  };
  return markup`<div class="scroll" tabindex="0" role="region" aria-label="${columns.join(", ")}"><table>
<thead><tr>${columns.map((column, index) => markup`<th scope="col"${classOf(index)}>${column}</th>`)}</tr></thead>
<tbody>${rows.map(
    (row) => markup`<tr>${row.map((cell, index) => markup`<td${classOf(index, cell)}>${cell}</td>`)}</tr>
`,
  )}</tbody></table></div>`;
}

/** Cells up to this length stay on one line: names of hosts and times read badly in pieces. */
const SHORT_CELL = 24;

/** A short coloured word. */
export function badge(text: string, tone: "good" | "bad" | "warn" | "plain"): Markup {
  return markup`<span class="badge ${tone}">${text}</span>`;
}

/** Colours are tokens; charts use the same ones. Contrast of text is at least 4.5:1 in both schemes. */
const STYLE = new Markup(`
:root{--ground:#f6f7f9;--card:#fff;--ink:#1b2330;--soft:#5a6577;--line:#dde2ea;--accent:#1f5fbf;--accent-soft:#cfdff7;--good:#1a7f4b;--bad:#c02b3a;--warn:#9a6200;
--c1:#1f5fbf;--c2:#0d8a83;--c3:#8a4fbf;--c4:#b3571b;--c5:#5a6577;--c6:#a8326e}
@media (prefers-color-scheme:dark){:root{--ground:#12161d;--card:#1a202a;--ink:#e6eaf1;--soft:#9aa7ba;--line:#2d3644;--accent:#79aefb;--accent-soft:#24395c;--good:#4cc38a;--bad:#ff8089;--warn:#e3ac4c;
--c1:#79aefb;--c2:#4fc7bf;--c3:#c49bf0;--c4:#eea06a;--c5:#9aa7ba;--c6:#ef8fbd}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:28px 20px 60px}
.skip{position:absolute;left:-999px}.skip:focus{left:8px;top:8px;background:var(--card);padding:6px 10px}
header h1{font-size:1.6rem;line-height:1.25;margin:0 0 4px;letter-spacing:-.01em}
header p{margin:0;color:var(--soft)}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px;margin-top:18px}
h2{font-size:1.05rem;margin:0 0 10px}
h3{font-size:.95rem;margin:16px 0 6px}
.note{color:var(--soft);margin:-6px 0 12px;font-size:.9rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:20px 0 0}
.tile{background:var(--card);border:1px solid var(--line);border-left:4px solid var(--line);border-radius:8px;padding:10px 14px}
.tile.good{border-left-color:var(--good)}.tile.bad{border-left-color:var(--bad)}.tile.warn{border-left-color:var(--warn)}
.tile dt{font-size:.8rem;color:var(--soft)}.tile dd{margin:0;font-size:1.35rem;font-weight:600;font-variant-numeric:tabular-nums}
.tile small{display:block;font-size:.8rem;font-weight:400;color:var(--soft)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
th{text-align:left;font-weight:600;color:var(--soft);border-bottom:1px solid var(--line);padding:4px 12px 4px 0;white-space:nowrap}
td.short{white-space:nowrap}
td{border-bottom:1px solid var(--line);padding:5px 12px 5px 0;vertical-align:top}
tr:last-child td.short{white-space:nowrap}
td{border-bottom:0}
.number{text-align:right}
.badge{display:inline-block;border-radius:99px;padding:0 9px;font-size:.8rem;font-weight:600;border:1px solid currentColor}
.badge.good{color:var(--good)}.badge.bad{color:var(--bad)}.badge.warn{color:var(--warn)}.badge.plain{color:var(--soft)}
pre{background:var(--ground);border:1px solid var(--line);border-radius:6px;padding:10px 12px;overflow-x:auto;font-size:.85rem}
ul.plain{list-style:none;padding:0;margin:0}ul.plain li{padding:3px 0}
figure{margin:0 0 14px}figcaption{color:var(--soft);font-size:.85rem;margin-bottom:4px}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:.85rem;color:var(--soft);margin:0 0 8px;padding:0;list-style:none}
.legend i{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:6px;vertical-align:-1px}
svg{display:block;max-width:100%;height:auto;overflow:visible}
svg text{fill:var(--soft);font:11px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
svg text.strong{fill:var(--ink)}
.wide{min-width:640px}
details summary{cursor:pointer;color:var(--accent)}
@media (max-width:560px){main{padding:16px 10px 40px}section{padding:14px 12px}header h1{font-size:1.3rem}.tiles{grid-template-columns:1fr 1fr}.tile dd{font-size:1.1rem}}
@media print{:root{--ground:#fff}body{font-size:12px}section{break-inside:avoid;border-color:#bbb}.skip{display:none}}
`);
