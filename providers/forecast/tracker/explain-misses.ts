/**
 * Misses of a forecast in words: when, by how much, and what else happened then that explains it. Pure.
 *
 * Not for: judging whether a run may go on (track-demand.ts).
 *
 * Invariant: every stretch of measured steps outside P5 to P95 gets a line, also one that nothing explains.
 */
import type { DependencyEstimate, QuantileForecast } from "../../../sdk/model";
import { formatDurationShort } from "../../../sdk/model";

/** One workload with its forecast and the means that were measured in its steps. */
export interface MeasuredWorkload {
  readonly workload: string;
  readonly forecast: QuantileForecast;
  /** By index of the forecast's step. */
  readonly means: ReadonlyMap<number, number>;
}

/** Something that happened in a stretch of time. */
export interface KnownEvent {
  readonly fromMs: number;
  readonly toMs: number;
  /** Whom it concerns; absent: everybody. */
  readonly workload?: string;
  /** What it was, as it stands in a sentence: "it was moved from host-01 to host-02". */
  readonly text: string;
}

/** A stretch of steps outside the band. */
interface Miss {
  readonly from: number;
  readonly to: number;
  readonly isAbove: boolean;
}

/** From so many workloads on at once a cause is common to all. */
const COMMON_SHARE = 0.5;

/** More events than these are counted; a run that takes an hour moves a workload many times. */
const MOST_NAMED = 2;

/** Lines for each workload that has missed, oldest first. */
export function explainMisses(
  workloads: readonly MeasuredWorkload[],
  dependencies: readonly DependencyEstimate[],
  events: readonly KnownEvent[],
): ReadonlyMap<string, readonly string[]> {
  const misses = new Map(workloads.map((measured) => [measured.workload, findMisses(measured)]));
  const lines = new Map<string, readonly string[]>();
  for (const measured of workloads) {
    const own = misses.get(measured.workload) ?? [];
    if (own.length === 0) continue;
    lines.set(
      measured.workload,
      own.map((miss) => `${describe(measured, miss)}; ${explain(measured, miss, misses, dependencies, events)}`),
    );
  }
  return lines;
}

function rowAt(forecast: QuantileForecast, level: number, index: number): number | undefined {
  return forecast.rows[forecast.levels.indexOf(level)]?.[index];
}

function findMisses({ forecast, means }: MeasuredWorkload): readonly Miss[] {
  const found: Miss[] = [];
  for (const [index, mean] of [...means].sort(([a], [b]) => a - b)) {
    const [low, high] = [rowAt(forecast, 0.05, index), rowAt(forecast, 0.95, index)];
    if (low === undefined || high === undefined || (mean >= low && mean <= high)) continue;
    const isAbove = mean > high;
    const last = found.at(-1);
    if (last?.isAbove === isAbove && last.to === index - 1) found[found.length - 1] = { ...last, to: index };
    else found.push({ from: index, to: index, isAbove });
  }
  return found;
}

function describe({ forecast, means }: MeasuredWorkload, { from, to, isAbove }: Miss): string {
  const bound = isAbove ? 0.95 : 0.05;
  const indexes = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const excess = (index: number): number => Math.abs((means.get(index) ?? 0) - (rowAt(forecast, bound, index) ?? 0));
  const worst = indexes.reduce((best, index) => (excess(index) > excess(best) ? index : best), from);
  const limit = rowAt(forecast, bound, worst) ?? 0;
  const share =
    limit > 0 ? ` (${Math.round((100 * excess(worst)) / limit).toFixed(0)} % ${isAbove ? "more" : "less"})` : "";
  const atMs = forecast.startMs + from * forecast.stepMs;
  const forMs = indexes.length * forecast.stepMs;
  return (
    `${new Date(atMs).toISOString().slice(11, 16)} UTC for ${formatDurationShort(forMs)}: ${cores(means.get(worst) ?? 0)} cores where ` +
    `${isAbove ? "at most" : "at least"} ${cores(limit)} were forecast${share}`
  );
}

function explain(
  { workload, forecast }: MeasuredWorkload,
  miss: Miss,
  misses: ReadonlyMap<string, readonly Miss[]>,
  dependencies: readonly DependencyEstimate[],
  events: readonly KnownEvent[],
): string {
  const fromMs = forecast.startMs + miss.from * forecast.stepMs;
  const toMs = forecast.startMs + (miss.to + 1) * forecast.stepMs;
  const known = events.filter(
    (event) => event.toMs > fromMs && event.fromMs < toMs && (event.workload ?? workload) === workload,
  );
  if (known.length > 0) return listEvents([...new Set(known.map(({ text }) => text))]);
  const isAlike = (name: string): boolean =>
    (misses.get(name) ?? []).some(
      (other) => other.isAbove === miss.isAbove && other.from <= miss.from && other.to >= miss.from,
    );
  const callers = dependencies.filter(({ called, caller }) => called === workload && isAlike(caller));
  if (callers.length > 0) {
    const names = callers.map(({ caller }) => caller).join(" and ");
    return `${names}, which ${callers.length === 1 ? "calls" : "call"} it, had ${miss.isAbove ? "more" : "less"} to do than forecast as well`;
  }
  const others = [...misses.keys()].filter((name) => name !== workload);
  const alike = others.filter(isAlike);
  if (others.length > 0 && alike.length >= COMMON_SHARE * others.length) {
    return `so it was with ${alike.join(", ")}: a cause that they have in common, such as an event that no signal tells of`;
  }
  return "nothing that the run recorded explains it: look at what it worked on, and declare a signal if it comes again";
}

function listEvents(texts: readonly string[]): string {
  if (texts.length <= MOST_NAMED) return texts.join(", and ");
  return `${texts.slice(0, MOST_NAMED).join(", ")}, and ${String(texts.length - MOST_NAMED)} more of this kind`;
}

function cores(cpuMillis: number): string {
  return (cpuMillis / 1000).toFixed(2);
}
