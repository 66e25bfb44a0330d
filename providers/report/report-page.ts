/** The HTML page of a finished run: what was measured, beside what was planned. */
import { formatDurationShort, renderFailure, type RunReport, type ServiceReport } from "../../sdk/model";
import { lanesChart, legend, lineChart, paletteColor, type Lane, type TimeSpan } from "./html/charts";
import { markup, type Markup, type MarkupValue } from "./html/markup";
import { badge, renderPage, section, table, tiles } from "./html/page";

/** How much of the forecast is shown after the end of a run: a short run alone would be a flat line. */
const SHOWN_AFTER_MS = 15 * 60_000;

const STEP_COLORS: Readonly<Record<string, { readonly name: string; readonly color: string }>> = {
  reserve: { name: "reserve", color: "var(--c6)" },
  release: { name: "reserve", color: "var(--c6)" },
  "start-copy": { name: "move", color: "var(--c2)" },
  admit: { name: "move", color: "var(--c2)" },
  drain: { name: "move", color: "var(--c2)" },
  "stop-copy": { name: "move", color: "var(--c2)" },
  "hand-over": { name: "hand-over", color: "var(--c3)" },
  cordon: { name: "cordon and snapshot", color: "var(--c5)" },
  uncordon: { name: "cordon and snapshot", color: "var(--c5)" },
  snapshot: { name: "cordon and snapshot", color: "var(--c5)" },
  update: { name: "update", color: "var(--warn)" },
  reboot: { name: "restart", color: "var(--c4)" },
  validate: { name: "validate and soak", color: "var(--good)" },
  soak: { name: "validate and soak", color: "var(--good)" },
};

/** Renders the page of a report; times in `timezone`. */
export function renderReportPage(report: RunReport, timezone: string): string {
  const span = { startMs: report.startMs, endMs: Math.max(report.endMs, report.startMs + 1000) };
  const parts: MarkupValue[] = [header(report), summaryTiles(report)];
  if (report.failure) {
    parts.push(
      section("Why it stopped", [
        markup`<pre>${renderFailure(report.failure)}</pre>`,
        markup`<p>${report.failure.remedy}</p>`,
      ]),
    );
  }
  if (report.violations.length > 0) {
    parts.push(
      section(
        "Broken promises",
        table(
          ["Rule", "What", "Where"],
          report.violations.map(({ rule, text, subject }) => [badge(rule, "bad"), text, subject]),
        ),
      ),
    );
  }
  if (report.problems.length > 0) {
    parts.push(
      section(
        "Left to look at",
        markup`<ul class="plain">${report.problems.map((problem) => markup`<li>${problem}</li>`)}</ul>`,
      ),
    );
  }
  parts.push(timeline(report, span, timezone));
  for (const service of report.services) parts.push(traffic(service, span, timezone, waveMarks(report)));
  if (report.pauses.length > 0) parts.push(pauses(report));
  parts.push(
    budgets(report, span, timezone),
    forecasts(report, timezone),
    hosts(report),
    decisions(report, timezone),
    small(report),
  );
  return renderPage(`Report of ${report.name}`, parts);
}

function header(report: RunReport): Markup {
  const tone = report.phase === "done" ? "good" : report.phase === "failed" ? "bad" : "warn";
  return markup`<header><h1>Report of ${report.name} ${badge(report.phase, tone)}</h1>
<p>${report.update}; run ${report.run}; engine ${report.engine}</p></header>`;
}

function summaryTiles(report: RunReport): Markup {
  const requests = report.services.reduce((sum, service) => sum + service.requests, 0);
  const failed = report.services.reduce((sum, service) => sum + service.failed, 0);
  const updated = report.hosts.filter(({ outcome }) => outcome === "updated").length;
  const longest = Math.max(0, ...report.pauses.map(({ pauseMs }) => pauseMs));
  const allowed = Math.max(0, ...report.pauses.map(({ maxPauseMs }) => maxPauseMs));
  return tiles([
    {
      label: "Hosts updated",
      value: `${String(updated)} of ${String(report.hosts.length)}`,
      tone: report.phase === "done" ? "good" : "bad",
    },
    {
      label: "Requests",
      value: requests.toLocaleString("en-US"),
      detail: `${String(failed)} failed`,
      tone: failed === 0 ? "good" : "bad",
    },
    {
      label: "Longest pause",
      value: report.pauses.length === 0 ? "none" : formatDurationShort(longest),
      ...(allowed > 0 ? { detail: `allowed ${formatDurationShort(allowed)}` } : {}),
      tone: longest <= allowed ? "good" : "bad",
    },
    {
      label: "Broken promises",
      value: String(report.violations.length),
      tone: report.violations.length === 0 ? "good" : "bad",
    },
    {
      label: "Took",
      value: formatDurationShort(report.endMs - report.startMs),
      detail: `planned ${formatDurationShort(report.plannedEndMs - report.startMs)}`,
    },
    {
      label: "Reserve",
      value: `${report.cost.actualHostHours.toFixed(2)} host hours`,
      detail: report.cost.planned.note,
    },
  ]);
}

function timeline(report: RunReport, span: TimeSpan, timezone: string): Markup {
  const lanes: Lane[] = [
    {
      name: "waves",
      bars: report.waves.map((wave) => ({
        ...waveSpan(report, wave.index, span),
        label: `wave ${String(wave.index)}: ${wave.kind}`,
        color: "var(--accent-soft)",
      })),
    },
    ...laneHosts(report).map((host) => ({
      name: host,
      bars: report.steps
        .filter((step) => step.hosts.includes(host))
        .map((step) => ({
          startMs: step.startMs,
          endMs: step.endMs,
          label: `${step.kind}${step.workload ? ` ${step.workload}` : ""} (${step.status})`,
          color: STEP_COLORS[step.kind]?.color ?? "var(--c5)",
          outline: step.status !== "done",
        })),
    })),
  ];
  const names = new Map(Object.values(STEP_COLORS).map((entry) => [entry.name, entry]));
  return section(
    "Timeline",
    [legend([...names.values()]), lanesChart("What happened on each host", span, lanes, timezone)],
    "One lane a host; outlined bars failed or were undone.",
  );
}

function traffic(
  service: ServiceReport,
  span: TimeSpan,
  timezone: string,
  marks: readonly { readonly atMs: number; readonly label: string }[],
): Markup {
  const points = (read: (bucket: ServiceReport["buckets"][number]) => number): { x: number; y: number }[] =>
    service.buckets.map((bucket) => ({ x: bucket.atMs, y: read(bucket) }));
  return section(
    `Traffic of ${service.service}`,
    [
      table(
        ["", "Requests", "P50", "P95", "P99", "Highest"],
        (
          [
            ["steady", service.steady],
            ["in the run", service.window],
          ] as const
        ).map(([label, summary]) => [
          label,
          summary.requests.toLocaleString("en-US"),
          `${summary.p50Ms.toFixed(1)} ms`,
          `${summary.p95Ms.toFixed(1)} ms`,
          `${summary.p99Ms.toFixed(1)} ms`,
          `${summary.maxMs.toFixed(0)} ms`,
        ]),
        ["Requests", "P50", "P95", "P99", "Highest"],
      ),
      markup`<h3>Requests and failures a second</h3>`,
      lineChart(
        `Requests of ${service.service}`,
        span,
        {
          lines: [
            { name: "requests", color: "var(--c1)", points: points(({ requests }) => requests) },
            { name: "failed", color: "var(--bad)", points: points(({ failed }) => failed) },
          ],
          marks,
        },
        "/s",
        timezone,
      ),
      markup`<h3>Latency</h3>`,
      lineChart(
        `Latency of ${service.service}`,
        span,
        {
          lines: [
            { name: "P50", color: "var(--c2)", points: points(({ p50Ms }) => p50Ms) },
            { name: "P99", color: "var(--c4)", points: points(({ p99Ms }) => p99Ms) },
          ],
          marks,
        },
        "ms",
        timezone,
      ),
    ],
    `${service.requests.toLocaleString("en-US")} requests, ${String(service.failed)} failed. Dashed lines: waves.`,
  );
}

function pauses(report: RunReport): Markup {
  return section(
    "Pauses",
    table(
      ["Workload", "Pause", "Allowed", "Requests parked", "Kept"],
      report.pauses.map(({ workload, pauseMs, maxPauseMs, parkedRequests }) => [
        workload,
        `${pauseMs.toFixed(0)} ms`,
        `${String(maxPauseMs)} ms`,
        String(parkedRequests),
        pauseMs <= maxPauseMs ? badge("yes", "good") : badge("no", "bad"),
      ]),
      ["Pause", "Allowed", "Requests parked"],
    ),
    "Hand-overs of exclusive workloads: requests wait, none is refused.",
  );
}

function budgets(report: RunReport, span: TimeSpan, timezone: string): Markup {
  const lines = report.budgets.map((budget, index) => ({
    name: `${budget.workload}: lowest headroom ${String(budget.lowestHeadroom)}`,
    color: paletteColor(index),
    stepped: true,
    points: [
      ...budget.points.map(({ atMs, available }) => ({ x: atMs, y: available - budget.required })),
      ...budget.points.slice(-1).map(({ available }) => ({ x: span.endMs, y: available - budget.required })),
    ],
  }));
  return section(
    "Budget headroom",
    lineChart("Available copies above what the budget asks for", span, { lines }, "copies", timezone),
    "Available copies above what each budget asks for; below 0 a promise is broken.",
  );
}

function forecasts(report: RunReport, timezone: string): Markup {
  return section(
    "Forecast and actual",
    report.forecasts.map(({ workload, forecast, actual, insideBand }) => {
      const row = (level: number): readonly number[] => forecast.rows[forecast.levels.indexOf(level)] ?? [];
      const [low, middle, high] = [row(0.05), row(0.5), row(0.95)];
      const at = (index: number): number => forecast.startMs + index * forecast.stepMs;
      const shown = middle.map((_, index) => index).filter((index) => at(index) <= report.endMs + SHOWN_AFTER_MS);
      const span = {
        startMs: Math.min(forecast.startMs, report.startMs),
        endMs: Math.max(report.endMs, at(shown.length)),
      };
      return markup`<figure><figcaption>${workload}: ${forecast.model}${
        insideBand !== undefined && `; ${(insideBand * 100).toFixed(0)} % of the measured means within P5 to P95`
      }</figcaption>${lineChart(
        `CPU of ${workload}`,
        span,
        {
          bands: [
            {
              name: "forecast P5 to P95",
              color: "var(--c1)",
              points: shown.map((index) => ({
                x: at(index),
                low: (low[index] ?? 0) / 1000,
                high: (high[index] ?? 0) / 1000,
              })),
            },
          ],
          lines: [
            {
              name: "forecast median",
              color: "var(--c1)",
              dashed: true,
              points: shown.map((index) => ({ x: at(index), y: (middle[index] ?? 0) / 1000 })),
            },
            {
              name: "actual",
              color: "var(--c4)",
              points: actual.map(({ atMs, cpuMillis }) => ({ x: atMs, y: cpuMillis / 1000 })),
            },
          ],
        },
        "cores",
        timezone,
      )}</figure>`;
    }),
  );
}

function hosts(report: RunReport): Markup {
  const tones = { updated: "good", skipped: "plain", unchanged: "plain", undone: "warn", lost: "bad" } as const;
  return section(
    "Hosts",
    table(
      ["Host", "Zone", "Before", "After", "Outcome"],
      report.hosts.map(({ host, zone, before, after, outcome }) => [
        host,
        zone,
        before,
        after,
        badge(outcome, tones[outcome]),
      ]),
    ),
  );
}

function decisions(report: RunReport, timezone: string): Markup {
  const time = new Intl.DateTimeFormat("en-GB", {
    timeZone: timezone,
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
  return section(
    "Decisions",
    table(
      ["Time", "What"],
      report.decisions.map(({ at, text }) => [time.format(at), text]),
    ),
  );
}

function small(report: RunReport): Markup {
  return section("About this report", [
    markup`<ul class="plain">
<li>Envelope <code>${report.digest}</code></li>
<li>${report.moves.length} moves, ${report.steps.length} steps</li>
${report.disclosures.map((disclosure) => markup`<li>${disclosure}</li>`)}
</ul>`,
  ]);
}

function waveMarks(report: RunReport): { atMs: number; label: string }[] {
  return report.waves.map((wave) => ({
    atMs: waveSpan(report, wave.index, report).startMs,
    label: `wave ${String(wave.index)}`,
  }));
}

function waveSpan(report: RunReport, index: number, fallback: TimeSpan): TimeSpan {
  const steps = report.steps.filter(({ id }) => id.startsWith(`w${String(index)}/`));
  if (steps.length === 0) return fallback;
  return {
    startMs: Math.min(...steps.map(({ startMs }) => startMs)),
    endMs: Math.max(...steps.map(({ endMs }) => endMs)),
  };
}

function laneHosts(report: RunReport): string[] {
  return [...new Set([...report.hosts.map(({ host }) => host), ...report.steps.flatMap((step) => step.hosts)])].sort();
}
