/**
 * The plan as it travels in Pulumi's state and shows in a diff: maps whose keys say when, which and where, one short
 * line a row, so that only changed rows show. Rendered as a table for messages.
 *
 * Not for: carrying a plan out; the full MigrationPlan lies in the plan cache and in the run's bundle.
 *
 * Invariant: equal plans have equal views; nothing in a view depends on the moment it is made.
 */
import { foldMoved, hostRows, nameSome, unitRows } from "./decision-view";
import type { BalanceFindings } from "./balance";
import { renderBudgetInEffect } from "./disruption";
import type { Blocker, Envelope, MigrationPlan, Opening, SkippedHost, StageGate } from "./plan";
import type { WindowLimits } from "./policy";
import { reservedSpans, reserveLevels } from "./reservation";
import { formatDuration, formatDurationShort } from "./units";
import { isMovesOnly, tightestIsland, type Move, type Wave } from "./waves";

const MINUTE_MS = 60_000;

/** A plan in rows. */
export interface PlanView {
  /** What will happen, in a sentence. */
  readonly summary: string;
  readonly decision: MigrationPlan["decision"];
  /** Rows like `w1 02:00-02:06 canary host-00`: moves, capacity, demand. */
  readonly waves: Readonly<Record<string, string>>;
  readonly reserve: string;
  readonly cost: string;
  /** Rows like `limits: { hostsAtOnce: 4, hostsPerZone: 4 }`: what the plan would cost then. Absent: none is cheaper. */
  readonly cheaper?: Readonly<Record<string, string>>;
  /** Rows like `capacity shop`: reason; fix. */
  readonly blockers: Readonly<Record<string, string>>;
  /** Rows like `host-00,host-01`: why they are left out, those with the same reason together. */
  readonly skipped: Readonly<Record<string, string>>;
  /** Rows like `move host-01`: why, and why not a less disruptive way. Absent: none is touched. */
  readonly hosts?: Readonly<Record<string, string>>;
  /** Rows like `front-1 on host-01`: outcome, migration score and cost. Absent: no unit is touched. */
  readonly units?: Readonly<Record<string, string>>;
  /** Rows like `over host-01`: highest load in the hours ahead, before and after. Absent: no rebalance, or none is. */
  readonly uses?: Readonly<Record<string, string>>;
  /** Rows like `host-01 shop`: another share of the host that would do. Absent: none would. */
  readonly shares?: Readonly<Record<string, string>>;
  /** Who will start it; absent where nobody said. */
  readonly starts?: string;
  /** What simulated runs of it came to; in previews only. */
  readonly simulated?: string;
  /** Rows like `kernel-eu`: when it is expected to be done, and for how long it is watched. Absent: no stages. */
  readonly stages?: Readonly<Record<string, string>>;
  /** Limits and budgets that hold in every opening. */
  readonly limits: string;
  /** Rows like `shop update`: how many of its hosts may be disrupted at once, and what says so. Absent: no budget is declared. */
  readonly budgets?: Readonly<Record<string, string>>;
  /** Next openings, soonest first, with the limits that are stricter in them. */
  readonly openings: readonly string[];
  readonly warnings: readonly string[];
  /** First digits of the envelope's digest, for people. */
  readonly digest: string;
  /** Path of the plan's HTML page, from the program's folder. */
  readonly page: string;
}

/** What a preview can say while inputs are not known yet. */
export interface Unplanned {
  /** Paths of the inputs that are missing, such as `islands[0].source.inventory`. */
  readonly inputs: readonly string[];
  readonly update: string;
  readonly openings: readonly string[];
}

/** Says what is missing for a plan and what is known without one. */
export function renderUnplanned(name: string, { inputs, update, openings }: Unplanned): string {
  return [
    `${name}: not planned yet; not known before it exists: ${inputs.join(", ")}`,
    "  Create what it comes from first (a stack of its own, or `pulumi up` once), then preview again: a fleet that does not exist cannot be planned.",
    `  update    ${update}`,
    ...openings.map((opening, index) => `  ${index === 0 ? "openings" : "        "}  ${opening}`),
  ].join("\n");
}

/** Turns a plan into rows. Times are in the window's time zone. */
export function createPlanView(plan: MigrationPlan, timezone: string, page: string): PlanView {
  const formatMoment = plan.waves.some((wave) => isWithinMinute(wave)) ? formatSecond : formatTime;
  return {
    summary: summarize(plan, timezone),
    decision: plan.decision,
    waves: Object.fromEntries(
      plan.waves.map((wave) => [waveKey(wave, (ms) => formatMoment(ms, timezone)), waveRow(wave)]),
    ),
    reserve: reserveRow(plan, timezone),
    cost: plan.cost.note,
    ...cheaperRows(plan),
    blockers: blockerRows(plan.blockers),
    skipped: skippedRows(plan.skipped),
    ...(plan.stages
      ? { stages: Object.fromEntries(plan.stages.map((gate) => [gate.stage, stageRow(gate, timezone)])) }
      : {}),
    ...rowsUnder("hosts", hostRows(plan)),
    ...rowsUnder("units", unitRows(plan)),
    ...rowsUnder("uses", useRows(plan.balance)),
    ...rowsUnder("shares", shareRows(plan.balance, timezone)),
    limits: renderLimits(plan.envelope),
    ...rowsUnder("budgets", budgetRows(plan)),
    openings: plan.nextOpenings.map((opening) => renderOpening(opening, timezone)),
    warnings: namedWarnings(plan.warnings),
    digest: plan.digest.slice(0, 12),
    page,
  };
}

/** Reserved hosts and why so many; where their number changes during the run, since when there are how many. */
function reserveRow(plan: MigrationPlan, timezone: string): string {
  const { hosts, reason } = plan.reserve;
  if (hosts.length === 0) return `none: ${reason}`;
  return `${hosts.join(", ")}: ${[...renderReserveLevels(plan, timezone), reason].join("; ")}`;
}

/** The levels of a reserve that changes during the run, as `2 from 02:00, 1 from 02:40, none from 03:10`; else nothing. */
export function renderReserveLevels(
  plan: Pick<MigrationPlan, "waves" | "reserve">,
  timezone: string,
): readonly [] | readonly [string] {
  const levels = reserveLevels(reservedSpans(plan));
  const [from, to] = [levels[0]?.fromMs, levels.at(-1)?.fromMs];
  const isSteady = levels.length === 2 && from === plan.waves[0]?.startMs && to === plan.waves.at(-1)?.endMs;
  if (levels.length === 0 || isSteady) return [];
  return [
    levels
      .map(({ fromMs, hosts }) => `${hosts === 0 ? "none" : String(hosts)} from ${formatTime(fromMs, timezone)}`)
      .join(", "),
  ];
}

/** Warnings that are named; the others are counted. */
const NAMED_WARNINGS = 24;

function skippedRows(skipped: readonly SkippedHost[]): Readonly<Record<string, string>> {
  const byReason = Map.groupBy(skipped, ({ reason }) => reason);
  return Object.fromEntries(
    [...byReason].map(([reason, hosts]) => [
      nameSome(
        hosts.map(({ host }) => host),
        ",",
      ),
      reason,
    ]),
  );
}

function namedWarnings(warnings: readonly string[]): readonly string[] {
  if (warnings.length <= NAMED_WARNINGS) return warnings;
  const others = `${String(warnings.length - NAMED_WARNINGS)} more; the page has them all`;
  return [...warnings.slice(0, NAMED_WARNINGS), others];
}

/** Uses of each kind that are named, the most telling first; the others are counted. */
const NAMED_USES = 6;

function useRows(balance: BalanceFindings | undefined): Readonly<Record<string, string>> {
  const percent = (share: number): string => `${String(Math.round(share * 100))} %`;
  const rows: Record<string, string> = {};
  for (const state of ["over", "under"] as const) {
    const uses = (balance?.uses ?? []).filter((use) => use.state === state);
    const telling = state === "over" ? uses : [...uses].reverse();
    for (const { kind, name, before, after } of telling.slice(0, NAMED_USES)) {
      const change = before === after ? "" : `, ${percent(after)} after the moves`;
      rows[`${state} ${kind} ${name}`] = `at most ${percent(before)} in use${change}`;
    }
    if (uses.length > NAMED_USES) rows[`${state} others`] = String(uses.length - NAMED_USES);
  }
  return rows;
}

function shareRows(balance: BalanceFindings | undefined, timezone: string): Readonly<Record<string, string>> {
  const percent = (share: number): string => `${String(Math.round(share * 100))} %`;
  return Object.fromEntries(
    (balance?.shares ?? []).map(({ host, island, from, to, needed, untilMs }) => [
      `${host} ${island}`,
      `${percent(to)} instead of ${percent(from)} of its CPU ${
        untilMs === undefined ? "would do more" : `until ${formatTime(untilMs, timezone)}`
      }; it needs ${percent(needed)}`,
    ]),
  );
}

function rowsUnder<K extends "hosts" | "units" | "uses" | "shares" | "budgets">(
  key: K,
  rows: Readonly<Record<string, string>>,
): Partial<Record<K, Readonly<Record<string, string>>>> {
  return Object.keys(rows).length === 0 ? {} : ({ [key]: rows } as Record<K, Readonly<Record<string, string>>>);
}

/** The view of a plan that something else stands in the way of as well. */
export function blockView(view: PlanView, blockers: readonly Blocker[]): PlanView {
  if (blockers.length === 0) return view;
  const rows = { ...view.blockers, ...Object.fromEntries(blockers.map(blockerRow)) };
  const summary =
    view.decision === "run" ? `${blockedSummary(blockers.length)}. Planned: ${view.summary}` : view.summary;
  return { ...view, decision: "blocked", summary, blockers: rows };
}

/** What the row of a stage that is done begins with. */
export const DONE_STAGE = "done";

/** How a stage stands: `planned to be done Sat 2026-11-28 02:41, then watched for 1 day, until Sun 2026-11-29 02:41`. */
export function stageRow(gate: StageGate, timezone: string): string {
  if (gate.kind === "stopped") return gate.reason;
  const { endMs, soakMs } = gate;
  const moment = (ms: number): string => `${formatDay(ms, timezone)} ${formatTime(ms, timezone)}`;
  const done = `${gate.kind === "done" ? DONE_STAGE : "planned to be done"} ${moment(endMs)}`;
  return soakMs === 0 ? done : `${done}, then watched for ${formatDuration(soakMs)}, until ${moment(endMs + soakMs)}`;
}

/** Reasons that are named, of each kind as many; a fleet that does not answer has thousands of them. */
const NAMED_BLOCKERS = 24;

function blockerRows(blockers: readonly Blocker[]): Readonly<Record<string, string>> {
  if (blockers.length <= NAMED_BLOCKERS) return Object.fromEntries(blockers.map(blockerRow));
  const ofKind = Map.groupBy(blockers, ({ code }) => code);
  const most = Math.ceil(NAMED_BLOCKERS / ofKind.size);
  const named = [...ofKind.values()].flatMap((some) => some.slice(0, most));
  const others = `${String(blockers.length - named.length)} more like these; the page names them all`;
  return { ...Object.fromEntries(named.map(blockerRow)), others };
}

function blockerRow({ code, subject, reason, fix }: Blocker): readonly [string, string] {
  return [`${code} ${subject}`, `${reason}; fix: ${fix}`];
}

function blockedSummary(count: number): string {
  return `BLOCKED by ${String(count)} reason${count === 1 ? "" : "s"}; nothing will start`;
}

/**
 * An opening as `Sat 2026-11-28 02:00 to 05:00 (saturdays, 3 h)`; the end has its day where that is another one. Limits
 * of its calendars follow: `(saturdays, 3 h; 1 host at once; unavailable at most: checkout 0)`.
 */
export function renderOpening(opening: Opening, timezone: string): string {
  const [start, end] = [formatDay(opening.startMs, timezone), formatDay(opening.endMs, timezone)];
  const until = `${start === end ? "" : `${end} `}${formatTime(opening.endMs, timezone)}`;
  const length = formatDurationShort(opening.endMs - opening.startMs);
  const { maxUnavailable = {}, ...hosts } = opening.limits ?? {};
  const parts = [`${opening.window}, ${length}`, ...limitParts(hosts, maxUnavailable)];
  return `${start} ${formatTime(opening.startMs, timezone)} to ${until} (${parts.join("; ")})`;
}

function cheaperRows({ cost, waves }: MigrationPlan): Pick<PlanView, "cheaper"> {
  const rows = (cost.cheaper ?? []).map(({ change, amount, saves, total, reserveHosts, startMs }) => {
    const currency = cost.currency ?? "";
    const later = startMs === waves[0]?.startMs ? "" : " then";
    const reserve = `${String(reserveHosts)} host${reserveHosts === 1 ? "" : "s"} in reserve`;
    const takes = `about ${formatDurationShort(total.p50Ms)}${later} with ${reserve}`;
    return [change, `${amount.toFixed(2)} ${currency}, ${saves.toFixed(2)} less; ${takes}`] as const;
  });
  return rows.length === 0 ? {} : { cheaper: Object.fromEntries(rows) };
}

/** Limits as `2 hosts at once; 1 in a zone; unavailable at most: checkout 1, ledger 0`. */
function renderLimits(envelope: Envelope): string {
  return limitParts(envelope, envelope.budgets).join("; ");
}

function budgetRows({ budgetsInEffect = [] }: MigrationPlan): Readonly<Record<string, string>> {
  return Object.fromEntries(
    budgetsInEffect.map((budget) => [`${budget.island} ${budget.reason}`, renderBudgetInEffect(budget)]),
  );
}

/** Budgets that are named in a line, the strictest first. */
const NAMED_BUDGETS = 5;

function limitParts(
  { hostsAtOnce, hostsPerZone, hostsPerRack, hostsPerIsland }: Omit<WindowLimits, "maxUnavailable">,
  budgets: Readonly<Record<string, number>>,
): string[] {
  const strictest = Object.entries(budgets).sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
  const named = strictest.slice(0, NAMED_BUDGETS).map(([workload, copies]) => `${workload} ${String(copies)}`);
  if (strictest.length > named.length) named.push(`${String(strictest.length - named.length)} more`);
  return [
    ...(hostsAtOnce === undefined ? [] : [`${String(hostsAtOnce)} host${hostsAtOnce === 1 ? "" : "s"} at once`]),
    ...(hostsPerZone === undefined ? [] : [`${String(hostsPerZone)} in a zone`]),
    ...(hostsPerRack === undefined ? [] : [`${String(hostsPerRack)} in a rack`]),
    ...(hostsPerIsland === undefined ? [] : [`${String(hostsPerIsland)} of an island`]),
    ...(named.length === 0 ? [] : [`unavailable at most: ${named.join(", ")}`]),
  ];
}

/** The table that a preview shows as a message; lines of at most about 150 characters. */
export function renderPlanTable(view: PlanView, title: string): string {
  const lines = [`${title}: ${view.summary}`];
  appendRows(lines, "BLOCKED", view.blockers);
  const waves = Object.entries(view.waves);
  if (waves.length > 0) {
    const width = Math.max(...waves.map(([key]) => key.length));
    lines.push("", ...waves.map(([key, row]) => `  ${key.padEnd(width)}  ${row}`), "");
    lines.push(`  reserve   ${view.reserve}`, `  cost      ${view.cost}`);
    if (view.simulated !== undefined) lines.push(`  simulated ${view.simulated}`);
  }
  appendRows(lines, "cheaper", view.cheaper ?? {});
  appendRows(lines, "hosts", view.hosts ?? {});
  appendRows(lines, "units", foldMoved(view.units ?? {}));
  appendRows(lines, "use", view.uses ?? {});
  appendRows(lines, "shares", view.shares ?? {});
  appendRows(lines, "skipped", view.skipped);
  for (const warning of view.warnings) lines.push(`  warning   ${warning}`);
  appendRows(lines, "after", view.stages ?? {});
  if (view.starts !== undefined && view.decision === "run") lines.push(`  starts    ${view.starts}`);
  lines.push(`  limits    ${view.limits}`);
  appendRows(lines, "budgets", view.budgets ?? {});
  view.openings.forEach((opening, index) => lines.push(`  ${index === 0 ? "openings" : "        "}  ${opening}`));
  lines.push(`  envelope  ${view.digest}`, `  page      ${view.page}`);
  return lines.join("\n");
}

function appendRows(lines: string[], label: string, rows: Readonly<Record<string, string>>): void {
  Object.entries(rows).forEach(([key, row], index) => {
    lines.push(`  ${(index === 0 ? label : "").padEnd(8)}  ${key}: ${row}`);
  });
}

function summarize(plan: MigrationPlan, timezone: string): string {
  const updated = plan.waves.flatMap((wave) => (isMovesOnly(wave) ? [] : wave.hosts));
  if (plan.balance) return summarizeRebalance(plan, plan.balance, timezone);
  if (plan.decision === "nothing")
    return `nothing to do: all hosts match (${nameSome(
      plan.skipped.map(({ host }) => host),
      ", ",
    )})`;
  if (plan.decision === "blocked") return blockedSummary(plan.blockers.length);
  const waves = plan.waves.filter((wave) => !isMovesOnly(wave)).length;
  const moves = plan.waves.reduce((sum, wave) => sum + wave.moves.length, 0);
  const opening = plan.opening ? `, in the opening of ${renderOpening(plan.opening, timezone)}` : "";
  return (
    `${String(updated.length)} host${updated.length === 1 ? "" : "s"} in ${String(waves)} wave${waves === 1 ? "" : "s"}, ${String(moves)} moves, ` +
    `about ${formatDurationShort(plan.total.p50Ms)} (P95 ${formatDurationShort(plan.total.p95Ms)})${opening}`
  );
}

function summarizeRebalance(plan: MigrationPlan, { reason }: BalanceFindings, timezone: string): string {
  if (plan.decision === "blocked") return "BLOCKED; nothing is moved";
  if (plan.decision === "nothing") return `nothing is moved now: ${reason}`;
  const moves = plan.waves.reduce((sum, wave) => sum + wave.moves.length, 0);
  const opening = plan.opening ? `, in the opening of ${renderOpening(plan.opening, timezone)}` : "";
  return `${String(moves)} move${moves === 1 ? "" : "s"}, about ${formatDurationShort(plan.total.p50Ms)}${opening}: ${reason}`;
}

function waveKey(wave: Wave, format: (ms: number) => string): string {
  const hosts = nameSome(wave.hosts, ",");
  return `w${String(wave.index)} ${format(wave.startMs)}-${format(wave.endMs)} ${wave.kind}${hosts ? ` ${hosts}` : ""}`;
}

/** Such waves need seconds: with minutes alone they would begin and end at the same time. */
function isWithinMinute({ startMs, endMs }: Wave): boolean {
  return Math.floor(startMs / MINUTE_MS) === Math.floor(endMs / MINUTE_MS);
}

function waveRow(wave: Wave): string {
  const cores = (cpuMillis: number): string => (cpuMillis / 1000).toFixed(1);
  const shown = wave.moves.slice(0, 4).map(renderMove);
  if (wave.moves.length > shown.length) shown.push(`${String(wave.moves.length - shown.length)} more`);
  const moves = shown.length === 0 ? "no moves" : shown.join(", ");
  const island = tightestIsland(wave);
  const whose = island === undefined ? "" : ` of ${island}`;
  return `${moves}; demand ${cores(wave.demandCpuMillis)} of ${cores(wave.capacityCpuMillis)} cores${whose}`;
}

/** What becomes of a copy that goes to no other host. */
const ENDS_HERE: Readonly<Partial<Record<Move["method"], string>>> = {
  restart: "restarted",
  end: "left to end",
  burst: "served by a function",
};

function renderMove(move: Move): string {
  if (move.to === undefined) return `${move.workload} ${ENDS_HERE[move.method] ?? "shed"}`;
  const isPlain = move.method === "surge";
  return `${move.workload} > ${move.to}${isPlain ? "" : ` (${move.method})`}`;
}

function formatTime(ms: number, timezone: string): string {
  return new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: timezone }).format(ms);
}

function formatSecond(ms: number, timezone: string): string {
  return new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone: timezone }).format(ms);
}

function formatDay(ms: number, timezone: string): string {
  const weekday = new Intl.DateTimeFormat("en-GB", { weekday: "short", timeZone: timezone }).format(ms);
  const date = new Intl.DateTimeFormat("en-CA", {
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    timeZone: timezone,
  }).format(ms);
  return `${weekday} ${date}`;
}
