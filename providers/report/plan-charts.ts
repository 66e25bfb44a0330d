/**
 * The charts of a plan: hosts over time, and demand beside capacity.
 *
 * Not for: drawing (html/) and the rest of the page (plan-page.ts).
 */
import {
  isMovesOnly,
  reservedSpans,
  wholeShares,
  type DemandShares,
  type Forecast,
  type IslandRoom,
  type MigrationPlan,
  type ReservedSpan,
  type Wave,
  type Workload,
} from "../../sdk/model";
import { restOf } from "./condense-forecast";
import { lanesChart, type Bar, type BarStyle } from "./html/lanes-chart";
import { lineChart } from "./html/line-chart";
import { markup, type Markup } from "./html/markup";
import type { TimeSpan } from "./html/time-axis";
import { listOf } from "./html/words";
import { totalDemand } from "./joint-band";
import type { TimesOf } from "./step-times";

const MINUTE_MS = 60_000;
/** A short plan is shown within at least so many steps of the forecast: alone it would be a flat line. */
const SHOWN_STEPS = 6;

const STYLES = {
  surge: { name: "its new copies start elsewhere", color: "var(--c1)", pattern: "lined" },
  out: { name: "out of service, updated", color: "var(--c4)" },
  some: { name: "updated at some time of it", color: "var(--c4)", pattern: "pale" },
  soak: { name: "works again, watched", color: "var(--c3)", pattern: "crossed" },
  receives: { name: "receives copies", color: "var(--c2)", pattern: "striped" },
  gives: { name: "gives copies back", color: "var(--c5)", pattern: "dotted" },
  held: { name: "reserved", color: "var(--c6)" },
} as const satisfies Record<string, BarStyle>;

/** What each host does in each wave. */
export function timelineChart(plan: MigrationPlan, timezone: string, timesOf: TimesOf): Markup {
  const spans = Map.groupBy(reservedSpans(plan), ({ host }) => host);
  const waves = plan.waves.map((wave) => rolesIn(wave, timesOf));
  const hosts = new Set(
    waves.flatMap(({ updated, comingTo, leaving }) => [...updated, ...comingTo.keys(), ...leaving]),
  );
  for (const host of spans.keys()) hosts.add(host);
  const lanes = [...hosts]
    .sort()
    .map((host) => ({ name: host, bars: waves.flatMap((roles) => barsOf(host, roles, spans.get(host))) }));
  const drawn = new Set<BarStyle>(lanes.flatMap(({ bars }) => bars.map(({ style }) => style)));
  return lanesChart({
    caption: "Hosts over the time of the plan",
    span: spanOf(plan),
    lanes,
    legend: Object.values(STYLES).filter((style) => drawn.has(style)),
    timezone,
  });
}

/** Islands with a chart of their own, those closest to their capacity first; more are not read one by one. */
const MOST_ISLANDS = 6;

/** Forecast demand beside what is in service: of each island, where there are several. */
export function demandCharts(
  plan: MigrationPlan,
  forecast: Forecast,
  timezone: string,
  workloads: readonly Pick<Workload, "name" | "island">[] = [],
): Markup {
  const draw = (shown: ShownDemand): Markup => demandChart(plan, forecast, timezone, shown);
  const rooms = plan.waves.map(({ islands = [] }) => islands);
  const names = (rooms[0] ?? []).map(({ island }) => island);
  if (names.length === 0) {
    return draw({ subject: "all workloads", capacityOf: ({ capacityCpuMillis }) => capacityCpuMillis });
  }
  if (workloads.length === 0) {
    const capacityOf = ({ islands = [] }: Wave): number =>
      islands.reduce((sum, { capacityCpuMillis }) => sum + capacityCpuMillis, 0);
    return draw({ subject: "all workloads", capacityOf });
  }
  const roomIn = (islands: readonly IslandRoom[], name: string): IslandRoom =>
    islands.find(({ island }) => island === name) ?? { island: name, capacityCpuMillis: 0, demandCpuMillis: 0 };
  const useOf = (name: string): number =>
    Math.max(
      ...rooms.map((islands) => {
        const { demandCpuMillis, capacityCpuMillis } = roomIn(islands, name);
        return demandCpuMillis / Math.max(1, capacityCpuMillis);
      }),
    );
  const tightest = names.toSorted((a, b) => useOf(b) - useOf(a)).slice(0, MOST_ISLANDS);
  const charts = tightest.map((name) => {
    const own = workloads.filter(({ island }) => island === name).map((workload) => workload.name);
    return draw({
      subject: name,
      shares: wholeShares([...own, restOf(name)]),
      capacityOf: ({ islands = [] }) => roomIn(islands, name).capacityCpuMillis,
    });
  });
  return markup`${charts}`;
}

/** Whose demand a chart shows, and the capacity beside it, millicores. */
interface ShownDemand {
  readonly subject: string;
  /** @default all workloads */
  readonly shares?: DemandShares;
  readonly capacityOf: (wave: Wave) => number;
}

function demandChart(
  plan: MigrationPlan,
  forecast: Forecast,
  timezone: string,
  { subject, shares, capacityOf }: ShownDemand,
): Markup {
  const planned = spanOf(plan);
  const { stepMs } = forecast.demand;
  const span = { startMs: planned.startMs, endMs: Math.max(planned.endMs, planned.startMs + SHOWN_STEPS * stepMs) };
  const shown = totalDemand(forecast.demand, shares).filter(
    ({ atMs }) => atMs >= span.startMs - stepMs && atMs <= span.endMs + stepMs,
  );
  const capacity = plan.waves.flatMap((wave) =>
    [wave.startMs, wave.endMs].map((x) => ({ x, y: capacityOf(wave) / 1000 })),
  );
  const highest = Math.max(0, ...shown.map(({ high }) => high)) / 1000;
  const least = Math.min(...capacity.map(({ y }) => y));
  return lineChart({
    caption: `Demand of ${subject} beside the capacity in service`,
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
  /** By host: when it is emptied ahead, out of service, watched, and when copies come to it. */
  readonly phases: ReadonlyMap<string, HostPhases>;
}

/** Times of a host in a wave. */
type HostPhases = Partial<Record<"surge" | "out" | "soak" | "receives", TimeSpan>>;

function rolesIn(wave: Wave, timesOf: TimesOf): WaveRoles {
  const comingTo = new Map<string, string[]>();
  for (const { to, workload } of wave.moves) {
    if (to === undefined) continue;
    const coming = comingTo.get(to);
    if (coming) coming.push(workload);
    else comingTo.set(to, [workload]);
  }
  const leaving = new Set(wave.moves.map(({ from }) => from));
  return {
    wave,
    updated: new Set(isMovesOnly(wave) ? [] : wave.hosts),
    comingTo,
    leaving,
    phases: phasesIn(wave, timesOf),
  };
}

/** Times of all hosts in a wave; none in waves whose steps are too many to be looked at. */
function phasesIn(wave: Wave, timesOf: TimesOf): ReadonlyMap<string, HostPhases> {
  const phases = new Map<string, HostPhases>();
  const times = timesOf(wave);
  if (!times) return phases;
  const moves = new Map(wave.moves.map((move) => [move.id, move]));
  const add = (host: string | undefined, phase: keyof HostPhases, time: TimeSpan): void => {
    if (host === undefined) return;
    const known = phases.get(host) ?? {};
    const { startMs, endMs } = known[phase] ?? time;
    const wider = { startMs: Math.min(startMs, time.startMs), endMs: Math.max(endMs, time.endMs) };
    phases.set(host, { ...known, [phase]: wider });
  };
  for (const step of wave.steps) {
    const time = times.get(step.id);
    if (!time) continue;
    if ("move" in step) {
      const move = moves.get(step.move);
      const isArrival = step.kind !== "drain" && step.kind !== "stop-copy" && move?.to !== undefined;
      if (isArrival) add(move.to, "receives", time);
      if (isArrival && (step.kind === "start-copy" || step.kind === "admit")) add(move.from, "surge", time);
    } else if (step.kind === "soak") for (const host of step.hosts) add(host, "soak", time);
    else if ("host" in step && step.kind !== "discard-replaced") add(step.host, "out", time);
  }
  return phases;
}

/** What a host does in a wave; what comes first lies below. */
function barsOf(
  host: string,
  { wave, updated, comingTo, leaving, phases }: WaveRoles,
  held: readonly ReservedSpan[] = [],
): readonly Bar[] {
  const label = `wave ${String(wave.index)} (${wave.kind})`;
  const whole = { startMs: wave.startMs, endMs: wave.endMs };
  const { surge, out = whole, soak, receives = whole } = phases.get(host) ?? {};
  const coming = comingTo.get(host);
  const bars: Bar[] = [];
  const isHeld = held.some(({ fromMs, toMs }) => fromMs < wave.endMs && toMs > wave.startMs);
  if (isHeld) bars.push({ ...whole, label: `${label}: reserved`, style: STYLES.held });
  if (coming) bars.push({ ...receives, label: `${label}: receives ${listOf(coming)}`, style: STYLES.receives });
  if (updated.has(host)) {
    // Where all hosts of a wave go at once, a host is out of service while its new copies start.
    const ahead =
      surge && surge.startMs < out.startMs ? { ...surge, endMs: Math.min(surge.endMs, out.startMs) } : undefined;
    if (ahead) bars.push({ ...ahead, label: `${label}: its new copies start elsewhere`, style: STYLES.surge });
    bars.push(
      phases.size === 0 && wave.lanes
        ? { ...whole, label: `${label}: ${STYLES.some.name}`, style: STYLES.some, text: `wave ${String(wave.index)}` }
        : { ...out, label: `${label}: updated`, style: STYLES.out, text: `wave ${String(wave.index)}` },
    );
    if (soak) bars.push({ ...soak, label: `${label}: works again, watched`, style: STYLES.soak });
  } else if (leaving.has(host))
    bars.push({ ...(surge ?? whole), label: `${label}: gives copies back`, style: STYLES.gives });
  return bars;
}

function spanOf(plan: MigrationPlan): TimeSpan {
  const startMs = Math.min(...plan.waves.map((wave) => wave.startMs));
  const endMs = Math.max(...plan.waves.map((wave) => wave.endMs));
  return { startMs, endMs: Math.max(endMs, startMs + MINUTE_MS) };
}
