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
  const groups = new Map<string, { readonly first: HostDecision; readonly hosts: string[] }>();
  for (const decision of hostDecisions) {
    if (decision.action === undefined || decision.action === "leave") continue;
    const key = `${decision.action}\n${decision.reason}\n${renderRejected(decision)}`;
    const group = groups.get(key);
    if (group) group.hosts.push(decision.host);
    else groups.set(key, { first: decision, hosts: [decision.host] });
  }
  return Object.fromEntries(
    [...groups.values()].map(({ first, hosts }) => {
      const rest = hosts.length > NAMED_HOSTS ? ` and ${String(hosts.length - NAMED_HOSTS)} more` : "";
      const rejected = renderRejected(first);
      const value = rejected === "" ? first.reason : `${first.reason}; ${rejected}`;
      return [`${first.action ?? ""} ${hosts.slice(0, NAMED_HOSTS).join(",")}${rest}`, value];
    }),
  );
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

/** Rows like `front-1 on host-01`: outcome, score and cost. Units on hosts that are left alone have none. */
export function unitRows(
  plan: Pick<MigrationPlan, "waves" | "units" | "hostDecisions">,
): Readonly<Record<string, string>> {
  const untouched = new Set(
    (plan.hostDecisions ?? []).flatMap(({ host, action }) => (action === "leave" || action === "defer" ? [host] : [])),
  );
  const units = unitDecisions(plan).filter(({ host, outcome }) => outcome !== "skipped" || !untouched.has(host));
  const sorted = [...units].sort(
    (a, b) => ORDER.indexOf(a.outcome) - ORDER.indexOf(b.outcome) || (a.unit < b.unit ? -1 : 1),
  );
  const rows = sorted
    .slice(0, UNIT_ROWS)
    .map((unit): readonly [string, string] => [`${unit.unit} on ${unit.host}`, renderUnit(unit)]);
  const rest = sorted.slice(UNIT_ROWS);
  if (rest.length > 0) rows.push([`and ${String(rest.length)} more`, renderCounts(rest)]);
  return Object.fromEntries(rows);
}

/** Rows of a table for people: waves show already what moves, so that units that do are counted. */
export function foldMoved(rows: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const entries = Object.entries(rows);
  const moved = entries.filter(([, text]) => text.startsWith(MOVED));
  if (moved.length === 0) return rows;
  const rest = entries.filter(([, text]) => !text.startsWith(MOVED));
  return Object.fromEntries([...rest, [`${String(moved.length)} moved`, "as the waves say; scores are on the page"]]);
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

function renderUnit({ outcome, to, wave, migration, reason }: UnitDecision): string {
  const { score, threshold, cost, maximumCost } = migration;
  const numbers = `score ${score.toFixed(0)} (threshold ${String(threshold)}), cost ${cost.toFixed(0)} (at most ${String(maximumCost)})`;
  if (outcome === "moved") return `${MOVED}${to ?? ""} in wave ${String(wave ?? 0)}; ${numbers}`;
  return `${words(outcome)}: ${reason}; ${numbers}`;
}
