/**
 * The charts of a plan: hosts over time, and demand beside capacity.
 *
 * Not for: drawing (html/) and the rest of the page (plan-page.ts).
 */
import {
  isMovesOnly,
  reservedSpans,
  type Forecast,
  type MigrationPlan,
  type ReservedSpan,
  type Wave,
} from "../../sdk/model";
import { lanesChart, type Bar, type BarStyle } from "./html/lanes-chart";
import { lineChart } from "./html/line-chart";
import type { Markup } from "./html/markup";
import type { TimeSpan } from "./html/time-axis";
import { listOf } from "./html/words";
import { totalDemand } from "./joint-band";

const MINUTE_MS = 60_000;
/** A short plan is shown within at least so many steps of the forecast: alone it would be a flat line. */
const SHOWN_STEPS = 6;

const STYLES = {
  out: { name: "out of service, updated", color: "var(--c4)" },
  receives: { name: "receives copies", color: "var(--c2)", pattern: "striped" },
  gives: { name: "gives copies back", color: "var(--c5)", pattern: "dotted" },
  held: { name: "reserved", color: "var(--c6)" },
} as const satisfies Record<string, BarStyle>;

/** What each host does in each wave. */
export function timelineChart(plan: MigrationPlan, timezone: string): Markup {
  const spans = Map.groupBy(reservedSpans(plan), ({ host }) => host);
  const waves = plan.waves.map(rolesIn);
  const hosts = new Set(
    waves.flatMap(({ updated, comingTo, leaving }) => [...updated, ...comingTo.keys(), ...leaving]),
  );
  for (const host of spans.keys()) hosts.add(host);
  return lanesChart({
    caption: "Hosts over the time of the plan",
    span: spanOf(plan),
    lanes: [...hosts]
      .sort()
      .map((host) => ({ name: host, bars: waves.flatMap((roles) => barOf(host, roles, spans.get(host)) ?? []) })),
    legend: Object.values(STYLES),
    timezone,
  });
}

/** The forecast demand of all workloads beside what is in service. */
export function demandChart(plan: MigrationPlan, forecast: Forecast, timezone: string): Markup {
  const planned = spanOf(plan);
  const { stepMs } = forecast.demand;
  const span = { startMs: planned.startMs, endMs: Math.max(planned.endMs, planned.startMs + SHOWN_STEPS * stepMs) };
  const shown = totalDemand(forecast.demand).filter(
    ({ atMs }) => atMs >= span.startMs - stepMs && atMs <= span.endMs + stepMs,
  );
  const capacity = plan.waves.flatMap(({ startMs, endMs, capacityCpuMillis }) =>
    [startMs, endMs].map((x) => ({ x, y: capacityCpuMillis / 1000 })),
  );
  const highest = Math.max(0, ...shown.map(({ high }) => high)) / 1000;
  const least = Math.min(...capacity.map(({ y }) => y));
  return lineChart({
    caption: "Demand of all workloads beside the capacity in service",
    unit: "cores",
    summary: `Demand stays below ${highest.toFixed(2)} cores 19 times of 20; at least ${least.toFixed(2)} cores are in service.`,
    span,
    timezone,
    bands: [
      {
        name: "demand, P5 to P95",
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
    marks: plan.waves.map(({ startMs }) => startMs),
  });
}

/** What hosts do in a wave. */
interface WaveRoles {
  readonly wave: Wave;
  readonly updated: ReadonlySet<string>;
  /** By host: workloads of which it receives copies. */
  readonly comingTo: ReadonlyMap<string, readonly string[]>;
  readonly leaving: ReadonlySet<string>;
}

function rolesIn(wave: Wave): WaveRoles {
  const comingTo = new Map<string, string[]>();
  for (const { to, workload } of wave.moves) {
    if (to === undefined) continue;
    const coming = comingTo.get(to);
    if (coming) coming.push(workload);
    else comingTo.set(to, [workload]);
  }
  const leaving = new Set(wave.moves.map(({ from }) => from));
  return { wave, updated: new Set(isMovesOnly(wave) ? [] : wave.hosts), comingTo, leaving };
}

function barOf(
  host: string,
  { wave, updated, comingTo, leaving }: WaveRoles,
  held: readonly ReservedSpan[] = [],
): Bar | undefined {
  const label = `wave ${String(wave.index)} (${wave.kind})`;
  const span = { startMs: wave.startMs, endMs: wave.endMs };
  if (updated.has(host))
    return { ...span, label: `${label}: updated`, style: STYLES.out, text: `wave ${String(wave.index)}` };
  const coming = comingTo.get(host);
  if (coming) return { ...span, label: `${label}: receives ${listOf(coming)}`, style: STYLES.receives };
  if (leaving.has(host)) return { ...span, label: `${label}: gives copies back`, style: STYLES.gives };
  const isHeld = held.some(({ fromMs, toMs }) => fromMs < wave.endMs && toMs > wave.startMs);
  return isHeld ? { ...span, label: `${label}: reserved`, style: STYLES.held } : undefined;
}

function spanOf(plan: MigrationPlan): TimeSpan {
  const startMs = Math.min(...plan.waves.map((wave) => wave.startMs));
  const endMs = Math.max(...plan.waves.map((wave) => wave.endMs));
  return { startMs, endMs: Math.max(endMs, startMs + MINUTE_MS) };
}
