import assert from "node:assert/strict";

import { LaneGate, lanesNotBegun, wholeHosts } from "../../providers/execute/lanes";
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

  describe("where new copies are started ahead", () => {
    const move = { move: "m", workload: "app", expected } as const;
    const ahead = hosts.flatMap((host): PlanStep[] => [
      {
        ...move,
        move: host,
        id: `${host}/start-copy`,
        kind: "start-copy",
        replica: `${host}-2`,
        host: "spare",
        after: [],
      },
      { id: `${host}/cordon`, kind: "cordon", host, after: [`${host}/start-copy`], expected },
      { id: `${host}/uncordon`, kind: "uncordon", host, after: [`${host}/cordon`], expected },
    ]);
    const moves = hosts.map((host): Wave["moves"][number] => ({
      id: host,
      workload: "app",
      replica: `${host}-1`,
      newReplica: `${host}-2`,
      from: host,
      to: "spare",
      method: "surge",
      reason: "",
      scores: [],
    }));
    const uses = Object.fromEntries(hosts.map((host) => [host, ["hosts"]]));
    const going: Wave = { ...wave, steps: ahead, moves, lanes: { limits: { hosts: 1 }, ahead: { hosts: 1 }, uses } };
    const stepOf = (id: string): PlanStep => ahead.find((candidate) => candidate.id === id) as PlanStep;

    it("starts copies of one more lane than there are places, and cordons its host when a place is free", () => {
      const gate = new LaneGate(going, () => undefined);
      assert.ok(gate.admit(stepOf("host-1/start-copy")));
      assert.ok(gate.admit(stepOf("host-2/start-copy")));
      assert.ok(!gate.admit(stepOf("host-3/start-copy")), "one lane goes ahead");
      for (const host of ["host-1", "host-2"]) gate.leave(stepOf(`${host}/start-copy`));
      assert.ok(gate.admit(stepOf("host-2/cordon")), "whoever is ready first has the place");
      assert.ok(!gate.admit(stepOf("host-1/cordon")));
      gate.leave(stepOf("host-2/cordon"));
      assert.ok(!gate.admit(stepOf("host-3/start-copy")));
      gate.leave(stepOf("host-2/uncordon"));
      assert.ok(gate.admit(stepOf("host-1/cordon")));
      assert.ok(gate.admit(stepOf("host-3/start-copy")));
    });

    it("counts lanes ahead and lanes with places apart when it takes over", () => {
      const done: Readonly<Record<string, StepRecord["status"]>> = {
        "host-1/start-copy": "done",
        "host-2/start-copy": "started",
      };
      const gate = new LaneGate(going, (id) => done[id]);
      assert.ok(!gate.admit(stepOf("host-3/start-copy")));
      assert.ok(gate.admit(stepOf("host-1/cordon")));
      const placed = new LaneGate(going, (id) => (id === "host-1/cordon" ? "done" : done[id]));
      assert.ok(!placed.admit(stepOf("host-2/cordon")));
    });
  });

  it("knows the hosts that are through", () => {
    const done = new Set(["host-1/cordon", "host-1/uncordon", "host-2/cordon"]);
    assert.deepEqual([...wholeHosts(wave, (id) => (done.has(id) ? "done" : undefined)).hosts], ["host-1"]);
    assert.deepEqual([...wholeHosts({ ...wave, steps, kind: "canary" }, () => undefined).hosts], []);
  });
});
