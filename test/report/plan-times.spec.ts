import assert from "node:assert/strict";

import { plan } from "../../providers/plan/plan";
import { renderPlanPage } from "../../providers/report/plan-page";
import { stepTimes } from "../../providers/report/step-times";
import type { Fleet } from "../../sdk/model";
import { sampleInput } from "../plan/sample-fleets";

const MIB = 2 ** 20;

/** A plan with lanes whose copies carry data over links. */
function linkedPlan() {
  const hosts = Array.from({ length: 10 }, (_, at) => ({ id: `host-${String(at + 10)}`, zone: at % 2 ? "a" : "b" }));
  const workloads = hosts.map(({ id }, at) => ({ name: `app${String(at)}`, on: [id] }));
  const limits = { hostsAtOnce: 4, hostsPerZone: 4, canaryHosts: 0, soakMs: 60_000, drainMs: 30_000 };
  const input = sampleInput({ hosts, workloads, spec: { limits } });
  const fleet: Fleet = {
    ...input.fleet,
    hosts: input.fleet.hosts.map((host) => ({ ...host, linkBytesPerSecond: 100 * MIB })),
    workloads: input.fleet.workloads.map((workload) => ({ ...workload, transferBytes: 2_000 * MIB })),
  };
  const made = plan({ ...input, fleet });
  assert.equal(made.decision, "run");
  return { input, fleet, made };
}

describe("times within a wave of a plan", () => {
  it("keep the order of steps and the limits of lanes, and lie in the wave", () => {
    const { fleet, made } = linkedPlan();
    const wave = made.waves.find(({ lanes }) => lanes !== undefined);
    assert.ok(wave?.lanes);
    const times = stepTimes(wave, fleet);
    assert.ok(times);
    for (const step of wave.steps) {
      const time = times.get(step.id);
      assert.ok(time && time.startMs >= wave.startMs && time.endMs <= wave.endMs + 1);
      for (const id of step.after) assert.ok((times.get(id)?.endMs ?? Infinity) <= time.startMs + 1, step.id);
    }
    const cordons = wave.steps.flatMap((step) => (step.kind === "cordon" ? [times.get(step.id)?.startMs ?? 0] : []));
    for (const at of cordons) {
      const out = wave.hosts.filter((host) => {
        const own = wave.steps.filter((step) => "host" in step && step.host === host && step.kind !== "start-copy");
        const spans = own.flatMap(({ id }) => times.get(id) ?? []);
        return (
          Math.min(...spans.map(({ startMs }) => startMs)) <= at && Math.max(...spans.map(({ endMs }) => endMs)) > at
        );
      });
      assert.ok(out.length <= (wave.lanes.limits["hosts"] ?? 0), String(out.length));
    }
  });

  it("are on the page: new copies before the cordon, soaks, and links that are never over their bandwidth", () => {
    const { input, fleet, made } = linkedPlan();
    const page = renderPlanPage(input.spec, made, input.forecast, { fleet });
    assert.match(page, /its new copies start elsewhere, /);
    assert.match(page, /works again, watched, /);
    const busiest = Number(/The busiest one, [\w -]+, carries (\d+) %/.exec(page)?.[1]);
    assert.ok(busiest > 0 && busiest <= 100, String(busiest));
    assert.doesNotMatch(renderPlanPage(input.spec, made, input.forecast), /Load of the busiest links/);
  });

  it("are of each host, also in a wave of thousands of steps; in larger ones it is said that only the wave is known", () => {
    const { input, made } = linkedPlan();
    const wave = made.waves.find(({ lanes }) => lanes !== undefined);
    assert.ok(wave);
    const padded = (count: number) => ({
      ...wave,
      // Steps that nobody waits for, of no lane.
      steps: [
        ...wave.steps,
        ...Array.from({ length: count }, (_, index) => ({
          id: `soak-${String(index)}`,
          kind: "soak" as const,
          hosts: [],
          durationMs: 1,
          after: [],
          expected: { p50Ms: 1, p95Ms: 1 },
        })),
      ],
    });
    const times = stepTimes(padded(9_000));
    assert.equal(times?.size, wave.steps.length + 9_000);
    assert.equal(stepTimes(padded(30_000)), undefined);
    const page = renderPlanPage(input.spec, { ...made, waves: [padded(30_000)] }, input.forecast);
    assert.match(page, /updated at some time of it/);
    assert.doesNotMatch(page, /out of service, updated/);
  });

  it("stand beside demand and capacity of each island, and no island's capacity beside another one's demand", () => {
    const { input, fleet, made } = linkedPlan();
    const islands = ["shop", "back"].map((island, index) => {
      return { island, capacityCpuMillis: 8000 - 1000 * index, demandCpuMillis: 100 };
    });
    const waves = made.waves.map((wave) => ({ ...wave, islands }));
    const page = renderPlanPage(input.spec, { ...made, waves }, input.forecast, { fleet });
    assert.ok(page.indexOf("Demand of back beside") < page.indexOf("Demand of shop beside"), "the tightest first");
    assert.match(page, /at least 8\.00 cores are in service/);
    const unknown = renderPlanPage(input.spec, { ...made, waves }, input.forecast);
    assert.match(unknown, /Demand of all workloads beside[^]*at least 15\.00 cores are in service/);
  });

  it("are of a run: a plan that is blocked has none, nor numbers that look like good news", () => {
    const { input, made } = linkedPlan();
    const blockers = [{ code: "capacity" as const, subject: "shop", reason: "too little", fix: "one more host" }];
    const units = (made.waves[0]?.moves ?? []).flatMap(({ migration, replica, workload, from }) =>
      migration
        ? [{ unit: replica, workload, host: from, outcome: "blocked" as const, migration, reason: "too little" }]
        : [],
    );
    assert.ok(units.length > 0);
    const page = renderPlanPage(
      input.spec,
      { ...made, decision: "blocked", waves: [], blockers, units },
      input.forecast,
    );
    assert.match(page, /Reasons that block it/);
    assert.doesNotMatch(page, /Chance of too little capacity/);
    assert.match(page, /what blocks it, above/);
    const columns = [...page.matchAll(/<th[^>]*>(Unit|On|Ends as|Score|Why)<\/th>/g)].map(([, name]) => name);
    assert.deepEqual(columns.slice(-5), ["Unit", "On", "Ends as", "Score", "Why"]);
  });
});
