import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { JointDemand, Replica } from "../../sdk/model";
import { hostShares, islandShares, peakQuantiles, sumPaths, sumQuantiles, wholeShares } from "../../sdk/model";
import { sampleWorkloads } from "../../providers/testing/builders";

function demandOf(cpuMillis: readonly (readonly number[])[], workloads: readonly string[], steps: number): JointDemand {
  return { startMs: 0, stepMs: 300_000, steps, workloads, cpuMillis, memoryBytes: workloads.map(() => 0) };
}

const demands = fc
  .record({ paths: fc.integer({ min: 1, max: 20 }), workloads: fc.integer({ min: 1, max: 4 }) })
  .chain(({ paths, workloads }) =>
    fc
      .array(fc.array(fc.nat(5000), { minLength: workloads * 3, maxLength: workloads * 3 }), {
        minLength: paths,
        maxLength: paths,
      })
      .map((cpu) =>
        demandOf(
          cpu,
          Array.from({ length: workloads }, (_, w) => `w${String(w)}`),
          3,
        ),
      ),
  );

describe("joint demand", () => {
  it("adds up within a path: two workloads that take turns need less together than their quantiles say", () => {
    const paths = Array.from({ length: 100 }, (_, p) => (p % 2 === 0 ? [1000, 0] : [0, 1000]));
    const demand = demandOf(paths, ["day", "night"], 1);
    const [both] = sumQuantiles(demand, wholeShares(["day", "night"]), [0.95]);
    const alone = ["day", "night"].map((name) => sumQuantiles(demand, wholeShares([name]), [0.95])[0]?.[0] ?? 0);
    assert.equal(both?.[0], 1000);
    assert.deepEqual(alone, [1000, 1000]);
  });

  it("reads n paths as the quantiles that they were drawn at", () => {
    const demand = demandOf(
      Array.from({ length: 10 }, (_, p) => [100 * p]),
      ["one"],
      1,
    );
    const levels = Array.from({ length: 10 }, (_, i) => (i + 0.5) / 10);
    assert.deepEqual(
      sumQuantiles(demand, wholeShares(["one"]), levels).map((row) => Math.round(row[0] ?? 0)),
      [0, 100, 200, 300, 400, 500, 600, 700, 800, 900],
    );
  });

  it("has quantiles that rise with their level and lie within the paths", () => {
    fc.assert(
      fc.property(demands, (demand) => {
        const shares = wholeShares(demand.workloads);
        const rows = sumQuantiles(demand, shares, [0.05, 0.5, 0.95]);
        const sums = sumPaths(demand, shares);
        for (let h = 0; h < demand.steps; h++) {
          const [low = 0, middle = 0, high = 0] = rows.map((row) => row[h]);
          const values = sums.map((sum) => sum[h] ?? 0);
          assert.ok(low <= middle && middle <= high);
          assert.ok(low >= Math.min(...values) && high <= Math.max(...values));
        }
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  it("is additive in its shares, and twice the share is twice the sum", () => {
    fc.assert(
      fc.property(demands, (demand) => {
        const [first = "", ...rest] = demand.workloads;
        const whole = sumPaths(demand, wholeShares(demand.workloads));
        const parts = [sumPaths(demand, wholeShares([first])), sumPaths(demand, wholeShares(rest))];
        const doubled = sumPaths(demand, new Map(demand.workloads.map((name) => [name, 2])));
        whole.forEach((path, p) => {
          path.forEach((value, h) => {
            assert.equal(value, (parts[0]?.[p]?.[h] ?? 0) + (parts[1]?.[p]?.[h] ?? 0));
            assert.equal(doubled[p]?.[h], 2 * value);
          });
        });
      }),
      { numRuns: 100, seed: 2 },
    );
  });

  it("has a peak that no step passes", () => {
    const paths = [
      [1, 5, 2],
      [4, 3, 9],
    ];
    assert.deepEqual(peakQuantiles(paths, [0.25, 0.75]), [5, 9]);
  });

  it("divides a workload over the hosts of its healthy copies, and an island over all of its own", () => {
    const copy = (id: string, workload: string, host: string, state: Replica["state"] = "healthy"): Replica => ({
      ...{ id, workload, host, state },
    });
    const replicas = [
      copy("a1", "a", "h1"),
      copy("a2", "a", "h1"),
      copy("a3", "a", "h2"),
      copy("a4", "a", "h2", "starting"),
      copy("b1", "b", "h2"),
    ];
    assert.deepEqual([...hostShares({ replicas }, "h1")], [["a", 2 / 3]]);
    assert.deepEqual(
      [...hostShares({ replicas }, "h2")],
      [
        ["a", 1 / 3],
        ["b", 1],
      ],
    );
    const workloads = sampleWorkloads();
    assert.deepEqual(
      [...islandShares({ workloads }, "shop").keys()],
      workloads.map(({ name }) => name),
    );
    assert.equal(islandShares({ workloads }, "other").size, 0);
  });
});
