/** Sections of the plan page that explain: what it costs and what would cost less, and what a rebalance evens out. */
import { formatDurationShort, type MigrationPlan } from "../../sdk/model";
import { badge, section, table, type Section } from "./html/page";

/** The cost by item and by wave, and cheaper plans; empty for plans that cost nothing. */
export function costSections({ cost }: MigrationPlan): Section[] {
  const { items = [], waves = [], cheaper = [], currency = "" } = cost;
  if (items.length === 0) return [];
  const money = (amount: number | undefined): string =>
    amount === undefined ? "no price" : `${amount.toFixed(2)} ${currency}`;
  const byWave = table({
    caption: "Cost by wave",
    columns: ["Wave", ...items.map(({ kind, unit }) => `${kind}, ${unit}`), "Amount"],
    rows: [
      ...waves.map((wave) => [
        String(wave.wave),
        ...items.map(({ kind }) => String(wave.items.find((item) => item.kind === kind)?.quantity ?? 0)),
        money(wave.amount),
      ]),
      ["all", ...items.map(({ quantity }) => String(quantity)), money(cost.amount)],
    ],
    numeric: [...items.map(({ kind, unit }) => `${kind}, ${unit}`), "Amount"],
  });
  const sections = [section("Cost", byWave, cost.note)];
  if (cheaper.length === 0) return sections;
  const others = table({
    caption: "Cheaper plans",
    columns: ["Change", "Amount", "Less", "Takes", "Reserve"],
    rows: cheaper.map((one) => [
      one.change,
      money(one.amount),
      money(one.saves),
      `${formatDurationShort(one.total.p50Ms)} (P95 ${formatDurationShort(one.total.p95Ms)})`,
      String(one.reserveHosts),
    ]),
    numeric: ["Amount", "Less", "Reserve"],
  });
  return [...sections, section("Cheaper plans", others, "Each was found by planning again with that one change.")];
}

/** Load of each host before and after the moves of a rebalance. */
export function balanceSections({ balance }: MigrationPlan): Section[] {
  if (!balance) return [];
  const percent = (share: number): string => `${String(Math.round(share * 100))} %`;
  const rows = table({
    caption: "Load of hosts before and after",
    columns: ["Host", "Island", "Before", "After"],
    rows: balance.rows.map(({ host, island, before, after }) => [host, island, percent(before), percent(after)]),
    numeric: ["Before", "After"],
  });
  const { uses = [], shares = [] } = balance;
  const used = table({
    caption: "Over-used and hardly used hosts and islands",
    columns: ["What", "Name", "Use", "Before", "After"],
    rows: uses.map(({ kind, name, state, before, after }) => [
      kind,
      name,
      badge(state, state === "over" ? "bad" : "plain"),
      percent(before),
      percent(after),
    ]),
    numeric: ["Before", "After"],
  });
  const changes = table({
    caption: "Shares with which what one island frees is another one's",
    columns: ["Host", "Island", "Share", "Would do", "Needs"],
    rows: shares.map(({ host, island, from, to, needed }) => [
      host,
      island,
      percent(from),
      percent(to),
      percent(needed),
    ]),
    numeric: ["Share", "Would do", "Needs"],
  });
  return [
    ...(uses.length > 0
      ? [section("Over- and under-used", used, "Over the target, or below half of it at the highest.")]
      : []),
    section("Balance", rows, `Highest load in the hours ahead, of what the island has there. ${balance.reason}.`),
    ...(shares.length > 0
      ? [section("Shares", changes, "Nothing changes shares by itself: declare them as guarantee.cpu.")]
      : []),
  ];
}
