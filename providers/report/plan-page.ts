/** The HTML page of a plan: what will happen, when, why, and what stands in its way. */
import {
  formatDurationShort,
  isMovesOnly,
  renderBudgetInEffect,
  renderOpening,
  renderReserveLevels,
  stageRow,
  type Envelope,
  type Forecast,
  type HostUpdateSpec,
  type MigrationPlan,
  tightestIsland,
  type StageGate,
  type UpdateWay,
  type Wave,
  type Workload,
} from "../../sdk/model";
import { markup, type Markup } from "./html/markup";
import {
  alarm,
  badge,
  MOST_ROWS,
  plainList,
  renderPage,
  section,
  table,
  type Page,
  type Section,
  type Tile,
} from "./html/page";
import { countOf, listOf } from "./html/words";
import { demandCharts, timelineChart } from "./plan-charts";
import { decisionSections } from "./plan-decisions";
import { demandSections } from "./plan-demand";
import { linkSections } from "./plan-links";
import { balanceSections, costSections } from "./plan-reasons";
import { createTimesOf, type Network } from "./step-times";
import { forecastSections } from "./workload-forecasts";

/** What a page may show beside the plan. */
export interface PlanPageParts extends Partial<Pick<Page, "tiles" | "sections">> {
  /** Of the plan: with it the load of links is shown, and which island's demand is whose. */
  readonly fleet?: Network & { readonly workloads?: readonly Pick<Workload, "name" | "island">[] };
}

/**
 * Renders the page of a plan. Equal arguments give equal pages. Tiles and sections are those of simulated runs of it.
 */
export function renderPlanPage(
  spec: HostUpdateSpec,
  plan: MigrationPlan,
  forecast: Forecast,
  { tiles = [], sections: simulated = [], fleet }: PlanPageParts = {},
): string {
  const timezone = spec.windows[0]?.timezone ?? "UTC";
  const timesOf = createTimesOf(fleet);
  const sections: Section[] = [];
  if (plan.blockers.length > 0) sections.push(blockers(plan));
  if (plan.warnings.length > 0) sections.push(section("Warnings", plainList(plan.warnings)));
  if (plan.stages) sections.push(stages(plan.stages, timezone));
  if (plan.waves.length > 0) {
    sections.push(
      section(
        "Timeline",
        timelineChart(plan, timezone, timesOf),
        "Planned at the median, steps within a wave in their order; times inside the approved envelope may shift.",
      ),
      section(
        "Demand and capacity",
        demandCharts(plan, forecast, timezone, fleet?.workloads),
        "Quantiles of joint sample paths: the dependence between workloads is kept.",
      ),
      ...linkSections(plan, fleet, timesOf, timezone),
      waves(plan, timezone),
    );
  }
  sections.push(...decisionSections(plan, timezone));
  sections.push(
    ...balanceSections(plan),
    ...costSections(plan),
    ...simulated,
    ...forecastSections(forecast.bands, timezone),
    ...demandSections(forecast, timezone),
  );
  if (plan.skipped.length > 0) sections.push(skipped(plan));
  sections.push(calendar(plan, timezone), approval(spec, plan));
  return renderPage({
    title: `Plan of ${spec.name}`,
    state: stateOf(plan),
    answer: answer(plan, timezone),
    meta: `${plan.envelope.update}. Times in ${timezone}.`,
    tiles: [...planTiles(plan, timezone), ...tiles],
    sections,
    footer: `Envelope ${plan.digest}. Made by a preview, which changes nothing.${isLarge(plan) ? LARGE_NOTE : ""}`,
  });
}

/** Tables and lists show a part of a plan that moves more than they have room for. */
function isLarge({ waves }: MigrationPlan): boolean {
  return waves.reduce((sum, { moves }) => sum + moves.length, 0) > MOST_ROWS;
}

const LARGE_NOTE =
  " Tables and charts show a part of a plan as large as this: `archipelago plan --workload NAME` shows all about one workload, `--explain` every decision.";

function stateOf({ decision }: MigrationPlan): Page["state"] {
  const states = {
    run: { word: "ready", tone: "good" },
    nothing: { word: "nothing to do", tone: "plain" },
    blocked: { word: "blocked", tone: "bad" },
  } as const;
  return states[decision];
}

function answer(plan: MigrationPlan, timezone: string): string {
  if (plan.balance && plan.decision !== "blocked")
    return `${plan.waves.length === 0 ? "Nothing is moved now" : "Copies are moved"}: ${plan.balance.reason}.`;
  if (plan.decision === "nothing") return "Nothing to do: every host is already as wanted.";
  if (plan.decision === "blocked")
    return `Nothing will start: ${countOf(plan.blockers.length, "reason")} ${plan.blockers.length === 1 ? "blocks" : "block"} it, each with a fix below.`;
  const start = plan.waves[0]?.startMs ?? plan.slotMs;
  const when = new Intl.DateTimeFormat("en-GB", {
    timeZone: timezone,
    weekday: "short",
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  }).format(start);
  return (
    `Updates ${countOf(hostCount(plan), "host")} in ${countOf(waveCount(plan), "wave")}, starting ${when}; ` +
    `takes about ${formatDurationShort(plan.total.p50Ms)}. No service falls below its budget.`
  );
}

function hostCount(plan: MigrationPlan): number {
  return plan.waves.filter((wave) => !isMovesOnly(wave)).reduce((sum, wave) => sum + wave.hosts.length, 0);
}

function waveCount(plan: MigrationPlan): number {
  return plan.waves.filter((wave) => !isMovesOnly(wave)).length;
}

function planTiles(plan: MigrationPlan, timezone: string): Tile[] {
  // Numbers of a run that there is none of would look like good news.
  if (plan.waves.length === 0) return blockedTiles(plan);
  const worst = Math.max(0, ...plan.waves.map(({ overCapacityShare }) => overCapacityShare));
  const allowed = 1 - plan.envelope.confidence;
  return [
    { label: "Hosts to update", value: String(hostCount(plan)), detail: `${String(plan.skipped.length)} left out` },
    {
      label: "Waves",
      value: String(waveCount(plan)),
      detail: `at most ${countOf(plan.envelope.hostsAtOnce, "host")} at once`,
    },
    { label: "Moves", value: String(plan.waves.reduce((sum, wave) => sum + wave.moves.length, 0)) },
    {
      label: "Takes about",
      value: formatDurationShort(plan.total.p50Ms),
      detail: `19 times of 20 below ${formatDurationShort(plan.total.p95Ms)}`,
    },
    {
      label: "Chance of too little capacity",
      value: `${(worst * 100).toFixed(1)} %`,
      detail: `allowed ${(allowed * 100).toFixed(1)} %`,
      tone: worst > allowed ? "bad" : "good",
    },
    {
      label: "Reserve",
      value: countOf(plan.reserve.hosts.length, "host"),
      detail: [...renderReserveLevels(plan, timezone), plan.cost.note].join("; "),
    },
  ];
}

function blockedTiles({ decision, blockers: reasons, hostDecisions = [], skipped: left }: MigrationPlan): Tile[] {
  if (decision !== "blocked") return [{ label: "Hosts left as they are", value: String(left.length) }];
  const blocked = hostDecisions.filter(({ action }) => action === undefined).length;
  return [
    { label: "Reasons that block it", value: String(reasons.length), tone: "bad" },
    { label: "Hosts that wait for it", value: String(blocked), detail: `${String(left.length)} left out` },
  ];
}

function blockers(plan: MigrationPlan): Section {
  return alarm(
    "What blocks it",
    table({
      caption: "Reasons that keep the plan from starting",
      columns: ["Where", "What", "Why", "Fix"],
      rows: plan.blockers.map(({ code, subject, reason, fix, conflict = [] }) => [
        subject,
        badge(code, "bad"),
        conflict.length < 2 ? reason : markup`${reason}<br>Not together: ${conflict.join("; ")}`,
        fix,
      ]),
      stacks: true,
    }),
    "Nothing starts while one of these holds.",
  );
}

function waves(plan: MigrationPlan, timezone: string): Section {
  const time = new Intl.DateTimeFormat("en-GB", { timeZone: timezone, hour: "2-digit", minute: "2-digit" });
  return section(
    "Waves",
    table({
      caption: "Waves with their times, hosts and capacity",
      columns: ["Wave", "Kind", "Start", "End", "End, P95", "Hosts", "Moves", "Demand / capacity", "Risk"],
      rows: plan.waves.map((wave) => [
        String(wave.index),
        wave.kind,
        time.format(wave.startMs),
        time.format(wave.endMs),
        time.format(wave.endP95Ms),
        listOf(wave.hosts),
        String(wave.moves.length),
        renderRoom(wave),
        `${(wave.overCapacityShare * 100).toFixed(1)} %`,
      ]),
      numeric: ["Moves", "Demand / capacity", "Risk"],
    }),
    "Risk: the chance that demand exceeds what is in service during the wave.",
  );
}

function renderRoom(wave: Wave): string {
  const cores = (cpuMillis: number): string => (cpuMillis / 1000).toFixed(1);
  const island = tightestIsland(wave);
  const whose = island === undefined ? "" : ` of ${island}`;
  return `${cores(wave.demandCpuMillis)} / ${cores(wave.capacityCpuMillis)} cores${whose}`;
}

function skipped(plan: MigrationPlan): Section {
  return section(
    "Hosts left out",
    table({
      caption: "Hosts that are not updated, with the reason",
      columns: ["Host", "Why"],
      rows: plan.skipped.map(({ host, reason }) => [host, reason]),
    }),
  );
}

/** What goes before, and how it stands. */
function stages(gates: readonly StageGate[], timezone: string): Section {
  return section(
    "Stages before it",
    table({
      caption: "Updates that go before this one",
      columns: ["Update", "How it stands", "State"],
      rows: gates.map((gate) => [
        gate.stage,
        stageRow(gate, timezone),
        gate.kind === "stopped" ? badge("stopped", "bad") : badge(gate.kind, gate.kind === "done" ? "good" : "plain"),
      ]),
    }),
    "Nothing starts before all of them are done and were watched; a stage that fails stops what comes after it.",
  );
}

function calendar(plan: MigrationPlan, timezone: string): Section {
  return section(
    "Next openings",
    plan.nextOpenings.length === 0
      ? markup`<p>None: no window opens any more.</p>`
      : plainList(plan.nextOpenings.map((opening) => renderOpening(opening, timezone))),
  );
}

/** How many hosts of an island may be disrupted at once, and what is the strictest. */
function budgetRows({ budgetsInEffect = [] }: MigrationPlan): readonly (readonly [string, string])[] {
  return budgetsInEffect.map((budget) => [
    `Hosts of ${budget.island} at once for ${budget.reason}`,
    renderBudgetInEffect(budget),
  ]);
}

/** How hosts are updated, and back. */
function wayRows({ update }: HostUpdateSpec, { ways }: Envelope): readonly (readonly [string, Markup | string])[] {
  const { command, image, undo } = update;
  const hostsOf = (way: UpdateWay): string => {
    const hosts = Object.entries(ways ?? {}).flatMap(([host, taken]) => (taken === way ? [host] : []));
    return hosts.length === 0 ? "no host" : listOf(hosts);
  };
  const inPlace: readonly (readonly [string, Markup | string])[] =
    command === undefined
      ? []
      : [
          ["Command", markup`<code>${command}</code>`],
          ...(ways ? [["Updated in place", hostsOf("in-place")] as const] : []),
          [
            ways ? "Way back in place" : "Way back",
            undo === undefined ? "none: declared irreversible" : markup`<code>${undo}</code>`,
          ],
        ];
  const replaced: readonly (readonly [string, Markup | string])[] =
    image === undefined
      ? []
      : [
          ["Replacement by image", markup`<code>${image}</code>`],
          ...(ways ? [["Replaced", hostsOf("replacement")] as const] : []),
          [
            ways ? "Way back of those replaced" : "Way back",
            "the old machine, kept until the new one has been watched",
          ],
        ];
  return [...inPlace, ...replaced];
}

function approval(spec: HostUpdateSpec, plan: MigrationPlan): Section {
  const { envelope } = plan;
  const budgets = Object.entries(envelope.budgets).map(([workload, count]) => `${workload} ${String(count)}`);
  const pauses = Object.entries(envelope.maxPauseMs).map(([name, ms]) => `${name} ${formatDurationShort(ms)}`);
  return section(
    "What is approved",
    table({
      caption: "The limits that an approval covers",
      columns: ["What", "Limit"],
      rows: [
        ...wayRows(spec, envelope),
        ["Hosts", listOf(envelope.hosts)],
        ["Copies down", budgets.length === 0 ? "none" : `at most ${listOf(budgets)}`],
        ["Pauses", pauses.length === 0 ? "none" : `at most ${listOf(pauses)}`],
        [
          "Hosts at once",
          [
            `${String(envelope.hostsAtOnce)}, per zone ${String(envelope.hostsPerZone)}`,
            ...(envelope.hostsPerRack === undefined ? [] : [`per rack ${String(envelope.hostsPerRack)}`]),
            ...(envelope.hostsPerIsland === undefined ? [] : [`per island ${String(envelope.hostsPerIsland)}`]),
            `first ${String(envelope.canaryHosts)}`,
          ].join(", "),
        ],
        ...budgetRows(plan),
        ["Reserve", `at most ${countOf(envelope.maximumReserveHosts, "host")}`],
        ["Confidence", `${String(envelope.confidence * 100)} %`],
        ["Windows", envelope.windows.join(", ")],
        ...(envelope.after ? [["After", envelope.after.join("; ")]] : []),
        ["Digest", markup`<code>${plan.digest}</code>`],
      ],
    }),
    "The schedule may be planned again inside these limits; leaving them stops the run.",
  );
}
