/** The report as text for terminals, and its last line. */
import { formatDurationShort, renderFailure, type RunReport } from "../../sdk/model";

/** Several lines, aligned; no colours. */
export function renderTextReport(report: RunReport): string {
  const count = (outcome: string): number => report.hosts.filter((host) => host.outcome === outcome).length;
  const lines = [
    `Run ${report.run}: ${report.phase}`,
    row("update", report.update),
    row(
      "took",
      `${formatDurationShort(report.endMs - report.startMs)} (planned ${formatDurationShort(report.plannedEndMs - report.startMs)})`,
    ),
    row(
      "hosts",
      `${String(count("updated"))} updated, ${String(count("skipped"))} skipped, ${String(count("undone"))} undone, ${String(count("unchanged"))} unchanged, ${String(count("lost"))} lost`,
    ),
    row("waves", `${String(report.waves.length)} with ${String(report.moves.length)} moves`),
  ];
  for (const service of report.services) {
    lines.push(
      row(
        service.service,
        `${String(service.requests)} requests, ${String(service.failed)} failed; p99 ${service.window.p99Ms.toFixed(1)} ms in the run, ${service.steady.p99Ms.toFixed(1)} ms steady`,
      ),
    );
  }
  for (const pause of report.pauses) {
    lines.push(
      row(
        "pause",
        `${pause.workload} ${pause.pauseMs.toFixed(0)} ms of ${String(pause.maxPauseMs)} ms allowed, ${String(pause.parkedRequests)} requests parked`,
      ),
    );
  }
  for (const budget of report.budgets) {
    lines.push(
      row(
        "budget",
        `${budget.workload}: lowest headroom ${String(budget.lowestHeadroom)} above the ${String(budget.required)} copies it asks for`,
      ),
    );
  }
  for (const { workload, insideBand, misses = [] } of report.forecasts) {
    if (insideBand !== undefined)
      lines.push(
        row("forecast", `${workload}: ${(insideBand * 100).toFixed(0)} % of the measured means within P5 to P95`),
      );
    for (const miss of misses) lines.push(row("", `${workload}, ${miss}`));
  }
  lines.push(
    row("cost", `${report.cost.actualHostHours.toFixed(3)} reserved host hours; planned: ${report.cost.planned.note}`),
  );
  lines.push(
    row("promises", report.violations.length === 0 ? "all kept" : `${String(report.violations.length)} broken`),
  );
  for (const violation of report.violations)
    lines.push(row("", `${violation.rule} ${violation.subject}: ${violation.text}`));
  for (const problem of report.problems) lines.push(row("problem", problem));
  if (report.failure) lines.push("", renderFailure(report.failure), `what to do: ${report.failure.remedy}`);
  for (const disclosure of report.disclosures) lines.push(row("note", disclosure));
  return lines.join("\n");
}

/** The result in one line. */
export function renderResultLine(report: RunReport): string {
  const requests = report.services.reduce((sum, service) => sum + service.requests, 0);
  const failed = report.services.reduce((sum, service) => sum + service.failed, 0);
  const updated = report.hosts.filter(({ outcome }) => outcome === "updated").length;
  const pause = Math.max(0, ...report.pauses.map(({ pauseMs }) => pauseMs));
  return `${report.phase}: ${String(updated)} hosts updated in ${formatDurationShort(report.endMs - report.startMs)}, ${String(requests)} requests, ${String(failed)} failed, longest pause ${formatDurationShort(pause)}, ${String(report.violations.length)} broken promises`;
}

function row(label: string, text: string): string {
  return `  ${label.padEnd(10)}${text}`;
}
