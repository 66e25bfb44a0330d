/**
 * Sections of the plan page that say what was decided: the way taken for each host, the opening, which copies go where, how
 * every copy ends with its score, and how full hosts are with copies before and after.
 *
 * Not for: times (plan-charts.ts) and costs (plan-reasons.ts).
 */
import {
  hostRows,
  isMovesOnly,
  renderCounts,
  renderMigration,
  renderOpening,
  unitDecisions,
  type MigrationPlan,
  type Move,
  type UnitDecision,
  type UnitOutcome,
} from "../../sdk/model";
import { flowChart, type Flow } from "./html/flow-chart";
import { markup, type Markup } from "./html/markup";
import { badge, MOST_ROWS, plainList, section, table, type Section, type Tone } from "./html/page";
import { scoreBar, scoreLegend } from "./html/score-bars";
import { countOf } from "./html/words";

/** All sections about decisions; plans of earlier versions have none. */
export function decisionSections(plan: MigrationPlan, timezone: string): Section[] {
  return [...openingSections(plan, timezone), ...hostSections(plan), ...flowSections(plan), ...unitSections(plan)];
}

/** Which opening was taken, and why not the others. */
function openingSections({ openingChoice = [] }: MigrationPlan, timezone: string): Section[] {
  if (openingChoice.length === 0) return [];
  const taken = openingChoice.findIndex(({ isChosen }) => isChosen);
  const shown = taken < 0 ? openingChoice : openingChoice.slice(0, taken + 1);
  const later = openingChoice.length - shown.length;
  const rows = table({
    caption: "Openings that were looked at",
    columns: ["Opening", "Taken", "Why"],
    rows: shown.map(({ opening, isChosen, reason }) => [
      renderOpening(opening, timezone),
      isChosen ? badge("taken", "good") : "",
      reason,
    ]),
  });
  const note = later === 0 ? undefined : `${countOf(later, "later one")} would come after it.`;
  return [section("Choice of the opening", rows, note)];
}

function hostSections(plan: MigrationPlan): Section[] {
  const groups = Object.entries(hostRows(plan));
  if (groups.length === 0) return [];
  const ways = table({
    caption: "The way taken for each host",
    columns: ["Way and hosts", "Why, and why not a less disruptive one"],
    rows: groups.map(([hosts, why]) => [hosts, why]),
  });
  const copies = [...countCopies(plan)].sort(([a], [b]) => (a < b ? -1 : 1));
  const most = Math.max(1, ...copies.flatMap(([, { before, after }]) => [before, after]));
  const hosts = table({
    caption: "Copies on each host before and after",
    columns: ["Host", "Before", "After", "As bars"],
    rows: copies.map(([host, { before, after }]) => [
      host,
      String(before),
      String(after),
      beforeAfter(before, after, most),
    ]),
    numeric: ["Before", "After"],
  });
  return [
    section("Ways of updating", ways, "The least disruptive way that is possible."),
    section("Hosts before and after", hosts, "Copies, of this plan's islands."),
  ];
}

function countCopies(plan: MigrationPlan): ReadonlyMap<string, { before: number; after: number }> {
  const counts = new Map<string, { before: number; after: number }>();
  const of = (host: string): { before: number; after: number } => {
    let count = counts.get(host);
    if (!count) counts.set(host, (count = { before: 0, after: 0 }));
    return count;
  };
  const moves = plan.waves.flatMap((wave) => wave.moves);
  const arrivals = new Set(moves.map(({ newReplica }) => newReplica));
  for (const { unit, host, to } of unitDecisions(plan)) {
    if (unit.includes("/")) continue;
    if (!arrivals.has(unit)) {
      of(host).before++;
      of(host).after++;
    }
    if (to === undefined) continue;
    of(host).after--;
    of(to).after++;
  }
  return counts;
}

function beforeAfter(before: number, after: number, most: number): Markup {
  const bar = (count: number, look: string): Markup =>
    markup`<span class="count">${count > 0 && markup`<span class="bar${look}" style="width:${((100 * count) / most).toFixed(1)}%;--tone:var(--c1)"></span>`}</span>`;
  return markup`<span class="counts" aria-hidden="true">${bar(before, "")}${bar(after, " striped")}</span>`;
}

function flowSections(plan: MigrationPlan): Section[] {
  const kinds = [
    { name: "Copies that leave for the update", waves: plan.waves.filter(({ kind }) => kind !== "failback") },
    { name: "Copies that come back", waves: plan.waves.filter(({ kind }) => kind === "failback") },
  ];
  const charts = kinds.flatMap(({ name, waves }) => {
    const flows = flowsOf(waves.flatMap(({ moves }) => moves));
    const isRebalance = waves.every(isMovesOnly) && plan.balance !== undefined;
    return flows.length === 0 ? [] : [flowChart(isRebalance ? "Copies that move" : name, flows)];
  });
  return charts.length === 0 ? [] : [section("Graph of moves", markup`<div class="pair">${charts}</div>`)];
}

function flowsOf(moves: MigrationPlan["waves"][number]["moves"]): Flow[] {
  const flows = new Map<string, { readonly from: string; readonly to: string; readonly names: string[] }>();
  for (const { from, to, workload } of moves) {
    if (to === undefined) continue;
    const key = `${from}\n${to}`;
    const flow = flows.get(key);
    if (flow) flow.names.push(workload);
    else flows.set(key, { from, to, names: [workload] });
  }
  return [...flows.values()];
}

const TONES: Readonly<Record<UnitOutcome, Tone>> = {
  moved: "good",
  "too-costly": "warn",
  skipped: "plain",
  blocked: "bad",
};

function unitSections(plan: MigrationPlan): Section[] {
  const units = unitDecisions(plan);
  if (units.length === 0) return [];
  const moves = new Map(plan.waves.flatMap((wave) => wave.moves.map((move) => [move.replica, move] as const)));
  const told = new Set(plan.blockers.map(({ reason }) => reason));
  const content = markup`${scoreLegend()}${table({
    caption: "How each copy ends, with its migration score",
    columns: ["Unit", "On", "Ends as", "Score", "Why"],
    rowCount: units.length,
    rows: units
      .slice(0, MOST_ROWS)
      .map((unit) => [
        unit.unit,
        unit.host,
        outcome(unit),
        scoreCell(unit),
        markup`<span class="why">${told.has(unit.reason) ? "what blocks it, above" : unit.reason}</span>${targets(moves.get(unit.unit))}`,
      ]),
  })}`;
  const note = `${renderCounts(units)}. To the right of zero what speaks for a move, to the left what it costs, in points.`;
  return [section("Copies and their scores", content, note)];
}

function outcome({ outcome: word, to, wave }: UnitDecision): Markup {
  const place = to === undefined ? "" : `to ${to}`;
  const when = wave === undefined ? "" : `in wave ${String(wave)}`;
  return markup`${badge(word, TONES[word])} <span class="short">${place} ${when}</span>`;
}

/** Every target that was looked at, with its score. */
function targets(move: Move | undefined): Markup | false {
  if (!move || move.scores.length === 0) return false;
  const rows = move.scores.map(({ host, score, parts, rejected }, index) => {
    const sum = Object.entries(parts).flatMap(([name, value]) => (value === 0 ? [] : [`${name} ${value.toFixed(2)}`]));
    const isChosen = index === 0 && rejected === undefined;
    return `${host}: ${rejected ?? `${score.toFixed(2)} = ${sum.join(" + ")}`}${isChosen ? " (chosen)" : ""}`;
  });
  return markup`<details class="data"><summary class="short">${countOf(rows.length, "target")}<span class="hidden"> for ${move.replica}</span></summary>${plainList(rows)}</details>`;
}

function scoreCell({ migration }: UnitDecision): Markup {
  return markup`${scoreBar(migration)}<span class="numbers">${renderMigration(migration)}</span>`;
}
