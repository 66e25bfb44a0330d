/** Arguments about how many hosts of an island are disrupted at once. */
import { DISRUPTION_REASONS, type DisruptionBudget, type DisruptionReason } from "../model";
import { list, object, oneOf, optional, percentage, required, wholeNumber, type Rule } from "./rules";

/** At most so many of an island's hosts at once, as in disruption budgets of Karpenter's node pools. */
export interface DisruptionBudgetArgs {
  /**
   * A number of hosts, or a share of the island's own ones like "10%", rounded down. With 0 nothing begins for these
   * reasons.
   */
  hosts: number | string;
  /**
   * What hosts are disrupted for: an `update` takes one out of service, in a `rebalance` and a `failback` copies leave it.
   * @default all of them
   */
  reasons?: ("update" | "rebalance" | "failback")[];
}

const MOST_HOSTS = 100_000;
const countOfHosts = wholeNumber(0, MOST_HOSTS);

const hosts: Rule<DisruptionBudget["hosts"]> = (value, field, mistakes) => {
  if (typeof value !== "string") return countOfHosts(value, field, mistakes);
  const share = percentage(value, field, mistakes);
  return share === undefined ? undefined : { share };
};

const reasons: Rule<readonly DisruptionReason[]> = (value, field, mistakes) => {
  const before = mistakes.length;
  const known = list(oneOf(DISRUPTION_REASONS), 1)(value, field, mistakes);
  known?.forEach((reason, index) => {
    if (known.indexOf(reason) === index) return;
    mistakes.push({
      field: `${field}[${String(index)}]`,
      value: reason,
      rule: "is there twice",
      remedy: "leave it out",
    });
  });
  return mistakes.length > before ? undefined : known;
};

const budget = object({
  hosts: required(hosts, 'say how many, like 2 or "10%"'),
  reasons: optional(reasons, undefined),
});

/** Budgets of an island. */
export const disruptionBudgets: Rule<readonly DisruptionBudget[]> = (value, field, mistakes) =>
  list(budget, 1)(value, field, mistakes)?.map(({ hosts: most, reasons: what }) => ({
    hosts: most,
    ...(what ? { reasons: what } : {}),
  }));
