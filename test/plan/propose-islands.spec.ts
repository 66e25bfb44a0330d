import assert from "node:assert/strict";

import * as fc from "fast-check";

import { renderIslands } from "../../providers/cli/island-proposals";
import { proposeIslands } from "../../providers/plan/islands/propose-islands";
import { disruptionBudgets } from "../../sdk/arguments";
import type { Mistake } from "../../sdk/model";
import { randomSample } from "./random-samples";
import { sampleInput, type Sample } from "./sample-fleets";

const GIB = 2 ** 30;
const shop: Sample = {
  hosts: ["1", "2", "3", "4"].map((id) => ({ id: `host-${id}` })),
  workloads: [
    { name: "cart", on: ["host-1", "host-2"], demand: [600], workload: { dependsOn: [{ workload: "prices" }] } },
    { name: "prices", on: ["host-3"], demand: [300] },
    { name: "search", on: ["host-4"], demand: [500] },
    { name: "ledger", on: ["host-1"], demand: [200], workload: { exclusive: true } },
    { name: "reports", on: ["host-2"], demand: [900], service: false, memoryBytes: 2 * GIB },
  ],
};

describe("islands proposed by policy", () => {
  const input = sampleInput(shop);
  const proposed = proposeIslands(input.fleet, input.forecast, input.spec);

  it("are families: what calls each other, other services, writers, and what gives way", () => {
    const families = proposed.islands.map(({ name, workloads }) => [name, workloads.map((one) => one.name)]);
    assert.deepEqual(families, [
      ["cart", ["cart", "prices"]],
      ["shop-services", ["search"]],
      ["shop-writers", ["ledger"]],
      ["shop-batch", ["reports"]],
    ]);
  });

  it("have the share that covers their need with a tenth more while the most hosts are away", () => {
    assert.ok(proposed.fits);
    const [cart, , , batch] = proposed.islands;
    // Two of four hosts with 4 cores are left; 0.9 cores and a tenth more are 12.4 % of 8 cores, one copy of 0.3 fits.
    assert.deepEqual(cart?.share.cpu, 0.13);
    assert.equal(batch?.share.memory, 0.14, "a copy of 2 GiB has to fit on a host of 16 GiB");
  });

  it("are printed as a declaration with reasons and numbers", () => {
    const text = renderIslands(proposed);
    assert.match(text, /^\/\/ \d+% of CPU and \d+% of memory of each host are left, promised to nobody\n/);
    assert.match(text, /\/\/ they call each other, .*: cart, prices; needs 0\.90 cores and 0\.75 GiB\n/);
    assert.match(text, /new archipelago\.ResourceIsland\("cart", \{\n {2}hosts: shopHosts, \/\/ those of shop\n/);
    assert.match(text, /\{ name: "ledger", copies: "exclusive", maxPause: "2 seconds" \}/);
    assert.match(text, /name: "cart", copies: 2, budget: \{ maxUnavailable: 0 \}, dependsOn: \["prices"\]/);
  });

  it("keep the rules that hold for the hosts of the island that they come from", () => {
    const island = {
      within: { zones: ["a"] },
      overcommit: { cpu: 1.5 },
      disruptionBudgets: [{ hosts: { share: 0.1 } }, { hosts: 0, reasons: ["rebalance" as const] }],
    };
    const { fleet, forecast, spec } = sampleInput({ ...shop, island });
    const text = renderIslands(proposeIslands(fleet, forecast, spec));
    assert.match(text, /\n {2}within: \{ zones: \["a"\] \},\n {2}overcommit: \{ cpu: 1\.5 \},\n/);
    const declared = /disruptionBudgets: (.*),\n/.exec(text)?.[1] ?? "";
    assert.equal(declared, '[{ hosts: "10%" }, { hosts: 0, reasons: ["rebalance"] }]');
    const mistakes: Mistake[] = [];
    // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call
    const written = new Function(`return ${declared};`)() as unknown;
    assert.deepEqual(disruptionBudgets(written, "", mistakes), island.disruptionBudgets);
  });

  it("say what is missing where the hosts are too small", () => {
    const heavy = sampleInput({ ...shop, workloads: [{ name: "big", on: ["host-1"], demand: [30_000] }] });
    const { fits, left, islands } = proposeIslands(heavy.fleet, heavy.forecast, heavy.spec);
    assert.ok(!fits && left.cpu < 0 && islands.length === 1);
    assert.match(
      renderIslands({ fits, left, islands }),
      /^\/\/ TOO MUCH for these hosts: \d+% of CPU of each host is missing/,
    );
  });

  it("hold every workload once and cover every family's need, whatever the fleet", () => {
    fc.assert(
      fc.property(randomSample(), (sample) => {
        const { fleet, forecast, spec } = sampleInput(sample);
        const { islands, fits, left } = proposeIslands(fleet, forecast, spec);
        const names = islands.flatMap(({ workloads }) => workloads.map(({ name }) => name)).sort();
        assert.deepEqual(names, fleet.workloads.map(({ name }) => name).sort());
        assert.equal(new Set(islands.map(({ name }) => name)).size, islands.length);
        const members = fleet.hosts.filter(({ role }) => role === "member").map(({ capacity }) => capacity.cpuMillis);
        const away = Math.min(spec.limits.hostsAtOnce, members.length - 1);
        const rest = members
          .sort((a, b) => b - a)
          .slice(away)
          .reduce((sum, cpuMillis) => sum + cpuMillis, 0);
        for (const { share, needCpuMillis } of islands) assert.ok(share.cpu * rest >= needCpuMillis);
        const total = islands.reduce((sum, { share }) => sum + share.cpu, 0);
        if (fits) assert.ok(total <= 1 + 1e-9);
        assert.ok(Math.abs(1 - total - left.cpu) < 0.006);
      }),
      { numRuns: 100 },
    );
  });
});
