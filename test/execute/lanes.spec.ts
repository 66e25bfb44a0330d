import assert from "node:assert/strict";

import { LaneGate, lanesNotBegun, wholeLanes } from "../../providers/execute/lanes";
import type { PlanStep, StepRecord, Wave } from "../../sdk/model";

const expected = { p50Ms: 1, p95Ms: 2 };
const hosts = ["host-1", "host-2", "host-3"];
const steps = hosts.flatMap((host): PlanStep[] => [
  { id: `${host}/cordon`, kind: "cordon", host, after: [], expected },
  { id: `${host}/uncordon`, kind: "uncordon", host, after: [`${host}/cordon`], expected },
]);
const wave: Wave = {
  index: 1,
  kind: "update",
  hosts,
  startMs: 0,
  endMs: 1,
  endP95Ms: 2,
  moves: [],
  steps,
  lanes: {
    limits: { hosts: 2, "zone/a": 1 },
    uses: { "host-1": ["hosts", "zone/a"], "host-2": ["hosts", "zone/a"], "host-3": ["hosts"] },
  },
  overCapacityShare: 0,
  capacityCpuMillis: 0,
  demandCpuMillis: 0,
};

const step = (id: string): PlanStep => steps.find((candidate) => candidate.id === id) as PlanStep;

describe("lanes at run time", () => {
  it("lets a lane begin when all its limits have room, and holds its places to its end", () => {
    const gate = new LaneGate(wave, () => undefined);
    assert.ok(gate.admit(step("host-1/cordon")));
    assert.ok(!gate.admit(step("host-2/cordon")), "zone a has one place");
    assert.ok(gate.admit(step("host-3/cordon")));
    gate.leave(step("host-1/cordon"));
    assert.ok(!gate.admit(step("host-2/cordon")), "the lane of host-1 is still under way");
    assert.ok(gate.admit(step("host-1/uncordon")));
    gate.leave(step("host-1/uncordon"));
    assert.ok(gate.admit(step("host-2/cordon")));
  });

  it("counts lanes that an earlier owner has begun, and not those that are through", () => {
    const status = (begun: Readonly<Record<string, StepRecord["status"]>>) => (id: string) => begun[id];
    const begun = new LaneGate(wave, status({ "host-1/cordon": "done" }));
    assert.ok(!begun.admit(step("host-2/cordon")));
    const through = new LaneGate(wave, status({ "host-1/cordon": "done", "host-1/uncordon": "done" }));
    assert.ok(through.admit(step("host-2/cordon")));
  });

  it("lets no lane begin once it is closed, finishes those under way, and is not closed before one has begun", () => {
    const statuses = new Map<string, StepRecord["status"]>();
    const gate = new LaneGate(wave, (id) => statuses.get(id));
    gate.close();
    assert.ok(gate.admit(step("host-1/cordon")));
    statuses.set("host-1/cordon", "done");
    gate.close();
    assert.ok(gate.admit(step("host-1/uncordon")));
    assert.ok(!gate.admit(step("host-3/cordon")));
    assert.ok(gate.holdsBack([step("host-2/cordon"), step("host-3/cordon")]));
    assert.deepEqual(
      lanesNotBegun(wave, (id) => statuses.get(id)),
      ["host-2", "host-3"],
    );
  });

  it("knows the hosts that are through", () => {
    const done = new Set(["host-1/cordon", "host-1/uncordon", "host-2/cordon"]);
    assert.deepEqual([...wholeLanes(wave, (id) => (done.has(id) ? "done" : undefined))], ["host-1"]);
    assert.deepEqual([...wholeLanes({ ...wave, steps, kind: "canary" }, () => undefined)], []);
  });
});
