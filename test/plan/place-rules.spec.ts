import assert from "node:assert/strict";

import { plan } from "../../providers/plan/plan";
import type { MigrationPlan, RebalanceSpec } from "../../sdk/model";
import { NO_UPDATE } from "../../sdk/model";
import { sampleInput, type Sample } from "./sample-fleets";
import { simulate } from "./simulation";

const ONE_BY_ONE = { limits: { hostsAtOnce: 1, hostsPerZone: 1, canaryHosts: 0, soakMs: 0, drainMs: 30_000 } } as const;

function targetsOf({ waves }: MigrationPlan, workload: string): readonly string[] {
  return waves.flatMap(({ moves }) =>
    moves.flatMap((move) => (move.workload === workload && move.to ? [move.to] : [])),
  );
}

/** Four hosts in two zones, the odd ones restricted. */
function sampleWith(workload: Sample["workloads"][number], change: Partial<Sample> = {}): Sample {
  return {
    hosts: ["host-1", "host-2", "host-3", "host-4"].map((id, index) => ({
      id,
      zone: index < 2 ? "a" : "b",
      host: { labels: { security: index % 2 === 0 ? "restricted" : "open" } },
    })),
    workloads: [workload],
    spec: ONE_BY_ONE,
    ...change,
  };
}

describe("places of copies", () => {
  it("are hosts with the labels and of the zones that a workload is within", () => {
    const within = { labels: { security: ["restricted"] } };
    const labelled = plan(sampleInput(sampleWith({ name: "pay", on: ["host-1"], workload: { within } })));
    assert.equal(labelled.decision, "run");
    assert.ok(targetsOf(labelled, "pay").length > 0);
    for (const host of targetsOf(labelled, "pay")) assert.match(host, /host-[13]/);
    assert.equal(labelled.envelope.places?.["pay"], "within security restricted");

    const zoned = plan(
      sampleInput(sampleWith({ name: "pay", on: ["host-1"], workload: { within: { zones: ["a"] } } })),
    );
    for (const host of targetsOf(zoned, "pay")) assert.match(host, /host-[12]/);
    const rejected = zoned.waves.flatMap(({ moves }) =>
      moves.flatMap(({ scores }) => scores.flatMap((s) => s.rejected ?? [])),
    );
    assert.ok(rejected.includes("is not a host that the workload may run on"), rejected.join("\n"));
  });

  it("are hosts of the reserve only where the island may have them", () => {
    const inputWith = (security: string) => {
      const input = sampleInput({
        hosts: [
          { id: "host-1", host: { labels: { security: "restricted" } } },
          { id: "standby-1", role: "standby", host: { labels: { security } } },
        ],
        workloads: [{ name: "pay", on: ["host-1"] }],
        maximumReserveHosts: 1,
        spec: ONE_BY_ONE,
      });
      const islands = input.fleet.islands.map((island) => ({
        ...island,
        within: { labels: { security: ["restricted"] } },
      }));
      return { ...input, fleet: { ...input.fleet, islands } };
    };
    assert.equal(plan(inputWith("restricted")).decision, "run");
    assert.equal(plan(inputWith("open")).decision, "blocked");
  });

  it("are within the zone where a volume is, and none but its own for a copy that may not move", () => {
    const zoned = plan(sampleInput(sampleWith({ name: "db", on: ["host-3"], workload: { moves: "zone" } })));
    assert.ok(targetsOf(zoned, "db").length > 0);
    for (const host of targetsOf(zoned, "db")) assert.match(host, /host-[34]/);

    const pinned = { name: "db", on: ["host-1", "host-3"], workload: { moves: "nowhere", maxUnavailable: 1 } } as const;
    const paused = plan(sampleInput(sampleWith(pinned)));
    assert.equal(paused.decision, "run");
    const methods = paused.waves.flatMap(({ moves }) => moves.map(({ method, reason }) => `${method}: ${reason}`));
    assert.deepEqual(
      methods,
      ["host-1", "host-3"].map(
        (host) => `shed: it may not move, and its budget allows it to pause while ${host} is updated`,
      ),
    );
    const strict = { ...pinned, workload: { ...pinned.workload, maxUnavailable: 0 } };
    const [blocker] = plan(sampleInput(sampleWith(strict))).blockers;
    assert.match(blocker?.reason ?? "", /3 hosts further away than its copies may move/);
  });

  it("are near a copy of what a workload calls, at every moment", () => {
    const calls = {
      name: "front",
      on: ["host-1"],
      workload: { dependsOn: [{ workload: "cache", within: "zone" as const }] },
    };
    const cache = { name: "cache", on: ["host-2"] };
    const result = plan(sampleInput(sampleWith(calls, { workloads: [calls, cache] })));
    assert.equal(result.decision, "run");
    for (const host of [...targetsOf(result, "front"), ...targetsOf(result, "cache")]) assert.match(host, /host-[12]/);
  });

  it("are in as many zones as a workload is spread over, whichever hosts are updated", () => {
    const spread = { over: "zone", atLeast: 2 } as const;
    const front = { name: "front", on: ["host-1", "host-3"], workload: { copies: 2, maxUnavailable: 1, spread } };
    const input = sampleInput(sampleWith(front));
    const result = plan(input);
    assert.equal(result.decision, "run");
    for (const { from, to } of result.waves.flatMap(({ moves }) => moves)) {
      const zoneOf = (id = ""): string => (/[12]$/.test(id) ? "a" : "b");
      if (to) assert.equal(zoneOf(to), zoneOf(from), `${from} to ${to}`);
    }
    assert.equal(result.envelope.places?.["front"], "in at least 2 zones");
    simulate(input, result, () => 0);

    // One more copy than zones that count: it may leave its zone, where the others may not.
    const hosts = ["host-1", "host-2", "host-3", "host-4", "host-5"].map((id, index) => ({
      id,
      zone: index < 2 ? "a" : index < 4 ? "b" : "c",
    }));
    const wide = {
      name: "front",
      on: ["host-1", "host-3", "host-5"],
      workload: { copies: 3, maxUnavailable: 0, spread },
    };
    const free = plan(sampleInput(sampleWith(wide, { hosts })));
    assert.equal(free.decision, "run");
    const leaves = free.waves.flatMap(({ moves }) => moves).filter(({ from }) => from === "host-5");
    assert.ok(leaves.length > 0 && leaves.every(({ to }) => to !== undefined && to !== "host-5"));

    const alone = { ...front, on: ["host-1", "host-5"], workload: { ...front.workload, maxUnavailable: 0 } };
    const stuck = plan(sampleInput(sampleWith(alone, { hosts })));
    assert.equal(stuck.decision, "blocked", "zone c has one host, which cannot be emptied");
  });

  it("are in other zones than those with the most hosts where a copy is stuck in one of these", () => {
    const asWanted = { probe: { output: "v2", matches: true } } as const;
    const hosts = [
      { id: "host-1", zone: "a" },
      { id: "host-2", zone: "a", host: asWanted },
      { id: "host-3", zone: "b" },
      { id: "host-4", zone: "b", host: asWanted },
      { id: "host-5", zone: "c", host: asWanted },
      { id: "host-6", zone: "a", host: asWanted },
    ];
    const spread = { over: "zone", atLeast: 2 } as const;
    const front = { name: "front", on: ["host-1", "host-3", "host-5"], workload: { spread } };
    // The only other host of zone b has no room: the copy there has to leave it, so zone c is the second one that counts.
    const filler = {
      name: "filler",
      on: ["host-4"],
      memoryBytes: 8 * 2 ** 30,
      workload: { moves: "nowhere" },
    } as const;
    const input = sampleInput({ hosts, workloads: [front, filler] });
    const result = plan(input);
    assert.equal(result.decision, "run", JSON.stringify(result.blockers));
    const moves = result.waves.flatMap((wave) => wave.moves);
    const targetOf = (host: string): string | undefined => moves.find(({ from }) => from === host)?.to;
    assert.match(targetOf("host-1") ?? "", /host-[26]/);
    assert.match(targetOf("host-3") ?? "", /host-[126]/);
    assert.ok(moves.every(({ from }) => from !== "host-5"));
    simulate(input, result, () => 0);

    const two = { ...front, on: ["host-1", "host-3"] };
    const stuck = plan(sampleInput({ hosts, workloads: [two, filler] }));
    assert.equal(stuck.decision, "blocked", "there is no third zone to stay in instead");
  });

  it("are none beside a workload that a copy has to be apart from, whoever says so", () => {
    const web = { name: "web", on: ["host-1"], workload: { apartFrom: ["batch"] } };
    const batch = { name: "batch", on: ["host-2", "host-3"] };
    const input = sampleInput(sampleWith(web, { workloads: [web, batch] }));
    const result = plan(input);
    assert.equal(result.decision, "run");
    assert.ok(targetsOf(result, "web").length > 0 && targetsOf(result, "batch").length > 0);
    simulate(input, result, () => 0);
  });

  it("have no more CPU requested than their overcommit allows, and demand within their share besides", () => {
    const inputWith = (cpu: number | undefined, hostCpu?: number) =>
      sampleInput({
        hosts: ["host-1", "host-2"].map((id) => ({
          id,
          ...(hostCpu ? { host: { overcommit: { cpu: hostCpu } } } : {}),
        })),
        workloads: ["a", "b", "c"].map((name, index) => ({
          name,
          on: [index === 0 ? "host-1" : "host-2"],
          demand: [500],
          workload: { request: { cpuMillis: 1000, memoryBytes: 2 ** 28 } },
        })),
        ...(cpu === undefined ? {} : { island: { overcommit: { cpu } } }),
        spec: ONE_BY_ONE,
      });
    assert.equal(plan(inputWith(undefined)).decision, "run", "requests are not counted unless that is declared");
    assert.equal(plan(inputWith(1.5)).decision, "run");
    const [blocker] = plan(inputWith(1)).blockers;
    assert.match(blocker?.reason ?? "", /1 host with as much CPU requested as their overcommit allows/);
    assert.equal(plan(inputWith(1.5, 1)).decision, "blocked", "the stricter of island and host holds");
    assert.deepEqual(plan(inputWith(1.5)).envelope.places, { "island shop": "with requests up to 1.5 times its CPU" });
  });

  it("hold in a rebalance too", () => {
    const rebalance: RebalanceSpec = { horizonMs: 3_600_000, target: 0.8, tolerance: 0.3, maximumMoves: 10, restMs: 0 };
    const spec = { update: NO_UPDATE, failback: "never" as const, rebalance };
    const full = (within: Partial<Sample["workloads"][number]>): Sample => {
      const busy = { name: "busy", on: ["host-1"], demand: [900], ...within };
      return sampleWith(busy, {
        workloads: [busy, { name: "big", on: ["host-1"], demand: [1000], workload: { moves: "nowhere" } }],
        spec,
      });
    };
    const free = plan(sampleInput(full({})));
    assert.equal(targetsOf(free, "busy").length, 1);
    const bound = plan(sampleInput(full({ workload: { within: { hosts: ["host-1", "host-3"] } } })));
    assert.deepEqual(targetsOf(bound, "busy"), ["host-3"]);
    const stuck = plan(sampleInput(full({ workload: { within: { hosts: ["host-1"] } } })));
    assert.deepEqual(stuck.waves, []);
  });
});
