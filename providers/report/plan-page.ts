/** The HTML page of a plan: what will happen, when, why, and what stands in its way. */
import {
  formatDurationShort,
  renderOpening,
  type Forecast,
  type HostUpdateSpec,
  type MigrationPlan,
  type Move,
  type Wave,
} from "../../sdk/model";
import { lanesChart, legend, lineChart, paletteColor, type Bar, type TimeSpan } from "./html/charts";
import { markup, type Markup, type MarkupValue } from "./html/markup";
import { badge, renderPage, section, table, tiles } from "./html/page";
import { totalDemand } from "./joint-band";

const MINUTE_MS = 60_000;
const COLORS = { out: "var(--warn)", receives: "var(--c2)", soak: "var(--c5)" } as const;

/** Renders the page of a plan. Equal arguments give equal pages. */
export function renderPlanPage(spec: HostUpdateSpec, plan: MigrationPlan, forecast: Forecast): string {
  const timezone = spec.windows[0]?.timezone ?? "UTC";
  const parts: MarkupValue[] = [header(spec, plan), summaryTiles(plan)];
  if (plan.blockers.length > 0) parts.push(blockers(plan));
  if (plan.waves.length > 0)
    parts.push(timeline(plan, timezone), demand(plan, forecast, timezone), waves(plan, timezone), moves(plan));
  if (plan.skipped.length > 0) {
    parts.push(
      section(
        "Hosts left out",
        table(
          ["Host", "Why"],
          plan.skipped.map(({ host, reason }) => [host, reason]),
        ),
      ),
    );
  }
  parts.push(calendar(plan, timezone), approval(spec, plan));
  return renderPage(`Plan of ${spec.name}`, parts);
}

function header(spec: HostUpdateSpec, plan: MigrationPlan): Markup {
  const state = { run: ["ready", "good"], nothing: ["nothing to do", "plain"], blocked: ["blocked", "bad"] } as const;
  const [word, tone] = state[plan.decision];
  return markup`<header><h1>Plan of ${spec.name} ${badge(word, tone)}</h1>
<p>${plan.envelope.update}</p></header>`;
}

function summaryTiles(plan: MigrationPlan): Markup {
  const hosts = plan.waves.filter(({ kind }) => kind !== "failback").reduce((sum, wave) => sum + wave.hosts.length, 0);
  const worst = Math.max(0, ...plan.waves.map(({ overCapacityShare }) => overCapacityShare));
  return tiles([
    { label: "Hosts to update", value: String(hosts), detail: `${String(plan.skipped.length)} left out` },
    { label: "Waves", value: String(plan.waves.filter(({ kind }) => kind !== "failback").length) },
    { label: "Moves", value: String(plan.waves.reduce((sum, wave) => sum + wave.moves.length, 0)) },
    {
      label: "Takes about",
      value: formatDurationShort(plan.total.p50Ms),
      detail: `P95 ${formatDurationShort(plan.total.p95Ms)}`,
    },
    {
      label: "Chance of too little capacity",
      value: `${(worst * 100).toFixed(1)} %`,
      detail: `allowed ${((1 - plan.envelope.confidence) * 100).toFixed(1)} %`,
      tone: worst > 1 - plan.envelope.confidence ? "bad" : "good",
    },
    {
      label: "Reserve",
      value: `${String(plan.reserve.hosts.length)} host${plan.reserve.hosts.length === 1 ? "" : "s"}`,
      detail: plan.cost.note,
    },
  ]);
}

function blockers(plan: MigrationPlan): Markup {
  return section(
    "What blocks it",
    table(
      ["What", "Where", "Why", "Fix"],
      plan.blockers.map(({ code, subject, reason, fix }) => [badge(code, "bad"), subject, reason, fix]),
    ),
    "Nothing starts while one of these holds.",
  );
}

function timeline(plan: MigrationPlan, timezone: string): Markup {
  const hosts = [
    ...new Set(
      plan.waves.flatMap((wave) => [
        ...wave.hosts,
        ...wave.moves.flatMap(({ from, to }) => (to ? [from, to] : [from])),
      ]),
    ),
  ].sort();
  const lanes = hosts.map((host) => ({ name: host, bars: plan.waves.flatMap((wave) => barsOf(host, wave)) }));
  return section(
    "Timeline",
    [
      legend([
        { name: "out of service, updated", color: COLORS.out },
        { name: "receives copies", color: COLORS.receives },
        { name: "gives copies back", color: COLORS.soak },
      ]),
      lanesChart("Hosts over the time of the plan", spanOf(plan), lanes, timezone),
    ],
    "Planned at the median; times inside the approved envelope may shift.",
  );
}

function barsOf(host: string, wave: Wave): Bar[] {
  const label = `wave ${String(wave.index)} (${wave.kind})`;
  const span = { startMs: wave.startMs, endMs: wave.endMs };
  if (wave.kind !== "failback" && wave.hosts.includes(host))
    return [{ ...span, label: `${label}: updated`, color: COLORS.out }];
  const coming = wave.moves.filter(({ to }) => to === host);
  if (coming.length > 0) {
    return [
      {
        ...span,
        label: `${label}: receives ${coming.map(({ workload }) => workload).join(", ")}`,
        color: COLORS.receives,
      },
    ];
  }
  return wave.moves.some(({ from }) => from === host)
    ? [{ ...span, label: `${label}: gives copies back`, color: COLORS.soak }]
    : [];
}

function demand(plan: MigrationPlan, forecast: Forecast, timezone: string): Markup {
  const points = totalDemand(forecast.demand);
  const span = spanOf(plan);
  const capacity = plan.waves.flatMap((wave) => [
    { x: wave.startMs, y: wave.capacityCpuMillis / 1000 },
    { x: wave.endMs, y: wave.capacityCpuMillis / 1000 },
  ]);
  const wide: TimeSpan = {
    startMs: span.startMs,
    endMs: Math.max(span.endMs, span.startMs + 6 * forecast.demand.stepMs),
  };
  const shown = points.filter(({ atMs }) => atMs >= wide.startMs - forecast.demand.stepMs && atMs <= wide.endMs);
  return section(
    "Demand and capacity",
    [
      lineChart(
        "Forecast demand of all workloads beside the capacity left in each wave",
        wide,
        {
          bands: [
            {
              name: "demand, P5 to P95",
              color: "var(--c1)",
              points: shown.map(({ atMs, low, high }) => ({ x: atMs, low: low / 1000, high: high / 1000 })),
            },
          ],
          lines: [
            {
              name: "demand, median",
              color: "var(--c1)",
              points: shown.map(({ atMs, median }) => ({ x: atMs, y: median / 1000 })),
            },
            { name: "capacity in service", color: "var(--good)", stepped: true, points: capacity },
          ],
        },
        "cores",
        timezone,
      ),
      forecast.bands.length > 0 &&
        table(
          ["Workload", "Model", "Notes"],
          forecast.bands.map(({ id, model, notes }) => [id, model, notes.join("; ")]),
        ),
    ],
    "Quantiles of joint sample paths: the dependence between workloads is kept.",
  );
}

function waves(plan: MigrationPlan, timezone: string): Markup {
  const time = (ms: number): string =>
    new Intl.DateTimeFormat("en-GB", { timeZone: timezone, hour: "2-digit", minute: "2-digit" }).format(ms);
  return section(
    "Waves",
    table(
      ["Wave", "Kind", "Start", "End", "End P95", "Hosts", "Moves", "Demand / capacity", "Risk"],
      plan.waves.map((wave) => [
        String(wave.index),
        wave.kind,
        time(wave.startMs),
        time(wave.endMs),
        time(wave.endP95Ms),
        wave.hosts.join(", "),
        String(wave.moves.length),
        `${(wave.demandCpuMillis / 1000).toFixed(1)} / ${(wave.capacityCpuMillis / 1000).toFixed(1)} cores`,
        `${(wave.overCapacityShare * 100).toFixed(1)} %`,
      ]),
      ["Wave", "Moves", "Demand / capacity", "Risk"],
    ),
  );
}

function moves(plan: MigrationPlan): Markup {
  return section(
    "Moves",
    plan.waves
      .filter(({ moves: list }) => list.length > 0)
      .map(
        (wave) => markup`<h3>Wave ${wave.index}: ${wave.kind} ${wave.hosts.join(", ")}</h3>
${table(
  ["Copy", "From", "To", "How", "Why", "Scores"],
  wave.moves.map((move) => [
    move.replica,
    move.from,
    move.to ?? "(back to the same host)",
    move.method,
    move.reason,
    scores(move),
  ]),
)}`,
      ),
    "Every target with its score; the parts add up to it.",
  );
}

function scores(move: Move): Markup {
  return markup`<details><summary>${move.scores.length} targets</summary><ul class="plain">${move.scores.map(
    ({ host, score, parts, rejected }, index) =>
      markup`<li><span style="color:${paletteColor(0)}">${host}</span> ${
        rejected ??
        `${score.toFixed(2)} = ${Object.entries(parts)
          .map(([name, value]) => `${name} ${value.toFixed(2)}`)
          .join(" + ")}${index === 0 ? " (chosen)" : ""}`
      }</li>`,
  )}</ul></details>`;
}

function calendar(plan: MigrationPlan, timezone: string): Markup {
  return section(
    "Next openings",
    plan.nextOpenings.length === 0
      ? markup`<p>None: no window opens any more.</p>`
      : markup`<ul class="plain">${plan.nextOpenings.map((opening) => markup`<li>${renderOpening(opening, timezone)}</li>`)}</ul>`,
    `Times in ${timezone}.`,
  );
}

function approval(spec: HostUpdateSpec, plan: MigrationPlan): Markup {
  const { envelope } = plan;
  const budgets = Object.entries(envelope.budgets).map(([workload, count]) => `${workload} ${String(count)}`);
  return section(
    "What is approved",
    table(
      ["What", "Limit"],
      [
        ["Command", markup`<code>${spec.update.command}</code>`],
        [
          "Way back",
          spec.update.undo === undefined ? "none: declared irreversible" : markup`<code>${spec.update.undo}</code>`,
        ],
        ["Hosts", envelope.hosts.join(", ")],
        ["Unavailable copies at most", budgets.join(", ")],
        [
          "Hosts at once",
          `${String(envelope.hostsAtOnce)}, per zone ${String(envelope.hostsPerZone)}, first ${String(envelope.canaryHosts)}`,
        ],
        ["Reserve at most", `${String(envelope.maximumReserveHosts)} hosts`],
        ["Confidence", `${String(envelope.confidence * 100)} %`],
        ["Windows", envelope.windows.join(", ")],
        ["Digest", markup`<code>${plan.digest}</code>`],
      ],
    ),
    "The schedule may be planned again inside these limits; leaving them stops the run.",
  );
}

function spanOf(plan: MigrationPlan): TimeSpan {
  const startMs = Math.min(...plan.waves.map((wave) => wave.startMs));
  const endMs = Math.max(...plan.waves.map((wave) => wave.endMs));
  return { startMs, endMs: Math.max(endMs, startMs + MINUTE_MS) };
}
