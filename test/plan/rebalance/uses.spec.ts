import assert from "node:assert/strict";

import * as fc from "fast-check";

import { findShareChanges, findUses, type MeasuredRow } from "../../../providers/plan/rebalance/uses";
import { plan } from "../../../providers/plan/plan";
import { createPlanView, NO_UPDATE, renderPlanTable } from "../../../sdk/model";
import { sampleInput } from "../sample-fleets";

function row(host: string, island: string, before: number, after: number, cpuMillis = 2000): MeasuredRow {
  return { host, island, before, after, cpuMillis, hostMillis: 4000, isCritical: false };
}

describe("over- and under-used hosts and islands", () => {
  it("are those over the target, and those below half of it all along, the fullest first", () => {
    const rows = [row("a", "x", 0.9, 0.6), row("a", "y", 0.1, 0.1), row("b", "x", 0.2, 0.5), row("c", "x", 0.6, 0.6)];
    const uses = findUses(
      rows,
      [
        { island: "x", before: 0.6, after: 0.6 },
        { island: "y", before: 0.1, after: 0.1 },
      ],
      0.8,
    );
    assert.deepEqual(
      uses.map(({ kind, name, state }) => `${state} ${kind} ${name}`),
      ["over host a", "under host b", "under island y"],
    );
    assert.deepEqual(uses[0], { kind: "host", name: "a", state: "over", before: 0.9, after: 0.6 });
  });

  it("are in the table of a rebalance with the numbers", () => {
    const rebalance = { horizonMs: 3 * 3_600_000, target: 0.8, tolerance: 0.3, maximumMoves: 10, restMs: 0 };
    const result = plan(
      sampleInput({
        hosts: ["host-1", "host-2"].map((id) => ({ id })),
        workloads: [
          { name: "a", on: ["host-1"], demand: [1000] },
          { name: "b", on: ["host-1"], demand: [900] },
        ],
        spec: { update: NO_UPDATE, failback: "never", rebalance },
      }),
    );
    assert.deepEqual(
      result.balance?.uses?.map(({ name, state }) => [name, state]),
      [
        ["host-1", "over"],
        ["host-2", "under"],
      ],
    );
    const table = renderPlanTable(createPlanView(result, "UTC", "plan.html"), "evenly");
    assert.match(table, /use {7}over host host-1: at most 95 % in use, (45|50) % after the moves/);
  });

  it("leave what one island frees to another one of the host that needs it, and no more than that", () => {
    const changes = findShareChanges([row("a", "x", 1.2, 1.2), row("a", "y", 0.2, 0.2), row("b", "x", 0.9, 0.9)], 0.95);
    assert.deepEqual(
      changes.map(({ host, island, to }) => [host, island, Math.round(to * 100)]),
      [
        ["a", "x", 66],
        ["a", "y", 34],
      ],
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ min: 0, max: 2, noNaN: true }), fc.integer({ min: 100, max: 1300 })), {
          minLength: 2,
          maxLength: 3,
        }),
        (islands) => {
          const rows = islands.map(([after, cpuMillis], index) =>
            row("a", `i${String(index)}`, after, after, cpuMillis),
          );
          const found = findShareChanges(rows, 0.95);
          const total = rows.reduce((sum, { cpuMillis, hostMillis }) => sum + cpuMillis / hostMillis, 0);
          const change = found.reduce((sum, { from, to }) => sum + to - from, 0);
          assert.ok(total + change <= Math.max(1, total) + 0.02);
          for (const { from, to, needed } of found) assert.ok(to < from ? to >= needed - 1e-9 : to <= needed + 1e-9);
        },
      ),
    );
  });
});
