/** A simulation as text for terminals: what matters first, then histograms. */
import { formatDurationShort } from "../../sdk/model";
import type { Distribution, SimulationResult } from "./simulation";

const BAR_WIDTH = 40;

/** Renders a result; lines of at most about 100 characters. */
export function renderSimulation(result: SimulationResult): string {
  const { name, runs, seed, assumptions, phases, duration, pauses, violations, overCapacity, reasons } = result;
  const share = (count: number): string => `${String(count)} (${formatShare(count / runs)})`;
  const lines = [
    `${name}: ${String(runs)} simulated runs, seed ${String(seed)}`,
    `  begins     ${formatTime(result.startMs, result)}; its window closes ${formatTime(result.closesMs, result)}`,
    `  ended      ${Object.entries(phases)
      .map(([phase, count]) => `${phase} ${share(count)}`)
      .join(", ")}`,
  ];
  if (duration) {
    const { p50, p95 } = duration;
    lines.push(
      `  end        P50 after ${formatDurationShort(p50)} (${formatTime(result.startMs + p50, result)}), ` +
        `P95 after ${formatDurationShort(p95)} (${formatTime(result.startMs + p95, result)})`,
    );
  }
  if (pauses)
    lines.push(
      `  pauses     P50 ${ms(pauses.p50)}, P95 ${ms(pauses.p95)}, longest ${ms(pauses.maximum)}, of hand-overs`,
    );
  const broken = Object.entries(violations);
  lines.push(
    `  promises   ${broken.length === 0 ? "kept in every run" : `broken: ${broken.map(([rule, count]) => `${rule} in ${share(count)}`).join(", ")}`}`,
    `  capacity   exceeded in ${share(overCapacity)} runs; the plan counts with ${formatShare(result.plannedOverCapacityShare)}`,
  );
  reasons.forEach(({ reason, runs: count }, index) => {
    lines.push(`  ${index === 0 ? "not done " : "         "}  ${String(count)}: ${reason}`);
  });
  lines.push(
    `  assumed    ${String(round(assumptions.hostFailuresPerMonth))} failures per host in 30 days, ` +
      `${formatShare(assumptions.updateFailureShare)} of updates fail`,
  );
  if (duration) lines.push("", "time to the end, runs that are done", ...histogram(duration, formatDurationShort));
  if (pauses) lines.push("", "pauses of hand-overs", ...histogram(pauses, ms));
  return lines.join("\n");
}

/** One line for each bin. */
function histogram({ bins }: Distribution, format: (value: number) => string): readonly string[] {
  const most = Math.max(...bins.map(({ count }) => count));
  const labels = bins.map(({ from }) => format(Math.round(from)));
  const width = Math.max(...labels.map((label) => label.length));
  return bins.map(({ count }, index) => {
    const bar = "█".repeat(Math.round((count / most) * BAR_WIDTH));
    return `  ${(labels[index] ?? "").padStart(width)}  ${bar}${bar === "" ? "" : " "}${count === 0 ? "" : String(count)}`.trimEnd();
  });
}

/** A time of day in the window's zone. */
export function formatTime(atMs: number, { timezone }: Pick<SimulationResult, "timezone">): string {
  return new Intl.DateTimeFormat("en-GB", {
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    timeZone: timezone,
  }).format(atMs);
}

/** A share as percent, with a digit where it is small. */
export function formatShare(share: number): string {
  const percent = share * 100;
  return `${percent > 0 && percent < 10 ? percent.toFixed(1) : String(Math.round(percent))} %`;
}

/** Milliseconds, for pauses. */
export function ms(value: number): string {
  return `${String(Math.round(value))} ms`;
}

function round(value: number): number {
  return Number(value.toPrecision(2));
}
