import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { Series } from "../../sdk/model";
import { seriesEndMs } from "../../sdk/model";
import type { JointPathsInput, PathSource } from "../../providers/forecast/joint-paths";
import { sampleJointPaths } from "../../providers/forecast/joint-paths";
import { createRandom } from "../../providers/forecast/random";
import { seasonalNaive } from "../../providers/forecast/seasonal-naive";
import { DAY_MS, HOUR_MS, dailySeries, seriesOf } from "./series-builders";

const STEPS = 12;

function sourceOf(series: Series): PathSource {
  return { fitted: seasonalNaive().fit(series), endMs: seriesEndMs(series) };
}

function sample(series: readonly Series[], overrides: Partial<JointPathsInput> = {}): readonly (readonly number[])[] {
  const sources = series.map(sourceOf);
  const startMs = Math.max(...sources.map((source) => source.endMs));
  return sampleJointPaths({ sources, startMs, stepMs: HOUR_MS, steps: STEPS, paths: 200, seed: 1, ...overrides });
}

/** Correlation between two workloads' demand at one step over the paths. */
function correlation(paths: readonly (readonly number[])[], a: number, b: number): number {
  const mean = (index: number): number => paths.reduce((sum, path) => sum + (path[index] ?? 0), 0) / paths.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (const path of paths) {
    const [x, y] = [(path[a] ?? 0) - meanA, (path[b] ?? 0) - meanB];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / Math.sqrt(aa * bb);
}

/** Two loads whose deviations from the daily shape are the same, or drawn each for itself. */
function pairOfLoads(isShared: boolean): readonly Series[] {
  const [first, second] = [dailySeries({ days: 21, seed: 1 }), dailySeries({ days: 21, seed: isShared ? 1 : 2 })];
  return [first, { ...second, id: "workload/other", values: second.values.map((value) => 2 * value + 100) }];
}

describe("joint paths", () => {
  it("are the same for the same seed and others for another", () => {
    const series = pairOfLoads(false);
    assert.deepEqual(sample(series), sample(series));
    assert.notDeepEqual(sample(series), sample(series, { seed: 2 }));
  });

  it("hold whole numbers >= 0 in the layout of JointDemand", () => {
    const paths = sample(pairOfLoads(false));
    assert.equal(paths.length, 200);
    for (const path of paths) {
      assert.equal(path.length, 2 * STEPS);
      assert.ok(path.every((value) => Number.isInteger(value) && value >= 0));
    }
  });

  it("have each workload's own quantiles as margins", () => {
    const [first, second] = pairOfLoads(false);
    assert.ok(first && second);
    const paths = sample([first, second]);
    const { rows } = seasonalNaive().fit(second).predict(STEPS, [0.1, 0.5, 0.9]);
    [0.1, 0.5, 0.9].forEach((level, l) => {
      const sorted = paths.map((path) => path[STEPS + 3] ?? 0).sort((a, b) => a - b);
      const expected = rows[l]?.[3] ?? 0;
      assert.ok(Math.abs((sorted[Math.floor(level * 200)] ?? 0) - expected) < 0.02 * expected);
    });
  });

  it("keep workloads together that moved together, and apart those that did not", () => {
    const together = sample(pairOfLoads(true));
    const apart = sample(pairOfLoads(false));
    assert.ok(correlation(together, 4, STEPS + 4) > 0.95);
    assert.ok(Math.abs(correlation(apart, 4, STEPS + 4)) < 0.6);
  });

  it("keep an hour close to the hour after it", () => {
    assert.ok(correlation(sample(pairOfLoads(false)), 4, 5) > 0.5);
  });

  it("reach hours and days that begin long after the data end", () => {
    const [series] = pairOfLoads(false);
    assert.ok(series);
    const paths = sample([series], { startMs: seriesEndMs(series) + 2 * DAY_MS + 5 * HOUR_MS, steps: 30 });
    assert.ok(paths.every((path) => path.length === 30 && path.every((value) => Number.isFinite(value))));
  });

  it("take a short history beside a long one", () => {
    const short = seriesOf([5, 6, 7, 5, 6, 8, 7, 6, 5, 6, 7, 6], { id: "workload/new", stepMs: HOUR_MS });
    const [long] = pairOfLoads(false);
    assert.ok(long);
    const paths = sample([long, { ...short, startMs: seriesEndMs(long) - 12 * HOUR_MS }]);
    assert.ok(paths.some((path) => (path[STEPS] ?? 0) > 0));
  });

  it("move workloads without residuals together, which is the careful guess", () => {
    const end = dailySeries({ days: 1, seed: 1 }).startMs;
    const single = (id: string, value: number): Series =>
      seriesOf([value], { id, stepMs: HOUR_MS, startMs: end - HOUR_MS });
    const paths = sample([single("workload/a", 100), single("workload/b", 300)]);
    assert.ok(correlation(paths, 0, STEPS) > 0.99);
  });

  it("are empty rows when there is no workload at all", () => {
    const paths = sampleJointPaths({ sources: [], startMs: 0, stepMs: HOUR_MS, steps: 3, paths: 2, seed: 1 });
    assert.deepEqual(paths, [[], []]);
  });

  it("cover the total of all workloads as often as promised", () => {
    let over = 0;
    let count = 0;
    for (let seed = 1; seed <= 25; seed++) {
      const random = createRandom(seed);
      const whole = [0, 1, 2].map((w) => dailySeries({ days: 15, seed: Math.floor(random.next() * 1e6) + w }));
      const known = 14 * 24;
      const cut = whole.map((series) => ({ ...series, values: series.values.slice(0, known) }));
      const paths = sample(cut, { paths: 100 });
      for (let h = 0; h < STEPS; h++) {
        const totals = paths.map((path) => [0, 1, 2].reduce((sum, w) => sum + (path[w * STEPS + h] ?? 0), 0));
        const p95 = totals.sort((a, b) => a - b)[95] ?? 0;
        const actual = whole.reduce((sum, series) => sum + (series.values[known + h] ?? 0), 0);
        if (actual > p95) over++;
        count++;
      }
    }
    assert.ok(over / count < 0.12, `${String(over)} of ${String(count)} above P95`);
  });
});
