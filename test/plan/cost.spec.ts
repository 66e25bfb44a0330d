import assert from "node:assert/strict";

import { plan, type PlanInput } from "../../providers/plan/plan";
import { createPlanView, renderPlanTable, type CostLine, type PriceTable } from "../../sdk/model";
import { OPENING_MS, sampleInput, type Sample } from "./sample-fleets";

const HOUR_MS = 3_600_000;
const GIB = 2 ** 30;
const hosts = ["1", "2", "3", "4", "5", "6"].map((id) => ({
  id: `host-${id}`,
  zone: Number(id) % 2 === 0 ? "a" : "b",
}));
const busy: Sample = {
  hosts: [...hosts, { id: "standby-1", zone: "c", role: "standby" }, { id: "standby-2", zone: "c", role: "standby" }],
  workloads: [
    { name: "web", on: hosts.map(({ id }) => id), demand: [9000] },
    { name: "ledger", on: ["host-1"], memoryBytes: 2 * GIB, workload: { exclusive: true } },
  ],
  maximumReserveHosts: 2,
};

function withPrices(prices: PriceTable | undefined, sample: Sample = busy): PlanInput {
  const input = sampleInput(sample);
  return prices ? { ...input, fleet: { ...input.fleet, prices } } : input;
}

function assertAddsUp(cost: CostLine): void {
  for (const { kind, quantity, amount } of cost.items ?? []) {
    const parts = (cost.waves ?? []).flatMap(({ items }) => items.filter((item) => item.kind === kind));
    assert.ok(Math.abs(parts.reduce((sum, part) => sum + part.quantity, 0) - quantity) < 1e-6, kind);
    if (amount !== undefined) {
      assert.ok(Math.abs(parts.reduce((sum, part) => sum + (part.amount ?? 0), 0) - amount) < 1e-3, kind);
    }
  }
}

describe("the cost of a plan", () => {
  it("is by item and by wave, and the waves add up to the whole", () => {
    const prices = {
      currency: "EUR",
      cpuCoreHour: 0.1,
      memoryGibHour: 0.01,
      transferGibAcrossZones: 0.5,
      surgeCpuCoreHour: 1,
    };
    const { cost, waves, reserve } = plan(withPrices(prices));
    assert.deepEqual(
      cost.items?.map(({ kind }) => kind),
      ["reservation", "surge", "transfer"],
    );
    assert.equal(cost.waves?.length, waves.length);
    assertAddsUp(cost);
    const hours = (reserve.hosts.length * ((waves.at(-1)?.endMs ?? 0) - OPENING_MS)) / HOUR_MS;
    const [reservation, surge, transfer] = cost.items ?? [];
    // Standby hosts have 4 cores and 16 GiB.
    assert.ok(Math.abs((reservation?.amount ?? 0) - hours * (0.4 + 0.16)) < 0.01);
    assert.ok((surge?.quantity ?? 0) > 0 && (surge?.amount ?? 0) > 0);
    const handOvers = waves.flatMap(({ moves }) => moves.filter(({ method }) => method === "hand-over"));
    assert.ok(Math.abs((transfer?.quantity ?? 0) - 2 * handOvers.length) < 1e-3);
    const sum = (cost.items ?? []).reduce((total, { amount }) => total + (amount ?? 0), 0);
    assert.ok(Math.abs((cost.amount ?? 0) - sum) < 1e-3);
    assert.match(cost.note, /^[\d.]+ EUR: reserved [\d.]+ host hours, [\d.]+ EUR; surge .*; transfer /);
  });

  it("counts what copies fetch beside the memory of those that are handed over", () => {
    const prices = { currency: "EUR", transferGibAcrossZones: 0.5, transferGibWithinZone: 0 };
    const input = withPrices(prices);
    const workloads = input.fleet.workloads.map((workload) => ({ ...workload, transferBytes: 3 * GIB }));
    const { cost, waves } = plan({ ...input, fleet: { ...input.fleet, workloads } });
    const moves = waves.flatMap((wave) => wave.moves.filter(({ to }) => to !== undefined));
    const transfer = cost.items?.find(({ kind }) => kind === "transfer");
    assert.equal(transfer?.quantity, 3 * moves.length);
    const zoneOf = new Map(input.fleet.hosts.map(({ id, zone }) => [id, zone]));
    const across = moves.filter(({ from, to = from }) => zoneOf.get(from) !== zoneOf.get(to)).length;
    assert.ok(Math.abs((transfer.amount ?? 0) - 3 * 0.5 * across) < 1e-3);
    assertAddsUp(cost);
  });

  it("says that prices are examples until the user gives some, and leaves out what has no price", () => {
    assert.match(plan(withPrices(undefined)).cost.note, /USD.* \(example prices\)$/);
    const { cost } = plan(withPrices({ currency: "EUR", transferGibAcrossZones: 1, transferGibWithinZone: 0 }));
    assert.match(cost.note, /^reserved [\d.]+ host hours.*no price is known$/);
    assert.equal(cost.amount, undefined);
  });

  it("takes the pool's price before the rates by size", () => {
    const pool = { name: "reserve", quantile: 0.95, maximumHosts: 2, hostHourPrice: { amount: 3, currency: "EUR" } };
    const { cost } = plan(
      withPrices({ currency: "EUR", cpuCoreHour: 9, memoryGibHour: 9 }, { ...busy, spec: { pool } }),
    );
    assert.ok(Math.abs((cost.items?.[0]?.amount ?? 0) - 3 * cost.reservedHostHours) < 1e-3);
  });

  it("is nothing where nothing is reserved and moved", () => {
    const { cost } = plan(withPrices(undefined, { hosts, workloads: [] }));
    assert.equal(cost.note, "no reserved hosts, no extra cost");
    assert.equal(cost.cheaper, undefined);
  });

  it("has cheaper plans beside it, each of which planning again confirms", () => {
    const limits = { hostsAtOnce: 2, hostsPerZone: 2, canaryHosts: 0, soakMs: 60_000, drainMs: 30_000 };
    const many = ["1", "2", "3", "4", "5", "6", "7", "8"].map((id) => ({ id: `host-${id}` }));
    // Demand rises so much later that copies cannot share a host then: wider waves are over before.
    const input = withPrices(undefined, {
      ...busy,
      hosts: [...many, ...busy.hosts.slice(-2)],
      workloads: many.map(({ id }) => ({ name: `w-${id}`, on: [id], demand: [1500] })),
      shape: (step) => (step < 4 ? 0.5 : 1.25),
      spec: { limits, pool: { name: "reserve", quantile: 0.95, maximumHosts: 2 } },
    });
    const result = plan(input);
    const [cheapest] = result.cost.cheaper ?? [];
    assert.ok(cheapest, result.cost.note);
    const [, atOnce, perZone] = /^limits: \{ hostsAtOnce: (\d+), hostsPerZone: (\d+) \}$/.exec(cheapest.change) ?? [];
    assert.ok(atOnce && perZone, cheapest.change);
    const again = plan({
      ...input,
      spec: { ...input.spec, limits: { ...limits, hostsAtOnce: Number(atOnce), hostsPerZone: Number(perZone) } },
    });
    assert.equal(again.decision, "run");
    assert.equal(again.cost.amount, cheapest.amount);
    assert.ok(Math.abs((result.cost.amount ?? 0) - cheapest.saves - cheapest.amount) < 1e-3);
    assert.equal(again.total.p50Ms, cheapest.total.p50Ms);
    const table = renderPlanTable(createPlanView(result, "UTC", "plan.html"), "kernel");
    assert.match(table, /cheaper {3}limits: \{ hostsAtOnce: \d+, hostsPerZone: \d+ \}: [\d.]+ USD, [\d.]+ less; about/);
  });
});
