/**
 * Who causes whose demand: how much of a workload's load comes from which caller, and how much later.
 *
 * Counted calls say it directly. Where nobody counts, loads that move together say it for declared dependencies: what
 * both have from the time of day is taken out first, and the rest must hold on data that the slope was not fitted on.
 *
 * Not for: changing demand (propagate.ts).
 *
 * Invariants
 * 1. The result has no cycle: of measured calls that go round, the weakest is left out; declared ones were checked.
 * 2. Shares of one called workload add up to at most 1.
 * 3. Load alone makes no dependency that nobody declared: what moves together need not call each other.
 */
import type { DependencyEstimate, Series, ServiceCalls, Workload, WorkloadHistory } from "../../../sdk/model";
import { findCycle, formatDurationShort, formatPercentage } from "../../../sdk/model";
import { countByMinute, type MinuteCounts } from "./minute-counts";
import { fitLoads, fitLag } from "./lagged-fit";

/** What {@link estimateDependencies} needs. */
export interface DependenciesInput {
  readonly workloads: readonly Workload[];
  readonly calls: readonly ServiceCalls[];
  readonly histories: readonly WorkloadHistory[];
}

const MINUTE_MS = 60_000;
/** Fewer counted calls, or in fewer minutes, say nothing. */
const FEWEST_CALLS = 30;
const FEWEST_MINUTES = 5;
/** Minutes of counting after which half of the doubt is gone. */
const HALF_SURE_MINUTES = 10;
const LONGEST_LAG_MINUTES = 15;
const LONGEST_LAG_STEPS = 12;
/** A caller must explain this much of held-out deviations. */
const LEAST_EXPLAINED = 0.05;

/** Estimates all dependencies, callers in the order of the workloads. */
export function estimateDependencies(input: DependenciesInput): readonly DependencyEstimate[] {
  const counts = countByMinute(input.workloads, input.calls);
  const declared = input.workloads.flatMap((caller) =>
    (caller.dependsOn ?? []).map((dependency) => ({ caller, dependency })),
  );
  const estimates = declared.flatMap(({ caller, dependency }): readonly DependencyEstimate[] => {
    const called = input.workloads.find(({ name }) => name === dependency.workload);
    if (!called) return [];
    const callers = declared.filter((other) => other.dependency.workload === called.name).length;
    const found =
      fromCalls(caller.name, called.name, counts) ??
      fromLoads(caller.name, called.name, input.histories) ??
      fromDeclaration(caller.name, called.name, callers);
    return [
      {
        ...found,
        ...(dependency.callsPerRequest === undefined ? {} : { callsPerRequest: dependency.callsPerRequest }),
        ...(dependency.lagMs === undefined ? {} : { lagMs: dependency.lagMs }),
      },
    ];
  });
  const isKnown = (caller: string, called: string): boolean =>
    estimates.some((one) => one.caller === caller && one.called === called);
  const measured = counts.edges
    .filter(({ caller, called }) => caller !== called && !isKnown(caller, called))
    .flatMap(({ caller, called }) => fromCalls(caller, called, counts) ?? [])
    .sort((a, b) => b.share - a.share);
  return limitShares(withoutCycles(estimates, measured));
}

/** Adds the strongest first; one that would close a cycle is left out. */
function withoutCycles(
  declared: readonly DependencyEstimate[],
  measured: readonly DependencyEstimate[],
): readonly DependencyEstimate[] {
  return measured.reduce<readonly DependencyEstimate[]>(
    (known, edge) => (findCycle([...known, edge]) ? known : [...known, edge]),
    declared,
  );
}

function fromCalls(caller: string, called: string, counts: MinuteCounts): DependencyEstimate | undefined {
  const between = counts.between(caller, called);
  const calls = sum(between);
  const minutes = between.filter((count) => count > 0).length;
  if (calls < FEWEST_CALLS || minutes < FEWEST_MINUTES) return undefined;
  const all = sum(counts.to(called));
  const asked = counts.to(caller);
  const requests = sum(asked);
  const lag = requests > 0 ? fitLag(asked, between, LONGEST_LAG_MINUTES) : 0;
  const share = all > 0 ? Math.min(1, calls / all) : 0;
  const callsPerRequest = requests > 0 ? calls / requests : undefined;
  return {
    caller,
    called,
    share,
    ...(callsPerRequest === undefined ? {} : { callsPerRequest: round(callsPerRequest, 4) }),
    lagMs: lag * MINUTE_MS,
    basis: "calls",
    confidence: round(minutes / (minutes + HALF_SURE_MINUTES), 3),
    reason:
      `${String(calls)} of ${String(all)} requests of ${called} in ${String(counts.minutes)} minutes came from ${caller}` +
      (callsPerRequest === undefined ? "" : `, ${callsPerRequest.toFixed(2)} for each of its own`) +
      (lag === 0 ? "" : `, ${formatDurationShort(lag * MINUTE_MS)} later`),
  };
}

function fromLoads(
  caller: string,
  called: string,
  histories: readonly WorkloadHistory[],
): DependencyEstimate | undefined {
  const [cause, effect] = [caller, called].map((name) => loadOf(histories.find(({ workload }) => workload === name)));
  if (!cause || !effect) return undefined;
  const fit = fitLoads(cause, effect, LONGEST_LAG_STEPS);
  if (!fit || fit.explained < LEAST_EXPLAINED || fit.slope <= 0) return undefined;
  const share = Math.min(1, (fit.slope * fit.meanCause) / fit.meanEffect);
  const lagMs = fit.lagSteps * cause.stepMs;
  return {
    caller,
    called,
    share,
    lagMs,
    basis: "load",
    confidence: round(Math.min(1, fit.explained), 3),
    reason:
      `beyond the time of day, ${called} follows ${caller}${lagMs === 0 ? "" : ` after ${formatDurationShort(lagMs)}`}: ` +
      `that explains ${formatPercentage(round(fit.explained, 2))} of its deviations on days that it was not fitted on`,
  };
}

/** Requests tell of calls more directly than CPU does. */
function loadOf(history: WorkloadHistory | undefined): Series | undefined {
  return history?.requests ?? history?.cpu;
}

function fromDeclaration(caller: string, called: string, callers: number): DependencyEstimate {
  return {
    caller,
    called,
    share: 1 / callers,
    lagMs: 0,
    basis: "declared",
    confidence: 0,
    reason:
      `declared, but neither counted nor seen in their loads: a rise is passed on as if ` +
      `${callers === 1 ? `${caller} caused all of ${called}` : `the ${String(callers)} callers of ${called} caused all of it, in equal parts`}, a fall is not`,
  };
}

function limitShares(estimates: readonly DependencyEstimate[]): readonly DependencyEstimate[] {
  const totals = new Map<string, number>();
  for (const { called, share } of estimates) totals.set(called, (totals.get(called) ?? 0) + share);
  return estimates.map((estimate) => ({
    ...estimate,
    share: round(estimate.share / Math.max(1, totals.get(estimate.called) ?? 1), 4),
  }));
}

function sum(values: ArrayLike<number>): number {
  return Array.from(values).reduce((total, value) => total + value, 0);
}

/** Estimates lie in bundles: few digits, one text. */
function round(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
