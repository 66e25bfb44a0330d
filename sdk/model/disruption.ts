/**
 * Disruption budgets: how many hosts of an island are disrupted at once, by what for. Of several the strictest wins.
 *
 * Not for: copies of a workload that may be unavailable (`Workload.maxUnavailable`), and limits of the update as a whole
 * (`LimitsSpec`); those hold as well.
 */
import type { Fleet, Island } from "./fleet";
import type { HostUpdateSpec } from "./policy";
import { formatPercentage } from "./units";

/**
 * What hosts are disrupted for: an update takes a host out of service, or copies leave it to make room for others; a
 * rebalance and a failback let copies leave it.
 */
export const DISRUPTION_REASONS = ["update", "rebalance", "failback"] as const;
export type DisruptionReason = (typeof DISRUPTION_REASONS)[number];

/** At most so many of an island's hosts at once. */
export interface DisruptionBudget {
  /** A number of hosts, or a share of the island's own ones, 0..1, rounded down. */
  readonly hosts: number | { readonly share: number };
  /** Absent: all of them. */
  readonly reasons?: readonly DisruptionReason[];
}

/** The strictest budget of an island for a reason. */
export interface StrictestBudget {
  readonly hosts: number;
  readonly budget: DisruptionBudget;
}

/** Hosts that the strictest of an island's budgets for a reason lets be disrupted at once; undefined where none is declared. */
export function strictestBudget(
  { disruptionBudgets = [], hosts }: Pick<Island, "disruptionBudgets" | "hosts">,
  reason: DisruptionReason,
): StrictestBudget | undefined {
  let strictest: StrictestBudget | undefined;
  for (const budget of disruptionBudgets) {
    if (budget.reasons?.includes(reason) === false) continue;
    const count = hostsOfBudget(budget, hosts.length);
    if (strictest === undefined || count < strictest.hosts) strictest = { hosts: count, budget };
  }
  return strictest;
}

/** What a share of hosts is missing by being no binary fraction: 29% of 100 hosts are 29. */
const ROUNDING = 1e-9;

/** The number of hosts that a budget comes to in an island of so many. */
function hostsOfBudget({ hosts }: DisruptionBudget, count: number): number {
  return typeof hosts === "number" ? hosts : Math.floor(hosts.share * count + ROUNDING);
}

/** What a spec's runs disrupt hosts for. */
export function reasonsOf(spec: Pick<HostUpdateSpec, "rebalance">): readonly DisruptionReason[] {
  return spec.rebalance ? ["rebalance"] : ["update", "failback"];
}

/** A budget as it was declared, with what a share comes to: `10% of 12 hosts for update, failback`. */
export function renderBudget({ hosts, reasons }: DisruptionBudget, count: number): string {
  const most = typeof hosts === "number" ? String(hosts) : formatPercentage(hosts.share);
  return `${most} of ${String(count)} hosts${reasons ? ` for ${reasons.join(", ")}` : ""}`;
}

/** By island and reason: how many hosts budgets let be disrupted at once. Empty where no budget is declared. */
export type HostsByReason = Readonly<Record<string, Readonly<Partial<Record<DisruptionReason, number>>>>>;

/** The strictest budgets of a spec's islands for what its runs do. */
export function strictestBudgets(spec: Pick<HostUpdateSpec, "rebalance" | "islands">, fleet: Fleet): HostsByReason {
  const names = new Set(spec.islands.map(({ name }) => name));
  const entries = fleet.islands.flatMap((island) => {
    if (!names.has(island.name)) return [];
    const own = reasonsOf(spec).flatMap((reason) => {
      const strictest = strictestBudget(island, reason);
      return strictest ? [[reason, strictest.hosts] as const] : [];
    });
    return own.length === 0 ? [] : [[island.name, Object.fromEntries(own)] as const];
  });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** How many hosts of an island may be disrupted at once for a reason in a plan, and what says so. */
export interface BudgetInEffect {
  readonly island: string;
  readonly reason: DisruptionReason;
  readonly hosts: number;
  /** What is the strictest: a budget, or a limit of the update or of a calendar. */
  readonly strictest: string;
  /** What else bounds it, each wider or as strict. */
  readonly others: readonly string[];
}

/** A budget in effect as `2 of its hosts at once, by 10% of 24 hosts; wider: hostsAtOnce 4`. */
export function renderBudgetInEffect({ hosts, strictest, others }: BudgetInEffect): string {
  const least = hosts === 0 ? "no host" : `${String(hosts)} host${hosts === 1 ? "" : "s"} at once`;
  return `${least}, by ${strictest}${others.length === 0 ? "" : `; no stricter: ${others.join(", ")}`}`;
}
