/**
 * Disruption budgets of islands as limits of a plan: each is one more limit that a host's lane counts against, so that of
 * several budgets and of all other limits the strictest wins; one of 0 leaves the hosts of its island alone.
 *
 * Not for: what a budget comes to (sdk/model/disruption.ts), and how lanes keep limits (lanes.ts).
 *
 * Invariant: budgets count the member hosts of an island, whatever copies leave them; hosts in reserve are not its own.
 */
import type {
  Blocker,
  BudgetInEffect,
  DisruptionBudget,
  DisruptionReason,
  Fleet,
  Host,
  Island,
  MigrationPlan,
  Opening,
  SkippedHost,
} from "../../sdk/model";
import { DISRUPTION_REASONS, reasonsOf, renderBudget, strictestBudget } from "../../sdk/model";

import type { Declared } from "./conflict";
import { plural } from "./explain";
import type { Fix, IsPlannable } from "./fixes";
import type { PlanInput } from "./plan-input";
import type { Problem } from "./problem";

const PREFIX = "budget";

/** Names of the limits that budgets for a reason are to a host's lane. */
export function budgetsOfHost(
  { sites, cells, cellAt, islands }: Problem,
  fleet: Fleet,
  site: number,
  reason: DisruptionReason,
): readonly string[] {
  if (sites[site]?.host.role !== "member") return [];
  return fleet.islands.flatMap((island, index) => {
    const cell = cells[cellAt[site * islands.length + index] ?? -1];
    const isOwn = cell?.open === true && strictestBudget(island, reason) !== undefined;
    return isOwn ? [`${PREFIX}/${reason}/${island.name}`] : [];
  });
}

/** Places of a limit that is a budget; undefined for all others. */
export function placesOfBudget({ islands }: Fleet, name: string): number | undefined {
  const [prefix, of, ...rest] = name.split("/");
  const reason = DISRUPTION_REASONS.find((one) => one === of);
  const island = prefix === PREFIX ? islands.find((one) => one.name === rest.join("/")) : undefined;
  return island && reason && strictestBudget(island, reason)?.hosts;
}

/** Islands whose budgets let nothing begin for a reason. */
function closedIslands({ islands }: Fleet, reason: DisruptionReason): readonly Island[] {
  return islands.filter((island) => strictestBudget(island, reason)?.hosts === 0);
}

/** Hosts that nothing may be done to for a reason, by id, each with its island. */
export function undisturbedHosts(fleet: Fleet, reason: DisruptionReason): ReadonlyMap<string, Island> {
  const members = closedIslands(fleet, reason).flatMap((island) => island.hosts.map((id) => [id, island] as const));
  if (members.length === 0) return new Map();
  const own = new Set(fleet.hosts.filter(({ role }) => role === "member").map(({ id }) => id));
  return new Map(members.filter(([id]) => own.has(id)));
}

/** The strictest budget of an island for a reason, in words: `the disruption budget of shop (10% of 12 hosts)`. */
export function describeBudget(island: Island, reason: DisruptionReason): string {
  const budget = strictestBudget(island, reason)?.budget;
  return `the disruption budget of ${island.name}${budget ? ` (${renderBudget(budget, island.hosts.length)})` : ""}`;
}

/** Hosts to update without those that budgets let nobody update; these with the reason. */
export function leaveUndisturbed(
  hosts: readonly Host[],
  fleet: Fleet,
): { readonly hosts: readonly Host[]; readonly undisturbed: readonly SkippedHost[] } {
  const left = undisturbedHosts(fleet, "update");
  if (left.size === 0) return { hosts, undisturbed: [] };
  const undisturbed = hosts.flatMap(({ id }): SkippedHost[] => {
    const island = left.get(id);
    return island ? [{ host: id, reason: `${describeBudget(island, "update")} lets no host be updated` }] : [];
  });
  return { hosts: hosts.filter(({ id }) => !left.has(id)), undisturbed };
}

/**
 * What keeps hosts of an update from being updated at all, an island each; nothing where they are left for another time,
 * and others are not, or the run has begun: then it waits.
 * @param fits present where it may be searched for what would be enough
 */
export function budgetBlockers(
  input: PlanInput,
  hosts: readonly Host[],
  fits: IsPlannable | undefined,
): readonly Blocker[] {
  const left = undisturbedHosts(input.fleet, "update");
  const closed = hosts.filter(({ id }) => left.has(id));
  if (input.spec.whenStuck === "defer" && (closed.length < hosts.length || input.progress)) return [];
  const islands = Map.groupBy(closed, ({ id }) => left.get(id) as Island);
  return [...islands].map(([island, own]) =>
    closedBlocker(
      island,
      "update",
      `lets none of its ${plural(own.length, "host")} be updated`,
      fits && findWiderBudget(input, island.name, "update", fits),
      fits !== undefined,
    ),
  );
}

/** The blocker of an island whose budget lets nothing begin. */
export function closedBlocker(
  island: Island,
  reason: DisruptionReason,
  text: string,
  fix: Fix | undefined,
  wasSearched: boolean,
): Blocker {
  const budget = describeBudget(island, reason);
  return {
    code: "budget",
    subject: island.name,
    reason: `${budget} ${text}`,
    conflict: [budget],
    fix:
      fix?.text ??
      (wasSearched
        ? `widen ${budget}; more than that has to change for a plan, which the next one says`
        : "not searched for in this plan; `archipelago plan` says what would be enough"),
  };
}

/** Budgets that are tried: each is a whole plan. */
const HOSTS_TRIED: readonly number[] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 100];

/** The least wider budget of an island with which there is a plan. */
function findWiderBudget(input: PlanInput, name: string, reason: DisruptionReason, fits: IsPlannable): Fix | undefined {
  const island = input.fleet.islands.find((one) => one.name === name);
  const now = island && strictestBudget(island, reason)?.hosts;
  if (island === undefined || now === undefined) return undefined;
  for (const hosts of HOSTS_TRIED) {
    if (hosts <= now || hosts > island.hosts.length) continue;
    const fix = widerBudget(input, name, reason, hosts);
    if (fits(fix.input)) return fix;
  }
  return undefined;
}

/** Another budget of an island for a reason, not tried. */
export function widerBudget(input: PlanInput, name: string, reason: DisruptionReason, hosts: number): Fix {
  const text = `disruptionBudgets: [{ hosts: ${String(hosts)}, reasons: ["${reason}"] }] for ${name}`;
  return { text, input: withBudget(input, name, reason, hosts) };
}

/** The least wider budget of each island for updates with which there is a plan, where one is declared. */
export function findWiderBudgets(input: PlanInput, fits: IsPlannable): readonly Fix[] {
  return input.fleet.islands.flatMap(({ name }) => findWiderBudget(input, name, "update", fits) ?? []);
}

/** Budgets for updates as what can be given up, as far as islands have more hosts than they allow at once. */
export function budgetPromises({ fleet }: PlanInput): readonly Declared[] {
  return fleet.islands.flatMap((island) => {
    const hosts = strictestBudget(island, "update")?.hosts;
    if (hosts === undefined || hosts >= island.hosts.length) return [];
    const giveUp = (changed: PlanInput): PlanInput => withBudget(changed, island.name, "update", undefined);
    return [{ text: describeBudget(island, "update"), giveUp }];
  });
}

/** An input with another budget of an island for a reason; undefined: with none. Those for other reasons stay. */
function withBudget(input: PlanInput, name: string, reason: DisruptionReason, hosts: number | undefined): PlanInput {
  const change = (island: Island): Island => {
    const others = (island.disruptionBudgets ?? []).flatMap((budget): DisruptionBudget[] => {
      const reasons = (budget.reasons ?? DISRUPTION_REASONS).filter((one) => one !== reason);
      return reasons.length === 0 ? [] : [{ ...budget, reasons }];
    });
    const own = hosts === undefined ? [] : [{ hosts, reasons: [reason] }];
    return { ...island, disruptionBudgets: [...others, ...own] };
  };
  const islands = input.fleet.islands.map((island) => (island.name === name ? change(island) : island));
  return { ...input, fleet: { ...input.fleet, islands } };
}

/** What budgets come to in an opening, as a part of a plan; nothing where none is declared. */
export function budgetRows(
  input: Pick<PlanInput, "spec" | "fleet">,
  opening: Opening | undefined,
): Pick<MigrationPlan, "budgetsInEffect"> {
  const rows = budgetsInEffect(input, opening);
  return rows.length === 0 ? {} : { budgetsInEffect: rows };
}

/** How many hosts of each island with budgets may be disrupted at once in an opening, and what says so. */
function budgetsInEffect(
  { spec, fleet }: Pick<PlanInput, "spec" | "fleet">,
  opening: Opening | undefined,
): readonly BudgetInEffect[] {
  return fleet.islands.flatMap((island) =>
    reasonsOf(spec).flatMap((reason): BudgetInEffect[] => {
      if (!strictestBudget(island, reason)) return [];
      const [first, ...others] = boundsOf(island, reason, spec.limits, opening).sort((a, b) => a.hosts - b.hosts);
      if (!first) return [];
      const { hosts, text } = first;
      return [{ island: island.name, reason, hosts, strictest: text, others: others.map((other) => other.text) }];
    }),
  );
}

interface Bound {
  readonly hosts: number;
  readonly text: string;
}

function boundsOf(
  island: Island,
  reason: DisruptionReason,
  limits: PlanInput["spec"]["limits"],
  opening: Opening | undefined,
): Bound[] {
  const count = island.hosts.length;
  const budgets = (island.disruptionBudgets ?? []).flatMap((budget): Bound[] => {
    const own = strictestBudget({ hosts: island.hosts, disruptionBudgets: [budget] }, reason);
    return own ? [{ hosts: own.hosts, text: `its budget of ${renderBudget(budget, count)}` }] : [];
  });
  const of = (name: "hostsAtOnce" | "hostsPerIsland", from: Opening["limits"], whose: string): Bound[] => {
    const hosts = from?.[name];
    return hosts === undefined ? [] : [{ hosts, text: `${name} ${String(hosts)}${whose}` }];
  };
  const calendar = opening ? ` of ${opening.window}` : "";
  return [
    ...budgets,
    ...of("hostsPerIsland", limits, ""),
    ...of("hostsAtOnce", limits, ""),
    ...of("hostsPerIsland", opening?.limits, calendar),
    ...of("hostsAtOnce", opening?.limits, calendar),
  ];
}
