/** A run on the fleet in memory with recordings beside it, for reports and their pages. */
import { buildReport, type Recordings } from "../../providers/report/build-report";
import { verifyRun } from "../../providers/verify/verify-run";
import { LATENCY_BOUNDS_MS, type ServiceTraffic } from "../../providers/drivers/contracts";
import type { RunReport, RunState } from "../../sdk/model";
import { createRunFixture } from "../runner/run-fixture";

/** One second of traffic in which every request took about 3 ms. */
function second(atMs: number, requests: number, failed = 0): ServiceTraffic["buckets"][number] {
  const histogram = LATENCY_BOUNDS_MS.map((bound) => (bound === 3 ? requests : 0));
  return { atMs, requests, failed, p50Ms: 3, p99Ms: 3, maxMs: 3, histogram: [...histogram, 0] };
}

/** Carries a run out and reports it. */
export async function reportOfRun(): Promise<{ readonly state: RunState; readonly report: RunReport }> {
  const fixture = createRunFixture();
  const state = await fixture.run();
  const after = await fixture.clock.run(() => fixture.observe());
  const startMs = state.startedAt ?? 0;
  const recordings: Recordings = {
    availability: [
      { atMs: startMs, workload: "front", available: 6 },
      { atMs: startMs + 1000, workload: "front", available: 7 },
      { atMs: startMs + 2000, workload: "front", available: 6 },
    ],
    pauses: [],
    traffic: [
      {
        service: "front",
        buckets: [second(startMs - 5000, 10), second(startMs + 5000, 20), second(startMs + 6000, 20, 1)],
      },
    ],
    actual: [{ workload: "front", points: [{ atMs: startMs + 1000, cpuMillis: 100 }] }],
    verification: verifyRun({
      run: state.id,
      before: state.bundle.fleet,
      after,
      attempted: state.bundle.fleet.hosts.map(({ id }) => id),
    }),
    violations: [],
    disclosures: ["load history is generated"],
  };
  return { state, report: buildReport(state, recordings, "stand-in 0") };
}
