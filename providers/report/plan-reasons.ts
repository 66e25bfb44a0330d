/** Sections of the plan page that explain: what it costs and what would cost less, and what a rebalance evens out. */
import { formatDurationShort, type MigrationPlan } from "../../sdk/model";
import { section, table, type Section } from "./html/page";

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
  return [
    section("Balance", rows, `Highest load in the hours ahead, of what the island has there. ${balance.reason}.`),
  ];
}
