import assert from "node:assert/strict";

import { plan } from "../../providers/plan/plan";
import { NO_UPDATE, type Fleet } from "../../sdk/model";
import { sampleInput } from "./sample-fleets";

const input = sampleInput({
  hosts: [
    { id: "host-1", zone: "a" },
    { id: "host-2", zone: "b" },
  ],
  workloads: [{ name: "web", on: ["host-1"], demand: [100] }],
});

function reasonsWith(change: (fleet: Fleet) => Partial<Fleet>): string[] {
  const { decision, blockers, waves } = plan({ ...input, fleet: { ...input.fleet, ...change(input.fleet) } });
  assert.equal(decision, "blocked");
  assert.deepEqual(waves, []);
  return blockers.filter(({ code }) => code === "input").map(({ subject, reason }) => `${subject}: ${reason}`);
}

const [first, second] = input.fleet.hosts as [Fleet["hosts"][number], Fleet["hosts"][number]];
const [web] = input.fleet.workloads as [Fleet["workloads"][number]];

describe("plan, with facts that cannot be true", () => {
  it("plans the same fleet where they are true", () => {
    assert.equal(plan(input).decision, "run");
  });

  it("names hosts without capacity, or with one that is no number", () => {
    const reasons = reasonsWith(() => ({
      hosts: [
        { ...first, capacity: { cpuMillis: 0, memoryBytes: Number.NaN } },
        { ...second, capacity: { cpuMillis: -1, memoryBytes: Infinity }, linkBytesPerSecond: 0 },
      ],
    }));
    assert.deepEqual(reasons, [
      "host-1: its CPU in millicores (0) must be above 0",
      "host-1: its memory in bytes (NaN) must be above 0",
      "host-2: its CPU in millicores (-1) must be above 0",
      "host-2: its memory in bytes (Infinity) must be above 0",
      "host-2: its link in bytes a second (0) must be above 0",
    ]);
  });

  it("does not judge what a host has that does not answer", () => {
    const silent = { ...first, state: "unreachable" as const, capacity: { cpuMillis: 0, memoryBytes: 0 } };
    assert.deepEqual(
      reasonsWith(({ hosts }) => ({ hosts: [silent, ...hosts.slice(1)] })),
      [],
    );
  });

  it("names negative and missing amounts of workloads, and copies that no host can hold", () => {
    const request = { cpuMillis: -5, memoryBytes: Number.NaN };
    assert.deepEqual(
      reasonsWith(() => ({ workloads: [{ ...web, request, transferBytes: -1, maxUnavailable: -2 }] })),
      [
        "web: its CPU request in millicores (-5) must be 0 or more",
        "web: its memory request in bytes (NaN) must be 0 or more",
        "web: its data to transfer in bytes (-1) must be 0 or more",
        "web: its budget (-2) must be 0 or more",
      ],
    );
    const [reason = ""] = reasonsWith(() => ({
      workloads: [{ ...web, request: { ...web.request, memoryBytes: 2 ** 50 } }],
    }));
    assert.match(reason, /^web: one copy needs 1125899906842624 bytes of memory, and the largest host has \d+$/);
  });

  it("names what is there twice, all at once", () => {
    const reasons = reasonsWith(({ hosts, islands, workloads, replicas }) => ({
      hosts: [...hosts, first],
      islands: [...islands, ...islands],
      workloads: [...workloads, web],
      replicas: [...replicas, ...replicas],
    }));
    assert.equal(reasons.length, 4);
    assert.equal(reasons[0], "host-1: 2 times there is a host host-1; each has one name of its own");
  });

  it("names shares beyond a whole host and hosts whose zone is not known", () => {
    const reasons = reasonsWith(({ islands, hosts }) => ({
      islands: islands.map((island) => ({ ...island, share: { cpu: 1.2, memory: 0 } })),
      hosts: [{ ...first, zone: " " }, ...hosts.slice(1)],
    }));
    assert.equal(reasons.length, 3);
    assert.ok(reasons.includes("host-1: its zone is not known"));
  });

  it("names forecasts with values that are no demand", () => {
    for (const value of [Number.NaN, -1, Infinity]) {
      const { demand } = input.forecast;
      const cpuMillis = demand.cpuMillis.map((path) => Array.from(path, (was, at) => (at === 0 ? value : was)));
      const { blockers } = plan({ ...input, forecast: { ...input.forecast, demand: { ...demand, cpuMillis } } });
      assert.deepEqual(
        blockers.map(({ subject, code }) => [subject, code]),
        [["web", "input"]],
      );
    }
  });

  it("names calls that go round", () => {
    const called = (workload: string): Pick<typeof web, "dependsOn"> => ({ dependsOn: [{ workload }] });
    assert.deepEqual(
      reasonsWith(() => ({
        workloads: [
          { ...web, ...called("cart") },
          { ...web, name: "cart", copies: 0, ...called("web") },
        ],
      })),
      [
        "web: its calls go round: web -> cart -> web; a change would never end, and none of them could be first",
        "cart: workload cart of island shop runs on no host, and no command says how to start it",
      ],
    );
  });

  it("judges the facts of a rebalance as well, all at once", () => {
    const rebalance = { horizonMs: 3_600_000, target: 0.8, tolerance: 0.3, maximumMoves: 10, restMs: 0 };
    const spec = { ...input.spec, update: NO_UPDATE, rebalance };
    const { decision, blockers, waves } = plan({
      ...input,
      spec,
      fleet: {
        ...input.fleet,
        hosts: [{ ...first, capacity: { cpuMillis: 0, memoryBytes: Number.NaN } }, second, second],
        workloads: [{ ...web, request: { cpuMillis: Number.NaN, memoryBytes: 2 ** 50 } }],
      },
    });
    assert.equal(decision, "blocked");
    assert.deepEqual(waves, []);
    assert.deepEqual(
      blockers.filter(({ code }) => code === "input").map(({ subject }) => subject),
      ["host-2", "host-1", "host-1", "web"],
    );
  });
});
