import * as assert from "node:assert/strict";
import { describe, it } from "mocha";
import { generateFleet } from "../../bench/fleet/generate-fleet";
import { plan } from "../../providers/plan/plan";
import { condenseForecast } from "../../providers/report/condense-forecast";
import { totalDemand } from "../../providers/report/joint-band";
import { renderPlanPage } from "../../providers/report/plan-page";

const { input } = generateFleet({ hosts: 60, workloads: 600 }, 1);

describe("what is shown of a large fleet", () => {
  it("is a bounded page that says what it leaves out and how to see it", () => {
    const made = plan(input);
    assert.equal(made.decision, "run");
    const page = renderPlanPage(input.spec, made, input.forecast);
    assert.ok(page.length < 700_000, `${String(page.length)} characters`);
    assert.match(page, /The first 200 of [\d,]+ rows\./);
    assert.match(page, /`archipelago plan --workload NAME` shows all about one workload/);
    assert.match(page, /at most .* and \d+ more/);
  });

  it("is a forecast of the busiest workloads with the rest of each island summed up, and the same total", () => {
    const condensed = condenseForecast(input.forecast, input.fleet.workloads);
    const { workloads, memoryBytes, cpuMillis, steps } = condensed.demand;
    assert.equal(workloads.length, 50 + input.fleet.islands.length);
    assert.equal(memoryBytes.length, workloads.length);
    assert.ok(cpuMillis.every((path) => path.length === workloads.length * steps));
    assert.deepEqual(workloads.slice(50).sort(), input.fleet.islands.map(({ name }) => `rest of ${name}`).sort());
    const before = totalDemand(input.forecast.demand);
    totalDemand(condensed.demand).forEach(({ median, high }, step) => {
      assert.ok(Math.abs(median - (before[step]?.median ?? 0)) < 10);
      assert.ok(Math.abs(high - (before[step]?.high ?? 0)) < 10);
    });
  });

  it("is the forecast as it is where the fleet is small", () => {
    const { demand } = input.forecast;
    const few = { ...input.forecast, demand: { ...demand, workloads: demand.workloads.slice(0, 50) } };
    assert.equal(condenseForecast(few, input.fleet.workloads), few);
  });
});
