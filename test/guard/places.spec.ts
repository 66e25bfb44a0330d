import { strict as assert } from "node:assert";
import { checkRun } from "../../providers/guard/checker";
import type { Fleet, JournalEvent, Overcommit, Workload } from "../../sdk/model";
import { createCleanEvents, moveBefore, stamp } from "./sample-run";

/** What the checker says of the clean run, had its fleet been declared so. */
function placesWith(
  change: (fleet: Fleet) => Partial<Fleet>,
  events: readonly JournalEvent[] = createCleanEvents(),
): readonly string[] {
  const changed = events.map((event): JournalEvent => {
    if (event.kind !== "created") return event;
    const { fleet } = event.bundle;
    return { ...event, bundle: { ...event.bundle, fleet: { ...fleet, ...change(fleet) } } };
  });
  return checkRun({ entries: stamp(changed) })
    .filter(({ rule }) => rule === "place")
    .map(({ subject, text }) => `${subject}: ${text}`);
}

function declare(name: string, declared: Partial<Workload>): (fleet: Fleet) => Partial<Fleet> {
  return ({ workloads }) => ({
    workloads: workloads.map((workload) => (workload.name === name ? { ...workload, ...declared } : workload)),
  });
}

describe("the checker, on places", () => {
  it("finds nothing where nothing is declared, or what is declared was kept", () => {
    assert.deepEqual(
      placesWith(() => ({})),
      [],
    );
    assert.deepEqual(placesWith(declare("pricing", { within: { hosts: ["host-03"] } })), []);
    assert.deepEqual(placesWith(declare("front", { moves: "nowhere" })), [], "back on its own host is no move");
  });

  it("finds copies that went where they may not, in a surge and in a hand-over", () => {
    assert.deepEqual(placesWith(declare("pricing", { within: { hosts: ["host-02"] } })), [
      "pricing: pricing-1 is put on host-03, not within host host-02",
    ]);
    assert.deepEqual(placesWith(declare("ledger", { moves: "nowhere" })), [
      "ledger: ledger-1 is moved from host-01 to host-04, further than it may (nowhere)",
    ]);
    assert.deepEqual(placesWith(declare("pricing", { apartFrom: ["front"] })), [
      "pricing: pricing-1 is put on host-03 beside front",
    ]);
    const within = { labels: { security: ["restricted"] } };
    const found = placesWith(({ islands }) => ({ islands: islands.map((island) => ({ ...island, within })) }));
    assert.ok(found.includes("ledger: ledger-1 is put on host-04, not within security restricted"), found.join("\n"));
  });

  it("finds workloads that are in fewer zones than they must be, by what the run did", () => {
    const spread = { over: "zone", atLeast: 2 } as const;
    // One copy stays on host-02, the other one goes from host-01 to host-03.
    const zonesOf = (zones: Readonly<Record<string, string>>) => (fleet: Fleet) => ({
      ...declare("pricing", { spread })(fleet),
      hosts: fleet.hosts.map((host) => ({ ...host, zone: zones[host.id] ?? host.zone })),
      replicas: fleet.replicas.flatMap((replica) =>
        replica.workload === "pricing" ? [replica, { ...replica, id: "pricing-9", host: "host-02" }] : [replica],
      ),
    });
    assert.deepEqual(placesWith(zonesOf({ "host-01": "one", "host-02": "two", "host-03": "one" })), []);
    assert.deepEqual(placesWith(zonesOf({ "host-01": "one", "host-02": "two", "host-03": "two" })), [
      "pricing: pricing-0 left 1 zones with a copy, 2 must have one",
    ]);
    const narrow = zonesOf({ "host-01": "one", "host-02": "one", "host-03": "one" });
    assert.deepEqual(placesWith(narrow), [], "it was in one zone before");
  });

  it("finds hosts that hold more devices than they have, also for the time of a move", () => {
    const gpu = { count: 1, partitions: 4 };
    const withCards = (asked: number) => (fleet: Fleet) => ({
      ...declare("pricing", { devices: { gpu: asked } })(fleet),
      hosts: fleet.hosts.map((host) => (host.id === "host-01" ? host : { ...host, devices: { gpu } })),
    });
    assert.deepEqual(placesWith(withCards(0.5)), []);
    assert.deepEqual(placesWith(withCards(2)), ["pricing: pricing-1 host-03 holds 8 partitions of gpu, 4 are there"]);
    assert.deepEqual(placesWith(declare("ledger", { devices: { gpu: 1 } })), [
      "ledger: ledger-1 host-04 holds 0 partitions of gpu, 0 are there",
    ]);
  });

  it("finds islands with more CPU requested on a host than their overcommit allows", () => {
    const withFactor = (cpu: number) => (fleet: Fleet) => ({
      islands: fleet.islands.map((island) => ({ ...island, share: { cpu: 0.1, memory: 1 }, overcommit: { cpu } })),
    });
    assert.deepEqual(placesWith(withFactor(2)), []);
    const found = placesWith(withFactor(1));
    assert.ok(
      found.includes("pricing: pricing-1 host-03 has 600 millicores requested of shop, 400 are allowed"),
      found.join("\n"),
    );
  });

  it("finds islands that hold more memory on a host than their overcommit allows, or than their share without one", () => {
    const GIB = 2 ** 30;
    const declared =
      (overcommit: Overcommit | undefined, onHost?: Overcommit) =>
      (fleet: Fleet): Partial<Fleet> => ({
        hosts: fleet.hosts.map((host) => ({
          ...host,
          capacity: { ...host.capacity, memoryBytes: 3 * GIB },
          ...(onHost ? { overcommit: onHost } : {}),
        })),
        islands: fleet.islands.map((island) => ({
          ...island,
          share: { cpu: 1, memory: 0.5 },
          ...(overcommit ? { overcommit } : {}),
        })),
        workloads: fleet.workloads.map((workload) => ({
          ...workload,
          request: { ...workload.request, memoryBytes: workload.name === "pricing" ? 2 * GIB : 0 },
        })),
      });
    const over = (allowed: number): readonly string[] => [
      `pricing: pricing-1 host-03 has 2048 MiB of memory taken up of shop, ${String(allowed)} are allowed`,
    ];
    assert.deepEqual(placesWith(declared({ memory: 1.5 })), []);
    assert.deepEqual(placesWith(declared(undefined)), over(1536));
    assert.deepEqual(placesWith(declared({ memory: 1.2 })), over(1843));
    assert.deepEqual(placesWith(declared({ memory: 2 }, { memory: 1.1 })), over(1690), "the stricter one holds");
    assert.deepEqual(placesWith(declared({ cpu: 3 })), over(1536), "that of CPU is none of memory");
  });

  it("finds callers that a step left without what they must have near", () => {
    const dependsOn = [{ workload: "pricing", within: "rack" as const }];
    const inOneRack = (fleet: Fleet): Partial<Fleet> => ({
      ...declare("ledger", { dependsOn })(fleet),
      hosts: fleet.hosts.map((host) => ({ ...host, zone: "a", rack: host.id })),
    });
    const found = placesWith(inOneRack, moveBefore(createCleanEvents(), "stop", "hand-over"));
    assert.ok(
      found.length > 0 && found.every((text) => /left ledger-\d.* without pricing in its rack/.test(text)),
      found.join("\n"),
    );
  });
});
