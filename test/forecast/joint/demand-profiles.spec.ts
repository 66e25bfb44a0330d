import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { DemandProfile, Series, Workload, WorkloadHistory } from "../../../sdk/model";
import { quantileOfSorted, seriesEndMs, sumQuantiles, wholeShares } from "../../../sdk/model";
import { createProfiles } from "../../../providers/forecast/joint/demand-profiles";
import { sampleJointPaths } from "../../../providers/forecast/joint-paths";
import { createRandom } from "../../../providers/forecast/random";
import { seasonalNaive } from "../../../providers/forecast/seasonal-naive";
import { DAY_MS, HOUR_MS, dailySeries, seriesOf } from "../series-builders";

const GIB = 2 ** 30;

function workloadOf(name: string, island: string): Workload {
  return {
    ...{ name, island, criticality: "normal", copies: 3, exclusive: false, maxPauseMs: 2000, maxUnavailable: 1 },
    request: { cpuMillis: 100, memoryBytes: GIB },
    hooks: {},
  };
}

/** Hourly loads around a daily shape whose deviations are correlated as asked, with a memory of some hours. */
function correlatedLoads(seed: number, days: number, correlation: number): readonly [Series, Series] {
  const random = createRandom(seed);
  const values: [number[], number[]] = [[], []];
  let [first, second] = [0, 0];
  for (let i = 0; i < days * 24; i++) {
    const shared = random.normal();
    const own = random.normal();
    first = 0.6 * first + 80 * shared;
    second = 0.6 * second + 80 * (correlation * shared + Math.sqrt(1 - correlation ** 2) * own);
    const shape = 1500 - 500 * Math.cos((2 * Math.PI * (i % 24)) / 24);
    values[0].push(shape + first);
    values[1].push(shape + second);
  }
  return [
    seriesOf(values[0], { id: "workload/a", stepMs: HOUR_MS }),
    seriesOf(values[1], { id: "workload/b", stepMs: HOUR_MS }),
  ];
}

/** How often the true sum was above the forecast's P95 of the sum, and above the sum of both P95, over many origins. */
function missesOf(correlation: number): { readonly joint: number; readonly added: number } {
  const [known, ahead] = [21 * 24, 6];
  let [joint, added, count] = [0, 0, 0];
  for (let seed = 1; seed <= 60; seed++) {
    const whole = correlatedLoads(seed, 22, correlation);
    const cut = whole.map((series) => ({ ...series, values: series.values.slice(0, known) }));
    const sources = cut.map((series) => ({ fitted: seasonalNaive().fit(series), endMs: seriesEndMs(series) }));
    const startMs = sources[0]?.endMs ?? 0;
    const cpuMillis = sampleJointPaths({ sources, startMs, stepMs: HOUR_MS, steps: ahead, paths: 200, seed });
    const demand = { startMs, stepMs: HOUR_MS, steps: ahead, workloads: ["a", "b"], cpuMillis, memoryBytes: [0, 0] };
    const quantile = (names: readonly string[], h: number): number =>
      sumQuantiles(demand, wholeShares(names), [0.95])[0]?.[h] ?? 0;
    for (let h = 0; h < ahead; h++) {
      const actual = whole.reduce((sum, { values }) => sum + (values[known + h] ?? 0), 0);
      joint += actual > quantile(["a", "b"], h) ? 1 : 0;
      added += actual > quantile(["a"], h) + quantile(["b"], h) ? 1 : 0;
      count++;
    }
  }
  return { joint: joint / count, added: added / count };
}

describe("demand profiles", () => {
  it("are exceeded by the sum of workloads as often as promised, whatever their dependence; sums of quantiles are not", () => {
    const [together, apart] = [missesOf(0.95), missesOf(-0.9)];
    assert.ok(together.joint >= 0.01 && together.joint <= 0.1, `together ${String(together.joint)}`);
    assert.ok(apart.joint >= 0.01 && apart.joint <= 0.1, `apart ${String(apart.joint)}`);
    // Loads that take turns: adding their P95 buys for a peak that does not come.
    assert.ok(apart.added < 0.002, `sum of quantiles ${String(apart.added)}`);
  });

  it("leave each workload with just the quantiles of its own model", () => {
    const [series] = correlatedLoads(1, 21, 0.5);
    const fitted = seasonalNaive().fit(series);
    const endMs = seriesEndMs(series);
    const paths = sampleJointPaths({
      ...{ sources: [{ fitted, endMs }], startMs: endMs, stepMs: HOUR_MS, steps: 24, paths: 100, seed: 3 },
    });
    const levels = Array.from({ length: 100 }, (_, i) => (i + 0.5) / 100);
    const { rows } = fitted.predict(24, levels);
    for (let h = 0; h < 24; h++) {
      const sorted = paths.map((path) => path[h] ?? 0).sort((a, b) => a - b);
      levels.forEach((level, l) => {
        assert.ok(Math.abs(quantileOfSorted(sorted, level) - (rows[l]?.[h] ?? 0)) <= 0.5);
      });
    }
  });

  const cpu = dailySeries({ days: 15, seed: 1 });
  const endMs = seriesEndMs(cpu);
  const scaled = (unit: Series["unit"], factor: number): Series => ({
    ...cpu,
    unit,
    values: cpu.values.map((value) => value * factor),
  });
  const histories: readonly WorkloadHistory[] = [
    { workload: "a", cpu, memory: scaled("memoryBytes", 1e6), disk: scaled("diskBytesPerSecond", 1e3) },
    { workload: "b", cpu: { ...cpu, id: "workload/b" }, network: scaled("networkBytesPerSecond", 1e4) },
    { workload: "c" },
  ];
  const workloads = [workloadOf("a", "shop"), workloadOf("b", "shop"), workloadOf("c", "back")];
  const window = { startMs: endMs + 2 * DAY_MS + 90 * 60_000, endMs: endMs + 2 * DAY_MS + 4 * HOUR_MS };
  const profiles = createProfiles({ histories, workloads, nowMs: endMs, window, seed: 1 });
  const find = (subject: string, resource: string, span: string): DemandProfile | undefined =>
    profiles.find((one) => one.subject === subject && one.resource === resource && one.span === span);

  it("cover the opening, and the 24 hours from now on, of every resource that is measured", () => {
    const day = find("workload/a", "cpuMillis", "day");
    assert.equal(day?.startMs, endMs);
    assert.equal(day.rows[0]?.length, 24);
    const opening = find("workload/a", "diskBytesPerSecond", "window");
    assert.equal(opening?.startMs, endMs + 2 * DAY_MS + HOUR_MS);
    assert.equal(opening.rows[0]?.length, 3);
    assert.deepEqual(
      profiles.filter(({ span }) => span === "day").map(({ subject, resource }) => `${subject} ${resource}`),
      [
        "workload/a cpuMillis",
        "workload/a memoryBytes",
        "workload/a diskBytesPerSecond",
        "workload/b cpuMillis",
        "workload/b networkBytesPerSecond",
        "island/shop cpuMillis",
        "island/shop memoryBytes",
        "island/shop diskBytesPerSecond",
        "island/shop networkBytesPerSecond",
      ],
    );
  });

  it("count the memory of all copies, and the peak of a day above most of its hours", () => {
    const memory = find("workload/a", "memoryBytes", "day");
    const single = find("workload/a", "cpuMillis", "day");
    const ratio = (memory?.peak[0] ?? 0) / (single?.peak[0] ?? 1);
    assert.ok(Math.abs(ratio / 3e6 - 1) < 0.1, String(ratio));
    const medians = single?.rows[0] ?? [];
    assert.ok((single?.peak[0] ?? 0) >= Math.max(...medians) * 0.98);
  });

  it("are the same for the same input, in whole numbers that rise with their level", () => {
    assert.deepEqual(profiles, createProfiles({ histories, workloads, nowMs: endMs, window, seed: 1 }));
    for (const { rows, peak } of profiles) {
      assert.ok([...rows.flat(), ...peak].every((value) => Number.isInteger(value) && value >= 0));
      rows[0]?.forEach((low, h) => {
        assert.ok(low <= (rows[1]?.[h] ?? 0));
      });
    }
  });
});
