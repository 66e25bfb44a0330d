import assert from "node:assert/strict";

import { findUnusableRules } from "../../providers/plan/unusable-rules";
import { plan } from "../../providers/plan/plan";
import type { Fleet, Workload } from "../../sdk/model";
import { sampleInput } from "./sample-fleets";

const input = sampleInput({
  hosts: [
    { id: "host-1", zone: "a", host: { labels: { security: "open" }, devices: { gpu: { count: 2, partitions: 4 } } } },
    { id: "host-2", zone: "b" },
  ],
  workloads: [
    { name: "web", on: ["host-1"] },
    { name: "db", on: ["host-2"] },
  ],
});
const [web, db] = input.fleet.workloads as [Workload, Workload];

function reasonsWith(change: (fleet: Fleet) => Partial<Fleet>): string[] {
  const fleet = { ...input.fleet, ...change(input.fleet) };
  const result = plan({ ...input, fleet });
  const found = findUnusableRules(fleet).map(({ subject, reason }) => `${subject}: ${reason}`);
  if (found.length > 0) assert.equal(result.decision, "blocked");
  return found;
}

describe("plan, with rules that cannot be kept", () => {
  it("finds nothing wrong with rules that can be", () => {
    const within = { zones: ["a"], labels: { security: ["open"] } };
    assert.deepEqual(
      reasonsWith(() => ({ workloads: [{ ...web, within, devices: { gpu: 0.5 } }, db] })),
      [],
    );
  });

  it("names zones, labels and hosts that are not there, all at once", () => {
    const islands = input.fleet.islands.map((island) => ({ ...island, within: { zones: ["c"] } }));
    const within = { hosts: ["host-9"], racks: ["r1"], labels: { security: ["secret"], tier: ["1"] } };
    assert.deepEqual(
      reasonsWith(() => ({ islands, workloads: [{ ...web, within, apartFrom: ["web", "nobody"] }, db] })),
      [
        "shop: within names zone c, which no host has",
        "web: within names rack r1, which no host has",
        "web: within names host host-9, which no host has",
        "web: within names security secret, which no host has",
        "web: within names tier 1, which no host has",
        "web: apartFrom names itself",
        "web: apartFrom names nobody, which is no workload of the update",
      ],
    );
  });

  it("names who must be in more zones than there are hosts or copies for", () => {
    const spread = (over: "zone" | "rack", atLeast: number) => ({ ...web, spread: { over, atLeast } });
    const zones = new Set(input.fleet.hosts.map(({ zone }) => zone)).size;
    assert.deepEqual(
      reasonsWith(() => ({ workloads: [{ ...spread("zone", zones + 1), copies: 9 }, db] })),
      [
        `web: its copies must be in at least ${String(zones + 1)} zones, and the hosts that they may run on are in ${String(zones)}`,
      ],
    );
    assert.deepEqual(
      reasonsWith(() => ({ workloads: [{ ...spread("zone", 2), copies: 1 }, db] })),
      ["web: its copies must be in at least 2 zones, and it has 1"],
    );
    assert.deepEqual(
      reasonsWith(() => ({ workloads: [{ ...spread("rack", 1.5), copies: 9 }, db] })),
      ["web: its copies must be in at least 1.5 racks: that must be a whole number of 2 or more"],
    );
  });

  it("names them with all other facts that cannot be true, in one go", () => {
    const gpu = { count: -1, partitions: 4 };
    const [first, second] = input.fleet.hosts as [Fleet["hosts"][number], Fleet["hosts"][number]];
    const result = plan({
      ...input,
      fleet: {
        ...input.fleet,
        hosts: [
          { ...first, capacity: { cpuMillis: 0, memoryBytes: Number.NaN }, devices: { gpu } },
          second,
          { ...second, zone: " " },
        ],
        islands: input.fleet.islands.map((island) => ({ ...island, overcommit: { cpu: 0 }, within: { zones: ["c"] } })),
        workloads: [
          { ...web, request: { cpuMillis: -1, memoryBytes: 2 ** 50 }, dependsOn: [{ workload: "db" }] },
          { ...db, moves: "zone", within: { hosts: ["host-9"] }, dependsOn: [{ workload: "web" }], apartFrom: ["db"] },
          db,
        ],
      },
    });
    assert.equal(result.decision, "blocked");
    assert.deepEqual(
      result.blockers.filter(({ code }) => code === "input").map(({ subject, reason }) => `${subject}: ${reason}`),
      [
        "host-2: 2 times there is a host host-2; each has one name of its own",
        "db: 2 times there is a workload db; each has one name of its own",
        "host-1: its CPU in millicores (0) must be above 0",
        "host-1: its memory in bytes (NaN) must be above 0",
        "host-2: its zone is not known",
        "web: its CPU request in millicores (-1) must be 0 or more",
        "host-1: its number of gpu (-1) must be a whole number of 1 or more",
        "shop: its overcommit of cpu (0) must be 1 or more",
        "shop: within names zone c, which no host has",
        "db: within names host host-9, which no host has",
        "db: apartFrom names itself",
        "web: its calls go round: web -> db -> web; a change would never end, and none of them could be first",
      ],
    );
    for (const { fix } of result.blockers) assert.notEqual(fix, "");
  });

  it("names overcommit that is none", () => {
    const islands = input.fleet.islands.map((island) => ({ ...island, overcommit: { cpu: 0.5, memory: Number.NaN } }));
    const hosts = input.fleet.hosts.map((host) => ({ ...host, overcommit: { memory: 0 } }));
    assert.deepEqual(
      reasonsWith(() => ({ islands, hosts: hosts.slice(0, 1).concat(input.fleet.hosts.slice(1) as typeof hosts) })),
      [
        "host-1: its overcommit of memory (0) must be 1 or more",
        "shop: its overcommit of cpu (0.5) must be 1 or more",
        "shop: its overcommit of memory (NaN) must be 1 or more",
      ],
    );
  });

  it("names disruption budgets that are none", () => {
    const disruptionBudgets = [
      { hosts: -1 },
      { hosts: 1.5 },
      { hosts: { share: 1.1 } },
      { hosts: { share: Number.NaN } },
      { hosts: 0 },
    ];
    const islands = input.fleet.islands.map((island) => ({ ...island, disruptionBudgets }));
    const rule = "must be a whole number of hosts, or a share from 0 to 1";
    assert.deepEqual(
      reasonsWith(() => ({ islands })).filter((reason) => reason.includes("must be a whole number of hosts")),
      ["-1", "1.5", "a share of 1.1", "a share of NaN"].map((text) => `shop: its disruption budget (${text}) ${rule}`),
    );
  });

  it("names rules that together leave no host", () => {
    const within = { zones: ["b"], labels: { security: ["open"] } };
    assert.deepEqual(
      reasonsWith(() => ({ workloads: [{ ...web, within }, db] })),
      ["web: no host of shop is within zone b, security open"],
    );
  });

  it("names devices that are no number, and copies that ask for more than any host has", () => {
    const hosts = input.fleet.hosts.map((host, index) =>
      index === 1 ? { ...host, devices: { gpu: { count: 0, partitions: 1.5 } } } : host,
    );
    assert.deepEqual(
      reasonsWith(() => ({
        hosts,
        workloads: [
          { ...web, devices: { gpu: 3, fpga: 1 } },
          { ...db, devices: { gpu: 1.5, tpu: Number.NaN } },
        ],
      })),
      [
        "host-2: its number of gpu (0) must be a whole number of 1 or more",
        "host-2: its number of partitions of each gpu (1.5) must be a whole number of 1 or more",
        "web: one copy needs 3 gpu, and no host that it may run on has more than 2",
        "web: one copy needs 1 fpga, and no host that it may run on has more than 0",
        "db: its gpu (1.5) must be a whole number of cards, or a part of one",
        "db: its tpu (NaN) must be a whole number of cards, or a part of one",
      ],
    );
  });

  it("names calls that must stay near somebody who is nowhere, or where both may not be", () => {
    const dependsOn = [{ workload: "db", within: "zone" as const }];
    assert.deepEqual(
      reasonsWith(({ replicas }) => ({
        workloads: [{ ...web, dependsOn }, db],
        replicas: replicas.filter(({ workload }) => workload !== "db"),
      })),
      ["web: its calls to db must stay within a zone, and no copy of db runs"],
    );
    assert.deepEqual(
      reasonsWith(() => ({
        workloads: [
          { ...web, dependsOn, within: { zones: ["a"] } },
          { ...db, within: { zones: ["b"] } },
        ],
      })),
      ["web: its calls to db must stay within a zone, and no zone has hosts that both may run on"],
    );
  });
});
