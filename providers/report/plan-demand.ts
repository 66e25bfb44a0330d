/**
 * What a plan's page tells of the demand behind it beyond the chart: who causes whose, and profiles.
 *
 * Not for: demand beside capacity (plan-charts.ts).
 */
import {
  formatDurationShort,
  formatPercentage,
  type AppliedSignal,
  type DemandProfile,
  type DependencyEstimate,
  type Forecast,
  type FunctionEstimate,
  type ProfileResource,
  type UpdateImpact,
  type UserForecast,
} from "../../sdk/model";
import { markup } from "./html/markup";
import { badge, dataTable, plainList, section, table, type Section } from "./html/page";

const RESOURCES: Readonly<Record<ProfileResource, string>> = {
  cpuMillis: "CPU",
  memoryBytes: "memory",
  diskBytesPerSecond: "disk IO",
  networkBytesPerSecond: "bandwidth",
};
const SPANS = { window: "over the window", day: "next 24 hours" } as const;

/** The sections, those that have something to say. */
export function demandSections(forecast: Forecast, timezone: string): readonly Section[] {
  return [
    ...signalSections(forecast.signals ?? [], timezone),
    ...dependencySections(forecast.dependencies ?? []),
    ...userSections(forecast.users ?? []),
    ...functionSections(forecast.functions ?? []),
    ...impactSections(forecast.impact),
    ...profileSections(forecast.profiles ?? [], timezone),
  ];
}

function signalSections(signals: readonly AppliedSignal[], timezone: string): readonly Section[] {
  if (signals.length === 0) return [];
  const when = new Intl.DateTimeFormat("en-GB", { timeZone: timezone, dateStyle: "short", timeStyle: "short" });
  return [
    section(
      "Signals",
      table({
        caption: "What is known of the time ahead",
        columns: ["Signal", "Type", "In the forecast", "Effect"],
        rows: signals.map(({ name, type, ahead, reason }) => [
          name,
          type,
          ahead.length === 0 ? "not on" : ahead.map(({ fromMs, toMs }) => when.formatRange(fromMs, toMs)).join(", "),
          reason,
        ]),
      }),
      "The demand above has them; what calls each other has them in turn.",
    ),
  ];
}

function dependencySections(dependencies: readonly DependencyEstimate[]): readonly Section[] {
  if (dependencies.length === 0) return [];
  return [
    section(
      "Dependencies",
      table({
        caption: "Who causes whose demand",
        columns: ["Caller", "Called", "Share of its load", "Calls a request", "After", "Sure", "Evidence"],
        rows: dependencies.map(({ caller, called, share, callsPerRequest, lagMs, confidence, reason }) => [
          caller,
          called,
          formatPercentage(share),
          callsPerRequest === undefined ? "not known" : callsPerRequest.toFixed(2),
          lagMs === 0 ? "at once" : formatDurationShort(lagMs),
          formatPercentage(confidence),
          reason,
        ]),
        numeric: ["Share of its load", "Calls a request", "Sure"],
      }),
      "A change of the caller's demand is passed on to the called one.",
    ),
  ];
}

function userSections(users: readonly UserForecast[]): readonly Section[] {
  if (users.length === 0) return [];
  return [section("Users", plainList(users.map(({ workload, reason }) => `${workload}: ${reason}.`)))];
}

function functionSections(functions: readonly FunctionEstimate[]): readonly Section[] {
  if (functions.length === 0) return [];
  const tones = { critical: "bad", normal: "plain", sheddable: "good" } as const;
  return [
    section(
      "Functions",
      table({
        caption: "Which functions are critical and which can be shed",
        columns: ["Function", "Workload", "Judged", "Sure", "Requests", "Why"],
        rows: functions.map(({ workload, name, criticality, confidence, share, reason }) => [
          name,
          workload,
          badge(criticality, tones[criticality]),
          formatPercentage(confidence),
          formatPercentage(share),
          reason,
        ]),
        numeric: ["Sure", "Requests"],
      }),
      "From the calls that the switch counted in the last hours; `functions` of a workload says otherwise.",
    ),
  ];
}

function impactSections(impact: UpdateImpact | undefined): readonly Section[] {
  if (!impact) return [];
  const { duration, parts, measuredHosts } = impact;
  const share = 100 / parts.length;
  const highest = (resource: "cpuMillis" | "diskBytesPerSecond"): string =>
    renderAmount(resource, Math.max(0, ...parts.map((part) => part[resource].p95)));
  return [
    section(
      "The update's own load",
      markup`<p>At most ${highest("cpuMillis")} and ${highest("diskBytesPerSecond")} of disk IO on a host, 19 times of 20.</p>${dataTable(
        {
          caption: "What the update itself takes from a host over its course",
          columns: ["Course", "CPU, median", "CPU, P95", "Disk IO, median", "Disk IO, P95"],
          rows: parts.map(({ cpuMillis, diskBytesPerSecond }, index) => [
            `${String(Math.round(index * share))} to ${String(Math.round((index + 1) * share))} %`,
            renderAmount("cpuMillis", cpuMillis.p50),
            renderAmount("cpuMillis", cpuMillis.p95),
            renderAmount("diskBytesPerSecond", diskBytesPerSecond.p50),
            renderAmount("diskBytesPerSecond", diskBytesPerSecond.p95),
          ]),
          numeric: ["CPU, median", "CPU, P95", "Disk IO, median", "Disk IO, P95"],
        },
      )}`,
      `Takes ${formatDurationShort(duration.p50Ms)}, 19 times of 20 below ${formatDurationShort(duration.p95Ms)}. ` +
        (measuredHosts === 0
          ? "A guess from the size of the package: no earlier run was measured."
          : `From ${String(measuredHosts)} host${measuredHosts === 1 ? "" : "s"} of earlier runs.`),
    ),
  ];
}

function profileSections(profiles: readonly DemandProfile[], timezone: string): readonly Section[] {
  if (profiles.length === 0) return [];
  const rows = profiles.map(({ subject, resource, span, levels, peak }) => {
    const at = (level: number): string => renderAmount(resource, peak[levels.indexOf(level)] ?? 0);
    return [
      subject.replace(/^workload\//, "").replace("island/", "island "),
      RESOURCES[resource],
      SPANS[span],
      at(0.5),
      at(0.95),
    ];
  });
  const islands = profiles.filter(({ subject, span }) => subject.startsWith("island/") && span === "day");
  const hour = new Intl.DateTimeFormat("en-GB", { timeZone: timezone, hour: "2-digit", minute: "2-digit" });
  return [
    section(
      "Demand profiles",
      markup`${table({
        caption: "The highest hour of each workload and island",
        columns: ["What", "Resource", "When", "Median", "P95"],
        rows,
        numeric: ["Median", "P95"],
      })}${islands.map(({ subject, resource, startMs, stepMs, levels, rows: quantiles }) =>
        dataTable({
          caption: `${subject.replace("island/", "island ")}, ${RESOURCES[resource]}, hour by hour`,
          columns: ["Hour", "Median", "P95"],
          rows: (quantiles[0] ?? []).map((_, index) => [
            hour.format(startMs + index * stepMs),
            ...[0.5, 0.95].map((level) => renderAmount(resource, quantiles[levels.indexOf(level)]?.[index] ?? 0)),
          ]),
          numeric: ["Median", "P95"],
        }),
      )}`,
      "Means of an hour, all copies together. An island's are quantiles of the sum, which is less than the sum of quantiles.",
    ),
  ];
}

/** Millicores or bytes as people read them. */
function renderAmount(resource: ProfileResource, amount: number): string {
  if (resource === "cpuMillis") return `${(amount / 1000).toFixed(2)} cores`;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let [value, index] = [amount, 0];
  for (; value >= 1024 && index < units.length - 1; index++) value /= 1024;
  return `${value.toFixed(index === 0 ? 0 : 1)} ${units[index] ?? ""}${resource === "memoryBytes" ? "" : "/s"}`;
}
