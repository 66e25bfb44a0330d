import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { Series, WorkloadHistory } from "../../sdk/model";
import { chooseGrid, FINEST_STEP_MS, onGrid } from "../../providers/forecast/forecast-grid";

const HOUR_MS = 3_600_000;
const COARSE = { stepMs: 30 * 60_000, paths: 100 };

function seriesOf(values: readonly number[], startMs = 0, stepMs = FINEST_STEP_MS): Series {
  return { id: "workload/a", unit: "cpuMillis", startMs, stepMs, values: Float64Array.from(values) };
}

function cpuOn(history: Omit<WorkloadHistory, "workload">): Series | undefined {
  return onGrid([{ workload: "a", ...history }], COARSE)[0]?.cpu;
}

describe("grid of a forecast", () => {
  it("is the finest for small fleets, coarser for larger ones, never finer for more workloads", () => {
    assert.deepEqual(chooseGrid(60, 12 * HOUR_MS), { stepMs: FINEST_STEP_MS, paths: 200 });
    assert.deepEqual(chooseGrid(5000, 12 * HOUR_MS), COARSE);
    assert.deepEqual(chooseGrid(30_000, 12 * HOUR_MS), COARSE);
    fc.assert(
      fc.property(fc.nat(30_000), fc.nat(1000), fc.integer({ min: 1, max: 12 }), (workloads, more, hours) => {
        const [small, large] = [chooseGrid(workloads, hours * HOUR_MS), chooseGrid(workloads + more, hours * HOUR_MS)];
        assert.ok(small.stepMs <= large.stepMs && small.paths >= large.paths);
      }),
    );
  });

  it("leaves histories as they are on the finest", () => {
    const histories = [{ workload: "a", cpu: seriesOf([1, 2]) }];
    assert.equal(onGrid(histories, { stepMs: FINEST_STEP_MS, paths: 200 }), histories);
  });

  it("takes the highest of each step, and a gap only where nothing was measured", () => {
    const values = [1, 9, 2, Number.NaN, 3, 4, ...Array<number>(6).fill(Number.NaN), 5];
    assert.deepEqual(Array.from(cpuOn({ cpu: seriesOf(values) })?.values ?? []), [9, Number.NaN, 5]);
  });

  it("stands for every finer step, wherever the series begins", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.nat(1000), fc.constant(Number.NaN)), { minLength: 1, maxLength: 40 }),
        fc.nat(20),
        (values, start) => {
          const startMs = start * FINEST_STEP_MS;
          const coarse = cpuOn({ cpu: seriesOf(values, startMs) });
          assert.ok(coarse && coarse.startMs % COARSE.stepMs === 0);
          values.forEach((value, index) => {
            const step = Math.floor((startMs + index * FINEST_STEP_MS - coarse.startMs) / COARSE.stepMs);
            assert.ok(Number.isNaN(value) || (coarse.values[step] ?? Number.NaN) >= value);
          });
        },
      ),
    );
  });

  it("has what was measured live in the CPU, and a live measurement alone", () => {
    const live = seriesOf([7, 7, 7, 7, 7], 5 * FINEST_STEP_MS, 60_000);
    assert.deepEqual(Array.from(cpuOn({ cpu: seriesOf([1, 1, 1, 1, 1, 1]), live })?.values ?? []), [7]);
    assert.deepEqual(Array.from(cpuOn({ live })?.values ?? []), [7]);
    assert.equal(onGrid([{ workload: "a", cpu: seriesOf([1]), live }], COARSE)[0]?.live, undefined);
  });
});
