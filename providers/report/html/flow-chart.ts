/**
 * A graph of moves: hosts that copies leave on the left, hosts that they go to on the right, a line for each pair, as
 * wide as there are copies; and the same as a table.
 *
 * Not for: when things move (lanes-chart.ts).
 */
import { markup, type Markup } from "./markup";
import { dataTable } from "./page";
import { listOf } from "./words";

/** Copies that go from one host to another. */
export interface Flow {
  readonly from: string;
  readonly to: string;
  /** Names of what goes, for the table and the title. */
  readonly names: readonly string[];
}

const ROW = 26;
const WIDTH = 520;
const LABEL = 150;
const MOST_ROWS = 40;
const WIDEST = 9;
const COLORS = ["var(--c1)", "var(--c4)", "var(--c2)", "var(--c3)", "var(--c6)", "var(--c5)"] as const;
/** Names are cut to what a label has room for; the table has them whole. */
const LONGEST_NAME = 20;

/** Draws flows. */
export function flowChart(caption: string, flows: readonly Flow[]): Markup {
  const sources = firstOf(flows.map(({ from }) => from));
  const targets = firstOf(flows.map(({ to }) => to));
  const [isSource, isTarget] = [new Set(sources), new Set(targets)];
  const drawn = flows.filter(({ from, to }) => isSource.has(from) && isTarget.has(to));
  const most = Math.max(1, ...drawn.map(({ names }) => names.length));
  const height = ROW * Math.max(sources.length, targets.length);
  const yOf = (list: readonly string[], name: string): number =>
    ((list.indexOf(name) + 0.5) * height) / Math.max(1, list.length);
  const lines = drawn.map(({ from, to, names }) => {
    const [y1, y2] = [yOf(sources, from), yOf(targets, to)];
    const [x1, x2] = [LABEL, WIDTH - LABEL];
    const middle = (x1 + x2) / 2;
    const path = `M${String(x1)} ${y1.toFixed(1)}C${String(middle)} ${y1.toFixed(1)} ${String(middle)} ${y2.toFixed(1)} ${String(x2)} ${y2.toFixed(1)}`;
    const width = 1.5 + ((WIDEST - 1.5) * (names.length - 1)) / Math.max(1, most - 1);
    const color = COLORS[sources.indexOf(from) % COLORS.length] ?? COLORS[0];
    return markup`<path d="${path}" fill="none" stroke="${color}" stroke-width="${width.toFixed(1)}" stroke-opacity=".75"><title>${from} to ${to}: ${listOf(names)}</title></path>`;
  });
  const label = (list: readonly string[], x: number, anchor: string): Markup[] =>
    list.map(
      (name) =>
        markup`<text x="${String(x)}" y="${(yOf(list, name) + 4).toFixed(1)}" text-anchor="${anchor}">${cut(name)}<title>${name}</title></text>`,
    );
  const isAll = drawn.length === flows.length;
  return markup`<figure><figcaption><b>${caption}</b>${!isAll && ` (${String(drawn.length)} of ${String(flows.length)} pairs)`}</figcaption>
<div class="flow"><svg viewBox="0 0 ${String(WIDTH)} ${String(height)}" aria-hidden="true">${lines}${label(sources, LABEL - 8, "end")}${label(targets, WIDTH - LABEL + 8, "start")}</svg></div>
${dataTable({
  caption,
  columns: ["From", "To", "Copies", "Which"],
  rows: flows.map(({ from, to, names }) => [from, to, String(names.length), listOf(names)]),
  numeric: ["Copies"],
})}</figure>`;
}

/** The first names in order, each once. */
function firstOf(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort().slice(0, MOST_ROWS);
}

function cut(name: string): string {
  return name.length <= LONGEST_NAME ? name : `${name.slice(0, LONGEST_NAME - 1)}…`;
}
