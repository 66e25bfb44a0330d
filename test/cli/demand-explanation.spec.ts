import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { renderDemand } from "../../providers/cli/demand-explanation";
import { sampleForecast, sampleWorkloads } from "../../providers/testing";
import type { Forecast } from "../../sdk/model";

const FLEET = { islands: [{ name: "shop" }], workloads: sampleWorkloads() };

describe("the demand behind a plan, in words", () => {
  it("is the peak of each island as a whole, beside the sum of its workloads' peaks", () => {
    const text = renderDemand(sampleForecast(), FLEET);
    const [, whole = "", apart = ""] =
      /^ {2}shop needs at most (\d+\.\d\d) cores 19 times of 20; .* add up to (\d+\.\d\d)$/m.exec(text) ?? [];
    assert.ok(Number(whole) > 0 && Number(whole) <= Number(apart) + 0.01, text);
    assert.equal(renderDemand(sampleForecast(), { islands: [], workloads: [] }), "");
  });

  it("names who causes whose, what functions are for, what was signalled, and what the update takes, with reasons", () => {
    const part = { cpuMillis: { p50: 200, p95: 400 }, diskBytesPerSecond: { p50: 0, p95: 2 * 2 ** 20 } };
    const forecast: Forecast = {
      ...sampleForecast(),
      signals: [
        { name: "backup", type: "cron", factors: {}, basis: "learned", seen: 3, ahead: [], reason: "on 3 times" },
      ],
      dependencies: [
        {
          ...{ caller: "front", called: "pricing", share: 0.8, lagMs: 60_000, basis: "calls", confidence: 0.5 },
          reason: "counted",
        },
      ],
      functions: [
        {
          ...{ workload: "front", name: "/slow", criticality: "sheddable", confidence: 0.9, share: 0.1 },
          reason: "seldom called",
        },
      ],
      users: [{ workload: "front", isOn: false, reason: "no better than the last minutes" }],
      impact: { duration: { p50Ms: 8000, p95Ms: 20_000 }, parts: [part], measuredHosts: 1 },
    };
    const lines = renderDemand(forecast, FLEET).split("\n").slice(2);
    assert.deepEqual(lines, [
      "  signal backup (cron): on 3 times",
      "  front causes 80% of pricing's load, after 1 min (sure 50%): counted",
      "  /slow of front is sheddable (sure 90%): seldom called",
      "  users of front: no better than the last minutes",
      "  the update itself takes 8.0 s a host (P95 20 s), at most 0.40 cores and 2.0 MiB/s of disk IO: from 1 host of earlier runs",
    ]);
  });
});
