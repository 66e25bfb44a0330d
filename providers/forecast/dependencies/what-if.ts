/**
 * "What if": the forecast as it would be if a workload got less or more to do, or were moved.
 *
 * Not for: deciding anything; the planner can plan on the answer's forecast.
 */
import type { Forecast, Workload } from "../../../sdk/model";
import { formatDurationShort, formatPercentage, peakQuantiles, sumPaths, wholeShares } from "../../../sdk/model";
import { constantFactor, propagateChanges, scaleForecast } from "./propagate";

/** What happens to a workload. */
export type SupposedChange =
  /** Its demand becomes this much of what it would be: 0.2 when it is degraded by 80 %, 2 when it doubles. */
  | { readonly kind: "factor"; readonly workload: string; readonly factor: number }
  /** Its copies are moved, or handed over when it is exclusive. */
  | { readonly kind: "moved"; readonly workload: string };

/** What it does to one workload: P95 of the highest step, in millicores. */
export interface ChangedPeak {
  readonly workload: string;
  readonly beforeCpuMillis: number;
  readonly afterCpuMillis: number;
}

export interface WhatIfAnswer {
  readonly forecast: Forecast;
  /** Those that change, the largest change first. */
  readonly peaks: readonly ChangedPeak[];
  /** What it means and what it rests on, for people. */
  readonly notes: readonly string[];
}

const PEAK_LEVEL = 0.95;

/** Answers for some changes at once. Workloads must be among the forecast's. */
export function whatIf(
  forecast: Forecast,
  workloads: readonly Workload[],
  changes: readonly SupposedChange[],
): WhatIfAnswer {
  const { demand, dependencies = [] } = forecast;
  const direct = new Map(
    changes.flatMap((change) =>
      change.kind === "factor" ? [[change.workload, constantFactor(demand, change.factor)] as const] : [],
    ),
  );
  const factors = propagateChanges(demand, dependencies, direct);
  const changed = scaleForecast(forecast, factors);
  const peakOf = ({ demand: of }: Forecast, name: string): number =>
    Math.round(peakQuantiles(sumPaths(of, wholeShares([name])), [PEAK_LEVEL])[0] ?? 0);
  const peaks = [...factors.keys()]
    .map((name) => ({
      workload: name,
      beforeCpuMillis: peakOf(forecast, name),
      afterCpuMillis: peakOf(changed, name),
    }))
    .sort((a, b) => Math.abs(b.afterCpuMillis - b.beforeCpuMillis) - Math.abs(a.afterCpuMillis - a.beforeCpuMillis));
  return { forecast: changed, peaks, notes: changes.flatMap((change) => describe(change, forecast, workloads)) };
}

function describe(change: SupposedChange, { dependencies = [] }: Forecast, workloads: readonly Workload[]): string[] {
  const calls = dependencies.filter(({ caller }) => caller === change.workload);
  const rests = calls.map(
    ({ called, share, reason }) => `${called} (${formatPercentage(share)} of its load: ${reason})`,
  );
  const called = calls.length === 0 ? "nobody: it is not known to call anybody" : rests.join("; ");
  if (change.kind === "factor") {
    return [`${change.workload} at ${formatPercentage(change.factor)} of its demand reaches ${called}`];
  }
  const workload = workloads.find(({ name }) => name === change.workload);
  if (workload?.exclusive !== true) {
    return [`${change.workload} is moved by surge: one copy more for a while; its calls stay the same, to ${called}`];
  }
  const pause = formatDurationShort(workload.maxPauseMs);
  return [
    `${change.workload} is handed over: for at most ${pause} it sends no calls, then what was parked comes at once, up to ` +
      `${pause} of requests on top of the usual ones; the mean of a step stays as it is; it calls ${called}`,
  ];
}
