import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { ReplicaUsage } from "../../providers/drivers/contracts";
import { countMoves, DemandEvidence, TrafficEvidence } from "../../providers/guard/evidence";
import { sampleForecast, sampleWorkloads } from "../../providers/testing";
import type { Forecast } from "../../sdk/model";
import { createRunFixture, quickFleet, quickSpec } from "../runner/run-fixture";

const STEP_MS = 300_000;
const START_MS = Date.UTC(2026, 2, 7, 2);

/** Two paths on which `front` needs 1 and 2 cores at every step. */
function twoPaths(): Forecast {
  const steps = 12;
  const row = (cpuMillis: number): readonly number[] => new Array<number>(steps).fill(cpuMillis);
  return {
    ...sampleForecast(),
    demand: {
      startMs: START_MS,
      stepMs: STEP_MS,
      steps,
      workloads: ["front"],
      cpuMillis: [row(1000), row(2000)],
      memoryBytes: [0],
    },
  };
}

/** What a copy used from one look to the next, in samples of ten seconds. */
function usage(replica: string, fromMs: number, toMs: number, cpuMillis: number): ReplicaUsage {
  const count = (toMs - fromMs) / 10_000;
  return {
    replica,
    workload: "front",
    host: "host-01",
    startMs: fromMs,
    stepMs: 10_000,
    cpuMillis: new Array<number>(count).fill(cpuMillis),
    memoryBytes: [],
  };
}

describe("guard: evidence", () => {
  it("sums what the copies of an island use, by the steps of the forecast", () => {
    const evidence = new DemandEvidence({ workloads: sampleWorkloads() });
    evidence.noteForecast(twoPaths(), START_MS);
    evidence.add([], START_MS);
    for (let atMs = START_MS; atMs < START_MS + 2 * STEP_MS; atMs += 60_000) {
      const use = atMs < START_MS + STEP_MS ? 600 : 1200;
      evidence.add([usage("a", atMs, atMs + 60_000, use), usage("b", atMs, atMs + 60_000, use)], atMs + 60_000);
    }
    const [shop] = evidence.list(0.95, START_MS + 2 * STEP_MS);
    assert.deepEqual(shop?.steps, [
      { startMs: START_MS, actualCpuMillis: 1200, forecastCpuMillis: 2000 },
      { startMs: START_MS + STEP_MS, actualCpuMillis: 2400, forecastCpuMillis: 2000 },
    ]);
    assert.equal(evidence.list(0.5, START_MS + 2 * STEP_MS)[0]?.steps[0]?.forecastCpuMillis, 1500);
  });

  it("leaves out steps that have not passed, or were not watched for most of their length", () => {
    const evidence = new DemandEvidence({ workloads: sampleWorkloads() });
    evidence.noteForecast(twoPaths(), START_MS);
    const lateMs = START_MS + STEP_MS / 2;
    evidence.add([], lateMs);
    evidence.add([usage("a", lateMs, START_MS + STEP_MS + 60_000, 5000)], START_MS + STEP_MS + 60_000);
    assert.deepEqual(evidence.list(0.95, START_MS + STEP_MS + 60_000)[0]?.steps, []);
  });

  it("counts a sample once, also when a host sends it twice", () => {
    const evidence = new DemandEvidence({ workloads: sampleWorkloads() });
    evidence.noteForecast(twoPaths(), START_MS);
    evidence.add([], START_MS);
    const same = usage("a", START_MS, START_MS + STEP_MS, 700);
    evidence.add([same, same], START_MS + STEP_MS);
    assert.equal(evidence.list(0.95, START_MS + STEP_MS)[0]?.steps[0]?.actualCpuMillis, 700);
  });

  it("takes a value that comes late for no drop: its step waits for it, and is left out if it never comes", () => {
    const evidence = new DemandEvidence({ workloads: sampleWorkloads() });
    evidence.noteForecast(twoPaths(), START_MS);
    evidence.add([], START_MS);
    /** One sample for a whole step, as a metrics system has them. */
    const sample = (step: number, cpuMillis: number): ReplicaUsage => ({
      ...usage("a", START_MS + step * STEP_MS, START_MS + step * STEP_MS, 0),
      ...{ stepMs: STEP_MS, cpuMillis: [cpuMillis] },
    });
    const stepsAt = (count: number): readonly (readonly number[])[] =>
      (evidence.list(0.95, START_MS + count * STEP_MS)[0]?.steps ?? []).map(({ startMs, actualCpuMillis }) => [
        (startMs - START_MS) / STEP_MS,
        actualCpuMillis,
      ]);
    evidence.add([sample(0, 1500)], START_MS + STEP_MS);
    evidence.add([], START_MS + 2 * STEP_MS);
    assert.deepEqual(stepsAt(2), [[0, 1500]]);
    // Asked for again, it comes.
    assert.equal(evidence.nextSinceMs(0), START_MS + STEP_MS);
    evidence.add([sample(1, 1600)], START_MS + 2 * STEP_MS + 30_000);
    assert.deepEqual(stepsAt(2.1), [
      [0, 1500],
      [1, 1600],
    ]);
    evidence.add([], START_MS + 3 * STEP_MS);
    evidence.add([sample(3, 1700)], START_MS + 4 * STEP_MS);
    assert.deepEqual(stepsAt(4), [
      [0, 1500],
      [1, 1600],
      [3, 1700],
    ]);
    // Nothing comes any more: it no longer runs.
    evidence.add([], START_MS + 5 * STEP_MS);
    evidence.add([], START_MS + 6 * STEP_MS);
    assert.deepEqual(stepsAt(6).at(-1), [4, 0]);
  });

  it("counts a second of traffic once, with what was said of it last, and forgets what is too old", () => {
    const evidence = new TrafficEvidence();
    const bucket = (atMs: number, requests: number, failed: number) => ({
      ...{ atMs, requests, failed, p50Ms: 1, p99Ms: 1, maxMs: 1, histogram: [] },
    });
    evidence.add([{ service: "front", buckets: [bucket(1000, 5, 1), bucket(2000, 5, 0)] }], 2500, 0);
    assert.equal(evidence.nextSinceMs(0), 0);
    evidence.add([{ service: "front", buckets: [bucket(2000, 9, 2), bucket(3000, 4, 0)] }], 3500, 2000);
    assert.deepEqual(evidence.list(), [
      {
        service: "front",
        seconds: [
          { atMs: 2000, requests: 9, failed: 2 },
          { atMs: 3000, requests: 4, failed: 0 },
        ],
      },
    ]);
  });

  it("counts moves that were begun, and names those that failed or were undone", async () => {
    const good = createRunFixture({ fleet: quickFleet(), spec: quickSpec() });
    const done = await good.run();
    assert.ok(countMoves(done, 0).begun > 0);
    assert.deepEqual(countMoves(done, 0).failed, []);
    assert.equal(countMoves(done, Number.POSITIVE_INFINITY).begun, 0);
    const hosts = ["host-01", "host-02", "host-03", "host-04", "host-05", "host-06"];
    const bad = createRunFixture({ fleet: quickFleet({ failingHosts: hosts }), spec: quickSpec() });
    const { begun, failed } = countMoves(await bad.run(), 0);
    assert.ok(failed.length > 0 && failed.length <= begun);
    assert.match(failed[0] ?? "", /^\w+ from host-\d+/);
  });
});
