/**
 * What a plan's transfers carry over links, of the busiest ones, over time.
 *
 * Not for: keeping links within their bandwidth (providers/execute/link-gate.ts).
 */
import type { MigrationPlan, Wave } from "../../sdk/model";
import { lineChart } from "./html/line-chart";
import { section, type Section } from "./html/page";
import { transfersOf, type Network, type TimesOf } from "./step-times";

/** Links that are drawn. */
const MOST_LINKS = 3;
const COLORS = ["var(--c1)", "var(--c4)", "var(--c5)"] as const;
const MINUTE_MS = 60_000;

/** Beginning or end of a transfer. */
interface Change {
  readonly atMs: number;
  readonly share: number;
}

/** The section with the busiest links; none where no bandwidth is known or nothing is carried. */
export function linkSections(
  { waves }: MigrationPlan,
  network: Network | undefined,
  timesOf: TimesOf,
  timezone: string,
): readonly Section[] {
  if (!network) return [];
  const changes = new Map<string, Change[]>();
  for (const wave of waves) addChanges(wave, network, timesOf, changes);
  const links = [...changes]
    .map(([name, of]) => ({ name, points: pointsOf(of) }))
    .map((link) => ({ ...link, highest: Math.max(...link.points.map(({ y }) => y)) }))
    .sort((a, b) => b.highest - a.highest || (a.name < b.name ? -1 : 1))
    .slice(0, MOST_LINKS);
  const [busiest] = links;
  const [first, last] = [waves[0], waves.at(-1)];
  if (!busiest || !first || !last) return [];
  const span = { startMs: first.startMs, endMs: Math.max(last.endMs, first.startMs + MINUTE_MS) };
  return [
    section(
      "Links",
      lineChart({
        caption: "Load of the busiest links",
        unit: "% of their bandwidth",
        summary: `The busiest one, ${busiest.name}, carries ${busiest.highest.toFixed(0)} % of its bandwidth at most.`,
        span,
        timezone,
        lines: links.map(({ name, points }, index) => ({
          name,
          color: COLORS[index] ?? COLORS[0],
          stepped: true,
          points: [{ x: span.startMs, y: 0 }, ...points, { x: span.endMs, y: 0 }],
        })),
        marks: waves.map(({ startMs }) => startMs),
      }),
      "At the rates that the plan allots; a transfer begins when all its links have room for it.",
    ),
  ];
}

function addChanges(wave: Wave, network: Network, timesOf: TimesOf, changes: Map<string, Change[]>): void {
  const times = timesOf(wave);
  for (const [id, { bytesPerSecond: rate, links }] of transfersOf(wave, network)) {
    const time = times?.get(id);
    if (!time) continue;
    for (const { name, bytesPerSecond } of links) {
      const share = (100 * rate) / bytesPerSecond;
      const of = changes.get(name) ?? [];
      of.push({ atMs: time.startMs, share }, { atMs: time.endMs, share: -share });
      changes.set(name, of);
    }
  }
}

/** Load after each change; ends come before beginnings of the same moment. */
function pointsOf(changes: readonly Change[]): readonly { readonly x: number; readonly y: number }[] {
  let load = 0;
  return changes
    .toSorted((a, b) => a.atMs - b.atMs || a.share - b.share)
    .map(({ atMs, share }) => {
      load = Math.max(0, load + share);
      return { x: atMs, y: Math.round(load * 100) / 100 };
    });
}
