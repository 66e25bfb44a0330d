import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { Forecast, Series, Workload, WorkloadHistory } from "../../sdk/model";
import { canonicalJson, seriesEndMs } from "../../sdk/model";
import type { ForecastFleetInput } from "../../providers/forecast/forecast-fleet";
import { forecastFleet } from "../../providers/forecast/forecast-fleet";
import { HOUR_MS, MINUTE_MS, dailySeries, seriesOf } from "./series-builders";

const STEP_MS = 5 * MINUTE_MS;
const MIB = 2 ** 20;

function workloadOf(name: string, overrides: Partial<Workload> = {}): Workload {
  return {
    name,
    island: "shop",
    criticality: "normal",
    copies: 3,
    exclusive: false,
    maxPauseMs: 2_000,
    maxUnavailable: 1,
    request: { cpuMillis: 100, memoryBytes: 64 * MIB },
    hooks: {},
    ...overrides,
  };
}

const CHECKOUT_CPU = dailySeries({ days: 8, seed: 1, stepMs: STEP_MS });
const END_MS = seriesEndMs(CHECKOUT_CPU);

function forecastOf(histories: readonly WorkloadHistory[], overrides: Partial<ForecastFleetInput> = {}): Forecast {
  return forecastFleet({
    histories,
    workloads: [workloadOf("checkout")],
    fromMs: END_MS,
    horizonMs: 3 * HOUR_MS,
    stepMs: STEP_MS,
    seed: 7,
    ...overrides,
  });
}

/** Median of the first workload at the first step. */
function firstMedian(forecast: Forecast): number {
  return forecast.bands[0]?.rows[1]?.[0] ?? Number.NaN;
}

describe("forecast of a fleet", () => {
  it("covers the horizon with 200 paths and a band for each workload", () => {
    const forecast = forecastOf([{ workload: "checkout", cpu: CHECKOUT_CPU }]);
    assert.equal(forecast.demand.steps, 36);
    assert.equal(forecast.demand.startMs, END_MS);
    assert.equal(forecast.demand.cpuMillis.length, 200);
    assert.ok(forecast.demand.cpuMillis.every((path) => path.length === 36));
    assert.deepEqual(forecast.bands[0]?.levels, [0.05, 0.5, 0.95]);
    assert.equal(forecast.bands[0].id, "workload/checkout");
    assert.deepEqual(forecast.missing, []);
  });

  it("has one text for one input: whole numbers, the same on every call", () => {
    const texts = [1, 2].map(() => canonicalJson(forecastOf([{ workload: "checkout", cpu: CHECKOUT_CPU }])));
    assert.equal(texts[0], texts[1]);
    const { demand } = JSON.parse(texts[0] ?? "") as Forecast;
    assert.ok(demand.cpuMillis.flat().every(Number.isInteger));
  });

  it("uses nothing that was measured at or after its start", () => {
    const cut = CHECKOUT_CPU.values.length - 100;
    const fromMs = CHECKOUT_CPU.startMs + cut * STEP_MS;
    const whole = forecastOf([{ workload: "checkout", cpu: CHECKOUT_CPU }], { fromMs });
    const known = { ...CHECKOUT_CPU, values: CHECKOUT_CPU.values.slice(0, cut) };
    assert.deepEqual(whole, forecastOf([{ workload: "checkout", cpu: known }], { fromMs }));
  });

  it("corrects the level with what was measured live in the last minutes", () => {
    const live = seriesOf(new Array<number>(60).fill(3_000), { startMs: END_MS - 10 * MINUTE_MS, stepMs: 10_000 });
    const before = forecastOf([{ workload: "checkout", cpu: CHECKOUT_CPU }]);
    const after = forecastOf([{ workload: "checkout", cpu: CHECKOUT_CPU, live }]);
    assert.ok(firstMedian(after) > firstMedian(before) + 500);
    assert.match(after.bands[0]?.notes.join() ?? "", /level corrected with the last 10 min measured live/);
  });

  it("makes a first forecast from live samples alone", () => {
    const values = Array.from({ length: 12 }, (_, i) => 100 + (i % 3));
    const live = seriesOf(values, { startMs: END_MS - 60 * MINUTE_MS, stepMs: STEP_MS });
    const forecast = forecastOf([{ workload: "checkout", live }]);
    assert.deepEqual(forecast.missing, []);
    assert.ok(Math.abs(firstMedian(forecast) - 101) < 5);
  });

  it("reaches into an opening that is days away", () => {
    const fromMs = END_MS + 50 * HOUR_MS;
    const forecast = forecastOf([{ workload: "checkout", cpu: CHECKOUT_CPU }], { fromMs });
    assert.equal(forecast.demand.startMs, fromMs);
    // 50 hours after midnight: two in the morning, close to the daily low of 400.
    assert.ok(firstMedian(forecast) < 650, String(firstMedian(forecast)));
  });

  it("names workloads without usable metrics and counts them with their request", () => {
    const workloads = ["checkout", "absent", "silent", "broken"].map((name) => workloadOf(name));
    const gaps = seriesOf([Number.NaN, Number.NaN], { startMs: END_MS - 2 * STEP_MS });
    const infinite = seriesOf([1, Number.POSITIVE_INFINITY, 1], {
      startMs: END_MS - 3 * STEP_MS,
      id: "workload/broken",
    });
    const { demand, missing, bands } = forecastOf(
      [
        { workload: "broken", cpu: infinite },
        { workload: "checkout", cpu: CHECKOUT_CPU },
        { workload: "silent", cpu: gaps },
      ],
      { workloads },
    );
    assert.deepEqual(
      missing.map(({ workload }) => workload),
      ["absent", "silent", "broken"],
    );
    assert.ok(
      missing.every(({ reason }) => reason.includes(";")),
      "each reason names a remedy",
    );
    assert.match(missing[2]?.reason ?? "", /infinite/);
    assert.equal(bands.length, 1);
    assert.deepEqual(demand.workloads, ["checkout", "absent", "silent", "broken"]);
    for (const path of demand.cpuMillis) {
      assert.equal(path.length, 4 * demand.steps);
      assert.ok(path.slice(demand.steps).every((value) => value === 300));
    }
  });

  it("assumes CPU in proportion to requests/s where nothing else is known, and says so", () => {
    const requests: Series = { ...CHECKOUT_CPU, unit: "requestsPerSecond" };
    const { bands } = forecastOf([{ workload: "checkout", requests }]);
    assert.match(bands[0]?.notes.join() ?? "", /only requests\/s are known/);
    const highest = Math.max(...(bands[0]?.rows[2] ?? []));
    assert.ok(highest > 0 && highest <= 330, "the highest rate stands for the request of all copies");
  });

  it("takes memory per replica from its history at P95, else from the request", () => {
    const memory = seriesOf(new Array<number>(300).fill(100 * MIB), {
      unit: "memoryBytes",
      startMs: END_MS - 300 * STEP_MS,
    });
    const known = forecastOf([{ workload: "checkout", cpu: CHECKOUT_CPU, memory }]);
    const unknown = forecastOf([{ workload: "checkout", cpu: CHECKOUT_CPU }]);
    assert.deepEqual([known.demand.memoryBytes, unknown.demand.memoryBytes], [[100 * MIB], [64 * MIB]]);
  });

  it("takes a coarser history onto its grid", () => {
    const hourly = dailySeries({ days: 9, seed: 3 });
    const { bands } = forecastOf([{ workload: "checkout", cpu: hourly }], { fromMs: seriesEndMs(hourly) });
    assert.ok(bands[0]?.rows[1]?.every((median) => median > 200 && median < 900));
  });
});
