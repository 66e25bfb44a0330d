/**
 * Decisions about hosts and units as rows, for the view of a plan and its table.
 *
 * Not for: every decision of a large plan; rows are bounded, and the plan itself has all.
 *
 * Invariant: as in plan-view.ts, equal plans have equal rows; scores are whole points, so that a row changes when
 * something worth reading does.
 */
import { countOutcomes, unitDecisions, type HostAction, type HostDecision, type UnitDecision } from "./decisions";
import type { MigrationPlan } from "./plan";

/** Units that have a row, and hosts that a row names. */
const UNIT_ROWS = 16;
const NAMED_HOSTS = 4;
/** What the row of a unit that moves begins with. */
const MOVED = "moved to ";
/** What a reader has to act on comes first. */
const ORDER = ["blocked", "too-costly", "moved", "skipped"] as const;

/** Rows like `move host-01,host-02`: why, and why not a less disruptive way; hosts that are left alone have none. */
export function hostRows({
  hostDecisions = [],
}: Pick<MigrationPlan, "hostDecisions">): Readonly<Record<string, string>> {
  const taken = hostDecisions.filter(({ action }) => action !== undefined && action !== "leave");
  // Those that differ in a number alone, such as of copies that move, are one row with the range.
  const groups = Map.groupBy(
    taken,
    (decision) => `${decision.action ?? ""}\n${decision.reason.replace(NUMBERS, "#")}\n${renderRejected(decision)}`,
  );
  return Object.fromEntries(
    [...groups.values()].map((decisions) => {
      const [first] = decisions as [HostDecision, ...HostDecision[]];
      const reason = joinNumbers(decisions.map((decision) => decision.reason));
      const rejected = renderRejected(first);
      const hosts = nameSome(
        decisions.map(({ host }) => host),
        ",",
      );
      return [`${first.action ?? ""} ${hosts}`, rejected === "" ? reason : `${reason}; ${rejected}`];
    }),
  );
}

const NUMBERS = /\b\d+\b/g;

/** Texts that differ in numbers alone as one: `3 to 12 copies go to other hosts`. */
function joinNumbers(texts: readonly string[]): string {
  const numbers = texts.map((text) => (text.match(NUMBERS) ?? []).map(Number));
  let place = 0;
  return (texts[0] ?? "").replace(NUMBERS, () => {
    const values = numbers.map((found) => found[place] ?? 0);
    place += 1;
    return rangeOf(values, 0);
  });
}

/** `7`, or `3 to 12`. */
function rangeOf(values: readonly number[], digits: number): string {
  const [low, high] = [Math.min(...values).toFixed(digits), Math.max(...values).toFixed(digits)];
  return low === high ? low : `${low} to ${high}`;
}

/** The first names of many, and how many more there are. */
export function nameSome(names: readonly string[], separator: string): string {
  if (names.length <= NAMED_HOSTS) return names.join(separator);
  const named = names.slice(0, NAMED_HOSTS - 1);
  return `${named.join(separator)} and ${String(names.length - named.length)} more`;
}

/** Why not, by reason: `not live-patch, restart: the update restarts the host`. That it is not as wanted goes without saying. */
export function renderRejected({ rejected }: Pick<HostDecision, "rejected">): string {
  const byReason = new Map<string, HostAction[]>();
  for (const { action, reason } of rejected) {
    if (action === "leave") continue;
    const actions = byReason.get(reason);
    if (actions) actions.push(action);
    else byReason.set(reason, [action]);
  }
  return [...byReason].map(([reason, actions]) => `not ${actions.join(", ")}: ${reason}`).join("; ");
}

/**
 * Rows like `front-1 on host-01`: outcome, score and cost. Units on hosts that are left alone have none; where more than a
 * few end alike for the same reason they are one row.
 */
export function unitRows(
  plan: Pick<MigrationPlan, "waves" | "units" | "hostDecisions" | "blockers">,
): Readonly<Record<string, string>> {
  const untouched = new Set(
    (plan.hostDecisions ?? []).flatMap(({ host, action }) => (action === "leave" || action === "defer" ? [host] : [])),
  );
  const units = unitDecisions(plan).filter(({ host, outcome }) => outcome !== "skipped" || !untouched.has(host));
  const sorted = [...units].sort(
    (a, b) => ORDER.indexOf(a.outcome) - ORDER.indexOf(b.outcome) || (a.unit < b.unit ? -1 : 1),
  );
  const told = new Set(plan.blockers.map(({ reason }) => reason));
  const alike = Map.groupBy(sorted, ({ outcome, unit, reason }) =>
    outcome === "moved" ? unit : `${outcome} ${reason}`,
  );
  const rows: [string, string][] = [];
  const left: UnitDecision[] = [];
  for (const group of alike.values()) {
    if (rows.length >= UNIT_ROWS) left.push(...group);
    else if (group.length > NAMED_HOSTS) rows.push(rowOfMany(group, told));
    else for (const unit of group) rows.push([`${unit.unit} on ${unit.host}`, renderUnit(unit, told)]);
  }
  if (left.length > 0) rows.push([`and ${String(left.length)} more`, renderCounts(left)]);
  return Object.fromEntries(rows);
}

function rowOfMany(units: readonly UnitDecision[], told: ReadonlySet<string>): [string, string] {
  const names = nameSome(
    units.map(({ unit }) => unit),
    ",",
  );
  return [`${String(units.length)} units (${names})`, renderEnd(units, told)];
}

/** Rows of a table for people: waves show already what moves, so that units that do are counted. */
export function foldMoved(rows: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const rest: [string, string][] = [];
  let moved = 0;
  for (const [key, text] of Object.entries(rows)) {
    // Units beyond those with a row of their own: all of them move, or they keep theirs.
    const more = /^and (\d+) more$/.exec(key)?.[1];
    if (text.startsWith(MOVED)) moved += 1;
    else if (more !== undefined && text === `${more} moved`) moved += Number(more);
    else rest.push([key, text]);
  }
  if (moved === 0) return rows;
  return Object.fromEntries([...rest, [`${String(moved)} moved`, "as the waves say; scores are on the page"]]);
}

/** Counts as `9 moved, 1 too costly`. */
export function renderCounts(units: readonly UnitDecision[]): string {
  const counts = countOutcomes(units);
  const shown = ORDER.flatMap((outcome) =>
    counts[outcome] === 0 ? [] : [`${String(counts[outcome])} ${words(outcome)}`],
  );
  return shown.length === 0 ? "none" : shown.join(", ");
}

function words(outcome: UnitDecision["outcome"]): string {
  return outcome === "too-costly" ? "too costly" : outcome;
}

function renderUnit(unit: UnitDecision, told: ReadonlySet<string>): string {
  const { outcome, to, wave } = unit;
  if (outcome === "moved") return `${MOVED}${to ?? ""} in wave ${String(wave ?? 0)}; ${renderNumbers([unit])}`;
  return renderEnd([unit], told);
}

/** How units end that stay where they are. What blocks the plan has a row of its own and is not said again. */
function renderEnd(units: readonly UnitDecision[], told: ReadonlySet<string>): string {
  const [first] = units;
  const reason = first?.reason ?? "";
  const why = told.has(reason) ? "by what blocks the plan" : reason;
  return `${words(first?.outcome ?? "skipped")}: ${why}; ${renderNumbers(units)}`;
}

function renderNumbers(units: readonly UnitDecision[]): string {
  const { threshold, maximumCost } = units[0]?.migration ?? { threshold: 0, maximumCost: 0 };
  const score = rangeOf(
    units.map(({ migration }) => migration.score),
    0,
  );
  const cost = rangeOf(
    units.map(({ migration }) => migration.cost),
    0,
  );
  return `score ${score} (threshold ${String(threshold)}), cost ${cost} (at most ${String(maximumCost)})`;
}
