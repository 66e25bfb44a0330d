/**
 * What signals do to demand: the effect that was stated, or the one that earlier times of the same signal had.
 *
 * An earlier time is compared with the same time of day on days without the signal. The logarithm of the ratio is
 * shrunk towards no effect, by how much such ratios scatter on days without any signal: one time tells a little,
 * several tell what they have in common (normal prior and evidence; Gelman and Hill 2007, chapter 12).
 *
 * Not for: when signals are on (providers/observe/signals.ts).
 *
 * Invariants
 * 1. An effect that is not stated and was never seen is 1, and that is said.
 * 2. What happens on most days is in the daily shape of the forecast already and is not added again.
 * 3. A signal for some workloads reaches those that they call; one for all does not, for they are all.
 */
import type {
  AppliedSignal,
  DependencyEstimate,
  JointDemand,
  Series,
  SignalSpan,
  SignalTimeline,
  WorkloadHistory,
} from "../../../sdk/model";
import { formatPercentage, seriesEndMs } from "../../../sdk/model";
import { propagateChanges, type DemandFactors } from "../dependencies/propagate";

/** What {@link signalEffects} needs. */
export interface SignalsInput {
  readonly signals: readonly SignalTimeline[];
  readonly histories: readonly WorkloadHistory[];
  readonly dependencies: readonly DependencyEstimate[];
  readonly grid: Pick<JointDemand, "startMs" | "stepMs" | "steps">;
}

const DAY_MS = 86_400_000;
/** Effects are mostly below a third, before any was seen. */
const PRIOR_DEVIATION = 0.3;
const LEAST_SCATTER = 0.02;
/** On more days than this share a signal is part of the daily shape. */
const DAILY_SHARE = 0.5;
const FEWEST_QUIET_DAYS = 2;

/** Signals with their effects, and the factors on the demand of all workloads that follow from them. */
export function signalEffects(input: SignalsInput): {
  readonly applied: readonly AppliedSignal[];
  readonly factors: DemandFactors;
} {
  const { grid, dependencies } = input;
  const endMs = grid.startMs + grid.steps * grid.stepMs;
  const total = new Map<string, Float64Array>();
  const applied = input.signals.map((signal): AppliedSignal => {
    const found = signal.workloads.map((workload) => {
      const series = input.histories.find((history) => history.workload === workload)?.cpu;
      return { workload, ...effectOn(signal, series, grid.startMs) };
    });
    const ahead = signal.spans.filter(({ fromMs, toMs }) => toMs > grid.startMs && fromMs < endMs);
    const own = new Map(found.map(({ workload, factor }) => [workload, overSteps(grid, ahead, factor)]));
    const reached = signal.isOfAll ? own : propagateChanges(grid, dependencies, own);
    for (const [workload, factors] of reached) {
      // One that the signal names has the effect that was told of it, not what comes from its callers besides.
      const chosen = own.get(workload) ?? factors;
      const before = total.get(workload);
      total.set(workload, before ? before.map((factor, h) => factor * (chosen[h] ?? 1)) : chosen);
    }
    const strongest = [...found].sort((a, b) => b.seen - a.seen)[0];
    return {
      name: signal.name,
      type: signal.type,
      factors: Object.fromEntries(found.map(({ workload, factor }) => [workload, factor])),
      basis: strongest?.basis ?? "not known",
      seen: strongest?.seen ?? 0,
      ahead,
      reason: describe(found),
    };
  });
  return { applied, factors: new Map([...total].filter(([, factors]) => factors.some((factor) => factor !== 1))) };
}

interface Effect {
  readonly factor: number;
  readonly basis: AppliedSignal["basis"];
  readonly seen: number;
}

function effectOn(signal: SignalTimeline, series: Series | undefined, untilMs: number): Effect {
  const inside = series ? pastSpans(signal.spans, series, untilMs) : [];
  if (series && isDaily(inside, series, untilMs))
    return { factor: 1, basis: "in the daily shape", seen: inside.length };
  if (signal.factor !== undefined) return { factor: signal.factor, basis: "stated", seen: inside.length };
  const ratios = series ? inside.flatMap((span) => logRatio(series, span, signal.spans, untilMs) ?? []) : [];
  if (!series || ratios.length === 0) return { factor: 1, basis: "not known", seen: 0 };
  const scatter = Math.max(LEAST_SCATTER, quietScatter(series, inside, signal.spans, untilMs)) ** 2;
  const precision = ratios.length / scatter + 1 / PRIOR_DEVIATION ** 2;
  const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / scatter / precision;
  return { factor: Math.round(Math.exp(mean) * 1000) / 1000, basis: "learned", seen: ratios.length };
}

function pastSpans(spans: readonly SignalSpan[], series: Series, untilMs: number): readonly SignalSpan[] {
  const endMs = Math.min(untilMs, seriesEndMs(series));
  return spans.filter(({ fromMs, toMs }) => fromMs >= series.startMs && toMs <= endMs);
}

function isDaily(inside: readonly SignalSpan[], series: Series, untilMs: number): boolean {
  const days = (Math.min(untilMs, seriesEndMs(series)) - series.startMs) / DAY_MS;
  const withSignal = new Set(inside.map(({ fromMs }) => Math.floor(fromMs / DAY_MS))).size;
  return days >= FEWEST_QUIET_DAYS && withSignal > DAILY_SHARE * days;
}

/** Logarithm of the mean within a span over that of the same hours on days without the signal. */
function logRatio(series: Series, span: SignalSpan, spans: readonly SignalSpan[], untilMs: number): number | undefined {
  const quiet = quietMeans(series, span, spans, untilMs).map(({ mean }) => mean);
  const actual = meanOf(series, span);
  if (quiet.length < FEWEST_QUIET_DAYS || actual === undefined || !(actual > 0)) return undefined;
  const usual = quiet.reduce((sum, value) => sum + value, 0) / quiet.length;
  return usual > 0 ? Math.log(actual / usual) : undefined;
}

/** How much such a ratio differs from day to day without the signal. */
function quietScatter(
  series: Series,
  inside: readonly SignalSpan[],
  spans: readonly SignalSpan[],
  untilMs: number,
): number {
  const logs = inside.flatMap((span) => {
    const means = quietMeans(series, span, spans, untilMs).map(({ mean }) => mean);
    const usual = means.reduce((sum, value) => sum + value, 0) / Math.max(1, means.length);
    return means.flatMap((value) => (value > 0 && usual > 0 ? [Math.log(value / usual)] : []));
  });
  return logs.length < 2
    ? PRIOR_DEVIATION
    : Math.sqrt(logs.reduce((sum, log) => sum + log * log, 0) / (logs.length - 1));
}

function quietMeans(
  series: Series,
  { fromMs, toMs }: SignalSpan,
  spans: readonly SignalSpan[],
  untilMs: number,
): readonly { readonly mean: number }[] {
  const endMs = Math.min(untilMs, seriesEndMs(series));
  const found: { readonly mean: number }[] = [];
  const firstDay = Math.ceil((series.startMs - fromMs) / DAY_MS);
  for (let day = firstDay; toMs + day * DAY_MS <= endMs; day++) {
    const moved = { fromMs: fromMs + day * DAY_MS, toMs: toMs + day * DAY_MS };
    if (spans.some((span) => span.toMs > moved.fromMs && span.fromMs < moved.toMs)) continue;
    const mean = meanOf(series, moved);
    if (mean !== undefined) found.push({ mean });
  }
  return found;
}

function meanOf({ startMs, stepMs, values }: Series, { fromMs, toMs }: SignalSpan): number | undefined {
  const first = Math.max(0, Math.ceil((fromMs - startMs) / stepMs));
  const known = values
    .subarray(first, Math.max(first + 1, Math.floor((toMs - startMs) / stepMs)))
    .filter((value) => !Number.isNaN(value));
  return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** The factor in steps that a span covers, in proportion where it covers them in part. */
function overSteps(
  { startMs, stepMs, steps }: SignalsInput["grid"],
  spans: readonly SignalSpan[],
  factor: number,
): Float64Array {
  return Float64Array.from({ length: steps }, (_, h) => {
    const [fromMs, toMs] = [startMs + h * stepMs, startMs + (h + 1) * stepMs];
    const covered = spans.reduce((sum, s) => sum + Math.max(0, Math.min(toMs, s.toMs) - Math.max(fromMs, s.fromMs)), 0);
    return 1 + (factor - 1) * Math.min(1, covered / stepMs);
  });
}

function describe(found: readonly ({ readonly workload: string } & Effect)[]): string {
  return found
    .map(({ workload, factor, basis, seen }) => {
      const change = `${factor < 1 ? "" : "+"}${formatPercentage(Math.round((factor - 1) * 1000) / 1000)}`;
      switch (basis) {
        case "stated":
          return `${workload} ${change} as stated`;
        case "learned":
          return `${workload} ${change}, learned from ${String(seen)} time${seen === 1 ? "" : "s"}`;
        case "in the daily shape":
          return `${workload}: on most days, so the daily shape has it already`;
        case "not known":
          return `${workload}: never seen in the history; state its effect, like "+40%"`;
      }
    })
    .join("; ");
}
