import { strict as assert } from "node:assert";

import { measureRequestCosts } from "../../providers/forecast/request-costs";
import type { MetricUnit, Series } from "../../sdk/model";

const MINUTE_MS = 60_000;
const BURST = { function: "fn", requestsPerSecond: 10, coldStartMs: 0 };

function series(unit: MetricUnit, values: readonly number[], stepMs = MINUTE_MS): Series {
  return { id: "workload/shop", unit, startMs: 0, stepMs, values: Float64Array.from(values) };
}

function costOf(cpu: Series, requests: Series, beforeMs = 100 * MINUTE_MS): number | undefined {
  const workloads = [{ name: "shop", burst: BURST }, { name: "other" }];
  const histories = ["shop", "other"].map((workload) => ({ workload, cpu, requests }));
  const { requestCosts = [] } = measureRequestCosts(workloads, histories, beforeMs);
  assert.ok(requestCosts.every(({ workload }) => workload === "shop"));
  return requestCosts[0]?.cpuMsPerRequest;
}

describe("the CPU time of a request", () => {
  it("is CPU over requests, weighted by requests, whatever the steps of the two", () => {
    assert.equal(costOf(series("cpuMillis", [100, 300]), series("requestsPerSecond", [10, 30])), 10);
    assert.equal(costOf(series("cpuMillis", [100, 600]), series("requestsPerSecond", [10, 30])), 17.5);
    assert.equal(
      costOf(series("cpuMillis", [200], 2 * MINUTE_MS), series("requestsPerSecond", [10, 30, 50, 50])),
      10,
      "minutes without CPU do not count",
    );
  });

  it("leaves gaps out, and what came after the forecast was made", () => {
    assert.equal(
      costOf(series("cpuMillis", [100, NaN, 9]), series("requestsPerSecond", [10, 30, 1]), 2 * MINUTE_MS),
      10,
    );
    assert.equal(costOf(series("cpuMillis", [100, 300]), series("requestsPerSecond", [NaN, 30])), 10);
  });

  it("is not told from a few requests, nor without CPU", () => {
    assert.equal(costOf(series("cpuMillis", [100]), series("requestsPerSecond", [1])), undefined);
    assert.equal(costOf(series("cpuMillis", [0]), series("requestsPerSecond", [100])), undefined);
  });
});
