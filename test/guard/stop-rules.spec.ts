import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import { judgeStopRules, type DemandStep, type Evidence, type TrafficSecond } from "../../providers/guard/stop-rules";
import type { StopRule } from "../../sdk/model";

const NOW_MS = Date.UTC(2026, 10, 24, 3);
const BUDGET: StopRule = {
  kind: "error-budget",
  objective: 0.999,
  windows: [
    { longMs: 300_000, shortMs: 30_000, rate: 14.4 },
    { longMs: 3_600_000, shortMs: 300_000, rate: 6 },
  ],
  minimumFailed: 5,
  action: "rollback",
};
const MOVES: StopRule = { kind: "failed-moves", share: 0.1, minimumMoves: 3, action: "pause" };
const MISS: StopRule = { kind: "forecast-miss", quantile: 0.95, steps: 3, action: "pause" };
const ALARMS: StopRule = {
  kind: "alarms",
  alarms: [{ kind: "prometheus", url: "http://prometheus:9090", alert: "HighErrorRate" }],
  action: "pause",
};

function evidence(overrides: Partial<Evidence> = {}): Evidence {
  return {
    nowMs: NOW_MS,
    sinceMs: NOW_MS - 7_200_000,
    traffic: [],
    moves: { begun: 0, failed: [] },
    demand: () => [],
    alarms: [],
    tracks: [],
    ...overrides,
  };
}

/** Seconds up to now with 100 requests each, of which so many failed, the newest last. */
function seconds(failed: readonly number[]): readonly TrafficSecond[] {
  return failed.map((count, index) => ({
    atMs: NOW_MS - (failed.length - index) * 1000,
    requests: 100,
    failed: count,
  }));
}

function shop(failed: readonly number[]): Pick<Evidence, "traffic"> {
  return { traffic: [{ service: "shop", seconds: seconds(failed) }] };
}

function steps(...pairs: readonly (readonly [number, number])[]): readonly DemandStep[] {
  return pairs.map(([actualCpuMillis, forecastCpuMillis], index) => ({
    startMs: NOW_MS - (pairs.length - index) * 300_000,
    actualCpuMillis,
    forecastCpuMillis,
  }));
}

describe("guard: stop rules", () => {
  it("fire on an error budget that burns too fast in both windows, with the numbers", () => {
    const verdict = judgeStopRules([BUDGET], evidence(shop(new Array<number>(60).fill(2))));
    assert.equal(verdict?.action, "rollback");
    assert.equal(verdict.rule, "error-budget");
    assert.equal(verdict.subject, "shop");
    assert.equal(
      verdict.reason,
      "error budget of shop: 120 of 6000 requests failed in 5 min and 60 of 3000 in 30 s: " +
        "20.0 and 20.0 times what an objective of 99.9% allows, above 14.4 times",
    );
  });

  it("do not fire when the failures are over, or are few, or are within the objective", () => {
    const over = [...new Array<number>(60).fill(2), ...new Array<number>(400).fill(0)];
    assert.equal(judgeStopRules([BUDGET], evidence(shop(over))), undefined);
    assert.equal(judgeStopRules([BUDGET], evidence(shop([0, 0, 4]))), undefined);
    const within = new Array<number>(3600).fill(0).map((_, index) => (index % 10 === 0 ? 1 : 0));
    assert.equal(judgeStopRules([BUDGET], evidence(shop(within))), undefined);
  });

  it("do not fire on a long window alone: it must still burn", () => {
    const fast: StopRule = { ...BUDGET, windows: [{ longMs: 300_000, shortMs: 30_000, rate: 14.4 }] };
    const failing = new Array<number>(200).fill(5);
    assert.ok(judgeStopRules([fast], evidence(shop(failing))));
    const over = [...failing, ...new Array<number>(60).fill(0)];
    assert.equal(judgeStopRules([fast], evidence(shop(over))), undefined);
  });

  it("fire on a slow burn by the second pair of windows", () => {
    // 0.8 %: eight times too fast, which the fast pair lets pass.
    const slow = new Array<number>(3600).fill(0).map((_, index) => (index % 5 === 0 ? 4 : 0));
    const verdict = judgeStopRules([BUDGET], evidence(shop(slow)));
    assert.match(verdict?.reason ?? "", /in 1 h .*above 6 times/);
  });

  it("do not count what was before the run or before it was resumed", () => {
    const failing = shop(new Array<number>(60).fill(50));
    assert.ok(judgeStopRules([BUDGET], evidence(failing)));
    assert.equal(judgeStopRules([BUDGET], evidence({ ...failing, sinceMs: NOW_MS })), undefined);
  });

  it("never fire without failed requests, whatever the traffic", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 1000 }), { maxLength: 50 }), (requests) => {
        const quiet = requests.map((count, index) => ({ atMs: NOW_MS - index * 1000, requests: count, failed: 0 }));
        const traffic = [{ service: "shop", seconds: quiet }];
        assert.equal(judgeStopRules([BUDGET], evidence({ traffic })), undefined);
      }),
    );
  });

  it("fire when too large a share of moves has failed, and name them", () => {
    const failed = ["checkout from host-1 to host-2"];
    assert.equal(judgeStopRules([MOVES], evidence({ moves: { begun: 2, failed } })), undefined);
    assert.equal(judgeStopRules([MOVES], evidence({ moves: { begun: 10, failed } })), undefined);
    const verdict = judgeStopRules([MOVES], evidence({ moves: { begun: 4, failed } }));
    assert.equal(
      verdict?.reason,
      "1 of 4 moves failed or were undone (25%), above 10%: checkout from host-1 to host-2",
    );
  });

  it("fire when demand is above the forecast's quantile in so many steps one after the other", () => {
    const misses = (...pairs: readonly (readonly [number, number])[]): ReturnType<typeof judgeStopRules> =>
      judgeStopRules([MISS], evidence({ demand: () => [{ island: "shop", steps: steps(...pairs) }] }));
    assert.equal(misses([2100, 2000], [2200, 2000]), undefined);
    assert.equal(misses([2100, 2000], [1900, 2000], [2200, 2000]), undefined);
    const verdict = misses([2100, 2000], [2200, 2000], [2350, 2100]);
    assert.equal(verdict?.action, "pause");
    assert.equal(
      verdict.reason,
      "shop needed more cores than the 95% quantile of its forecast in 3 steps one after the other: " +
        "2.10 above 2.00, 2.20 above 2.00, 2.35 above 2.10",
    );
  });

  it("fire on an alarm, and say what it says", () => {
    const alarm = { name: "HighErrorRate", source: "Prometheus", summary: "shop fails", sinceMs: NOW_MS - 60_000 };
    const verdict = judgeStopRules([ALARMS], evidence({ alarms: [alarm] }));
    assert.equal(
      verdict?.reason,
      "an alarm fires: HighErrorRate (Prometheus) since 2026-11-24T02:59:00.000Z: shop fails",
    );
  });

  it("roll back when one rule wants to pause and another to roll back", () => {
    const both = evidence({ ...shop(new Array<number>(60).fill(5)), moves: { begun: 4, failed: ["a", "b"] } });
    assert.equal(judgeStopRules([MOVES, BUDGET], both)?.action, "rollback");
  });
});
