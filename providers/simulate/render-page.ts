/** The HTML page of a simulation: one self-contained file in the frame of the other pages. */
import { formatDurationShort } from "../../sdk/model";
import { markup, type Markup } from "../report/html/markup";
import { alarm, dataTable, renderPage, section, table, type Section, type Tile } from "../report/html/page";
import { formatShare, formatTime, ms } from "./render-text";
import type { Distribution, SimulationResult } from "./simulation";

const WIDTH = 1100;
const HEIGHT = 190;
const AXIS = 24;
const GAP = 3;
/** More labels than this run into each other. */
const LABELS = 6;

/** Renders the page. Equal results give equal pages. */
export function renderSimulationPage(result: SimulationResult): string {
  const { name, runs, seed, duration, pauses, violations, assumptions, reasons } = result;
  const isKept = Object.keys(violations).length === 0;
  const sections: Section[] = [];
  if (!isKept)
    sections.push(alarm("Promises that were broken", shares("Runs by broken rule", "Rule", violations, runs)));
  if (duration) {
    const chart = histogram("Runs by their time to the end", duration, formatDurationShort);
    sections.push(section("Time to the end", chart, "Of the runs that are done."));
  }
  if (pauses) sections.push(section("Pauses of hand-overs", histogram("Hand-overs by their pause", pauses, ms)));
  sections.push(section("How runs ended", shares("Runs by the phase they ended in", "Phase", result.phases, runs)));
  if (reasons.length > 0) {
    const counts = Object.fromEntries(reasons.map(({ reason, runs: count }) => [reason, count]));
    sections.push(section("Why runs were not done", shares("Runs by the reason", "Reason", counts, runs)));
  }
  return renderPage({
    title: `Simulation of ${name}`,
    state: isKept ? { word: "promises kept", tone: "good" } : { word: "promises broken", tone: "bad" },
    answer: duration
      ? `In 95 of 100 runs that are done it is over by ${formatTime(result.startMs + duration.p95, result)}.`
      : "No run came to its end.",
    meta: `${String(runs)} runs from ${formatTime(result.startMs, result)}; the window closes ${formatTime(result.closesMs, result)}; times in ${result.timezone}; seed ${String(seed)}`,
    tiles: createTiles(result),
    sections,
    footer:
      `Assumed: ${String(Number(assumptions.hostFailuresPerMonth.toPrecision(2)))} failures per host in 30 days, ` +
      `${formatShare(assumptions.updateFailureShare)} of updates fail. Times of steps are drawn from their quantiles in the plan, ` +
      "demand from the joint paths of the forecast; checks and hooks of the application count as green.",
  });
}

/** What a plan's page says of simulated runs of it. */
export function simulationParts(result: SimulationResult): {
  readonly tiles: readonly Tile[];
  readonly sections: readonly Section[];
} {
  const { runs, phases, duration, violations, startMs } = result;
  const content = [
    ...(duration ? [histogram("Simulated runs by their time to the end", duration, formatDurationShort)] : []),
    shares("Simulated runs by the phase they ended in", "Phase", phases, runs),
    ...(Object.keys(violations).length === 0 ? [] : [shares("Runs by broken rule", "Rule", violations, runs)]),
  ];
  const tile = duration && {
    label: "Over by, P95 simulated",
    value: formatTime(startMs + duration.p95, result),
    detail: `${String(phases.done ?? 0)} of ${String(runs)} simulated runs are done`,
  };
  return { tiles: tile ? [tile] : [], sections: [section("Simulated runs", content, describeSimulation(result))] };
}

/** Simulated runs in one line. */
export function describeSimulation(result: SimulationResult): string {
  const { runs, phases, duration, violations, overCapacity, startMs } = result;
  const end = duration
    ? `over by ${formatTime(startMs + duration.p50, result)} (P50), ${formatTime(startMs + duration.p95, result)} (P95)`
    : "none came to its end";
  const broken = Object.entries(violations).map(([rule, count]) => `${rule} broken in ${String(count)}`);
  return [
    `${String(runs)} runs, ${String(phases.done ?? 0)} done: ${end}`,
    broken.length === 0 ? "promises kept in all" : broken.join(", "),
    `over capacity in ${String(overCapacity)}`,
  ].join("; ");
}

function createTiles(result: SimulationResult): readonly Tile[] {
  const { runs, phases, duration, pauses, overCapacity, startMs } = result;
  const done = phases.done ?? 0;
  const endTile = (label: string, value: number): Tile => ({
    label,
    value: formatDurationShort(value),
    detail: formatTime(startMs + value, result),
  });
  return [
    { label: "Done", value: formatShare(done / runs), detail: `${String(done)} of ${String(runs)} runs` },
    ...(duration ? [endTile("End, P50", duration.p50), endTile("End, P95", duration.p95)] : []),
    ...(pauses ? [{ label: "Pause, P95", value: ms(pauses.p95), detail: `longest ${ms(pauses.maximum)}` }] : []),
    {
      label: "Over capacity",
      value: formatShare(overCapacity / runs),
      detail: `planned ${formatShare(result.plannedOverCapacityShare)}`,
    },
  ];
}

function shares(caption: string, first: string, counts: Readonly<Record<string, number>>, runs: number): Markup {
  return table({
    caption,
    columns: [first, "Runs", "Share"],
    rows: Object.entries(counts).map(([name, count]) => [name, String(count), formatShare(count / runs)]),
    numeric: ["Runs", "Share"],
  });
}

/** Bars of equal width; each says its range and count to who points at it, and the table below to everybody. */
function histogram(title: string, { bins, p50, p95 }: Distribution, format: (value: number) => string): Markup {
  const most = Math.max(...bins.map(({ count }) => count));
  const from = bins[0]?.from ?? 0;
  const to = bins.at(-1)?.to ?? 1;
  const barWidth = WIDTH / bins.length;
  const every = Math.ceil(bins.length / LABELS);
  const x = (value: number): number => (to > from ? ((value - from) / (to - from)) * WIDTH : WIDTH / 2);
  return markup`<figure><figcaption><b>${title}</b>: P50 ${format(p50)}, P95 ${format(p95)}</figcaption>
<div class="scroll" tabindex="0" role="region" aria-label="${title}"><svg class="wide" viewBox="0 0 ${WIDTH} ${HEIGHT + AXIS}" aria-hidden="true">${bins.map(
    ({ count, from: low, to: high }, index) => {
      const height = (count / most) * (HEIGHT - 16);
      return markup`<rect x="${Math.round(index * barWidth + GAP / 2)}" y="${Math.round(HEIGHT - height)}" width="${Math.max(1, Math.round(barWidth - GAP))}" height="${Math.round(height)}" rx="2" fill="var(--c1)"><title>${format(low)} to ${format(high)}: ${count}</title></rect>
${index % every === 0 && markup`<text fill="currentColor" x="${Math.round(index * barWidth)}" y="${HEIGHT + AXIS - 6}">${format(Math.round(low))}</text>`}`;
    },
  )}<line x1="0" x2="${WIDTH}" y1="${HEIGHT}" y2="${HEIGHT}" stroke="var(--line)"/>
${[
  { value: p50, label: "P50" },
  { value: p95, label: "P95" },
].map(
  ({ value, label }) =>
    markup`<line x1="${Math.round(x(value))}" x2="${Math.round(x(value))}" y1="0" y2="${HEIGHT}" stroke="var(--warn)" stroke-dasharray="4 3"/><text fill="currentColor" font-weight="600" x="${Math.round(Math.min(WIDTH - 90, x(value) + 5))}" y="12">${label} ${format(value)}</text>`,
)}</svg></div>
${dataTable({
  caption: title,
  columns: ["From", "To", "Count"],
  rows: bins.map(({ count, from: low, to: high }) => [format(low), format(high), String(count)]),
  numeric: ["Count"],
})}</figure>`;
}
