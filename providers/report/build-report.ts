/**
 * The measured report of a run: the journal's fold joined with what was recorded beside it. Pure.
 *
 * Not for: collecting recordings (providers/runner) and rendering.
 */
import type {
  BudgetLine,
  ForecastReport,
  PauseReport,
  PlanStep,
  QuantileForecast,
  RunReport,
  RunState,
  ServiceReport,
  StepRecord,
  StepReport,
  Violation,
} from "../../sdk/model";
import { explainMisses, type KnownEvent } from "../forecast/tracker/explain-misses";
import type { ServiceTraffic } from "../drivers/contracts";
import type { RunVerification } from "../verify/verify-run";
import { summarizeLatency } from "./latency";

const HOUR_MS = 3_600_000;
/** Requests of this long before the run count as the steady state. */
export const STEADY_MS = 30_000;

/** What was recorded while the run went on. */
export interface Recordings {
  /** Available copies of a workload, at every change. */
  readonly availability: readonly { readonly atMs: number; readonly workload: string; readonly available: number }[];
  /** Pauses as the observer saw them: a measure of last resort, for a hand-over whose runner was lost. */
  readonly pauses: readonly { readonly atMs: number; readonly workload: string; readonly pauseMs: number }[];
  /** From {@link STEADY_MS} before the start on. */
  readonly traffic: readonly ServiceTraffic[];
  readonly actual: readonly {
    readonly workload: string;
    readonly points: readonly { readonly atMs: number; readonly cpuMillis: number }[];
  }[];
  /** How the fleet was left, beside how it was. */
  readonly verification: RunVerification;
  readonly violations: readonly Violation[];
  readonly disclosures: readonly string[];
}

/** Joins a run with its recordings. */
export function buildReport(state: RunState, recordings: Recordings, engine: string): RunReport {
  const startMs = state.startedAt ?? state.createdAt;
  const endMs = state.endedAt ?? Math.max(startMs, ...state.steps.map(({ endAt, intentAt }) => endAt ?? intentAt));
  const { spec } = state.bundle;
  return {
    v: 1,
    run: state.id,
    name: spec.name,
    engine,
    phase: state.phase,
    digest: state.digest,
    update: state.plan.envelope.update,
    timezone: spec.windows[0]?.timezone ?? "UTC",
    startMs,
    endMs,
    plannedEndMs: startMs + state.plan.total.p50Ms,
    hosts: recordings.verification.hosts,
    problems: recordings.verification.problems,
    waves: state.waves,
    moves: state.waves.flatMap(({ moves }) => moves),
    steps: state.steps.map((record) => stepReport(record, endMs)),
    services: recordings.traffic.map((service) => serviceReport(service, startMs, endMs)),
    pauses: state.steps.flatMap((record) => pauseReport(record, recordings.pauses)),
    budgets: budgetLines(state, recordings, startMs),
    forecasts: forecastReports(state, recordings),
    cost: {
      planned: state.plan.cost,
      ...actualCost(state, endMs),
    },
    violations: recordings.violations,
    ...(state.failure ? { failure: state.failure } : {}),
    decisions: state.decisions,
    disclosures: recordings.disclosures,
  };
}

function stepReport(record: StepRecord, endMs: number): StepReport {
  const { step } = record;
  const status = {
    intended: "open",
    started: "open",
    undoing: "open",
    done: "done",
    failed: "failed",
    undone: "undone",
    "undo-failed": "undo-failed",
  } as const;
  return {
    id: step.id,
    kind: step.kind,
    hosts: hostsOf(step),
    ...("workload" in step ? { workload: step.workload } : {}),
    startMs: record.intentAt,
    endMs: record.endAt ?? endMs,
    status: status[record.status],
  };
}

function hostsOf(step: PlanStep): readonly string[] {
  if ("host" in step) return [step.host];
  if ("hosts" in step) return step.hosts;
  return "fromHost" in step ? [step.fromHost, step.toHost] : [];
}

function serviceReport({ service, buckets }: ServiceTraffic, startMs: number, endMs: number): ServiceReport {
  const steady = buckets.filter(({ atMs }) => atMs < startMs);
  const during = buckets.filter(({ atMs }) => atMs >= startMs && atMs <= endMs);
  return {
    service,
    requests: during.reduce((sum, { requests }) => sum + requests, 0),
    failed: during.reduce((sum, { failed }) => sum + failed, 0),
    steady: summarizeLatency(steady),
    window: summarizeLatency(during),
    buckets: during.map(({ atMs, requests, failed, p50Ms, p99Ms }) => ({ atMs, requests, failed, p50Ms, p99Ms })),
  };
}

function pauseReport({ step, result, intentAt, endAt }: StepRecord, seen: Recordings["pauses"]): PauseReport[] {
  if (step.kind !== "hand-over" && step.kind !== "live-migrate") return [];
  if (typeof result !== "object" || result === null || !("pauseMs" in result)) return [];
  const measured = result as { readonly pauseMs: number | null; readonly parkedRequests?: number };
  const during = seen.filter(
    ({ workload, atMs }) => workload === step.workload && atMs >= intentAt && atMs <= (endAt ?? atMs),
  );
  const pauseMs = measured.pauseMs ?? Math.max(0, ...during.map((pause) => pause.pauseMs));
  const { workload, maxPauseMs } = step;
  return [{ workload, atMs: intentAt, pauseMs, maxPauseMs, parkedRequests: measured.parkedRequests ?? 0 }];
}

function budgetLines(state: RunState, { availability }: Recordings, startMs: number): BudgetLine[] {
  // An exclusive workload has no copy to spare by definition: its pauses are judged instead.
  const budgeted = state.bundle.fleet.workloads.filter(({ exclusive }) => !exclusive);
  return budgeted.flatMap(({ name, copies, maxUnavailable }) => {
    const points = availability.filter(({ workload, atMs }) => workload === name && atMs >= startMs);
    const required = copies - maxUnavailable;
    const lowest = points.reduce((least, { available }) => Math.min(least, available), Number.POSITIVE_INFINITY);
    if (points.length === 0) return [];
    return [
      {
        workload: name,
        required,
        points: points.map(({ atMs, available }) => ({ atMs, available })),
        lowestHeadroom: lowest - required,
      },
    ];
  });
}

function forecastReports(state: RunState, { actual }: Recordings): ForecastReport[] {
  const { bands, dependencies = [] } = state.bundle.forecast;
  const measured = bands.map((forecast) => {
    const workload = forecast.id.replace(/^workload\//, "");
    const points = actual.find((entry) => entry.workload === workload)?.points ?? [];
    return { workload, forecast, points, means: new Map(stepMeans(points, forecast).map((m) => [m.index, m.mean])) };
  });
  const misses = explainMisses(measured, dependencies, knownEvents(state));
  return measured.map(({ workload, forecast, points }) => {
    const [low, high] = [forecast.rows[forecast.levels.indexOf(0.05)], forecast.rows[forecast.levels.indexOf(0.95)]];
    const judged = stepMeans(points, forecast).flatMap(({ index, mean }) => {
      const bounds = [low?.[index], high?.[index]] as const;
      return bounds[0] === undefined || bounds[1] === undefined ? [] : [mean >= bounds[0] && mean <= bounds[1]];
    });
    const insideBand = judged.filter(Boolean).length / judged.length;
    const missed = misses.get(workload);
    return {
      ...{ workload, forecast, actual: points },
      ...(judged.length > 0 ? { insideBand } : {}),
      ...(missed ? { misses: missed } : {}),
    };
  });
}

/** What the run itself did to workloads, as it stands behind a miss. */
function knownEvents({ waves, steps }: RunState): readonly KnownEvent[] {
  return waves.flatMap((wave) =>
    wave.moves.flatMap(({ id, workload, from, to, method }): readonly KnownEvent[] => {
      const own = steps.filter(({ step }) => "move" in step && step.move === id);
      if (own.length === 0) return [];
      const where = to === undefined ? `on ${from} was stopped for a while` : `was moved from ${from} to ${to}`;
      return [
        {
          fromMs: Math.min(...own.map(({ intentAt }) => intentAt)),
          toMs: Math.max(...own.map(({ intentAt, endAt }) => endAt ?? intentAt)),
          workload,
          text: `a copy of it ${where} then (${method} in wave ${String(wave.index)})`,
        },
      ];
    }),
  );
}

/** A forecast is of means over its steps, so measurements are averaged over the same steps before they are judged. */
function stepMeans(
  points: readonly { readonly atMs: number; readonly cpuMillis: number }[],
  { startMs, stepMs }: QuantileForecast,
): { readonly index: number; readonly mean: number }[] {
  const steps = new Map<number, number[]>();
  for (const { atMs, cpuMillis } of points) {
    const index = Math.floor((atMs - startMs) / stepMs);
    steps.set(index, [...(steps.get(index) ?? []), cpuMillis]);
  }
  return [...steps].map(([index, values]) => ({
    index,
    mean: values.reduce((sum, value) => sum + value, 0) / values.length,
  }));
}

/** Hosts are paid from the reserve step's intent to the end of their release. */
function actualCost(state: RunState, endMs: number): { actualHostHours: number; amount?: number } {
  let hostMs = 0;
  for (const { step, intentAt } of state.steps) {
    if (step.kind !== "reserve") continue;
    for (const host of step.hosts) hostMs += Math.max(0, (releaseOf(state, host, intentAt) ?? endMs) - intentAt);
  }
  const price = state.bundle.spec.pool?.hostHourPrice;
  const actualHostHours = hostMs / HOUR_MS;
  return { actualHostHours, ...(price ? { amount: actualHostHours * price.amount } : {}) };
}

function releaseOf({ steps }: RunState, host: string, fromMs: number): number | undefined {
  const ends = steps.flatMap(({ step, status, endAt }) =>
    step.kind === "release" && status === "done" && step.hosts.includes(host) && (endAt ?? 0) >= fromMs
      ? [endAt ?? fromMs]
      : [],
  );
  return ends.length === 0 ? undefined : Math.min(...ends);
}
