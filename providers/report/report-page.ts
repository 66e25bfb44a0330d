/** The HTML page of a finished run: what happened, beside what was planned and promised. */
import { formatDurationShort, renderFailure, type RunReport } from "../../sdk/model";
import { markup } from "./html/markup";
import { alarm, badge, plainList, renderPage, section, table, type Page, type Section, type Tile } from "./html/page";
import { countOf } from "./html/words";
import { budgets, forecasts, pauses, traffic } from "./report-measurements";
import { timeline } from "./report-timeline";

/** Renders the page of a report; times in the zone of its window. */
export function renderReportPage(report: RunReport): string {
  const { timezone = "UTC" } = report;
  const when = new Intl.DateTimeFormat("en-GB", { timeZone: timezone, dateStyle: "full", timeStyle: "short" });
  return renderPage({
    title: `Report of ${report.name}`,
    state: stateOf(report),
    answer: answer(report),
    meta: `${report.update}. ${when.format(report.startMs)}, times in ${timezone}; run ${report.run}.`,
    tiles: reportTiles(report),
    sections: [
      ...attention(report),
      timeline(report, timezone),
      ...traffic(report, timezone),
      ...pauses(report),
      ...budgets(report, timezone),
      ...forecasts(report, timezone),
      cost(report),
      hosts(report),
      ...decisions(report, timezone),
      about(report),
    ],
    footer: `Envelope ${report.digest}. Engine ${report.engine}.`,
  });
}

function stateOf({ phase }: RunReport): Page["state"] {
  return { word: phase, tone: phase === "done" ? "good" : phase === "failed" ? "bad" : "warn" };
}

function answer(report: RunReport): string {
  const { updated, requests, failed } = totals(report);
  const took = formatDurationShort(report.endMs - report.startMs);
  const hostsText = `${String(updated)} of ${countOf(report.hosts.length, "host")} updated in ${took}`;
  const traffic =
    report.services.length === 0
      ? ""
      : ` under ${countOf(requests, "request")}, ${failed === 0 ? "none" : failed.toLocaleString("en-US")} failed`;
  const promises =
    report.violations.length === 0 ? "every promise kept" : `${countOf(report.violations.length, "promise")} broken`;
  const failure = report.failure ? ` Stopped at ${report.failure.subject}: ${report.failure.reason}.` : "";
  return `${hostsText}${traffic}; ${promises}.${failure}`;
}

function totals(report: RunReport): { readonly updated: number; readonly requests: number; readonly failed: number } {
  return {
    updated: report.hosts.filter(({ outcome }) => outcome === "updated").length,
    requests: report.services.reduce((sum, service) => sum + service.requests, 0),
    failed: report.services.reduce((sum, service) => sum + service.failed, 0),
  };
}

function reportTiles(report: RunReport): Tile[] {
  const { updated, requests, failed } = totals(report);
  const longest = Math.max(0, ...report.pauses.map(({ pauseMs }) => pauseMs));
  const allowed = Math.max(0, ...report.pauses.map(({ maxPauseMs }) => maxPauseMs));
  const isKept = report.pauses.every(({ pauseMs, maxPauseMs }) => pauseMs <= maxPauseMs);
  return [
    {
      label: "Hosts updated",
      value: `${String(updated)} of ${String(report.hosts.length)}`,
      detail: `in ${countOf(report.waves.length, "wave")}, with ${countOf(report.moves.length, "move")}`,
      tone: report.phase === "done" ? "good" : report.phase === "failed" ? "bad" : "warn",
    },
    {
      label: "Requests",
      value: requests.toLocaleString("en-US"),
      detail: failed === 0 ? "none failed" : `${failed.toLocaleString("en-US")} failed`,
      tone: failed === 0 ? "good" : "bad",
    },
    {
      label: "Longest pause",
      value: report.pauses.length === 0 ? "none" : formatDurationShort(longest),
      ...(allowed > 0 ? { detail: `allowed ${formatDurationShort(allowed)}` } : {}),
      tone: isKept ? "good" : "bad",
    },
    {
      label: "Broken promises",
      value: String(report.violations.length),
      detail: "found by the independent checker",
      tone: report.violations.length === 0 ? "good" : "bad",
    },
    {
      label: "Took",
      value: formatDurationShort(report.endMs - report.startMs),
      detail: `planned ${formatDurationShort(report.plannedEndMs - report.startMs)}`,
    },
    {
      label: "Reserve",
      value: `${report.cost.actualHostHours.toFixed(2)} h`,
      detail: `host hours; planned ${report.cost.planned.reservedHostHours.toFixed(2)}`,
    },
  ];
}

/** What needs a person, first of all. */
function attention(report: RunReport): Section[] {
  const sections: Section[] = [];
  if (report.failure) {
    sections.push(
      alarm("Why it stopped", [
        markup`<pre tabindex="0">${renderFailure(report.failure)}</pre>`,
        markup`<p><b>What to do:</b> ${report.failure.remedy}</p>`,
      ]),
    );
  }
  if (report.violations.length > 0) {
    const violations = table({
      caption: "Promises that were broken",
      columns: ["Where", "Promise", "What happened"],
      rows: report.violations.map(({ rule, text, subject }) => [subject, badge(rule, "bad"), text]),
    });
    sections.push(alarm("Broken promises", violations));
  }
  if (report.problems.length > 0) sections.push(alarm("Left to look at", plainList(report.problems)));
  return sections;
}

function cost({ cost: { planned, actualHostHours, amount } }: RunReport): Section {
  const money = (value: number | undefined): string =>
    value === undefined ? "no price known" : `${value.toFixed(2)} ${planned.currency ?? ""}`.trimEnd();
  return section(
    "Cost",
    table({
      caption: "Cost of the reserve",
      columns: ["What", "Reserved host hours", "Amount"],
      rows: [
        ["planned", planned.reservedHostHours.toFixed(3), money(planned.amount)],
        ["measured", actualHostHours.toFixed(3), money(amount)],
      ],
      numeric: ["Reserved host hours", "Amount"],
    }),
    `Planned: ${planned.note}.`,
  );
}

function hosts(report: RunReport): Section {
  const tones = { updated: "good", skipped: "plain", unchanged: "plain", undone: "warn", lost: "bad" } as const;
  return section(
    "Hosts",
    table({
      caption: "Hosts before and after the run",
      columns: ["Host", "Zone", "Before", "After", "Outcome"],
      rows: report.hosts.map(({ host, zone, before, after, outcome }) => [
        host,
        zone,
        before,
        after,
        badge(outcome, tones[outcome]),
      ]),
    }),
  );
}

function decisions(report: RunReport, timezone: string): Section[] {
  if (report.decisions.length === 0) return [];
  const time = new Intl.DateTimeFormat("en-GB", { timeZone: timezone, timeStyle: "medium" });
  const rows = report.decisions.map(({ at, text }) => [time.format(at), text]);
  return [section("Decisions", table({ caption: "Decisions of the run", columns: ["Time", "What"], rows }))];
}

function about(report: RunReport): Section {
  return section(
    "About this report",
    plainList([
      `${countOf(report.moves.length, "move")}, ${countOf(report.steps.length, "step")}.`,
      ...report.disclosures.map((disclosure) => `Not measured: ${disclosure}.`),
    ]),
  );
}
