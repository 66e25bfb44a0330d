import assert from "node:assert/strict";
import * as fc from "fast-check";

import { findsDevices } from "../../providers/plan/device-use";
import { plan } from "../../providers/plan/plan";
import { cardsOf, partitionsOf, type HostDevices } from "../../sdk/model";
import { pickFrom } from "./random-samples";
import { sampleInput, type Sample } from "./sample-fleets";

const offers = fc.record({ count: fc.integer({ min: 1, max: 5 }), partitions: fc.integer({ min: 1, max: 7 }) });
const requests = fc.oneof(fc.integer({ min: 1, max: 3 }), fc.constantFrom(1 / 7, 2 / 7, 0.25, 0.5, 0.75));

/** Puts requests on cards in some order, each on any card that has room; undefined when one finds none. */
function spread(all: readonly number[], offered: HostDevices, pick: (count: number) => number): number[] | undefined {
  const used = Array.from({ length: offered.count }, () => 0);
  for (const request of all) {
    const size = partitionsOf(request, offered);
    for (let cards = Math.max(1, cardsOf(request)); cards > 0; cards--) {
      const free = used.flatMap((use, card) => (use + size <= offered.partitions ? [card] : []));
      const card = free[pick(Math.max(1, free.length))];
      if (card === undefined) return undefined;
      used[card] = (used[card] ?? 0) + size;
    }
  }
  return used;
}

describe("devices on a host", () => {
  it("are found by a copy however those that are there have been spread over its cards", () => {
    let found = 0;
    fc.assert(
      fc.property(
        offers,
        fc.array(requests, { maxLength: 8 }),
        requests,
        fc.nat(),
        (offered, others, request, seed) => {
          if (!findsDevices(request, others, offered)) return;
          const used = spread(others, offered, pickFrom(seed));
          // What does not fit by itself cannot be there.
          if (!used) return;
          found++;
          const size = partitionsOf(request, offered);
          const free = used.filter((use) => use + size <= offered.partitions).length;
          assert.ok(free >= Math.max(1, cardsOf(request)), JSON.stringify(used));
        },
      ),
      { numRuns: 2000 },
    );
    assert.ok(found > 200, String(found));
  });

  it("are filled to the last partition where all ask for the same", () => {
    for (const [part, most] of [
      [1 / 7, 14],
      [2 / 7, 6],
      [3 / 7, 4],
      [1, 2],
    ] as const) {
      const offered = { count: 2, partitions: 7 };
      let count = 0;
      while (findsDevices(part, new Array<number>(count).fill(part), offered)) count++;
      assert.equal(count, most, `copies of ${String(part)} of a card`);
    }
  });

  it("are held by both ends of a move, and named where they are missing", () => {
    const gpu = { count: 1, partitions: 2 };
    const sample: Sample = {
      hosts: ["host-1", "host-2"].map((id) => ({ id, host: { devices: { gpu } } })),
      workloads: [
        { name: "train", on: ["host-1"], workload: { devices: { gpu: 1 } } },
        { name: "infer", on: ["host-2"], workload: { devices: { gpu: 0.5 } } },
      ],
      spec: { limits: { hostsAtOnce: 1, hostsPerZone: 1, canaryHosts: 0, soakMs: 0, drainMs: 30_000 } },
    };
    const [blocker] = plan(sampleInput(sample)).blockers;
    assert.match(blocker?.reason ?? "", /no host can take (train|infer)-1 .*1 host without devices left for it/);
    const more = { ...sample, hosts: [...sample.hosts, { id: "host-3", host: { devices: { gpu } } }] };
    assert.equal(plan(sampleInput(more)).decision, "run");
  });
});
