/**
 * From the histories of a fleet's workloads to what planning knows of the time ahead: joint paths of CPU demand,
 * memory per replica, bands for people, and who is missing.
 *
 * Not for: reading metrics (providers/observe) and deciding what is enough (providers/plan).
 *
 * Invariants
 * 1. Nothing measured at or after `fromMs` is used, so a forecast of the past can be judged.
 * 2. Numbers are whole (millicores, bytes): the forecast lies in every run's bundle and must have one text only.
 * 3. Every workload has its place in the paths; one without usable metrics counts with its request and is named in
 *    `missing`.
 */
import type {
  Forecast,
  QuantileForecast,
  Series,
  ServiceCalls,
  SignalTimeline,
  Workload,
  WorkloadHistory,
} from "../../sdk/model";
import { floorToGrid, isKind, messageOf, overlaySeries, seriesEndMs } from "../../sdk/model";
import { alignBefore } from "./align-series";
import { judgeFunctions } from "./behaviour/judge-functions";
import { foretellDemand, type UserLog } from "./users/user-demand";
import { propagateChanges, scaleForecast } from "./dependencies/propagate";
import { signalEffects } from "./signals/signal-effects";
import { estimateDependencies } from "./dependencies/estimate-dependencies";
import { createProfiles } from "./joint/demand-profiles";
import type { PathSource } from "./joint-paths";
import { pathLevels, sampleJointPaths } from "./joint-paths";
import type { FittedModel, Model } from "./model";
import { measureRequestCosts } from "./request-costs";
import { ensemble } from "./ensemble";
import { describeFlatness } from "./prepare";
import type { ForecastAsked } from "./remembered";

/** What {@link forecastFleet} needs. */
export interface ForecastFleetInput {
  /** Histories, in any order; a workload without one is reported as missing. */
  readonly histories: readonly WorkloadHistory[];
  readonly workloads: readonly Workload[];
  /** Beginning of what is forecast, milliseconds since the epoch; rounded down to a step. */
  readonly fromMs: number;
  readonly horizonMs: number;
  readonly stepMs: number;
  readonly seed: number;
  /** When it is made; a window may begin days later. @default fromMs */
  readonly nowMs?: number;
  /** Number of joint paths. @default 200: the share of paths over capacity is then known to half a percent */
  readonly paths?: number;
  /** Calls counted before `nowMs`. @default none: declared dependencies are told from loads alone */
  readonly calls?: readonly ServiceCalls[];
  /** Access logs of workloads that users talk to. @default none */
  readonly users?: readonly UserLog[];
  /** Signals around the time that is forecast. @default none */
  readonly signals?: readonly SignalTimeline[];
  /** @default ensemble() */
  readonly model?: Model;
}

const DEFAULT_PATHS = 200;
const BAND_LEVELS = [0.05, 0.5, 0.95] as const;
const MEMORY_LEVEL = 0.95;
const HOUR_MS = 3_600_000;
/** Memory moves slowly; beyond two days of it hours are fine enough, and the fit is twelve times cheaper. */
const MEMORY_HOURLY_FROM_MS = 48 * HOUR_MS;

/** Forecasts all workloads together. Never throws for a bad metric: that makes an entry of `missing`. */
export function forecastFleet(input: ForecastFleetInput): Forecast {
  const model = input.model ?? ensemble();
  const { stepMs } = input;
  const startMs = floorToGrid(input.fromMs, stepMs);
  const steps = Math.max(1, Math.ceil((input.fromMs + input.horizonMs - startMs) / stepMs));
  const histories = new Map(input.histories.map((history) => [history.workload, history]));

  const outcomes = input.workloads.map((workload) =>
    forecastWorkload(model, workload, histories.get(workload.name), startMs, stepMs),
  );
  const sources = outcomes.flatMap((outcome) => (outcome.kind === "fitted" ? [outcome.source] : []));
  const paths = input.paths ?? DEFAULT_PATHS;
  const sampled = sampleJointPaths({ sources, startMs, stepMs, steps, paths, seed: input.seed });

  const forecast: Forecast = {
    demand: {
      startMs,
      stepMs,
      steps,
      workloads: input.workloads.map((workload) => workload.name),
      cpuMillis: insertMissing(sampled, outcomes, input.workloads, steps),
      memoryBytes: input.workloads.map((workload) =>
        memoryOfReplica(model, workload, histories.get(workload.name)?.memory, startMs, steps * stepMs),
      ),
    },
    bands: outcomes.flatMap((outcome) =>
      outcome.kind === "fitted" ? [renderBand(outcome, startMs, stepMs, steps)] : [],
    ),
    missing: outcomes.flatMap((outcome) =>
      outcome.kind === "missing" ? [{ workload: outcome.workload, reason: outcome.reason }] : [],
    ),
    ...dependenciesOf(input, startMs),
    ...functionsOf(input),
    ...measureRequestCosts(input.workloads, input.histories, startMs),
    profiles: createProfiles({
      histories: input.histories,
      workloads: input.workloads,
      nowMs: Math.min(input.nowMs ?? input.fromMs, input.fromMs),
      window: { startMs, endMs: startMs + steps * stepMs },
      seed: input.seed,
    }),
  };
  return withSignals(withUsers(forecast, input), input);
}

/** The first minutes follow what users do now, where a test on their log shows that it helps. */
function withUsers(forecast: Forecast, { users: logs = [], nowMs, fromMs }: ForecastFleetInput): Forecast {
  if (logs.length === 0) return forecast;
  const { users, factors } = foretellDemand(logs, forecast.demand, nowMs ?? fromMs);
  const all = propagateChanges(forecast.demand, forecast.dependencies ?? [], factors);
  return { ...scaleForecast(forecast, all), users };
}

/** Signals change demand after the models have spoken: these know the usual, signals what is not usual. */
function withSignals(forecast: Forecast, { signals = [], histories, stepMs }: ForecastFleetInput): Forecast {
  if (signals.length === 0) return forecast;
  const { demand, dependencies = [] } = forecast;
  const known = histories.map(({ workload, cpu }): WorkloadHistory => {
    const before = alignBefore(cpu, demand.startMs, stepMs);
    return { workload, ...(before === undefined ? {} : { cpu: before }) };
  });
  const { applied, factors } = signalEffects({ signals, histories: known, dependencies, grid: demand });
  return { ...scaleForecast(forecast, factors), signals: applied };
}

/**
 * What {@link forecastFleet} will fit and ask with this input: for whoever fits ahead of it, in threads or from a cache.
 * Demand profiles are not among them: their model costs next to nothing.
 */
export function listFits(
  input: Pick<ForecastFleetInput, "histories" | "workloads" | "fromMs" | "horizonMs" | "stepMs" | "paths">,
): readonly { readonly series: Series; readonly asked: readonly ForecastAsked[] }[] {
  const { stepMs } = input;
  const startMs = floorToGrid(input.fromMs, stepMs);
  const steps = Math.max(1, Math.ceil((input.fromMs + input.horizonMs - startMs) / stepMs));
  const histories = new Map(input.histories.map((history) => [history.workload, history]));
  const askedOf = (series: Series, length: number, levels: readonly number[]): ForecastAsked => {
    const lead = Math.max(0, Math.round((startMs - seriesEndMs(series)) / series.stepMs));
    return { horizon: lead + length, levels, skip: lead };
  };
  return input.workloads.flatMap((workload) => {
    const history = histories.get(workload.name);
    const cpu = history && resolveCpu(workload, history, startMs, stepMs).series;
    const memory = memorySeries(history?.memory, startMs);
    const levels = pathLevels(input.paths ?? DEFAULT_PATHS);
    return [
      ...(cpu ? [{ series: cpu, asked: [askedOf(cpu, steps, levels), askedOf(cpu, steps, BAND_LEVELS)] }] : []),
      ...(memory
        ? [{ series: memory, asked: [askedOf(memory, stepsOf(steps * stepMs, memory), [MEMORY_LEVEL])] }]
        : []),
    ];
  });
}

function stepsOf(horizonMs: number, { stepMs }: Series): number {
  return Math.max(1, Math.ceil(horizonMs / stepMs));
}

/** Nothing is said where nothing is counted and nothing declared. */
function functionsOf({ workloads, calls = [] }: ForecastFleetInput): Pick<Forecast, "functions"> {
  const functions = judgeFunctions(workloads, calls);
  return functions.length === 0 ? {} : { functions };
}

/** Nothing is said where nobody calls anybody. */
function dependenciesOf(input: ForecastFleetInput, startMs: number): Pick<Forecast, "dependencies"> {
  const before = (series: Series | undefined): Series | undefined => alignBefore(series, startMs, input.stepMs);
  const histories = input.histories.map(({ workload, cpu, requests }): WorkloadHistory => {
    const known = { cpu: before(cpu), requests: before(requests) };
    return {
      workload,
      ...(known.cpu === undefined ? {} : { cpu: known.cpu }),
      ...(known.requests === undefined ? {} : { requests: known.requests }),
    };
  });
  const dependencies = estimateDependencies({ workloads: input.workloads, calls: input.calls ?? [], histories });
  return dependencies.length === 0 ? {} : { dependencies };
}

type Outcome =
  | {
      readonly kind: "fitted";
      readonly workload: string;
      readonly source: PathSource;
      readonly notes: readonly string[];
      readonly warnings: readonly string[];
    }
  | { readonly kind: "missing"; readonly workload: string; readonly reason: string };

function forecastWorkload(
  model: Model,
  workload: Workload,
  history: WorkloadHistory | undefined,
  startMs: number,
  stepMs: number,
): Outcome {
  const missing = (reason: string): Outcome => ({ kind: "missing", workload: workload.name, reason });
  if (history === undefined) return missing("no metric source knows it; name one that records its CPU");
  const { series, notes, warnings } = resolveCpu(workload, history, startMs, stepMs);
  if (series === undefined) {
    return missing(
      history.cpu === undefined
        ? "the metric source has neither CPU nor requests/s of it; check the island's metrics"
        : "its CPU has no measured value before the forecast's start; check that it is still being recorded",
    );
  }
  try {
    const fitted = model.fit(series);
    return {
      kind: "fitted",
      workload: workload.name,
      source: { fitted, endMs: seriesEndMs(series) },
      notes: [...notes, ...warnings, ...fitted.notes],
      warnings: [...warnings, ...(fitted.warnings ?? [])],
    };
  } catch (error) {
    if (!isKind(error, "SeriesError")) throw error;
    return missing(messageOf(error));
  }
}

/** The series that stands for a workload's CPU, on the grid of the forecast, cut at its start, ends without gaps. */
function resolveCpu(
  workload: Workload,
  history: WorkloadHistory,
  startMs: number,
  stepMs: number,
): { series?: Series; notes: readonly string[]; warnings: readonly string[] } {
  const notes: string[] = [];
  const warnings: string[] = [];
  const onGrid = (series: Series | undefined): Series | undefined => alignBefore(series, startMs, stepMs);
  const live = onGrid(history.live);
  let base = onGrid(history.cpu);
  if (base === undefined && live === undefined) {
    const requests = onGrid(history.requests);
    if (requests !== undefined) {
      base = scaleToRequest(requests, workload);
      warnings.push(
        "only requests/s are known: CPU is assumed in proportion, its highest rate at the request of all copies",
      );
    }
  }
  if (base !== undefined && live !== undefined) {
    const minutes = Math.round((live.values.length * stepMs) / 60_000);
    notes.push(`level corrected with the last ${String(minutes)} min measured live`);
    // A metric that stands still would no longer look so with live samples at its end.
    const flat = describeFlatness(base.values);
    if (flat !== undefined) warnings.push(flat);
    return { series: overlaySeries(base, live), notes, warnings };
  }
  const series = base ?? live;
  return series === undefined ? { notes, warnings } : { series, notes, warnings };
}

function scaleToRequest(requests: Series, workload: Workload): Series {
  const highest = requests.values.reduce((max, value) => (value > max ? value : max), 0);
  const factor = highest > 0 ? (workload.request.cpuMillis * workload.copies) / highest : 0;
  return { ...requests, unit: "cpuMillis", values: requests.values.map((value) => value * factor) };
}

/** Puts the demand of missing workloads between the sampled ones: the request of all their copies, on every path. */
function insertMissing(
  sampled: readonly (readonly number[])[],
  outcomes: readonly Outcome[],
  workloads: readonly Workload[],
  steps: number,
): readonly (readonly number[])[] {
  return sampled.map((path) => {
    const whole: number[] = [];
    let next = 0;
    outcomes.forEach((outcome, w) => {
      const workload = workloads[w];
      const assumed = Math.round((workload?.request.cpuMillis ?? 0) * (workload?.copies ?? 0));
      if (outcome.kind === "missing") for (let h = 0; h < steps; h++) whole.push(assumed);
      else for (let h = 0; h < steps; h++) whole.push(path[next++] ?? 0);
    });
    return whole;
  });
}

/** Highest P95 of one replica's memory over the horizon; its request where no usable metric is known. */
function memoryOfReplica(
  model: Model,
  workload: Workload,
  memory: Series | undefined,
  startMs: number,
  horizonMs: number,
): number {
  const series = memorySeries(memory, startMs);
  if (series === undefined) return workload.request.memoryBytes;
  let fitted: FittedModel;
  try {
    fitted = model.fit(series);
  } catch (error) {
    if (!isKind(error, "SeriesError")) throw error;
    return workload.request.memoryBytes;
  }
  const lead = Math.max(0, Math.round((startMs - seriesEndMs(series)) / series.stepMs));
  const { rows } = fitted.predict(lead + stepsOf(horizonMs, series), [MEMORY_LEVEL], lead);
  return Math.round(Math.max(0, ...(rows[0] ?? [])));
}

/** A memory history as it is forecast, on hours where there are enough of them; undefined: nothing was measured. */
function memorySeries(memory: Series | undefined, startMs: number): Series | undefined {
  if (memory === undefined) return undefined;
  const isLong = memory.values.length * memory.stepMs >= MEMORY_HOURLY_FROM_MS;
  return alignBefore(memory, startMs, isLong ? Math.max(HOUR_MS, memory.stepMs) : memory.stepMs);
}

function renderBand(
  { workload, source, notes, warnings }: Extract<Outcome, { kind: "fitted" }>,
  startMs: number,
  stepMs: number,
  steps: number,
): QuantileForecast {
  const lead = Math.max(0, Math.round((startMs - source.endMs) / stepMs));
  const { rows } = source.fitted.predict(lead + steps, BAND_LEVELS, lead);
  return {
    id: `workload/${workload}`,
    startMs,
    stepMs,
    levels: [...BAND_LEVELS],
    rows: rows.map((row) => row.map((value) => Math.round(value))),
    model: source.fitted.name,
    notes,
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}
