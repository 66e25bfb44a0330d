/** Every sort of page: a plan and a report that are well, and ones that are not, with long names and hostile text. */
import { backtest } from "../../providers/forecast/backtest";
import { ensemble } from "../../providers/forecast/ensemble";
import { renderBacktestPage } from "../../providers/report/backtest-page";
import { renderForecastPage } from "../../providers/report/forecast-page";
import { renderPlanPage } from "../../providers/report/plan-page";
import { renderReportPage } from "../../providers/report/report-page";
import { renderSimulationPage, simulationParts } from "../../providers/simulate/render-page";
import type { Distribution, SimulationResult } from "../../providers/simulate/simulation";
import type { CostLine, Forecast, MigrationPlan, RunReport } from "../../sdk/model";
import { dailySeries } from "../forecast/series-builders";
import { reportOfRun } from "./sample-report";

/** A forecast with everything that a plan's page tells of demand. */
function withDemand(forecast: Forecast): Forecast {
  const { startMs } = forecast.demand;
  const amount = { p50: 1000, p95: 2_000_000 };
  return {
    ...forecast,
    profiles: [
      {
        ...{ subject: "island/shop", resource: "memoryBytes", span: "day", startMs, stepMs: 3_600_000 },
        ...{
          levels: [0.5, 0.95],
          rows: [
            [2e9, 3e9],
            [3e9, 4e9],
          ],
          peak: [3e9, 4e9],
        },
      },
    ],
    dependencies: [
      {
        ...{ caller: "front", called: "pricing", share: 0.8, callsPerRequest: 2, lagMs: 60_000, basis: "calls" },
        ...{ confidence: 0.9, reason: "80 of 100 requests of pricing came from front" },
      },
    ],
    functions: [
      { workload: "front", name: "/reports", criticality: "sheddable", confidence: 0.8, share: 0.01, reason: "rare" },
    ],
    signals: [
      {
        ...{ name: "sale", type: "marketing", factors: { front: 1.4 }, basis: "stated", seen: 0 },
        ...{ ahead: [{ fromMs: startMs, toMs: startMs + 3_600_000 }], reason: "front +40% as stated" },
      },
    ],
    impact: {
      ...{ duration: { p50Ms: 40_000, p95Ms: 90_000 }, measuredHosts: 3 },
      parts: [{ cpuMillis: amount, diskBytesPerSecond: amount }],
    },
  };
}

/** Pages by name. */
export async function samplePages(): Promise<
  Readonly<
    Record<"plan" | "blocked plan" | "report" | "failed report" | "simulation" | "forecast" | "backtest", string>
  >
> {
  const { state, report } = await reportOfRun();
  const { spec } = state.bundle;
  const forecast = withDemand(state.bundle.forecast);
  const { startMs } = report;
  const plan: MigrationPlan = {
    ...state.plan,
    warnings: ["metrics of front end 12 minutes ago"],
    stages: [
      { kind: "done", stage: "kernel-eu", endMs: startMs - 7_200_000, soakMs: 3_600_000 },
      { kind: "planned", stage: "kernel-us-east-with-a-long-name", endMs: startMs - 3_600_000, soakMs: 0 },
    ],
    cost: PRICED,
  };
  const blocked: MigrationPlan = {
    ...plan,
    decision: "blocked",
    waves: [],
    nextOpenings: [],
    stages: [{ kind: "stopped", stage: "kernel-eu", reason: "its run kernel-eu-1a2b3c4d-1 is failed", fix: "mend it" }],
    balance: {
      reason: "host-01 would be over 80 % at 19:00",
      untilMs: startMs + 7_200_000,
      rows: [{ host: "host-01", island: "shop", before: 0.93, after: 0.7 }],
    },
    skipped: [{ host: "host-with-a-name-that-is-as-long-as-names-of-machines-get.example", reason: "is as wanted" }],
    blockers: [
      { code: "capacity", subject: "shop", reason: "too little room while host-02 is away", fix: "one more host" },
      { code: "stage", subject: "kernel-eu", reason: "its run kernel-eu-1a2b3c4d-1 is failed", fix: "mend it" },
      { code: "metrics", subject: "front", reason: "no value for 40 minutes", fix: "mend the metrics of front" },
    ],
  };
  const failed: RunReport = {
    ...report,
    phase: "failed",
    name: "kernel <script>alert(1)</script>",
    steps: report.steps.map((step, index) => (index % 9 === 0 ? { ...step, status: "undone" } : step)),
    failure: {
      subject: "host-03",
      step: "update",
      reason: "exit code 28",
      output: `no space left on device ${"/var/lib".repeat(30)}`,
      undone: ["update"],
      notUndone: ["start-copy front"],
      remedy: "make room on host-03 and raise attempt",
    },
    violations: [{ atMs: report.startMs, rule: "budget", subject: "front", text: "4 of 5 copies for 3 s" }],
    problems: ["host-03: still cordoned"],
    decisions: [{ at: report.startMs, text: "wave 2 was planned again: host-04 has more room" }],
  };
  return {
    plan: renderPlanPage(spec, plan, forecast, simulationParts(SIMULATED)),
    "blocked plan": renderPlanPage(spec, blocked, forecast),
    report: renderReportPage({ ...report, timezone: "Europe/Berlin" }),
    "failed report": renderReportPage(failed),
    simulation: renderSimulationPage(SIMULATED),
    ...forecastPages(),
  };
}

/** A cost by item and wave, with a cheaper plan. */
const PRICED: CostLine = {
  reservedHostHours: 4,
  amount: 1.25,
  currency: "EUR",
  note: "4 host hours of reserve, 1.25 EUR",
  items: [
    { kind: "reservation", quantity: 4, unit: "host hours", amount: 1.2 },
    { kind: "transfer", quantity: 0.4, unit: "GiB" },
  ],
  waves: [{ wave: 1, items: [{ kind: "reservation", quantity: 4, unit: "host hours", amount: 1.2 }], amount: 1.2 }],
  cheaper: [
    {
      ...{
        change: "limits: { hostsAtOnce: 4, hostsPerZone: 4 }",
        amount: 0.8,
        saves: 0.45,
        reserveHosts: 2,
        startMs: 0,
      },
      total: { p50Ms: 3_600_000, p95Ms: 5_400_000 },
    },
  ],
};

/** A thousand runs with failures of every sort. */
const SIMULATED: SimulationResult = {
  v: 1,
  name: "kernel <script>alert(1)</script>",
  runs: 1000,
  seed: 1,
  assumptions: { hostFailuresPerMonth: 1 / 60, updateFailureShare: 0.01 },
  startMs: 1_772_848_800_000,
  closesMs: 1_772_859_600_000,
  timezone: "Europe/Berlin",
  phases: { done: 980, failed: 15, armed: 5 },
  duration: distribution([120, 480, 300, 80, 20], 600_000, 60_000),
  pauses: distribution([700, 200, 90, 10], 100, 50),
  violations: { capacity: 2 },
  overCapacity: 12,
  plannedOverCapacityShare: 0.01,
  reasons: [{ reason: `update: exit code 28: no space left on ${"/var/lib".repeat(12)}`, runs: 15 }],
};

function distribution(counts: readonly number[], first: number, width: number): Distribution {
  const bins = counts.map((count, index) => ({ from: first + index * width, to: first + (index + 1) * width, count }));
  const count = counts.reduce((sum, each) => sum + each, 0);
  const maximum = first + counts.length * width;
  return { count, minimum: first, p50: first + 1.5 * width, p95: maximum - width, maximum, bins };
}

/** A forecast and a backtest of two series, one with a name that attacks the page. */
function forecastPages(): Readonly<Record<"forecast" | "backtest", string>> {
  const known = dailySeries({ days: 14, seed: 3 });
  const hostile = { ...dailySeries({ days: 14, seed: 4 }), id: 'rate{job="<script>alert(1)</script>"}' };
  const look = { timezone: "Europe/Berlin", unit: "millicores" };
  const forecasts = [known, hostile].map((series) => {
    const forecast = ensemble().fit(series).predict(48, [0.05, 0.5, 0.95, 0.99]);
    return { series, forecast, notes: forecast.notes };
  });
  const setting = { model: ensemble(), horizon: 24, origins: 3, share: 0.3, season: 24, slotSteps: 2 };
  return {
    forecast: renderForecastPage(forecasts, "cpu.csv", look),
    backtest: renderBacktestPage(
      [known, hostile].map((series) => backtest({ ...setting, series })),
      "cpu.csv",
      look,
    ),
  };
}
