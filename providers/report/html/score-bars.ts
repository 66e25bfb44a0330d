/**
 * Migration scores as bars: what speaks for a move to the right of zero, what it costs to the left, and where the threshold is.
 *
 * Not for: the numbers, which stand beside the bar as text.
 */
import { MIGRATION_PARTS, type MigrationParts, type MigrationScore } from "../../../sdk/model";
import { markup, type Markup } from "./markup";

/** Most points that a bar shows on each side of zero. */
const MOST_FOR = 100;
const MOST_AGAINST = 40;

interface Look {
  readonly color: string;
  readonly pattern?: "striped" | "dotted" | "lined" | "crossed";
}

/** Told apart by pattern as well as by colour. */
const LOOKS: Readonly<Record<keyof MigrationParts, Look>> = {
  contention: { color: "var(--c4)" },
  impact: { color: "var(--c3)", pattern: "striped" },
  flexibility: { color: "var(--c2)", pattern: "lined" },
  benefit: { color: "var(--c1)", pattern: "crossed" },
  transfer: { color: "var(--c6)" },
  cache: { color: "var(--c5)", pattern: "dotted" },
  communication: { color: "var(--c2)", pattern: "crossed" },
};

/** A score as a bar, for those who see it. */
export function scoreBar({ parts, threshold }: MigrationScore): Markup {
  let [right, left] = [0, 0];
  const bars = MIGRATION_PARTS.map((name) => {
    const points = parts[name];
    if (points === 0) return false;
    const width = Math.abs(points);
    const from = points > 0 ? right : -left - width;
    if (points > 0) right += width;
    else left += width;
    return barOf(name, from, width, `${name} ${points.toFixed(1)}`);
  });
  return markup`<span class="score" aria-hidden="true">${bars}<i class="zero" style="left:${place(0)}"></i><i class="limit" style="left:${place(threshold)}"></i></span>`;
}

/** What the colours and patterns mean. */
export function scoreLegend(): Markup {
  return markup`<ul class="legend" aria-hidden="true">${MIGRATION_PARTS.map(
    (name) => markup`<li>${swatch(name)}${name}</li>`,
  )}<li><i class="limit"></i>threshold</li></ul>`;
}

function barOf(name: keyof MigrationParts, from: number, points: number, title: string): Markup {
  const { color, pattern } = LOOKS[name];
  const look = pattern ? ` ${pattern}` : "";
  const width = ((100 * points) / (MOST_FOR + MOST_AGAINST)).toFixed(2);
  return markup`<span class="bar${look}" style="left:${place(from)};width:${width}%;--tone:${color}" title="${title}"></span>`;
}

function swatch(name: keyof MigrationParts): Markup {
  const { color, pattern } = LOOKS[name];
  return markup`<span class="bar${pattern ? ` ${pattern}` : ""}" style="--tone:${color}"></span>`;
}

function place(points: number): string {
  const share = (Math.min(MOST_FOR, Math.max(-MOST_AGAINST, points)) + MOST_AGAINST) / (MOST_FOR + MOST_AGAINST);
  return `${(100 * share).toFixed(2)}%`;
}
