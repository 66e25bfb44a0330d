import { strict as assert } from "node:assert";
import { before, describe, it } from "mocha";
import { renderSimulationPage } from "../../providers/simulate/render-page";
import { renderSimulation } from "../../providers/simulate/render-text";
import { simulate } from "../../providers/simulate/simulate";
import { DEFAULT_ASSUMPTIONS, type SimulationInput } from "../../providers/simulate/simulation";
import { distributionOf } from "../../providers/simulate/summarize";
import type { Fleet, Workload } from "../../sdk/model";
import { createBundle, HOUR_MS } from "./sample-bundle";

describe("simulate: plans in simulated time", () => {
  let input: SimulationInput;
  before(async () => {
    input = { bundle: await createBundle(0.6), runs: 6, seed: 7, assumptions: DEFAULT_ASSUMPTIONS };
  });

  it("gives the same distribution for the same seed, in threads or not, and another for another", async () => {
    const here = await simulate(input);
    assert.deepEqual(await simulate(input), here);
    const threads = await simulate({ ...input, runs: 24 });
    const again = await simulate({ ...input, runs: 24 });
    assert.deepEqual(threads, again);
    assert.equal(threads.duration?.minimum, Math.min(threads.duration?.minimum ?? 0, here.duration?.minimum ?? 0));
    assert.notDeepEqual((await simulate({ ...input, seed: 8 })).duration, here.duration);
  }).timeout(120_000);

  it("shows ends inside the window, pauses within what is allowed, and no promise broken", async () => {
    const result = await simulate({ ...input, assumptions: { hostFailuresPerMonth: 0, updateFailureShare: 0 } });
    assert.deepEqual(result.phases, { done: 6 });
    assert.deepEqual([result.violations, result.overCapacity, result.reasons], [{}, 0, []]);
    assert.ok((result.duration?.minimum ?? 0) > 120_000 && (result.duration?.maximum ?? Infinity) < 3 * HOUR_MS);
    assert.ok((result.pauses?.maximum ?? Infinity) <= 2000);
  }).timeout(60_000);

  it("counts updates that fail with their reason, and hosts that die", async () => {
    const failing = await simulate({ ...input, assumptions: { hostFailuresPerMonth: 0, updateFailureShare: 1 } });
    assert.deepEqual(failing.phases, { failed: 6 });
    assert.deepEqual(failing.reasons, [{ reason: "update: exit code #", runs: 6 }]);
    assert.equal(failing.duration, undefined);
    const dying = await simulate({ ...input, assumptions: { hostFailuresPerMonth: 1000, updateFailureShare: 0 } });
    assert.ok((dying.phases.done ?? 0) < 6, JSON.stringify(dying.phases));
  }).timeout(60_000);

  it("plays plans in which functions stand in for copies, and in which some are refused, without a promise broken", async () => {
    const { bundle } = input;
    const { pool: _, ...spec } = bundle.spec;
    const changed = (change: Partial<Workload>): readonly Workload[] =>
      bundle.fleet.workloads.map((workload) => (workload.name === "front" ? { ...workload, ...change } : workload));
    const burst = { function: "front-fn", requestsPerSecond: 10_000, coldStartMs: 2000, cpuMsPerRequest: 5 };
    const bursting: Fleet = { ...bundle.fleet, workloads: changed({ burst }), functions: ["front-fn"] };
    const functions = [{ path: "/reports", criticality: "sheddable" as const }];
    const refusing: Fleet = { ...bundle.fleet, workloads: changed({ functions }) };
    const judged = { workload: "front", name: "/reports", share: 0.5, confidence: 1, reason: "as declared" };
    const forecast = { ...bundle.forecast, functions: [{ ...judged, criticality: "sheddable" as const }] };
    const assumptions = { hostFailuresPerMonth: 0, updateFailureShare: 0 };
    for (const changes of [{ fleet: bursting }, { fleet: refusing, forecast }]) {
      const result = await simulate({ ...input, assumptions, bundle: { ...bundle, spec, ...changes } });
      assert.deepEqual(result.phases, { done: 6 }, JSON.stringify(result.reasons));
      assert.deepEqual([result.violations, result.overCapacity], [{}, 0]);
    }
  }).timeout(60_000);

  it("plays plans in which hosts are updated in place and replaced, and counts what fails of either", async () => {
    const { bundle } = input;
    const hosts = bundle.fleet.hosts.map((host) => ({
      ...host,
      offers: ["replacement"] as const,
      ...(host.id === "host-02" ? { immutable: "sealed root" } : {}),
    }));
    const update = { ...bundle.spec.update, image: "image-2" };
    const mixed = { ...bundle, fleet: { ...bundle.fleet, hosts }, spec: { ...bundle.spec, update } };
    const assumptions = { hostFailuresPerMonth: 0, updateFailureShare: 0 };
    const result = await simulate({ ...input, assumptions, bundle: mixed });
    assert.deepEqual(result.phases, { done: 6 }, JSON.stringify(result.reasons));
    assert.deepEqual([result.violations, result.overCapacity], [{}, 0]);
    const failing = await simulate({
      ...input,
      assumptions: { ...assumptions, updateFailureShare: 0.7 },
      bundle: mixed,
    });
    assert.deepEqual(failing.violations, {});
    assert.ok((failing.phases.failed ?? 0) >= 4, JSON.stringify(failing.reasons));
  }).timeout(60_000);

  it("refuses a plan that is blocked, with what is in its way", async () => {
    const blocked = { ...input, bundle: await createBundle(20) };
    await assert.rejects(simulate(blocked), /plan \("blocked"\) must be one that runs: .*archipelago plan/s);
  });

  it("renders text and a page that asks for nothing from elsewhere", async () => {
    const result = await simulate(input);
    assert.match(renderSimulation(result), /end +P50 after .* P95 after/);
    const page = renderSimulationPage(result);
    assert.match(page, /End, P95/);
    assert.doesNotMatch(page, /(src|href)="(?!#)/);
  }).timeout(60_000);

  it("takes quantiles by the nearest rank and leaves no value out of the bins", () => {
    const distribution = distributionOf(Array.from({ length: 100 }, (_, index) => index + 1));
    assert.deepEqual([distribution?.p50, distribution?.p95, distribution?.maximum], [50, 95, 100]);
    assert.equal(
      distribution?.bins.reduce((sum, { count }) => sum + count, 0),
      100,
    );
    assert.equal(distributionOf([5, 5])?.bins.length, 1);
    assert.equal(distributionOf([]), undefined);
  });
});
