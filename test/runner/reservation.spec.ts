import { strict as assert } from "node:assert";

import { renderReserveLevels, reservedSpans } from "../../sdk/model";
import { SAMPLE_OPENING_MS, sampleForecast, type MemoryFleetSpec } from "../../providers/testing";
import { assertKept, createRunFixture, quickFleet, quickSpec, RUN } from "./run-fixture";

const MINUTE_MS = 60_000;
const HOSTS = 8;
/** Hosts are nearly full until then, and half empty afterwards. */
const FALLS_AT = SAMPLE_OPENING_MS + 30 * MINUTE_MS;
const LOW = 0.35;
/** CPU of all copies together at first: no host has room for what another one carries. */
const DEMAND: Readonly<Record<string, number>> = { front: 21_000, pricing: 1500, ledger: 1500, reports: 400 };

/** Fleet, forecast and update in which load falls in the middle of the run; an update takes some minutes. */
function fallingLoad(): Parameters<typeof createRunFixture>[0] {
  const fleet: MemoryFleetSpec = quickFleet({ hosts: HOSTS, zones: 1, updateMs: 8 * MINUTE_MS });
  const demandAt = (name: string, atMs: number): number => (DEMAND[name] ?? 0) * (atMs < FALLS_AT ? 1 : LOW);
  const spec = quickSpec({}, HOSTS - 1);
  const ids = fleet.hosts.map(({ id }) => id).slice(0, HOSTS);
  const places: Readonly<Record<string, readonly string[]>> = {
    front: ids.slice(0, -1),
    pricing: ids.slice(-1),
    ledger: ids.slice(-1),
    reports: ids.slice(4),
  };
  const forecast = sampleForecast({ spread: 0 });
  const { demand } = forecast;
  return {
    fleet: {
      ...fleet,
      workloads: fleet.workloads.map((workload) => ({
        ...workload,
        hosts: places[workload.name] ?? workload.hosts,
        demandCpuMillis: (atMs: number) => demandAt(workload.name, atMs),
      })),
    },
    spec: {
      ...spec,
      update: { ...spec.update, timeoutMs: 20 * MINUTE_MS, expectedMs: 10 * MINUTE_MS },
      limits: { ...spec.limits, hostsAtOnce: 1, canaryHosts: 0 },
    },
    forecast: {
      ...forecast,
      demand: {
        ...demand,
        cpuMillis: demand.cpuMillis.map(() =>
          demand.workloads.flatMap((name) =>
            Array.from({ length: demand.steps }, (_, step) => demandAt(name, demand.startMs + step * demand.stepMs)),
          ),
        ),
      },
    },
  };
}

describe("a run with a reserve that follows the forecast", () => {
  it("gives the reserve back in the middle of the run, and keeps every promise", async () => {
    const fixture = createRunFixture(fallingLoad());
    const state = await fixture.run();
    assert.equal(state.phase, "done", state.failure?.reason);
    assertKept(fixture);
    assert.equal(renderReserveLevels(state.plan, "UTC").length, 1, "the plan says when it changes");
    const kinds = state.waves.map(({ kind }) => kind);
    const released = state.waves.find(({ steps }) => steps.some(({ kind }) => kind === "release"));
    assert.ok(released && kinds.slice(kinds.indexOf("failback") + 1).includes("update"), kinds.join());
    const [span] = reservedSpans(state.plan);
    assert.ok(span && Math.abs(span.toMs - FALLS_AT) < 20 * MINUTE_MS);
    assert.deepEqual(
      Object.entries(fixture.fleet.versions()).filter(([host, version]) => host.startsWith("host") && version !== "v2"),
      [],
    );
    assert.equal(fixture.store.entriesOf(RUN).filter((entry) => entry.kind === "failure").length, 0);
  });
});
